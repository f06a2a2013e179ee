#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "gsync/model/lists.hpp"
#include "gsync/model/records.hpp"

namespace gsync::model {

/// What a node keeps to itself, as patterns: rows and records that it neither takes from a peer nor gives to one. `[sync] keep_local`. And
/// settings: all but those that are named in `[sync] settings`, and that it can give.
///
/// A pattern is a whole table or kind ("groups", "adlists", "domains", "clients", "dns", "cname", "dhcp") or one of "group:", "adlist:",
/// "domain:", "client:", "dns:", "cname:", "dhcp:" and what a name must look like: '*' is any text, '?' any character, and upper and lower
/// case are the same. A row is kept by its name (an adlist by its address); a record by any of its names or its address, a CNAME by an
/// alias or its target, a DHCP host by its MAC, address or name. The default group (id 0) is never kept.
class KeepLocal {
 public:
  static constexpr std::size_t max_patterns = 64;
  static constexpr std::size_t max_length = 200;  ///< bytes of one pattern

  KeepLocal() = default;
  /// Error{config} with the pattern that is wrong and the nearest right word; also where there are too many or one is too long.
  explicit KeepLocal(const std::vector<std::string>& patterns);

  /// `keys` are the settings that are not kept, whatever they are called: another version may know others than ours.
  KeepLocal but_settings(std::vector<std::string> keys) const;

  /// It keeps nothing: no pattern, and no word about settings.
  bool empty() const { return patterns_.empty() && !settings_; }
  bool keeps_rows() const;  ///< there is a pattern of rows
  /// As they were written, in alphabetical order, each once.
  std::vector<std::string> patterns() const;
  /// Those that travel, sorted; nullopt: all.
  const std::optional<std::vector<std::string>>& settings() const { return settings_; }
  bool keeps(const RowKey& key) const;
  /// `line` in canonical form.
  bool keeps(RecordKind kind, std::string_view line) const;
  /// The patterns that nothing of a node fits; not those of whole tables and kinds, nor of records that the node cannot give.
  std::vector<std::string> unused(const Lists& lists, const Records& records) const;
  /// What one of the two keeps.
  KeepLocal operator|(const KeepLocal& other) const;
  bool operator==(const KeepLocal&) const = default;

  template <class Archive>
  friend void fields(Archive& a, KeepLocal& k) {
    auto texts = k.patterns();
    a(texts, k.settings_);
    if (texts != k.patterns()) k.take(texts);
  }

 private:
  using Subject = std::variant<Table, RecordKind>;
  struct Pattern {
    std::string text;
    Subject subject;
    std::string glob;  ///< in lower case
    auto operator<=>(const Pattern&) const = default;
    bool operator==(const Pattern&) const = default;
  };
  static Pattern parse(const std::string& text);
  void take(const std::vector<std::string>& patterns);
  bool matches(Subject subject, std::string_view name) const;

  std::vector<Pattern> patterns_;  ///< sorted
  std::optional<std::vector<std::string>> settings_;  ///< sorted
};

}  // namespace gsync::model
