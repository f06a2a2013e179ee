#include "../src/cli/command_line.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "../src/cli/components.hpp"
#include "../src/cli/help.hpp"
#include "gsync/util/error.hpp"

namespace gsync::cli {
namespace {

ParsedCommandLine parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "gravity-sync");
  return parse_command_line(static_cast<int>(arguments.size()), arguments.data());
}

Invocation invocation_of(std::vector<const char*> arguments) {
  return parse(std::move(arguments)).invocation.value();
}

Error error_of(std::vector<const char*> arguments) {
  try {
    parse(std::move(arguments));
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "no error";
  return {ErrorCode::io, ""};
}

TEST(CommandLine, ReadsAPullWithItsOptions) {
  auto in = invocation_of({"pull", "ph1", "--dry-run", "--force", "--only", "lists,dns"});
  EXPECT_EQ(in.command, Command::pull);
  EXPECT_EQ(in.peer, "ph1");
  EXPECT_TRUE(in.dry_run);
  EXPECT_TRUE(in.force);
  EXPECT_FALSE(in.full);
  ASSERT_TRUE(in.only);
  EXPECT_TRUE(in.only->lists);
  EXPECT_FALSE(in.only->blocklist);
  EXPECT_TRUE(in.only->records[0]);
  EXPECT_FALSE(in.only->records[2]);
}

TEST(CommandLine, TakesGlobalOptionsBeforeAndAfterTheCommand) {
  for (const auto& in :
       {invocation_of({"--json", "--config", "/x.toml", "info"}), invocation_of({"info", "--json", "--config", "/x.toml"})}) {
    EXPECT_EQ(in.command, Command::info);
    EXPECT_TRUE(in.json);
    EXPECT_EQ(in.config, "/x.toml");
  }
}

TEST(CommandLine, LeavesOutWhatWasNotSaid) {
  auto in = invocation_of({"restore"});
  EXPECT_FALSE(in.id);
  EXPECT_FALSE(in.only);
  EXPECT_FALSE(in.config);
  EXPECT_EQ(invocation_of({"restore", "12"}).id, 12);
  EXPECT_EQ(invocation_of({"history", "--id", "3"}).id, 3);
  EXPECT_EQ(invocation_of({"history"}).limit, 20u);
  const auto some = invocation_of({"history", "--peer", "ph1", "--since", "2d", "--rows"});
  EXPECT_EQ(some.peer, "ph1");
  EXPECT_EQ(some.since, "2d");
  EXPECT_TRUE(some.rows);
}

TEST(CommandLine, SuggestsTheCommandThatWasMeant) {
  auto error = error_of({"pul"});
  EXPECT_EQ(error.code(), ErrorCode::config);
  EXPECT_NE(error.hint().find("'pull'"), std::string::npos) << error.hint();
  EXPECT_NE(std::string(error_of({"--config", "/x", "hystory"}).what()).find("'hystory'"), std::string::npos);
}

TEST(CommandLine, RefusesWhatItDoesNotUnderstand) {
  EXPECT_EQ(error_of({"--dri-run"}).code(), ErrorCode::config);
  EXPECT_EQ(error_of({"sync", "--full"}).code(), ErrorCode::config);
  EXPECT_EQ(error_of({"pull", "--dri-run"}).code(), ErrorCode::config);
  EXPECT_EQ(error_of({"pull", "ph1", "ph2"}).code(), ErrorCode::config);
  EXPECT_EQ(error_of({"restore", "-1"}).code(), ErrorCode::config);
  EXPECT_EQ(error_of({"restore", "twelve"}).code(), ErrorCode::config);
  EXPECT_EQ(error_of({"history", "--limit", "99999999999999999999"}).code(), ErrorCode::config);
  EXPECT_EQ(error_of({"info", "--quiet", "--verbose"}).code(), ErrorCode::config);
  EXPECT_EQ(error_of({"history", "--id", "3", "--rows"}).code(), ErrorCode::config);
  EXPECT_EQ(error_of({"pull", "--full", "--only", "lists"}).code(), ErrorCode::config);
}

TEST(CommandLine, WithoutACommandItSyncs) {
  EXPECT_EQ(parse({}).invocation->command, Command::sync);
  EXPECT_EQ(parse({"--json"}).invocation->command, Command::sync);
}

TEST(CommandLine, ExplainsEveryCommandWithExamples) {
  for (const auto& help : all_commands()) {
    auto parsed = parse({help.name.data(), "--help"});
    EXPECT_FALSE(parsed.invocation);
    EXPECT_NE(parsed.help.find(help.description), std::string::npos) << help.name;
    EXPECT_NE(parsed.help.find("gravity-sync " + std::string(help.name)), std::string::npos) << help.name;
  }
  auto all = parse({"--help"}).help;
  for (const auto& help : all_commands()) EXPECT_NE(all.find(help.summary), std::string::npos) << help.name;
  for (const char* code : {" 0 ", " 1 ", " 2 ", " 3 ", " 4 ", " 5 ", "75 "}) EXPECT_NE(all.find(code), std::string::npos) << code;
}

TEST(Components, AreTheirWordsInAnyOrder) {
  auto chosen = parse_components("dhcp, lists");
  EXPECT_EQ(to_text(chosen), "lists, dhcp");
  EXPECT_FALSE(parse_components("lists,blocklist,dns,cname,dhcp").all());
  EXPECT_EQ(to_text(parse_components("settings")), "settings");
  EXPECT_TRUE(parse_components("lists,blocklist,dns,cname,dhcp,settings").all());
}

TEST(Components, NameTheWordThatIsWrong) {
  try {
    parse_components("lists,blocklst");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::config);
    EXPECT_NE(std::string(error.what()).find("'blocklst'"), std::string::npos);
    EXPECT_NE(error.hint().find("'blocklist'"), std::string::npos);
  }
  EXPECT_THROW(parse_components(""), Error);
}

}  // namespace
}  // namespace gsync::cli
