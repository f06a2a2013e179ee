#pragma once
#include <algorithm>
#include <string>
#include <vector>

#include "gsync/util/error.hpp"
#include "random_values.hpp"

namespace gsync::model::testing {

/// What people do in the web page, at random, in a world so small that two of them meet often. Lists and records stay valid.
class RandomEdits {
 public:
  explicit RandomEdits(Random& random) : random_(random) {}

  /// One edit, which may come to nothing.
  void edit(Lists& lists) {
    switch (random_.below(12)) {
      case 0:
      case 1:
      case 2:
        add(lists, random_key());
        break;
      case 3:
        remove(lists, existing(lists));
        break;
      case 4:
        lists.at(existing(lists)).comment = comment();
        break;
      case 5: {
        const auto key = existing(lists);
        if (key.table != Table::client) lists.at(key).enabled = random_.flip();
        break;
      }
      case 6:
      case 7:
        assign(lists);
        break;
      case 8:
        rename_group(lists);
        break;
      case 9:
        title(lists);
        break;
      case 10: {  // deleted and added again
        const auto key = existing(lists);
        remove(lists, key);
        add(lists, key);
        break;
      }
      default: {  // deny becomes allow
        const auto key = existing(lists);
        if (key.table != Table::domain && key.table != Table::adlist) break;
        auto row = lists.at(key);
        lists.erase(key);
        lists[{key.table, static_cast<std::uint8_t>(key.kind ^ 1), key.name}] = row;
      }
    }
  }

  void edit(RecordKind kind, RecordLines& lines) {
    auto edited = lines;
    const auto any = [&] { return edited.begin() + static_cast<std::ptrdiff_t>(random_.below(edited.size())); };
    const auto what = random_.below(6);
    if (edited.empty() || what < 2) {
      edited.insert(edited.begin() + static_cast<std::ptrdiff_t>(random_.below(edited.size() + 1)), line(kind));
    } else if (what == 2) {
      edited.erase(any());
    } else if (what == 3) {
      *any() = line(kind);
    } else if (what == 4) {
      std::iter_swap(any(), any());
    } else {
      auto copy = *any();
      edited.push_back(kind == RecordKind::dns ? copy : line(kind));
    }
    try {
      lines = parse_records(kind, edited);
    } catch (const Error&) {  // as Pi-hole would
    }
  }

  std::string comment() { return random_.pick<std::string>({"", "", "a", "b", "c", "The default group", "żółw 🐢", "two\nlines"}); }

  RowKey random_key() {
    switch (random_.below(4)) {
      case 0:
        return group();
      case 1:
        return {Table::adlist, static_cast<std::uint8_t>(random_.below(2)), random_.pick<std::string>({"https://a", "https://b"})};
      case 2:
        return {Table::domain, static_cast<std::uint8_t>(random_.below(4)),
                random_.pick<std::string>({"ads.com", "ADS.com", "żółw.pl", "xn--w-uga1v8h.pl"})};
      default:
        return {Table::client, 0, random_.pick<std::string>({"10.0.0.1", "AA:BB:CC:DD:EE:FF", ":eth0"})};
    }
  }

  std::string line(RecordKind kind) {
    static const std::vector<std::string> names{"a", "b", "c", "d"};
    const auto name = [&] { return random_.pick(names); };
    std::string text;
    if (kind == RecordKind::dns) {
      text = random_.pick<std::string>({"10.0.0.1", "10.0.0.2", "10.0.0.3", "fe80::1", "fe80::2"}) + " " + name();
      if (random_.below(3) == 0) text += " " + name();
      if (random_.below(4) == 0) text += random_.flip() ? " # a" : " # żółw";
    } else if (kind == RecordKind::cname) {
      text = name() + ",";
      if (random_.below(4) == 0) text += name() + ",";
      text += random_.below(3) == 0 ? "x" : name();
      if (random_.below(4) == 0) text += ",60";
    } else {
      text = random_.pick<std::string>({"AA:BB:CC:DD:EE:01", "AA:BB:CC:DD:EE:02", "id:tv", "laptop", "AA:BB:CC:DD:EE:03,id:*"});
      if (random_.below(3) != 0) text += "," + random_.pick<std::string>({"10.0.0.1", "10.0.0.2", "10.0.0.3", "[fd00::1]"});
      if (random_.below(3) == 0) text += ",24h";
      if (random_.below(3) == 0) text += ",set:home";
    }
    return text;
  }

 private:
  RowKey group() { return {Table::group, kind::named_group, random_.pick<std::string>({"Kids", "kids", "Default", "Everybody", "Gäste"})}; }

  RowKey existing(const Lists& lists) { return std::next(lists.begin(), static_cast<std::ptrdiff_t>(random_.below(lists.size())))->first; }

  RowKey existing_group(const Lists& lists) {
    std::vector<RowKey> groups;
    for (const auto& [key, row] : lists)
      if (key.table == Table::group) groups.push_back(key);
    return random_.pick(groups);
  }

  /// As Pi-hole does: in the default group, unless the person chose others.
  void add(Lists& lists, const RowKey& key) {
    if (lists.contains(key) || (key.table == Table::group && lists.at(default_group_key()).title == key.name)) return;
    Row row;
    row.comment = random_.flip() ? "" : comment();
    if (key.table != Table::client) row.enabled = random_.below(4) != 0;
    if (key.table != Table::group) row.groups.insert(random_.flip() ? default_group_key() : existing_group(lists));
    row.added = row.modified = ++now_;
    lists[key] = row;
  }

  void remove(Lists& lists, const RowKey& key) {
    if (key == default_group_key()) return;
    lists.erase(key);
    for (auto& [other, row] : lists) row.groups.erase(key);
  }

  void assign(Lists& lists) {
    const auto key = existing(lists);
    if (key.table == Table::group) return;
    auto& groups = lists.at(key).groups;
    const auto chosen = existing_group(lists);
    if (groups.erase(chosen) == 0) groups.insert(chosen);
  }

  void rename_group(Lists& lists) {
    const auto from = existing_group(lists);
    const auto to = group();
    if (from == default_group_key() || lists.contains(to) || lists.at(default_group_key()).title == to.name) return;
    lists[to] = lists.at(from);
    lists.erase(from);
    for (auto& [key, row] : lists)
      if (row.groups.erase(from) != 0) row.groups.insert(to);
  }

  void title(Lists& lists) {
    const auto name = group().name;
    if (!lists.contains({Table::group, kind::named_group, name})) lists.at(default_group_key()).title = name;
  }

  Random& random_;
  std::int64_t now_ = 0;
};

}  // namespace gsync::model::testing
