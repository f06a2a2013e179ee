#include "../src/cli/json.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "comparisons.hpp"

namespace gsync::cli {
namespace {

using nlohmann::json;

const model::RowKey deny{model::Table::domain, model::kind::deny_exact, "ads.example.com"};

std::vector<std::string> keys(const json& object) {
  std::vector<std::string> names;
  for (const auto& [key, value] : object.items()) names.push_back(key);
  return names;
}

TEST(Json, GivesAnErrorWithCodeMessageAndHint) {
  auto j = json::parse(error_json(Error(ErrorCode::no_space, "ph2 is full", "make room")));
  EXPECT_EQ(j, json::parse(R"({"error": {"code": "no_space", "message": "ph2 is full", "hint": "make room"}})"));
}

TEST(Json, NeverFailsOnBytesThatAreNotUtf8) {
  auto j = json::parse(error_json(Error(ErrorCode::io, "caf\xe9")));
  EXPECT_EQ(j["error"]["message"], "caf\xef\xbf\xbd");
}

TEST(Json, KeepsTheKeysOfAResult) {
  sync::Result result;
  model::Row row;
  row.groups = {model::default_group_key(), {model::Table::group, model::kind::named_group, "Kids"}};
  result.plan.change.rows = {{deny, std::nullopt, row}};
  result.plan.refusal = "too much would go";
  result.plan.warnings = {"one"};
  result.report.emplace().warnings = {"two"};
  auto j = json::parse(result_json(result, model::Action::pull, {"ph1", "ph2", false, 10, 20}));
  EXPECT_EQ(keys(j), (std::vector<std::string>{
                         "action",  "blocklist",  "bytes_received", "bytes_sent",           "changed",   "counts",   "dns_paused",
                         "dry_run", "history_id", "nothing_to_do",  "publish_microseconds", "published", "records",  "refusal",
                         "rows",    "source",     "target",         "uncompiled",           "version",   "warnings", "whole_database"}));
  EXPECT_EQ(j["action"], "pull");
  EXPECT_EQ(j["changed"], true);
  EXPECT_EQ(j["refusal"], "too much would go");
  EXPECT_EQ(j["warnings"], json::parse(R"(["one", "two"])"));
  const json expected{{"table", "domain"},         {"kind", "deny_exact"},
                      {"name", "ads.example.com"}, {"change", "added"},
                      {"before", nullptr},         {"after", {{"enabled", true}, {"comment", ""}, {"groups", {"(default)", "Kids"}}}}};
  ASSERT_EQ(j["rows"].size(), 1u);
  EXPECT_EQ(j["rows"][0], expected);
  EXPECT_EQ(keys(j["counts"]), (std::vector<std::string>{"adlists_compiled", "blocklist_added", "blocklist_removed", "conflicts",
                                                         "records_added", "records_removed", "rows_added", "rows_changed", "rows_removed",
                                                         "settings_changed", "whole_database"}));
}

TEST(Json, LeavesTheReportOutOfADryRun) {
  auto j = json::parse(result_json({}, model::Action::push, {"ph1", "ph2", true, 0, 0}));
  EXPECT_EQ(j["changed"], false);
  EXPECT_EQ(j["dry_run"], true);
  EXPECT_TRUE(j["refusal"].is_null());
  EXPECT_FALSE(j.contains("counts"));
}

TEST(Json, NamesTheSidesOfAComparison) {
  sync::Comparison comparison;
  comparison.rows = {{deny, model::Row{}, std::nullopt}};
  comparison.records = {{model::RecordKind::dns, "192.168.1.2 nas.lan", true}};
  model::AdlistState state;
  state.rows.count = 7;
  comparison.blocklist = {{{model::Table::adlist, 0, "https://lists.example/a"}, state, std::nullopt}};
  auto j = json::parse(comparison_json(comparison, "ph2", "ph1"));
  EXPECT_EQ(j["equal"], false);
  EXPECT_EQ(j["counts"], json::parse(R"({"rows": 1, "blocklist": 1, "records": 1, "settings": 0})"));
  EXPECT_EQ(j["rows"][0]["change"], "only_here");
  EXPECT_TRUE(j["rows"][0]["there"].is_null());
  EXPECT_EQ(j["records"][0]["change"], "only_there");
  EXPECT_EQ(j["blocklist"][0]["here"]["rows"], 7);
  EXPECT_TRUE(j["blocklist"][0]["there"].is_null());
  EXPECT_EQ(json::parse(comparison_json({}, "ph2", "ph1"))["equal"], true);
}

TEST(Json, ComparisonTellsWhatIsKeptLocal) {
  EXPECT_EQ(json::parse(comparison_json(with_kept_local(), "ph2", "ph1"))["kept_local"], json::parse(R"({
    "patterns": ["clients", "dns:*.own"],
    "here": {"rows": [{"table": "client", "kind": "client", "name": "10.0.0.7"}], "records": [{"kind": "dns", "line": "10.0.0.3 nas.own"}]},
    "there": {"entries": 4}})"));
}

TEST(Json, GivesHistoryAsAnObjectEvenWhenItIsEmpty) {
  EXPECT_EQ(json::parse(history_json({})), json::parse(R"({"history": []})"));
  EXPECT_EQ(json::parse(versions_json({})), json::parse(R"({"versions": []})"));
  model::HistoryEntry entry;
  entry.id = 4;
  entry.outcome = model::Outcome::refused;
  auto j = json::parse(history_json({entry}));
  EXPECT_EQ(j["history"][0]["id"], 4);
  EXPECT_EQ(j["history"][0]["outcome"], "refused");
  EXPECT_FALSE(j["history"][0].contains("rows"));
  EXPECT_TRUE(json::parse(history_entry_json(entry)).contains("rows"));
}

TEST(Json, DescribesTheNode) {
  NodeReport report;
  report.node.schema = 20;
  report.node.capabilities.records_unavailable[2] = "misc.readOnly is set";
  report.config.peers.emplace_back().name = "ph1";
  auto j = json::parse(report_json(report));
  EXPECT_EQ(keys(j), (std::vector<std::string>{"ftl", "keep_local", "node", "not_synced", "peers", "pihole", "settings"}));
  EXPECT_EQ(j["pihole"]["schema"], 20);
  EXPECT_TRUE(j["ftl"]["pid"].is_null());
  EXPECT_EQ(j["not_synced"][0], "dhcp records: misc.readOnly is set");
  EXPECT_EQ(j["peers"][0]["name"], "ph1");
}

TEST(Json, GivesTrustAndVersion) {
  EXPECT_EQ(json::parse(trust_json({"ph1", "SHA256:x", "ssh-ed25519", "unknown", false, "ssh-ed25519 AAAA"})),
            json::parse(R"({"peer": "ph1", "fingerprint": "SHA256:x", "key_type": "ssh-ed25519", "state": "unknown", "trusted": false,
                            "public_key": "ssh-ed25519 AAAA"})"));
  EXPECT_EQ(json::parse(version_json("0.1.0", 1)), json::parse(R"({"version": "0.1.0", "protocol": 1})"));
}

}  // namespace
}  // namespace gsync::cli
