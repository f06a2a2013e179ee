#include "e2e/fleet.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "support/paths.hpp"
#include "support/sql.hpp"

namespace gsync::test {

Fleet::Fleet(std::size_t count) {
  for (std::size_t i = 1; i <= count; ++i) {
    auto household = small_household();
    if (i > 1) drift(household, i, 30);
    auto options = small_pihole(fmt::format("ph{}", i), 3 * i, household);
    options.pihole_script = true;
    nodes_.push_back(std::make_unique<FleetNode>(options));
  }
}

void Fleet::connect(FleetNode& from, const FleetNode& to, const std::string& mode) {
  from.peers.push_back(fmt::format(
      "[[peer]]\nname = \"{}\"\nhost = {}\nport = {}\nuser = {}\nidentity = {}\nremote_command = {}\nconnect_timeout_seconds = 60\nmode = "
      "\"{}\"\n",
      to.name(), toml_string(to.sshd.address()), to.sshd.port(), toml_string(to.sshd.user()), toml_string(to.sshd.client_key()),
      toml_string(fmt::format("{} --config {} agent --peer {}", paths::binary, to.pihole.config(), from.name())), mode));
  from.pihole.set_peers(from.peers);
  from.in_step_with.push_back(to.name());
  const auto known = from.pihole.state() + "/known_hosts";
  std::string hosts;
  for (const auto& node : nodes_) hosts += node->sshd.known_hosts_line();
  write_text(known, hosts, 0600);
}

void Fleet::follow_the_first() {
  for (std::size_t i = 1; i < nodes_.size(); ++i) connect(*nodes_[i], *nodes_[0], "pull");
}

void Fleet::start_ftls() {
  for (const auto& node : nodes_) node->start_ftl();
}

void Fleet::start_daemons() {
  for (const auto& node : nodes_) node->start_daemon();
}

::testing::AssertionResult Fleet::in_step() const {
  for (const auto& node : nodes_)
    for (const auto& peer : node->in_step_with)
      if (auto result = node->daemon->wait_in_step(peer); !result) return result << node->name();
  return ::testing::AssertionSuccess();
}

::testing::AssertionResult Fleet::same() const {
  const auto content = content_of(nodes_[0]->pihole.gravity());
  for (const auto& node : nodes_) {
    if (integrity(node->pihole.gravity()) != "ok") return ::testing::AssertionFailure() << node->name() << " is damaged";
    if (content_of(node->pihole.gravity()) != content)
      return ::testing::AssertionFailure() << node->name() << " holds something else than " << nodes_[0]->name() << "\n" << logs();
  }
  return ::testing::AssertionSuccess();
}

std::string Fleet::logs() const {
  std::string text;
  for (const auto& node : nodes_)
    if (node->daemon) text += fmt::format("--- {}\n{}", node->name(), node->daemon->log());
  return text;
}

CommandResult run_here(const FleetNode& node, const std::vector<std::string>& arguments) {
  auto argv = node.through;
  argv.insert(argv.end(), {paths::binary, "--config", node.pihole.config()});
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return util::run({.argv = argv}, util::Deadline::in(std::chrono::minutes(2)));
}

nlohmann::json history_of(const FleetNode& node, const std::vector<std::string>& options) {
  std::vector<std::string> arguments{"history", "--json", "--limit", "100000"};
  arguments.insert(arguments.end(), options.begin(), options.end());
  return nlohmann::json::parse(run_here(node, arguments).output).at("history");
}

std::unique_ptr<Fleet> star(std::size_t count, bool both_ways_configured, const std::function<void(FleetNode&)>& prepare) {
  auto fleet = std::make_unique<Fleet>(count);
  for (std::size_t i = 1; i < count; ++i) {
    auto& node = (*fleet)[i];
    fleet->connect(node, (*fleet)[0], "sync");
    if (both_ways_configured) fleet->connect((*fleet)[0], node, "sync");
    const auto first = run_here(node, {"push", (*fleet)[0].name(), "--force"});
    EXPECT_EQ(first.exit_code, 0) << first.errors;
  }
  // What the later ones brought to the middle goes to the earlier ones.
  for (std::size_t i = 1; i < count; ++i) {
    const auto again = run_here((*fleet)[i], {"sync"});
    EXPECT_EQ(again.exit_code, 0) << again.errors;
  }
  for (std::size_t i = 0; prepare && i < count; ++i) prepare((*fleet)[i]);
  fleet->start_ftls();
  fleet->start_daemons();
  return fleet;
}

FleetProbe::FleetProbe(Fleet& fleet, std::size_t first) : first_(first) {
  for (std::size_t i = first; i < fleet.size(); ++i) {
    nodes_.push_back({fleet[i].ftl->port(), blocked_names(fleet[i].pihole.gravity(), 500), nullptr});
    start(nodes_.back());
  }
}

void FleetProbe::start(Asked& node) {
  node.probe = std::make_unique<DnsProbe>(node.port, node.names, ProbeOptions{8, 200});
}

void FleetProbe::stop(Asked& node) {
  const auto counts = node.probe->stop();
  node.probe.reset();
  asked_ += counts.asked;
  if (counts.allowed != 0 || counts.other != 0)
    node.right = ::testing::AssertionFailure() << fmt::format(
                     "of {} questions {} were answered as blocked, {} as allowed ({}), {} otherwise", counts.asked, counts.blocked,
                     counts.allowed, fmt::join(counts.allowed_names, ", "), counts.other);
}

void FleetProbe::spare(std::size_t node, const std::function<void()>& edit) {
  if (node < first_) return edit();
  auto& asked = nodes_.at(node - first_);
  stop(asked);
  edit();
  start(asked);
}

::testing::AssertionResult FleetProbe::right() {
  for (auto& node : nodes_) {
    if (!node.probe->wait_for_answers(1)) return ::testing::AssertionFailure() << "nothing answers on port " << node.port;
    stop(node);
    if (!node.right) return node.right;
  }
  return ::testing::AssertionSuccess();
}

std::optional<std::chrono::milliseconds> time_until_served(Fleet& fleet, const FleetNode& where, const std::string& domain) {
  deny(where.pihole, domain);
  const auto begin = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < fleet.size(); ++i)
    if (!DaemonProcess::poll([&] { return fleet[i].serves(domain); })) return std::nullopt;
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin);
}

}  // namespace gsync::test
