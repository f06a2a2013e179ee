#include "known_hosts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "gsync/util/error.hpp"
#include "gsync/util/text.hpp"

namespace gsync::ssh {
namespace {

struct EntryFree {
  void operator()(ssh_knownhosts_entry* entry) const { ssh_knownhosts_entry_free(entry); }
};
using Entry = std::unique_ptr<ssh_knownhosts_entry, EntryFree>;

/// The entry on this line if it is for `name` (hashed names and patterns included). Lines with a marker (@revoked, @cert-authority) name no
/// key to accept.
Entry parse(std::string_view line, const std::string& name) {
  line = util::trim(line);
  if (line.empty() || line.front() == '#' || line.front() == '@') return nullptr;
  ssh_knownhosts_entry* entry = nullptr;
  auto rc = ssh_known_hosts_parse_line(name.c_str(), std::string(line).c_str(), &entry);
  return Entry(rc == SSH_OK ? entry : nullptr);
}

/// The line without `name`: nullopt when no other name is left.
std::optional<std::string> without_name(std::string_view line, const std::string& name) {
  auto end = line.find_first_of(" \t");
  if (end == std::string_view::npos) return std::nullopt;
  std::string names;
  for (auto n : util::split(line.substr(0, end), ',')) {
    if (n == name) continue;
    if (!names.empty()) names += ',';
    names += n;
  }
  // A pattern or a hashed name stands for this host as a whole and goes with it.
  if (names.empty() || names.size() == end) return std::nullopt;
  return names + std::string(line.substr(end));
}

}  // namespace

std::string fingerprint(ssh_key key) {
  unsigned char* hash = nullptr;
  std::size_t size = 0;
  if (ssh_get_publickey_hash(key, SSH_PUBLICKEY_HASH_SHA256, &hash, &size) != 0)
    throw Error(ErrorCode::protocol, "a key has no fingerprint");
  CString text(ssh_get_fingerprint_hash(SSH_PUBLICKEY_HASH_SHA256, hash, size));
  ssh_clean_pubkey_hash(&hash);
  return text ? text.get() : "";
}

std::string key_type(ssh_key key) {
  auto* name = ssh_key_type_to_char(ssh_key_type(key));
  return name ? name : "unknown";
}

std::string known_hosts_name(std::string_view host, std::uint16_t port) {
  std::string name(host);
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return port == 22 ? name : fmt::format("[{}]:{}", name, port);
}

std::string known_hosts_line(const std::string& name, ssh_key key) {
  char* text = nullptr;
  if (ssh_pki_export_pubkey_base64(key, &text) != SSH_OK) throw Error(ErrorCode::protocol, "the host key cannot be written down");
  CString owner(text);
  return fmt::format("{} {} {}", name, key_type(key), text);
}

Verdict look_up(std::string_view content, const std::string& name, ssh_key key) {
  Verdict verdict;
  std::size_t number = 0;
  bool revoked = false;
  for (auto line : util::split(content, '\n')) {
    ++number;
    constexpr std::string_view marker = "@revoked";
    const bool marked = util::trim(line).starts_with(marker);
    auto entry = parse(marked ? util::trim(line).substr(marker.size()) : line, name);
    if (!entry) continue;
    if (marked) {
      if (ssh_key_cmp(entry->publickey, key, SSH_KEY_CMP_PUBLIC) != 0) continue;
      revoked = true;
      verdict.others.push_back({number, key_type(entry->publickey), "revoked " + fingerprint(entry->publickey)});
    } else if (ssh_key_cmp(entry->publickey, key, SSH_KEY_CMP_PUBLIC) == 0)
      verdict.state = HostKey::State::known;
    else
      verdict.others.push_back({number, key_type(entry->publickey), fingerprint(entry->publickey)});
  }
  if (revoked || (verdict.state != HostKey::State::known && !verdict.others.empty())) verdict.state = HostKey::State::changed;
  return verdict;
}

std::string without_lines(std::string_view content, const std::string& name) {
  std::string out;
  for (auto line : util::split(content, '\n')) {
    if (parse(line, name)) {
      if (auto rest = without_name(util::trim(line), name)) out += *rest + "\n";
    } else {
      out += line;
      out += '\n';
    }
  }
  // split() gives an empty part after the last newline.
  if (out.ends_with('\n') && (content.empty() || content.ends_with('\n'))) out.pop_back();
  return out;
}

std::string with_line(std::string_view content, const std::string& name, const std::string& added) {
  return without_lines(content, name) + added + "\n";
}

}  // namespace gsync::ssh
