#include "json.hpp"

#include <nlohmann/json.hpp>

#include "words.hpp"

namespace gsync::cli {
namespace {

using Json = nlohmann::ordered_json;

std::string text(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

std::string name_of(const model::RowKey& group) {
  return group == model::default_group_key() ? "(default)" : group.name;
}

Json row(const std::optional<model::Row>& r, const model::RowKey& key) {
  if (!r) return nullptr;
  Json json{{"enabled", r->enabled}, {"comment", r->comment}};
  if (key == model::default_group_key()) json["title"] = r->title;
  if (key.table != model::Table::group) {
    json["groups"] = Json::array();
    for (const auto& group : r->groups) json["groups"].push_back(name_of(group));
  }
  return json;
}

/// `before` and `after` are the names of the two sides.
Json rows(const std::vector<model::RowChange>& changes, const char* before, const char* after) {
  auto json = Json::array();
  for (const auto& change : changes)
    json.push_back({{"table", table_name(change.key.table)},
                    {"kind", kind_name(change.key)},
                    {"name", change.key.name},
                    {"change", !change.before  ? "added"
                               : !change.after ? "removed"
                                               : "changed"},
                    {before, row(change.before, change.key)},
                    {after, row(change.after, change.key)}});
  return json;
}

Json records(const std::vector<model::RecordChange>& changes) {
  auto json = Json::array();
  for (const auto& change : changes)
    json.push_back({{"kind", model::to_string(change.kind)}, {"line", change.line}, {"change", change.added ? "added" : "removed"}});
  return json;
}

Json state(const std::optional<model::AdlistState>& s) {
  if (!s) return nullptr;
  return {{"rows", s->rows.count},
          {"date_updated", s->statistics.date_updated},
          {"number", s->statistics.number},
          {"invalid_domains", s->statistics.invalid_domains},
          {"status", s->statistics.status}};
}

Json blocklist(const std::vector<sync::AdlistDifference>& differences, const char* here, const char* there) {
  auto json = Json::array();
  for (const auto& d : differences)
    json.push_back({{"adlist", d.key.name}, {"kind", kind_name(d.key)}, {here, state(d.here)}, {there, state(d.there)}});
  return json;
}

Json counts(const model::ChangeCounts& c) {
  return {{"rows_added", c.rows_added},
          {"rows_changed", c.rows_changed},
          {"rows_removed", c.rows_removed},
          {"adlists_compiled", c.adlists_compiled},
          {"blocklist_added", c.blocklist_added},
          {"blocklist_removed", c.blocklist_removed},
          {"records_added", c.records_added},
          {"records_removed", c.records_removed},
          {"settings_changed", c.settings_changed},
          {"conflicts", c.conflicts},
          {"whole_database", c.whole_database}};
}

Json conflicts(const std::vector<model::Conflict>& all) {
  auto json = Json::array();
  for (const auto& c : all)
    json.push_back({{"subject", c.subject},
                    {"field", c.field},
                    {"kept", c.kept},
                    {"kept_from", c.kept_from},
                    {"lost", c.lost},
                    {"lost_from", c.lost_from}});
  return json;
}

Json entry_object(const model::HistoryEntry& e) {
  return {{"id", e.id},
          {"time", e.time},
          {"action", model::to_string(e.action)},
          {"source", e.source},
          {"target", e.target},
          {"started_by", e.started_by},
          {"outcome", model::to_string(e.outcome)},
          {"text", e.text},
          {"counts", counts(e.counts)},
          {"bytes_sent", e.bytes_sent},
          {"bytes_received", e.bytes_received},
          {"version", e.version},
          {"dns_paused", e.dns_paused}};
}

Json entry_with_rows(const model::HistoryEntry& entry) {
  auto json = entry_object(entry);
  json["rows"] = rows(entry.rows, "before", "after");
  json["records"] = records(entry.records);
  json["rows_left_out"] = entry.rows_left_out;
  json["conflicts"] = conflicts(entry.conflicts);
  return json;
}

Json uncompiled(const model::Uncompiled& adlists) {
  auto list = Json::array();
  for (const auto& adlist : adlists.adlists) list.push_back({{"address", adlist.key.name}, {"failed", adlist.failed}});
  return list;
}

}  // namespace

std::string error_json(const Error& error) {
  return text({{"error", {{"code", to_string(error.code())}, {"message", error.what()}, {"hint", error.hint()}}}});
}

std::string result_json(const sync::Result& result, model::Action action, const RunFacts& facts) {
  const auto& plan = result.plan;
  Json json{{"action", model::to_string(action)},
            {"source", facts.source},
            {"target", facts.target},
            {"dry_run", facts.dry_run},
            {"changed", result.report.has_value()},
            {"nothing_to_do", plan.nothing_to_do()},
            {"whole_database", plan.change.whole_copy},
            {"refusal", plan.refusal ? Json(*plan.refusal) : Json()},
            {"rows", rows(plan.change.rows, "before", "after")},
            {"blocklist", blocklist(result.blocklist, "target", "source")},
            {"records", records(plan.records)}};
  auto warnings = plan.warnings;
  if (const auto& report = result.report) {
    warnings.insert(warnings.end(), report->warnings.begin(), report->warnings.end());
    json["counts"] = counts(report->counts);
    json["published"] = report->published;
    json["dns_paused"] = report->dns_paused;
    json["publish_microseconds"] = report->publish_microseconds;
    json["version"] = report->version;
    json["history_id"] = report->history_id;
  }
  json["warnings"] = warnings;
  json["uncompiled"] = uncompiled(result.uncompiled);
  json["bytes_sent"] = facts.bytes_sent;
  json["bytes_received"] = facts.bytes_received;
  return text(json);
}

std::string two_way_json(const sync::TwoWayResult& result, const RunFacts& facts) {
  auto half = [](const sync::HalfResult& side, const std::string& name) {
    auto warnings = side.plan.warnings;
    Json json{{"node", name},
              {"changed", side.report.has_value()},
              {"rows", rows(side.plan.change.rows, "before", "after")},
              {"records", records(side.plan.records)},
              {"adlists", side.plan.change.wishes.size()},
              {"refusal", side.plan.refusal ? Json(*side.plan.refusal) : Json()}};
    if (const auto& report = side.report) {
      warnings.insert(warnings.end(), report->warnings.begin(), report->warnings.end());
      json["counts"] = counts(report->counts);
      json["dns_paused"] = report->dns_paused;
      json["version"] = report->version;
      json["history_id"] = report->history_id;
    }
    json["warnings"] = warnings;
    return json;
  };
  return text({{"action", "sync"},
               {"dry_run", facts.dry_run},
               {"nothing_to_do", result.nothing_to_do()},
               {"here", half(result.here, facts.target)},
               {"there", half(result.there, facts.source)},
               {"conflicts", conflicts(result.conflicts)},
               {"uncompiled", uncompiled(result.uncompiled)},
               {"bytes_sent", facts.bytes_sent},
               {"bytes_received", facts.bytes_received}});
}

std::string comparison_json(const sync::Comparison& comparison, const std::string& here, const std::string& there) {
  auto differing = rows(comparison.rows, "here", "there");
  for (auto& r : differing) {
    auto& change = r["change"];
    change = change == "added" ? "only_there" : change == "removed" ? "only_here" : "differs";
  }
  auto lines = records(comparison.records);
  for (auto& r : lines) r["change"] = r["change"] == "added" ? "only_there" : "only_here";
  auto unfit = Json::array();
  for (const auto& row : comparison.unfit)
    unfit.push_back({{"table", table_name(row.key.table)},
                     {"kind", kind_name(row.key)},
                     {"name", row.key.name},
                     {"only", row.here ? "here" : "there"}});
  auto kept_rows = Json::array();
  for (const auto& key : comparison.kept_here.rows)
    kept_rows.push_back({{"table", table_name(key.table)}, {"kind", kind_name(key)}, {"name", key.name}});
  auto kept_records = Json::array();
  for (auto kind : model::record_kinds)
    for (const auto& line : comparison.kept_here.records[model::index_of(kind)])
      kept_records.push_back({{"kind", model::to_string(kind)}, {"line", line}});
  return text({{"here", here},
               {"there", there},
               {"equal", comparison.equal()},
               {"counts",
                {{"rows", comparison.rows.size()},
                 {"blocklist", comparison.blocklist.size()},
                 {"records", comparison.records.size() - 2 * comparison.settings()},
                 {"settings", comparison.settings()}}},
               {"rows", differing},
               {"blocklist", blocklist(comparison.blocklist, "here", "there")},
               {"records", lines},
               {"cannot_be_on_both", unfit},
               {"settings_of_one_only", {{"here", comparison.settings_only_here}, {"there", comparison.settings_only_there}}},
               {"kept_local",
                {{"patterns", comparison.here.kept_local},
                 {"here", {{"rows", kept_rows}, {"records", kept_records}}},
                 {"there", {{"entries", comparison.there.entries_kept}}}}}});
}

std::string history_json(const std::vector<model::HistoryEntry>& entries, bool with_rows) {
  auto list = Json::array();
  for (const auto& entry : entries) list.push_back(with_rows ? entry_with_rows(entry) : entry_object(entry));
  return text({{"history", list}});
}

std::string history_entry_json(const model::HistoryEntry& entry) {
  return text(entry_with_rows(entry));
}

std::string versions_json(const std::vector<model::VersionInfo>& versions) {
  auto list = Json::array();
  for (const auto& v : versions)
    list.push_back(
        {{"id", v.id}, {"time", v.time}, {"reason", v.reason}, {"list_rows", v.list_rows}, {"records", v.records}, {"bytes", v.bytes}});
  return text({{"versions", list}});
}

std::string report_json(const NodeReport& report) {
  const auto& in = report.installation;
  const auto& node = report.node;
  auto peers = Json::array();
  for (const auto& peer : report.config.peers)
    peers.push_back({{"name", peer.name}, {"host", peer.host}, {"port", peer.port}, {"user", peer.user}});
  return text({{"node",
                {{"name", node.name},
                 {"id", node.node_id},
                 {"software", node.software},
                 {"runs_as", report.user},
                 {"configuration", report.config.path},
                 {"state_directory", report.config.node.state_directory},
                 {"kept_versions", report.versions}}},
               {"pihole",
                {{"generation", in.generation == pihole::Generation::v6 ? "v6" : "v5"},
                 {"generation_found_by", in.how_generation},
                 {"runtime", runtime_name(in.runtime)},
                 {"runtime_found_by", in.how_runtime},
                 {"core_version", in.core_version},
                 {"ftl_version", in.ftl_version},
                 {"web_version", in.web_version},
                 {"directory", in.directory},
                 {"dnsmasq_directory", in.dnsmasq_directory},
                 {"database", in.gravity_database},
                 {"database_found_by", in.how_gravity},
                 {"schema", node.schema},
                 {"database_bytes", node.live_bytes},
                 {"damaged", node.damaged},
                 {"damage", node.damage},
                 {"list_rows", node.list_rows},
                 {"blocklist_rows", node.blocklist_rows},
                 {"gravity_running", report.gravity_running}}},
               {"ftl",
                {{"binary", in.ftl_binary},
                 {"pihole_command", in.pihole_command},
                 {"pid_file", in.pid_file},
                 {"pid", report.ftl_pid ? Json(*report.ftl_pid) : Json()},
                 {"reload", report.ftl},
                 {"dns_port", in.dns_port},
                 {"dns_port_found_by", in.how_dns_port}}},
               {"not_synced", report.not_synced()},
               {"keep_local", report.config.sync.keep_local.patterns()},
               {"settings", report.config.sync.settings},
               {"peers", peers}});
}

std::string trust_json(const TrustFacts& facts) {
  return text({{"peer", facts.peer},
               {"fingerprint", facts.fingerprint},
               {"key_type", facts.key_type},
               {"state", facts.state},
               {"trusted", facts.trusted},
               {"public_key", facts.public_key}});
}

std::string version_json(const std::string& version, unsigned protocol) {
  return text({{"version", version}, {"protocol", protocol}});
}

}  // namespace gsync::cli
