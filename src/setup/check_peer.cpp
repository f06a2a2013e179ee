#include <fmt/format.h>

#include <cstdlib>
#include <ctime>

#include "gsync/model/pair.hpp"
#include "gsync/setup/doctor.hpp"

namespace gsync::setup {
namespace {

/// What somebody with our key might ask for. A shell does nothing with it and says nothing; under a forced command sshd does not look at
/// it.
constexpr const char* another_command = ": gravity-sync doctor";

/// Our key and the host key are good: what is behind them?
class PeerCheck {
 public:
  PeerCheck(const config::PeerConfig& peer, const PeerTools& tools) : peer_(peer), tools_(tools), subject_("peer " + peer.name) {}

  Findings run() {
    look(all_, subject_, [&] { return check_host_key(); });
    if (worst_of(all_) == Verdict::wrong) return std::move(all_);
    look(all_, subject_, [&] { return log_in(); });
    if (node_) look(all_, subject_, [&] { return check_there(); });
    if (node_) all_.push_back(check_clock());
    if (node_) look(all_, subject_, [&] { return check_weekly_gravity(); });
    if (node_) look(all_, subject_, [&] { return check_ring(); });
    return std::move(all_);
  }

 private:
  Findings check_host_key() {
    const auto key = ssh::host_key(peer_, tools_.ssh);
    const auto remedy = fmt::format("sudo gravity-sync trust {}", peer_.name);
    switch (key.state) {
      case ssh::HostKey::State::known:
        return {good(subject_, fmt::format("{} answers, with the host key that is trusted", peer_.host))};
      case ssh::HostKey::State::unknown:
        return {
            wrong(subject_, fmt::format("the host key of {} is not trusted yet: {} {}", peer_.host, key.type, key.fingerprint), remedy)};
      case ssh::HostKey::State::changed:
        break;
    }
    return {wrong(subject_, fmt::format("THE HOST KEY OF {} HAS CHANGED: it was set up anew, or somebody stands in between", peer_.host),
                  fmt::format("only if you know why: {}", remedy))};
  }

  std::unique_ptr<protocol::RemoteNode> start(ssh::Session& session, const std::string& command) {
    return std::make_unique<protocol::RemoteNode>(session.execute(command, util::Deadline::in(peer_.connect_timeout)), peer_.name,
                                                  tools_.hello, protocol::Limits{peer_.connect_timeout, peer_.idle_timeout});
  }

  Findings log_in() {
    session_ = ssh::Session::connect(peer_, tools_.ssh);
    Findings found{good(subject_, fmt::format("lets our key in as {}", peer_.user))};
    try {
      node_ = start(*session_, another_command);
      found.push_back(good(subject_, "runs the agent for our key, whatever is asked for"));
    } catch (const Error& error) {
      if (error.code() != ErrorCode::protocol) throw;
      node_ = start(*session_, peer_.remote_command);
      found.push_back(hint(
          subject_, "our key opens a shell there: whoever steals it can do all that the account can",
          fmt::format("on {}: sudo gravity-sync accept {}, with what `sudo gravity-sync key` prints here", peer_.name, tools_.hello.name)));
    }
    const auto& theirs = node_->peer_hello();
    found.push_back(good(subject_, fmt::format("is {} with gravity-sync {}", theirs.name, theirs.software)));
    if (theirs.software != tools_.hello.software)
      found.push_back(hint(subject_, fmt::format("it has gravity-sync {}, this host has {}", theirs.software, tools_.hello.software),
                           "update the older one when you can"));
    if (theirs.node_id == tools_.hello.node_id)
      found.push_back(wrong(subject_, "it is this Pi-hole itself, or a copy of its card",
                            "is the address right? On a copied card: sudo rm /var/lib/gravity-sync/state.db, on one of the two"));
    return found;
  }

  Findings check_there() {
    there_ = node_->describe();
    Findings found;
    const bool may_change = peer_.mode == config::Mode::pull || !there_.read_only;
    if (!may_change)
      found.push_back(wrong(
          subject_, "it lets us read and change nothing, and [[peer]] mode asks for more",
          fmt::format("set mode = \"pull\", or on {}: sudo gravity-sync accept {} without --read-only", peer_.name, tools_.hello.name)));
    if (there_.damaged)
      found.push_back(wrong(subject_, fmt::format("its database is damaged: {}", there_.damage),
                            fmt::format("sudo gravity-sync push {} --full", peer_.name)));
    found.push_back(good(subject_, fmt::format("Pi-hole core {}, FTL {}, schema {}",
                                               there_.core_version.empty() ? "of unknown version" : there_.core_version,
                                               there_.ftl_version.empty() ? "of unknown version" : there_.ftl_version, there_.schema)));
    if (fit_of(there_.capabilities) != fit_of(tools_.here_info.capabilities))
      found.push_back(hint(subject_, "one of the two Pi-holes cannot hold all that the other can; what does not fit stays where it is",
                           "gravity-sync compare lists it"));
    for (auto kind : model::record_kinds) {
      const auto& why = there_.capabilities.records_unavailable[index_of(kind)];
      if (!why.empty()) found.push_back(hint(subject_, fmt::format("{} records are not synced: {}", model::to_string(kind), why), ""));
    }
    return found;
  }

  /// Nothing is decided by dates, but people compare histories by them.
  Finding check_clock() const {
    constexpr std::int64_t tolerated = 60;
    const auto ahead = node_->peer_hello().time - std::time(nullptr);
    if (node_->peer_hello().time == 0) return hint(subject_, "it does not tell its time", "update gravity-sync there");
    if (std::abs(ahead) <= tolerated) return good(subject_, "its clock and ours agree");
    return hint(subject_,
                fmt::format("its clock is {} s {} ours: dates in the two histories do not fit together", std::abs(ahead),
                            ahead > 0 ? "ahead of" : "behind"),
                "timedatectl status, on both");
  }

  /// Two that both compile by themselves bring each other's work every week, for nothing.
  Findings check_weekly_gravity() const {
    if (!tools_.hello.weekly_gravity || !node_->peer_hello().weekly_gravity) return {};
    return {hint(subject_, "both Pi-holes run `pihole -g` every week by themselves, and each result is synced to the other",
                 "one of them is enough: on the other put a # before updateGravity in /etc/cron.d/pihole")};
  }

  Findings check_ring() {
    if (peer_.mode != config::Mode::sync) return {};
    const auto there = node_->pair(tools_.hello.node_id);
    const auto here = tools_.here.pair(node_->peer_hello().node_id);
    std::vector<std::string> names;
    for (const auto& node : model::ring_of(here, there)) names.push_back(node.name);
    if (!names.empty())
      return {wrong(subject_, fmt::format("this Pi-hole and {} both sync with {}, which makes a ring", peer_.name, fmt::join(names, ", ")),
                    "take mode = \"sync\" from one of these pairs; `gravity-sync forget NAME` for one that is gone")};
    return {};
  }

  const config::PeerConfig& peer_;
  const PeerTools& tools_;
  std::string subject_;
  Findings all_;
  std::unique_ptr<ssh::Session> session_;
  std::unique_ptr<protocol::RemoteNode> node_;
  model::NodeInfo there_;
};

}  // namespace

Findings check_peer(const config::PeerConfig& peer, const PeerTools& tools) {
  return PeerCheck(peer, tools).run();
}

}  // namespace gsync::setup
