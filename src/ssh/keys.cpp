#include "gsync/ssh/keys.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "gsync/util/error.hpp"
#include "gsync/util/text.hpp"
#include "known_hosts.hpp"

namespace gsync::ssh {
namespace {

constexpr std::array<std::string_view, 5> known_types{"ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521",
                                                      "ssh-rsa"};
constexpr std::size_t longest_comment = 200;

[[noreturn]] void refuse(std::string_view source, std::string_view what) {
  throw Error(ErrorCode::config, fmt::format("{}: {}", source, what),
              "give the one line that `gravity-sync key` prints on the other Pi-hole: ssh-ed25519 AAAA…");
}

std::string base64_of(ssh_key key) {
  char* text = nullptr;
  if (ssh_pki_export_pubkey_base64(key, &text) != SSH_OK) throw Error(ErrorCode::config, "a public key cannot be written down");
  return CString(text).get();
}

PublicKey described(ssh_key key, std::string comment) {
  return {key_type(key), base64_of(key), std::move(comment), fingerprint(key)};
}

std::string_view without_line_end(std::string_view text) {
  if (text.ends_with('\n')) text.remove_suffix(1);
  if (text.ends_with('\r')) text.remove_suffix(1);
  return text;
}

}  // namespace

std::string PublicKey::line() const {
  return comment.empty() ? fmt::format("{} {}", type, base64) : fmt::format("{} {} {}", type, base64, comment);
}

PublicKey parse_public_key(std::string_view text, std::string_view source) {
  if (text.find("PRIVATE KEY") != std::string_view::npos)
    throw Error(ErrorCode::config, fmt::format("{} is a private key", source), "never give that away; the file beside it ends in .pub");
  const auto line = without_line_end(text);
  if (line.find('\n') != std::string_view::npos) refuse(source, "holds more than one line");
  if (util::trim(line).empty()) refuse(source, "holds no key");
  if (std::ranges::any_of(line, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }))
    refuse(source, "holds a control character");
  const auto first = line.find(' ');
  const auto type = line.substr(0, first);
  if (std::ranges::find(known_types, type) == known_types.end())
    refuse(source, fmt::format("begins with '{}', which is no type of key that is accepted here", util::printable(type.substr(0, 40))));
  const auto rest = first == std::string_view::npos ? std::string_view() : line.substr(first + 1);
  const auto second = rest.find(' ');
  const std::string base64(rest.substr(0, second));
  ssh_key read = nullptr;
  const auto result = ssh_pki_import_pubkey_base64(base64.c_str(), ssh_key_type_from_name(std::string(type).c_str()), &read);
  const Key key(read);
  // What is read must be all that stands there: sshd must not see something else in it than we do.
  if (result != SSH_OK || key_type(key.get()) != type || base64_of(key.get()) != base64) refuse(source, "holds a damaged key");
  const auto comment = second == std::string_view::npos ? std::string_view() : util::trim(rest.substr(second + 1));
  if (comment.size() > longest_comment) refuse(source, "has a comment that is too long");
  if (util::printable(comment) != comment) refuse(source, "has a comment that is not UTF-8");
  return described(key.get(), std::string(comment));
}

KeyPair generate_key(const std::string& comment) {
  ssh_key made = nullptr;
  if (ssh_pki_generate(SSH_KEYTYPE_ED25519, 0, &made) != SSH_OK) throw Error(ErrorCode::io, "cannot make a key");
  const Key key(made);
  char* text = nullptr;
  if (ssh_pki_export_privkey_base64(key.get(), nullptr, nullptr, nullptr, &text) != SSH_OK)
    throw Error(ErrorCode::io, "cannot write a key down");
  const CString owner(text);
  KeyPair pair{text, described(key.get(), comment)};
  if (!pair.private_key.ends_with('\n')) pair.private_key += '\n';
  return pair;
}

PublicKey public_half(const std::string& private_key, const std::string& path) {
  ssh_key read = nullptr;
  if (ssh_pki_import_privkey_base64(private_key.c_str(), nullptr, nullptr, nullptr, &read) != SSH_OK)
    throw Error(
        ErrorCode::config, fmt::format("{} is no private key without a passphrase", path),
        fmt::format("move it away and run `sudo gravity-sync key` again, or take the passphrase off it: ssh-keygen -p -N '' -f {}", path));
  const Key key(read);
  ssh_key half = nullptr;
  if (ssh_pki_export_privkey_to_pubkey(key.get(), &half) != SSH_OK)
    throw Error(ErrorCode::config, fmt::format("{} has no public half", path));
  return described(Key(half).get(), {});
}

}  // namespace gsync::ssh
