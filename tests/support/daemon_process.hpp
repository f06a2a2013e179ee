#pragma once
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "gsync/daemon/client.hpp"
#include "gsync/util/deadline.hpp"
#include "support/paths.hpp"
#include "support/pihole_directory.hpp"
#include "support/sshd.hpp"

namespace gsync::test {

/// `gravity-sync daemon` on a Pi-hole. Killed with its children at the end.
class DaemonProcess {
 public:
  explicit DaemonProcess(const PiholeDirectory& pihole) : pihole_(pihole) { start(); }

  /// Returns when it answers.
  void start() {
    process_ = std::make_unique<ChildProcess>(std::vector<std::string>{paths::binary, "--config", pihole_.config(), "daemon"}, log_file());
    if (!wait([] { return true; })) ADD_FAILURE() << "the daemon does not answer: " << log();
  }
  pid_t pid() const { return process_->pid(); }
  void signal(int number) const { ::kill(pid(), number); }
  /// SIGTERM, and waits for its end. False when it does not come.
  bool stop() {
    signal(SIGTERM);
    return ended();
  }
  bool ended() {
    return poll([&] { return process_->ended(); });
  }

  std::string log_file() const { return pihole_.run_directory() + "/daemon.log"; }
  std::string log() const { return read_text(log_file()); }

  daemon::Status status() const { return daemon::status_from_json(ask({"status", {}, {}})); }
  daemon::PeerStatus peer(const std::string& name = "ph1") const {
    for (auto& each : status().peers)
      if (each.name == name) return each;
    return {};
  }
  std::string ask(const daemon::Request& request) const {
    auto answer = daemon::ask(pihole_.run_directory(), request);
    if (!answer) throw Error(ErrorCode::not_found, "no daemon");
    return *answer;
  }
  /// Until the peer's status is so. What it was last otherwise.
  ::testing::AssertionResult wait_for(const std::function<bool(const daemon::PeerStatus&)>& condition,
                                      const std::string& name = "ph1") const {
    daemon::Status last;
    const bool is_so = wait([&] {
      last = status();
      for (auto& each : last.peers)
        if (each.name == name) return condition(each);
      return false;
    });
    if (is_so) return ::testing::AssertionSuccess();
    return ::testing::AssertionFailure() << to_json(last) << "\n" << log();
  }
  ::testing::AssertionResult wait_in_step(const std::string& name = "ph1") const {
    return wait_for([](const daemon::PeerStatus& p) { return p.in_step == true && p.connected_since != 0 && !p.failure; }, name);
  }

  static bool poll(const std::function<bool()>& condition) {
    const auto deadline = util::Deadline::in(std::chrono::seconds(120));
    while (!condition()) {
      if (deadline.passed()) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return true;
  }

 private:
  /// The daemon may be starting or ending meanwhile.
  bool wait(const std::function<bool()>& condition) const {
    return poll([&] {
      try {
        status();
        return condition();
      } catch (const Error&) {
        return process_->ended() ? throw std::runtime_error("the daemon ended: " + log()) : false;
      }
    });
  }

  const PiholeDirectory& pihole_;
  std::unique_ptr<ChildProcess> process_;
};

}  // namespace gsync::test
