#include "../src/cli/text.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "../src/cli/words.hpp"
#include "comparisons.hpp"

namespace gsync::cli {
namespace {

const model::RowKey deny{model::Table::domain, model::kind::deny_exact, "ads.example.com"};
const model::RowKey adlist{model::Table::adlist, model::kind::block_list, "https://lists.example/a"};

model::Row row(const std::string& comment) {
  model::Row r;
  r.comment = comment;
  return r;
}

std::string joined(const std::vector<Line>& lines) {
  std::string all;
  for (const auto& line : lines) all += line.text + "\n";
  return all;
}

bool has(const std::vector<Line>& lines, const std::string& text) {
  return std::any_of(lines.begin(), lines.end(), [&](const Line& line) { return line.text == text; });
}

model::AdlistState compiled(std::uint64_t rows) {
  model::AdlistState state;
  state.key = adlist;
  state.rows.count = rows;
  return state;
}

TEST(CountsText, LeavesOutWhatIsZero) {
  model::ChangeCounts counts;
  EXPECT_EQ(counts_text(counts), "nothing");
  counts.rows_added = 3;
  counts.rows_removed = 1;
  EXPECT_EQ(counts_text(counts), "lists: 3 added, 1 removed");
  counts.adlists_compiled = 2;
  counts.blocklist_added = 120;
  counts.records_removed = 1;
  EXPECT_EQ(counts_text(counts), "lists: 3 added, 1 removed; blocklist: 2 adlists, domains 120 added; records: 1 removed");
}

TEST(PlanText, ShowsEachRowUnderItsTable) {
  sync::Result result;
  result.plan.change.rows = {
      {adlist, row("mine"), row("theirs")}, {deny, std::nullopt, row("")}, {{deny.table, deny.kind, "b.example"}, row("keep me"), {}}};
  result.blocklist = {{adlist, compiled(10), compiled(12)}};
  result.plan.records = {{model::RecordKind::dns, "192.168.1.2 nas.lan", true}};
  auto lines = plan_text(result, "ph1", "ph2");
  EXPECT_EQ(lines.front().text, "ph2 would change: lists: 1 added, 1 changed, 1 removed; blocklist: 1 adlist; records: 1 added")
      << joined(lines);
  EXPECT_TRUE(has(lines, "Adlists (1)")) << joined(lines);
  EXPECT_TRUE(has(lines, "  ~ adlist  https://lists.example/a : comment differs")) << joined(lines);
  EXPECT_TRUE(has(lines, "Domains (2)"));
  EXPECT_TRUE(has(lines, "  + deny  ads.example.com"));
  EXPECT_TRUE(has(lines, "  - deny  b.example  # keep me")) << "a person sees what would be lost";
  EXPECT_TRUE(has(lines, "  ~ https://lists.example/a  ph2: 10 domains, ph1: 12 domains")) << joined(lines);
  EXPECT_TRUE(has(lines, "  + 192.168.1.2 nas.lan"));
}

TEST(ComparisonText, MarksWhatIsKeptLocal) {
  auto lines = comparison_text(with_kept_local(), "ph2", "ph1", 0);
  EXPECT_TRUE(has(lines, "not counting what is kept local: clients, dns:*.own")) << joined(lines);
  EXPECT_TRUE(has(lines, "  client  10.0.0.7  stays on ph2")) << joined(lines);
  EXPECT_TRUE(has(lines, "  10.0.0.3 nas.own  stays on ph2")) << joined(lines);
  EXPECT_TRUE(has(lines, "  4 entries of ph1, which it does not show")) << joined(lines);
}

TEST(ComparisonText, CountsFirstAndNamesTheSideThatHasARow) {
  sync::Comparison comparison;
  comparison.rows = {{deny, std::nullopt, row("")}};
  comparison.records = {{model::RecordKind::cname, "www.lan,nas.lan", false}};
  auto lines = comparison_text(comparison, "ph2", "ph1", 20);
  EXPECT_EQ(lines.front().text, "ph2 and ph1 differ in 1 list entry, 1 record");
  EXPECT_TRUE(has(lines, "  deny  ads.example.com  only on ph1")) << joined(lines);
  EXPECT_TRUE(has(lines, "  www.lan,nas.lan  only on ph2"));
}

TEST(ComparisonText, SaysThatNothingDiffers) {
  auto lines = comparison_text({}, "ph2", "ph1", 20);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0].text, "ph2 and ph1 are the same");
}

