#include "ftl_control.hpp"

#include <signal.h>

#include <cerrno>
#include <chrono>

#include "gsync/util/error.hpp"

namespace gsync::pihole {
namespace {

bool gone_soon(pid_t pid, util::Clock& clock) {
  auto deadline = util::Deadline::in(std::chrono::seconds(5));
  while (!deadline.passed()) {
    if (::kill(pid, 0) != 0) return true;
    clock.sleep(std::chrono::milliseconds(50));
  }
  return false;
}

}  // namespace

bool have_ftl_reload(const Parts& parts, std::vector<std::string>& warnings) {
  Ftl ftl(parts.installation);
  if (ftl.signal_reload()) return true;
  if (parts.root == nullptr || !(ftl.pid() || ftl.may_be_hidden())) return false;
  try {
    parts.root->run(PiholeCommand::reload_lists, util::Deadline::in(parts.config.sync.ftl_deadline));
    return true;
  } catch (const Error& error) {
    warnings.push_back(error.what());
    return false;
  }
}

std::string_view reload_command(const Installation& installation) {
  return installation.generation == Generation::v5 ? "pihole restartdns reload-lists" : "pihole reloadlists";
}

bool restart_ftl(const Parts& parts, util::Deadline deadline, std::vector<std::string>& warnings) {
  if (const auto& container = parts.installation.container) {
    // Its first process ends with FTL, and not every container is started again then.
    return container->run({Container::Action::restart}, deadline).exit_code == 0;
  }
  if (parts.root != nullptr) {
    try {
      parts.root->run(PiholeCommand::restart_dns, deadline);
      return true;
    } catch (const Error& error) {
      warnings.push_back(error.what());
    }
  }
  Ftl ftl(parts.installation);
  auto pid = ftl.pid();
  if (!pid) return false;
  if (ftl.signal_failure() && gone_soon(*pid, parts.clock)) return true;
  if (::kill(*pid, SIGKILL) != 0) return errno == ESRCH;
  return gone_soon(*pid, parts.clock);
}

}  // namespace gsync::pihole
