#include "checks.hpp"

#include <fmt/format.h>

#include <set>
#include <string_view>

#include "gsync/model/keep_local.hpp"
#include "gsync/util/error.hpp"
#include "gsync/util/text.hpp"

namespace gsync::protocol {
namespace {

constexpr std::size_t max_row_text = 64u << 10;
constexpr std::size_t max_record_line = 4096;

[[noreturn]] void bad(std::string_view what) {
  throw Error(ErrorCode::protocol, std::string(what));
}

void check_text(const std::string& text, std::size_t limit, std::string_view what) {
  if (text.size() > limit) bad(fmt::format("{} is longer than {} bytes", what, limit));
  if (util::printable(text) != text) bad(fmt::format("{} holds control characters: \"{}\"", what, util::printable(text.substr(0, 100))));
}

[[noreturn]] void bad_row(const model::RowKey& key, std::string_view why) {
  auto shown = key;
  if (shown.name.size() > 120) shown.name.resize(120);
  bad(fmt::format("row \"{}\": {}", model::describe(shown), why));
}

std::uint8_t last_kind(model::Table table) {
  switch (table) {
    case model::Table::group:
      return model::kind::named_group;
    case model::Table::adlist:
      return model::kind::allow_list;
    case model::Table::domain:
      return model::kind::deny_regex;
    case model::Table::client:
      return 0;
  }
  return 0;
}

void check_key(const model::RowKey& key) {
  if (key.kind > last_kind(key.table)) bad_row(key, fmt::format("unknown kind {}", key.kind));
  const bool nameless = key.table == model::Table::group && key.kind == model::kind::default_group;
  if (key.name.empty() != nameless) bad_row(key, nameless ? "the default group's key has a name" : "it has no name");
  if (key.name.size() > max_row_text) bad_row(key, "the name is longer than 64 KiB");
  if (key.name.find('\0') != std::string::npos) bad_row(key, "the name holds a NUL byte");
}

void check_row(const model::RowKey& key, const model::Row& row) {
  for (const auto* text : {&row.comment, &row.title}) {
    if (text->size() > max_row_text) bad_row(key, "a text is longer than 64 KiB");
    if (text->find('\0') != std::string::npos) bad_row(key, "a text holds a NUL byte");
  }
  if (!row.title.empty() && key != model::default_group_key()) bad_row(key, "only the default group has a title");
  if (key.table == model::Table::group && !row.groups.empty()) bad_row(key, "a group cannot be in groups");
  if (key.table == model::Table::client && !row.enabled) bad_row(key, "a client cannot be disabled");
  for (const auto& group : row.groups) {
    if (group.table != model::Table::group) bad_row(key, "it is assigned to something that is not a group");
    check_key(group);
  }
}

void check_rows(const std::vector<model::RowChange>& rows) {
  std::set<model::RowKey> keys;
  for (const auto& row : rows) {
    check_key(row.key);
    if (!row.before && !row.after) bad_row(row.key, "a change from nothing to nothing");
    if (row.before) check_row(row.key, *row.before);
    if (row.after) check_row(row.key, *row.after);
    if (!keys.insert(row.key).second) bad_row(row.key, "it is changed twice");
  }
}

void check_adlist_key(const model::RowKey& key) {
  if (key.table != model::Table::adlist) bad_row(key, "it is not an adlist");
  check_key(key);
}

void cut(std::vector<std::string>& texts) {
  if (texts.size() > max_notes) texts.resize(max_notes);
  for (auto& text : texts) text = presentable(text, max_text);
}

void check_uncompiled(const model::Uncompiled& uncompiled) {
  if (uncompiled.adlists.size() > model::Uncompiled::max_named || uncompiled.adlists.size() > uncompiled.count)
    bad("too many adlists that are not compiled");
  for (const auto& adlist : uncompiled.adlists) {
    check_adlist_key(adlist.key);
    if (adlist.key.name.size() > model::Uncompiled::longest_address) bad_row(adlist.key, "the address is too long to be named");
  }
}

void check_texts(const std::vector<std::string>& texts, std::string_view what) {
  if (texts.size() > max_notes) bad(fmt::format("more than {} {}", max_notes, what));
  for (const auto& text : texts) check_text(text, max_text, what);
}

void check_conflicts(const std::vector<model::Conflict>& conflicts) {
  if (conflicts.size() > model::HistoryEntry::max_rows) bad("too many conflicts");
  for (const auto& conflict : conflicts) {
    for (const auto* name : {&conflict.field, &conflict.kept_from, &conflict.lost_from})
      check_text(*name, max_name, "a name in a conflict");
    for (const auto* text : {&conflict.subject, &conflict.kept, &conflict.lost}) check_text(*text, max_lost_text, "a conflict");
  }
}

void check_node(const model::NodeName& node) {
  check_text(node.id, max_name, "a node id");
  check_text(node.name, max_name, "a node's name");
}

void check_nodes(const std::vector<model::NodeName>& nodes) {
  if (nodes.size() > max_nodes) bad(fmt::format("more than {} nodes", max_nodes));
  for (const auto& node : nodes) check_node(node);
}

void check_sets(const std::map<model::RowKey, model::SetDigest>& sets) {
  for (const auto& [key, rows] : sets) check_adlist_key(key);
}

}  // namespace

std::string presentable(const std::string& text, std::size_t limit) {
  auto shown = util::printable(std::string_view(text).substr(0, limit + 4));
  if (shown.size() <= limit) return shown;
  // Never in the middle of a character: the far side would call its half unprintable.
  auto end = limit;
  while (end > 0 && (static_cast<unsigned char>(shown[end]) & 0xC0) == 0x80) --end;
  shown.resize(end);
  return shown;
}

model::NodeInfo presentable(model::NodeInfo info) {
  for (auto* name : {&info.node_id, &info.name, &info.software, &info.core_version, &info.ftl_version, &info.live_identity})
    *name = presentable(*name, max_name);
  info.damage = presentable(info.damage, max_text);
  for (auto* reasons : {&info.capabilities.records_unavailable, &info.capabilities.records_read_only})
    for (auto& why : *reasons) why = presentable(why, max_text);
  cut(info.notes);
  for (auto& pattern : info.kept_local) pattern = presentable(pattern, max_name);
  return info;
}

model::ApplyReport presentable(model::ApplyReport report) {
  cut(report.warnings);
  return report;
}

model::HistoryEntry presentable(model::HistoryEntry entry) {
  for (auto* name : {&entry.source, &entry.target, &entry.started_by}) *name = presentable(*name, max_name);
  entry.text = presentable(entry.text, max_text);
  for (auto& record : entry.records) record.line = presentable(record.line, max_record_line);
  entry.conflicts = presentable(std::move(entry.conflicts));
  return entry;
}

model::VersionInfo presentable(model::VersionInfo info) {
  info.reason = presentable(info.reason, max_text);
  return info;
}

std::vector<model::Conflict> presentable(std::vector<model::Conflict> conflicts) {
  for (auto& conflict : conflicts) {
    for (auto* name : {&conflict.field, &conflict.kept_from, &conflict.lost_from}) *name = presentable(*name, max_name);
    for (auto* text : {&conflict.subject, &conflict.kept, &conflict.lost}) *text = presentable(*text, max_lost_text);
  }
  return conflicts;
}

model::NodeName presentable(const model::NodeName& node) {
  return {presentable(node.id, max_name), presentable(node.name, max_name)};
}

ErrorMessage message_of(const Error& error) {
  return {error.code(), presentable(error.what(), max_text), presentable(error.hint(), max_text)};
}

Error error_of(const ErrorMessage& message) {
  return Error(message.code, presentable(message.what, max_text), presentable(message.hint, max_text));
}

void check(const model::NodeInfo& info) {
  check_text(info.node_id, max_name, "the node id");
  check_text(info.name, max_name, "the node's name");
  check_text(info.software, max_name, "the software version");
  check_text(info.core_version, max_name, "Pi-hole's version");
  check_text(info.ftl_version, max_name, "FTL's version");
  check_text(info.live_identity, max_name, "the identity of the database");
  check_text(info.damage, max_text, "the damage");
  for (const auto* reasons : {&info.capabilities.records_unavailable, &info.capabilities.records_read_only})
    for (const auto& why : *reasons) check_text(why, max_text, "the reason why records are not available");
  check_texts(info.notes, "notes");
  if (info.kept_local.size() > 2 * model::KeepLocal::max_patterns) bad("too many patterns of what is kept local");
  for (const auto& pattern : info.kept_local) check_text(pattern, max_name, "a pattern of what is kept local");
  check_uncompiled(info.uncompiled);
}

void check(const model::ApplyReport& report) {
  check_texts(report.warnings, "warnings");
  check_uncompiled(report.uncompiled);
}

void check(const model::HistoryEntry& entry) {
  check_text(entry.source, max_name, "the source's name");
  check_text(entry.target, max_name, "the target's name");
  check_text(entry.started_by, max_name, "who started it");
  check_text(entry.text, max_text, "the text");
  if (entry.rows.size() > model::HistoryEntry::max_rows) bad("a history line with too many rows");
  if (entry.records.size() > max_record_changes) bad("a history line with too many records");
  check_rows(entry.rows);
  for (const auto& record : entry.records) check_text(record.line, max_record_line, "a record");
  check_conflicts(entry.conflicts);
}

void check(const model::VersionInfo& info) {
  check_text(info.reason, max_text, "a version's reason");
}

void check(const model::Change& change) {
  check_text(change.source, max_name, "the source's name");
  if (change.whole_copy && !(change.rows.empty() && change.wishes.empty())) bad("a whole copy comes with rows or wishes");
  check_rows(change.rows);
  check(change.wishes);
  if (!change.copied.empty()) {
    if (change.whole_copy) bad("a whole copy comes with answers");
    check(change.copied, change.wishes);
    for (const auto& answer : change.copied)
      if (answer.delta) bad("a copy that answers with a part of a set");
  }
  check_conflicts(change.conflicts);
}

void check(const model::PairInfo& info) {
  check_text(info.base, max_name, "the id of a base");
  check_text(info.intent, max_name, "the id of a sync");
  check_text(info.label, max_name, "a node's name");
  check_nodes(info.reach);
}

void check(const model::Base& base) {
  if (!base.lists.empty()) model::check_lists(base.lists);
  check_sets(base.compiled);
}

void check(const model::Intent& intent) {
  if (intent.id.empty()) bad("a sync without an id");
  check_text(intent.id, max_name, "the id of a sync");
  check_rows(intent.rows);
  check_sets(intent.compiled);
  check_conflicts(intent.conflicts);
}

void check(const model::Settlement& settlement) {
  check_text(settlement.id, max_name, "the id of a sync");
  check_text(settlement.label, max_name, "a node's name");
  check_node(settlement.peer);
  check_nodes(settlement.reach);
}

void check(const model::Blocklist& blocklist) {
  const model::RowKey* before = nullptr;
  for (const auto& state : blocklist) {
    check_adlist_key(state.key);
    if (before && !(*before < state.key)) bad_row(state.key, "the blocklist is out of order");
    before = &state.key;
  }
}

void check(const std::vector<model::BlocklistWish>& wishes) {
  if (wishes.size() > max_wishes) bad(fmt::format("more than {} wishes", max_wishes));
  std::set<model::RowKey> keys;
  for (const auto& wish : wishes) {
    check_adlist_key(wish.key);
    if (!keys.insert(wish.key).second) bad_row(wish.key, "it is wished for twice");
  }
}

void check(const std::vector<model::BlocklistAnswer>& answers, const std::vector<model::BlocklistWish>& wishes) {
  if (answers.size() != wishes.size()) bad(fmt::format("{} answers to {} wishes", answers.size(), wishes.size()));
  for (std::size_t i = 0; i < answers.size(); ++i)
    if (answers[i].delta && !wishes[i].have) bad_row(wishes[i].key, "a difference, where nothing is there");
}

model::Records parsed(const model::Records& records) {
  model::Records result;
  for (auto kind : model::record_kinds) {
    const auto& lines = records[model::index_of(kind)];
    if (lines) result[model::index_of(kind)] = model::parse_records(kind, *lines);
  }
  return result;
}

}  // namespace gsync::protocol