TEST(ComparisonText, CutsLongListsWithACount) {
  sync::Comparison comparison;
  for (int i = 0; i < 30; ++i) comparison.rows.push_back({{deny.table, deny.kind, "d" + std::to_string(i)}, row(""), {}});
  auto cut = comparison_text(comparison, "ph2", "ph1", 20);
  EXPECT_TRUE(has(cut, "  … and 10 more (--all shows them)")) << joined(cut);
  EXPECT_EQ(cut.size(), 1u + 2u + 20u + 1u);
  auto whole = comparison_text(comparison, "ph2", "ph1", 0);
  EXPECT_EQ(whole.size(), 1u + 2u + 30u);
}

TEST(ComparisonText, SaysThatEqualCountsHideDifferentDomains) {
  sync::Comparison comparison;
  comparison.blocklist = {{adlist, compiled(10), compiled(10)}};
  EXPECT_NE(joined(comparison_text(comparison, "ph2", "ph1", 20)).find("not the same domains"), std::string::npos);
}

TEST(ComparisonText, MakesControlCharactersVisible) {
  sync::Comparison comparison;
  comparison.rows = {{{deny.table, deny.kind, "evil\x1b[2J"}, row(""), {}}};
  comparison.records = {{model::RecordKind::dns, "1.2.3.4 a\nb", true}};
  auto text = joined(comparison_text(comparison, "ph2", "ph1", 20));
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_NE(text.find("\\x0a"), std::string::npos) << text;
}

TEST(HistoryText, HasOneLineForEachRun) {
  model::HistoryEntry done;
  done.id = 12;
  done.source = "ph1";
  done.counts.rows_added = 2;
  done.dns_paused = true;
  done.started_by = "agent for ph2";
  model::HistoryEntry refused;
  refused.id = 11;
  refused.outcome = model::Outcome::refused;
  refused.text = "all 40 domains would go";
  auto lines = history_text({done, refused});
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_NE(lines[0].text.find("pull from ph1  done: lists: 2 added; DNS paused; agent for ph2"), std::string::npos) << lines[0].text;
  EXPECT_NE(lines[1].text.find("refused: all 40 domains would go"), std::string::npos);
}

TEST(HistoryText, ShowsWhatBecameOfEachRow) {
  model::HistoryEntry entry;
  auto before = row("old words");
  auto after = row("new words");
  after.enabled = false;
  after.groups.insert({model::Table::group, model::kind::named_group, "Kids"});
  entry.rows = {{deny, before, after}};
  entry.rows_left_out = 7;
  auto lines = history_entry_text(entry);
  EXPECT_TRUE(has(lines, "  ~ deny  ads.example.com : disabled, comment 'old words' became 'new words', into group Kids")) << joined(lines);
  EXPECT_TRUE(has(lines, "  … and 7 rows that were not kept"));
}

TEST(ReportText, SaysWhatIsNotSyncedAndWhy) {
  NodeReport report;
  report.node.capabilities.records_unavailable[2] = "dhcp.active is off";
  report.node.notes = {"not synced: upstream servers"};
  auto lines = report_text(report);
  EXPECT_TRUE(has(lines, "  dhcp records: dhcp.active is off")) << joined(lines);
  EXPECT_TRUE(has(lines, "  upstream servers")) << "the heading says that it is not synced";
}

}  // namespace
}  // namespace gsync::cli
