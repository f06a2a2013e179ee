// What a Node promises of the settings that [sync] settings lists, here and at the other end of a stream.

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "gsync/util/error.hpp"
#include "support/node_fixture.hpp"

namespace gsync::test {
namespace {

enum class Where { here, far };

class Settings {
 public:
  /// `keys` as in the configuration.
  Settings(Where where, const std::string& keys) {
    local_.directory.set_sync_lines("settings = [" + keys + "]");
    local_.reopen();
    if (where == Where::here) return;
    protocol::AgentOptions agent;
    agent.hello = {protocol::protocol_version, "0.1.0", local_.state->node_id(), local_.config.node.name};
    agent.peer = "tester";
    remote_ = std::make_unique<RemoteFixture>(*local_.node, agent);
  }
  model::Node* operator->() { return remote_ ? &remote_->node() : local_.node.get(); }
  const PiholeDirectory& directory() const { return local_.directory; }

 private:
  LocalFixture local_;
  std::unique_ptr<RemoteFixture> remote_;
};

class SettingsContract : public ::testing::TestWithParam<Where> {};
INSTANTIATE_TEST_SUITE_P(, SettingsContract, ::testing::Values(Where::here, Where::far),
                         [](const auto& where) { return where.param == Where::here ? "Here" : "Far"; });

util::Deadline soon() {
  return util::Deadline::in(std::chrono::seconds(20));
}

ErrorCode code_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.code();
  }
  return ErrorCode::cancelled;
}

TEST_P(SettingsContract, SetsTheSettingsThatItListsAndNoOthers) {
  Settings node(GetParam(), R"("dns.blockTTL", "dns.upstreams", "dns.domain", "misc.dnsmasq_lines")");
  auto settings = node.directory().settings();
  settings.dnsmasq_lines = {"domain-needed", "dhcp-script=/tmp/x"};
  node.directory().save(settings);
  const auto i = model::index_of(model::RecordKind::setting);
  auto info = node->lock(soon());
  EXPECT_EQ(*node->records()[i], (model::RecordLines{"dns.blockTTL = 2", "dns.upstreams = [\"9.9.9.9\",\"149.112.112.112\"]"}));
  const auto noted = [&](const std::string& part) {
    return std::any_of(info.notes.begin(), info.notes.end(), [&](const auto& note) { return note.find(part) != std::string::npos; });
  };
  EXPECT_TRUE(noted("dns.domain, a setting that this pihole-FTL does not have (here it is dns.domain.name)"));
  EXPECT_TRUE(noted("'dhcp-script=/tmp/x'")) << "a line of dnsmasq that may not travel is named";

  model::Change change;
  change.source = "ph1";
  change.expected = info.digests;
  change.records[i] = model::RecordLines{"dns.blockTTL = 60"};
  const auto report = node->apply(change, nullptr, nullptr);
  EXPECT_FALSE(report.published);
  EXPECT_FALSE(report.dns_paused);
  EXPECT_EQ(report.counts.settings_changed, 1u);
  EXPECT_EQ(report.counts.records_added, 0u);
  EXPECT_EQ(node.directory().settings().block_ttl, 60u);
  EXPECT_EQ(node.directory().settings().upstreams, settings.upstreams) << "what the change does not name stays";
  EXPECT_EQ(node->version(report.version).records[i]->front(), "dns.blockTTL = 2");

  change.expected = node->describe().digests;
  change.records[i] = model::RecordLines{"dns.blockTTL = 61", "dns.upstreams = [\"1.1.1.1\"]"};
  EXPECT_TRUE(node->apply(change, nullptr, nullptr).dns_paused);
  change.expected = node->describe().digests;
  change.records[i] = model::RecordLines{"dns.upstreams = [\"9.9.9.9\"]", "misc.dnsmasq_lines = []"};
  EXPECT_EQ(code_of([&] { node->apply(change, nullptr, nullptr); }), ErrorCode::refused) << "a peer cannot change what is not given";
  change.records[i] = model::RecordLines{"dns.dnssec = true"};
  EXPECT_EQ(code_of([&] { node->apply(change, nullptr, nullptr); }), ErrorCode::refused);
  EXPECT_EQ(node.directory().settings().upstreams, std::vector<std::string>{"1.1.1.1"});
  EXPECT_FALSE(node.directory().settings().dnssec);
}

TEST_P(SettingsContract, SetsTheOtherSettingsWhereFtlRefusesOneAndSaysWhich) {
  Settings node(GetParam(), R"("dns.blockTTL", "dns.upstreams", "misc.dnsmasq_lines")");
  model::Change change;
  change.source = "ph1";
  change.expected = node->lock(soon()).digests;
  change.records[model::index_of(model::RecordKind::setting)] =
      model::RecordLines{"dns.blockTTL = 60", "dns.upstreams = [\"0.0.0.0\"]", "misc.dnsmasq_lines = [\"domain-needed\"]"};
  try {
    node->apply(change, nullptr, nullptr);
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::io);
    EXPECT_NE(std::string(error.what()).find("dns.upstreams"), std::string::npos) << error.what();
  }
  const auto settings = node.directory().settings();
  EXPECT_EQ(settings.block_ttl, 60u);
  EXPECT_EQ(settings.dnsmasq_lines, std::vector<std::string>{"domain-needed"});
  EXPECT_EQ(settings.upstreams.front(), "9.9.9.9");
}

}  // namespace
}  // namespace gsync::test
