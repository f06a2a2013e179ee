#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>

#include "support/paths.hpp"
#include "support/sql.hpp"
#include "support/two_nodes_test.hpp"

// What scripts and people read: exit codes, JSON, quiet runs, and the commands about the past.

namespace gsync::test {
namespace {

using Json = nlohmann::json;

class Output : public TwoNodesTest {};

Json parsed(const CommandResult& result) {
  auto json = Json::parse(result.output, nullptr, false);
  EXPECT_FALSE(json.is_discarded()) << result.output << result.errors;
  return json;
}

void expect_keys(const Json& json, const std::set<std::string>& keys, const std::string& what) {
  ASSERT_TRUE(json.is_object()) << what;
  std::set<std::string> found;
  for (const auto& item : json.items()) found.insert(item.key());
  EXPECT_EQ(found, keys) << what;
}

const std::set<std::string> run_keys{"action",        "source",         "target",     "dry_run",        "changed",
                                     "nothing_to_do", "whole_database", "refusal",    "rows",           "blocklist",
                                     "records",       "warnings",       "bytes_sent", "bytes_received", "uncompiled"};

std::set<std::string> with(std::set<std::string> keys, const std::set<std::string>& more) {
  keys.insert(more.begin(), more.end());
  return keys;
}

TEST_F(Output, JsonHasTheSameKeysWhateverHappened) {
  TwoNodes nodes;
  const auto reported = with(run_keys, {"counts", "published", "dns_paused", "publish_microseconds", "version", "history_id"});
  const auto comparison = parsed(nodes.run({"compare", "--json"}));
  expect_keys(
      comparison,
      {"here", "there", "equal", "counts", "rows", "blocklist", "records", "cannot_be_on_both", "settings_of_one_only", "kept_local"},
      "compare");
  EXPECT_FALSE(comparison["equal"].get<bool>());
  EXPECT_EQ(comparison["counts"]["rows"].get<std::size_t>(), comparison["rows"].size());
  expect_keys(comparison["rows"][0], {"table", "kind", "name", "change", "here", "there"}, "a row of compare");
  expect_keys(parsed(nodes.run({"pull", "--dry-run", "--json"})), run_keys, "dry run");
  const auto pulled = parsed(nodes.run({"pull", "--json"}));
  expect_keys(pulled, reported, "pull");
  EXPECT_TRUE(pulled["changed"].get<bool>());
  EXPECT_EQ(pulled["rows"].size(), comparison["rows"].size());
  expect_keys(pulled["rows"][0], {"table", "kind", "name", "change", "before", "after"}, "a row of pull");
  expect_keys(pulled["counts"],
              {"rows_added", "rows_changed", "rows_removed", "adlists_compiled", "blocklist_added", "blocklist_removed", "records_added",
               "records_removed", "settings_changed", "conflicts", "whole_database"},
              "counts");
  const auto again = parsed(nodes.run({"pull", "--json"}));
  expect_keys(again, run_keys, "second pull");
  EXPECT_TRUE(again["nothing_to_do"].get<bool>());
  EXPECT_TRUE(parsed(nodes.run({"compare", "--json"}))["equal"].get<bool>());
  expect_keys(parsed(nodes.run({"undo", "--json"})), reported, "undo");
  expect_keys(parsed(nodes.run({"push", "--json"})), reported, "push");

  const auto history = parsed(nodes.run({"history", "--json"}));
  ASSERT_EQ(history["history"].size(), 3U);
  const std::set<std::string> entry{"id",   "time",   "action",     "source",         "target",  "started_by", "outcome",
                                    "text", "counts", "bytes_sent", "bytes_received", "version", "dns_paused"};
  expect_keys(history["history"][0], entry, "history");
  expect_keys(parsed(nodes.run({"history", "--id", "1", "--json"})), with(entry, {"rows", "records", "rows_left_out", "conflicts"}),
              "history --id");
  expect_keys(parsed(nodes.run({"sync", "--json"})),
              {"action", "dry_run", "nothing_to_do", "here", "there", "conflicts", "uncompiled", "bytes_sent", "bytes_received"}, "sync");
  const auto versions = parsed(nodes.run({"restore", "--json"}));
  expect_keys(versions["versions"][0], {"id", "time", "reason", "list_rows", "records", "bytes"}, "versions");
  expect_keys(parsed(nodes.run({"info", "--json"})), {"node", "pihole", "ftl", "not_synced", "keep_local", "settings", "peers"}, "info");
  expect_keys(parsed(nodes.run({"trust", "--json"})), {"peer", "fingerprint", "key_type", "state", "trusted", "public_key"}, "trust");
}

TEST_F(Output, AnErrorIsJsonOnStdoutAndTextOnStderr) {
  TwoNodes nodes;
  execute(nodes.ph1.gravity(), "DELETE FROM domainlist");
  const auto refused = nodes.run({"pull", "--json"});
  EXPECT_EQ(refused.exit_code, 4);
  const auto json = parsed(refused);
  expect_keys(json, {"error"}, "refusal");
  expect_keys(json["error"], {"code", "message", "hint"}, "error");
  EXPECT_EQ(json["error"]["code"], "refused");
  EXPECT_TRUE(contains(refused.errors, "error: nothing was changed on ph2")) << refused.errors;
}

TEST_F(Output, QuietRunsPrintNothingWhenAllIsWell) {
  TwoNodes nodes;
  for (const auto* pihole : {&nodes.ph1, &nodes.ph2}) settle_empty_adlists(*pihole);
  for (const std::vector<std::string>& command : std::vector<std::vector<std::string>>{
           {"compare"}, {"pull", "--dry-run"}, {"pull"}, {"pull"}, {"history"}, {"restore"}, {"restore", "1"}, {"push"}, {"info"}}) {
    auto arguments = command;
    arguments.emplace_back("--quiet");
    const auto result = nodes.run(arguments);
    EXPECT_EQ(result.exit_code, 0) << command[0] << result.errors;
    EXPECT_EQ(result.output, "") << command[0];
    // An adlist that comes back without its domains is worth a word, also where it goes next.
    if (command[0] != "restore" && command[0] != "push") {
      EXPECT_EQ(result.errors, "") << command[0];
    }
  }
  EXPECT_EQ(nodes.run({"compare", "--exit-code", "--quiet"}).exit_code, 0);
  execute(nodes.ph1.gravity(), "DELETE FROM domainlist");
  const auto refused = nodes.run({"pull", "--quiet"});
  EXPECT_EQ(refused.output, "");
  EXPECT_TRUE(contains(refused.errors, "error: ")) << "but errors are not kept quiet";
}

TEST_F(Output, NoEscapeSequenceLeavesAProgramWhoseOutputIsNoTerminal) {
  TwoNodes nodes;
  execute(nodes.ph1.gravity(),
          "INSERT INTO domainlist (type, domain, comment) VALUES (1, 'esc.example', char(27) || '[31mred' || char(7))");
  std::string all;
  for (const std::vector<std::string>& command : std::vector<std::vector<std::string>>{{"compare", "--all"},
                                                                                       {"pull", "--dry-run"},
                                                                                       {"pull", "--verbose"},
                                                                                       {"history"},
                                                                                       {"history", "--id", "1"},
                                                                                       {"info"},
                                                                                       {"pull", "--full"},
                                                                                       {"undo"},
                                                                                       {"pull", "nobody"}}) {
    const auto result = nodes.run_on(nodes.ph2, command, {{"TERM", "xterm-256color"}});
    all += result.output + result.errors;
  }
  EXPECT_TRUE(contains(all, "esc.example"));
  EXPECT_EQ(all.find('\x1b'), std::string::npos);
  EXPECT_EQ(all.find('\a'), std::string::npos);
}

TEST_F(Output, OnATerminalThereAreColoursUnlessNoColorIsSet) {
  if (::access("/usr/bin/script", X_OK) != 0) GTEST_SKIP() << "there is no script(1) to make a terminal";
  TwoNodes nodes;
  const auto on_terminal = [&](std::map<std::string, std::string> environment) {
    util::Command command;
    command.argv = {"/usr/bin/script", "-qec", fmt::format("{} --config {} pull --dry-run", paths::binary, nodes.ph2.config()),
                    "/dev/null"};
    environment.emplace("PATH", "/usr/bin:/bin");
    environment.emplace("TERM", "xterm-256color");
    command.environment = std::move(environment);
    return util::run(command, util::Deadline::in(std::chrono::minutes(3)));
  };
  const auto coloured = on_terminal({});
  EXPECT_EQ(coloured.exit_code, 0) << coloured.output;
  EXPECT_TRUE(contains(coloured.output, "\x1b[3")) << coloured.output;
  const auto plain = on_terminal({{"NO_COLOR", "1"}});
  EXPECT_FALSE(contains(plain.output, "\x1b[3")) << plain.output;
}

TEST_F(Output, ExitCodesAreThoseOfTheHelp) {
  TwoNodes nodes;
  EXPECT_EQ(nodes.run({"compare"}).exit_code, 0);
  EXPECT_EQ(nodes.run({"compare", "--exit-code"}).exit_code, 3);
  EXPECT_EQ(nodes.run({"pull", "nobody"}).exit_code, 2);
  EXPECT_EQ(nodes.run({"restore", "99"}).exit_code, 1);
  EXPECT_EQ(nodes.run({"undo"}).exit_code, 1);
  EXPECT_EQ(nodes.run({"pull"}).exit_code, 0);
  EXPECT_EQ(nodes.run({"compare", "--exit-code"}).exit_code, 0);
  execute(nodes.ph1.gravity(), "DELETE FROM adlist");
  EXPECT_EQ(nodes.run({"pull"}).exit_code, 4);
  nodes.sshd.stop();
  const auto gone = nodes.run({"pull"});
  EXPECT_EQ(gone.exit_code, 5);
  EXPECT_TRUE(contains(gone.errors, "ph1") && contains(gone.errors, "127.0.0.1")) << gone.errors;
  EXPECT_EQ(nodes.run({"undo"}).exit_code, 0) << "needs no peer";
}

class Past : public TwoNodesTest {};

TEST_F(Past, UndoBringsTheLastVersionBackAndCanBeUndone) {
  TwoNodes nodes;
  const auto first = lists_of(nodes.ph2.gravity());
  const auto ids = row_ids(nodes.ph2.gravity(), "client");
  ASSERT_TRUE(succeeded(nodes.run({"pull"})));
  const auto second = lists_of(nodes.ph2.gravity());
  const auto dry = nodes.run({"undo", "--dry-run"});
  EXPECT_TRUE(succeeded(dry));
  EXPECT_TRUE(lists_of(nodes.ph2.gravity()) == second);
  ASSERT_TRUE(succeeded(nodes.run({"undo"})));
  EXPECT_TRUE(lists_of(nodes.ph2.gravity()) == first);
  EXPECT_EQ(nodes.ph2.settings().dns_hosts.back(), "192.168.1.9 only-on-ph2.lan");
  ASSERT_TRUE(succeeded(nodes.run({"undo"})));
  EXPECT_TRUE(lists_of(nodes.ph2.gravity()) == second);
  EXPECT_EQ(integrity(nodes.ph2.gravity()), "ok");
}

TEST_F(Past, UndoBringsTheCompiledDomainsOfAnAdlistBackThatAPullTookAway) {
  TwoNodes nodes;
  ASSERT_TRUE(succeeded(nodes.run({"pull"})));
  const auto blocked = blocklist_of(nodes.ph2.gravity());
  execute(nodes.ph1.gravity(), "DELETE FROM gravity WHERE adlist_id = 3; DELETE FROM adlist WHERE id = 3");
  ASSERT_TRUE(succeeded(nodes.run({"pull"})));
  ASSERT_NE(blocklist_of(nodes.ph2.gravity()), blocked);
  const auto undone = nodes.run({"undo"});
  EXPECT_TRUE(succeeded(undone));
  EXPECT_TRUE(blocklist_of(nodes.ph2.gravity()) == blocked);
  EXPECT_FALSE(contains(undone.errors, "pihole -g")) << "nothing is missing: " << undone.errors;
}

TEST_F(Past, AnyKeptVersionIsRestoredByItsId) {
  TwoNodes nodes;
  std::vector<std::string> states;  // before run 1, 2, 3…
  for (int i = 1; i <= 4; ++i) {
    states.push_back(lists_of(nodes.ph2.gravity()));
    deny(nodes.ph1, fmt::format("round-{}.example", i));
    ASSERT_TRUE(succeeded(nodes.run({"pull"})));
  }
  EXPECT_TRUE(contains(nodes.run({"restore"}).output, "before pull from ph1"));
  for (const std::size_t id : {2U, 1U, 4U}) {
    ASSERT_TRUE(succeeded(nodes.run({"restore", std::to_string(id)})));
    EXPECT_TRUE(lists_of(nodes.ph2.gravity()) == states[id - 1]) << id;
  }
  EXPECT_TRUE(contains(nodes.run({"restore", "4"}).output, "nothing to do"));
}

TEST_F(Past, FiftyVersionsAreKept) {
  TwoNodes nodes;
  for (int i = 0; i < 26; ++i) {
    ASSERT_TRUE(succeeded(nodes.run(i == 0 ? std::vector<std::string>{"pull"} : std::vector<std::string>{"undo"})));
    ASSERT_TRUE(succeeded(nodes.run({"undo"})));
  }
  EXPECT_EQ(parsed(nodes.run({"restore", "--json"}))["versions"].size(), 50U);
}

TEST_F(Past, HistoryTellsWhatAPersonHadOnTheTargetAndWhatWent) {
  TwoNodes nodes;
  deny(nodes.ph2, "made-by-hand.example");
  ASSERT_TRUE(succeeded(nodes.run({"pull"})));
  const auto line = nodes.run({"history"}).output;
  EXPECT_TRUE(contains(line, "pull from ph1")) << line;
  EXPECT_TRUE(contains(line, "lists: ")) << line;
  EXPECT_TRUE(contains(line, "records: 1 removed")) << line;
  EXPECT_TRUE(contains(line, " kB")) << line;
  const auto entry = nodes.run({"history", "--id", "1"}).output;
  EXPECT_TRUE(contains(entry, "- deny  made-by-hand.example  # by hand")) << entry;
  EXPECT_TRUE(contains(entry, "- 192.168.1.9 only-on-ph2.lan")) << entry;
}

}  // namespace
}  // namespace gsync::test
