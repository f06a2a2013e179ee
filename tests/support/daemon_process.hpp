#pragma once
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gsync/daemon/client.hpp"
#include "gsync/util/deadline.hpp"
#include "support/campaign.hpp"
#include "support/paths.hpp"
#include "support/pihole_directory.hpp"
#include "support/sanitizer.hpp"
#include "support/sshd.hpp"

namespace gsync::test {

/// `gravity-sync daemon` on a Pi-hole. Killed with its children at the end.
class DaemonProcess {
 public:
  /// `through` are a program and its arguments that start it.
  explicit DaemonProcess(const PiholeDirectory& pihole, std::vector<std::string> through = {})
      : pihole_(pihole), command_(std::move(through)) {
    command_.insert(command_.end(), {paths::binary, "--config", pihole_.config(), "daemon"});
    launch();
    await();
  }
  ~DaemonProcess() {
    // Who is killed has counted nothing.
    if (counted && process_ && !process_->ended()) stop();
  }
  DaemonProcess(const DaemonProcess&) = delete;
  DaemonProcess& operator=(const DaemonProcess&) = delete;

  void launch() { process_ = std::make_unique<ChildProcess>(command_, log_file()); }
  /// Returns when it answers.
  void await() const {
    if (!wait([] { return true; })) ADD_FAILURE() << "the daemon does not answer: " << log();
  }
  void start() {
    launch();
    await();
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

  daemon::Status status() const { return ask({"status", {}, {}}); }
  daemon::PeerStatus peer(const std::string& name = "ph1") const {
    for (auto& each : status().peers)
      if (each.name == name) return each;
    return {};
  }
  daemon::Status ask(const daemon::Request& request) const {
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

  /// The daemon and its children.
  std::vector<pid_t> processes() const {
    std::vector<pid_t> pids{pid()};
    std::ifstream children(fmt::format("/proc/{0}/task/{0}/children", pid()));
    for (pid_t pid; children >> pid;) pids.push_back(pid);
    return pids;
  }

  /// Of all threads of all these processes, as the scheduler counts it: clock ticks miss what is shorter than one.
  std::chrono::nanoseconds cpu_time() const {
    std::int64_t sum = 0;
    for (const auto pid : processes()) {
      for (const auto& task : std::filesystem::directory_iterator(fmt::format("/proc/{}/task", pid))) {
        std::int64_t nanoseconds = 0;
        std::ifstream(task.path() / "schedstat") >> nanoseconds;
        sum += nanoseconds;
      }
    }
    return std::chrono::nanoseconds(sum);
  }

  static bool poll(const std::function<bool()>& condition) {
    const auto deadline = util::Deadline::in(campaign() ? std::chrono::minutes(15) : std::chrono::minutes(2));
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
  std::vector<std::string> command_;
  std::unique_ptr<ChildProcess> process_;
};

}  // namespace gsync::test
