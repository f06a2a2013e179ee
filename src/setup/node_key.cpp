#include "gsync/setup/node_key.hpp"

#include <fmt/format.h>
#include <string.h>

#include <optional>

#include "gsync/util/error.hpp"
#include "gsync/util/files.hpp"

namespace gsync::setup {
namespace {

constexpr std::size_t longest_key = 64u << 10;

/// Overwritten when it goes, so that no core file has it.
struct Secret {
  std::string text;
  explicit Secret(std::string content) : text(std::move(content)) {}
  ~Secret() { ::explicit_bzero(text.data(), text.size()); }
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
};

/// The comment stands in the public file only.
std::string comment_of(const std::string& path, const ssh::PublicKey& key, const std::string& otherwise) {
  try {
    const auto there = util::read_file(path + ".pub", longest_key);
    if (!there) return otherwise;
    auto half = ssh::parse_public_key(*there, path + ".pub");
    return half.base64 == key.base64 ? half.comment : otherwise;
  } catch (const Error&) {
    return otherwise;
  }
}

std::optional<ssh::PublicKey> existing_key(const std::string& path, const std::string& comment) {
  auto content = util::read_file(path, longest_key);
  if (!content) return std::nullopt;
  const Secret secret(std::move(*content));
  auto key = ssh::public_half(secret.text, path);
  key.comment = comment_of(path, key, comment);
  return key;
}

}  // namespace

NodeKey node_key(const std::string& path, const std::string& comment) {
  bool made = false;
  auto key = existing_key(path, comment);
  if (!key) {
    auto pair = ssh::generate_key(comment);
    const Secret secret(std::move(pair.private_key));
    made = util::create_file(path, secret.text, 0600);
    key = made ? pair.public_key : existing_key(path, comment);
    if (!key) throw Error(ErrorCode::conflict, fmt::format("{} came and went while a key was made", path), "run it again");
  }
  const auto line = key->line() + "\n";
  if (util::read_file(path + ".pub", longest_key) != line) util::replace_file(path + ".pub", line, 0644);
  return {std::move(*key), made};
}

}  // namespace gsync::setup
