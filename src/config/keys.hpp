#pragma once
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "document.hpp"
#include "gsync/config/config.hpp"

namespace gsync::config {

/// One value on its way into the configuration: checks it and says what is wrong with it, where. `doc` is the key's explanation, the hint
/// of every error.
class Reader {
 public:
  Reader(const std::string& path, std::string_view section, const Entry& entry, std::string_view doc)
      : path_(path), section_(section), entry_(entry), doc_(doc) {}

  /// Neither empty nor with control characters.
  const std::string& text() const;
  /// From the root: what a relative path is relative to would depend on who starts us. Without a slash at its end.
  std::string absolute_path() const;
  bool boolean() const;
  std::int64_t integer(std::int64_t lowest, std::int64_t highest) const;
  /// The strings of an array that is not empty and names nothing twice.
  std::vector<std::string> strings() const;
  /// A name that is shown, logged and compared: letters, digits and a few signs; no shell metacharacters.
  std::string name(std::string_view extra_characters = {}) const;
  template <class T, std::size_t N>
  T choice(const std::pair<std::string_view, T> (&choices)[N]) const {
    std::vector<std::string_view> words;
    for (const auto& [word, value] : choices) {
      if (text() == word) return value;
      words.push_back(word);
    }
    not_one_of(text(), words);
  }

  [[noreturn]] void not_one_of(std::string_view word, std::span<const std::string_view> valid) const;
  [[noreturn]] void fail(std::string_view what) const;

 private:
  [[noreturn]] void wrong_type(const Value& value, std::string_view wanted) const;
  const std::string& checked_text(const Value& value) const;

  const std::string& path_;
  std::string_view section_;
  const Entry& entry_;
  std::string_view doc_;
};

/// The one description of a key: its name, what it means (shown when a value is wrong) and how its value is taken over.
template <class Target>
struct Key {
  std::string_view name;
  std::string_view doc;
  void (*set)(Target&, const Reader&);
};

std::span<const Key<NodeConfig>> node_keys();
std::span<const Key<PiholeConfig>> pihole_keys();
std::span<const Key<SyncConfig>> sync_keys();
std::span<const Key<DaemonConfig>> daemon_keys();
std::span<const Key<PeerConfig>> peer_keys();

}  // namespace gsync::config
