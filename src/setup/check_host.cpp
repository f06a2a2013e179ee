#include <fmt/format.h>
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "gsync/daemon/client.hpp"
#include "gsync/daemon/supervisor.hpp"
#include "gsync/setup/doctor.hpp"
#include "gsync/setup/service.hpp"
#include "gsync/setup/ssh_account.hpp"
#include "gsync/util/files.hpp"
#include "gsync/util/subprocess.hpp"
#include "gsync/util/text.hpp"

namespace gsync::setup {
namespace {

constexpr const char* service = "service";
constexpr const char* sockets = "sockets";
constexpr const char* account_subject = "SSH account";
constexpr const char* cron_file = "/etc/cron.d/gravity-sync";

/// "enabled", "active" and their like.
std::string systemctl(const std::string& question) {
  const auto result = util::run({.argv = {"systemctl", question, "gravity-sync.service"}}, util::Deadline::in(std::chrono::seconds(10)));
  return std::string(util::trim(result.output));
}

Finding not_running(const config::Config& config) {
  if (::access(cron_file, F_OK) == 0) return good(service, fmt::format("cron runs gravity-sync ({})", cron_file));
  if (config.peers.empty())
    return hint(service, "the daemon does not run", "sudo gravity-sync auto on, so that other Pi-holes can connect to it");
  return hint(service, "the daemon does not run: nothing is synced by itself", "sudo gravity-sync auto on");
}

Findings check_status(const daemon::Status& status) {
  Findings all{good(service, fmt::format("the daemon runs (process {}, gravity-sync {})", status.pid, status.software))};
  if (!status.config_error.empty())
    all.push_back(wrong(service, fmt::format("the daemon works with an older configuration: {}", status.config_error),
                        "correct the configuration, then: sudo systemctl reload gravity-sync"));
  for (const auto& peer : status.peers) {
    if (peer.phase == daemon::Phase::paused)
      all.push_back(hint(service, fmt::format("{} is paused: {}", peer.name, peer.paused_why),
                         fmt::format("sudo gravity-sync resume {}", peer.name)));
    else if (peer.failure)
      all.push_back(wrong(service, fmt::format("{}: {}", peer.name, peer.failure->what), peer.failure->hint));
  }
  return all;
}

std::string group_text(gid_t gid) {
  const auto* entry = ::getgrgid(gid);
  return entry ? entry->gr_name : fmt::format("group {}", gid);
}

Finding check_socket(const std::string& path, uid_t owner, std::optional<gid_t> group) {
  struct stat st {};
  const auto again = "sudo systemctl restart gravity-sync-agent.socket gravity-sync-status.socket gravity-sync, or restart the daemon";
  if (::lstat(path.c_str(), &st) != 0) return wrong(sockets, fmt::format("there is no {}", path), again);
  if (!S_ISSOCK(st.st_mode))
    return wrong(sockets, fmt::format("{} is not a socket", path), fmt::format("remove it: sudo rm -r {}, and restart the daemon", path));
  if (st.st_uid != owner && st.st_uid != 0)
    return wrong(sockets, fmt::format("{} belongs to user {}, not to user {} who owns the Pi-hole", path, st.st_uid, owner), again);
  if ((st.st_mode & 07) != 0) return wrong(sockets, fmt::format("everybody may connect to {}", path), again);
  if (group && st.st_gid != *group)
    return wrong(sockets, fmt::format("{} belongs to {}, so the account {} cannot connect", path, group_text(st.st_gid), ssh_account_name),
                 again);
  return good(sockets, fmt::format("{} is there, for {}", path, group ? group_text(st.st_gid) : "its owner"));
}

bool in_group(const SshAccount& account, gid_t group) {
  if (account.gid == group) return true;
  std::vector<gid_t> groups(64);
  int count = static_cast<int>(groups.size());
  if (::getgrouplist(ssh_account_name, account.gid, groups.data(), &count) < 0) return false;
  return std::find(groups.begin(), groups.begin() + count, group) != groups.begin() + count;
}

Findings check_admitted(const SshAccount& account) {
  Findings all;
  std::vector<std::string> names;
  for (const auto& each : admitted(account)) {
    names.push_back(each.peer + (each.read_only ? " (read only)" : ""));
    if (!each.restricted)
      all.push_back(wrong(account_subject,
                          fmt::format("the key of {} in {} may do more than start the agent: its line lacks `restrict`", each.peer,
                                      account.authorized_keys()),
                          fmt::format("put the key in anew: sudo gravity-sync accept {}", each.peer)));
  }
  all.insert(all.begin(),
             good(account_subject, names.empty() ? "no peer may log in here" : fmt::format("may log in here: {}", fmt::join(names, ", "))));
  return all;
}

}  // namespace

Findings check_service(const config::Config& config) {
  Findings all;
  std::optional<daemon::Status> answer;
  try {
    answer = daemon::ask(config.daemon.run_directory, {"status", {}, {}});
  } catch (const Error& error) {
    if (error.code() != ErrorCode::timeout) throw;
    all.push_back(wrong(service, error.what(), error.hint()));
  }
  if (answer)
    all = check_status(*answer);
  else if (all.empty())
    all.push_back(not_running(config));
  if (!has_systemd()) return all;
  if (const auto left = left_by_the_script()) all.push_back(wrong(service, left->what(), left->hint()));
  const auto enabled = systemctl("is-enabled");
  if (answer && enabled != "enabled")
    all.push_back(hint(service, "the daemon is not started when this host starts", "sudo gravity-sync auto on"));
  if (!answer && enabled == "enabled")
    all.push_back(wrong(service, fmt::format("gravity-sync.service is enabled, and it is {}", systemctl("is-active")),
                        "journalctl -u gravity-sync says why"));
  return all;
}

Findings check_sockets(const config::Config& config, uid_t owner) {
  const auto& directory = config.daemon.run_directory;
  if (!daemon::is_listening(config.daemon.run_directory)) return {};
  const auto group = daemon::group_id(config.daemon.agent_group);
  Findings all{check_socket(directory + "/agent.sock", owner, group), check_socket(directory + "/status.sock", owner, std::nullopt)};
  if (!group)
    all.push_back(hint(sockets, fmt::format("there is no group {}, so peers cannot be let in to agent.sock", config.daemon.agent_group),
                       "[daemon] agent_group is the group of the account that peers log in to"));
  return all;
}

Findings check_served(const config::Config& config, const pihole::Installation& installation) {
  const auto account = find_ssh_account();
  if (!account || has_systemd() || account->uid == installation.owner || daemon::is_listening(config.daemon.run_directory)) return {};
  const auto text = fmt::format("no daemon runs here, and {} (uid {}) is not the owner of the Pi-hole (uid {}): nobody serves who logs in",
                                ssh_account_name, account->uid, installation.owner);
  const auto remedy = how_to_serve(installation.owner, installation.group);
  // Nobody may want to log in here.
  return {admitted(*account).empty() ? hint(account_subject, text, remedy) : wrong(account_subject, text, remedy)};
}

Findings check_account(const config::Config& config) {
  const auto account = find_ssh_account();
  if (!account)
    return {hint(account_subject, fmt::format("there is no account {}: no other Pi-hole can log in here", ssh_account_name),
                 "not needed where this Pi-hole connects to all others; `gravity-sync accept` says how to make it")};
  Findings all;
  if (account->shell_refuses())
    all.push_back(wrong(account_subject, fmt::format("its shell is {}, so sshd runs nothing for it", account->shell),
                        fmt::format("sudo usermod --shell /bin/sh {}", ssh_account_name)));
  for (const auto& path : {account->home, account->home + "/.ssh", account->authorized_keys()}) {
    struct stat st {};
    if (::lstat(path.c_str(), &st) != 0) continue;
    if (st.st_uid != 0 || (st.st_mode & 022) != 0)
      all.push_back(wrong(account_subject, fmt::format("{} is not root's alone: whoever is logged in could let others in", path),
                          fmt::format("sudo chown root:root {0}; sudo chmod go-w {0}", path)));
  }
  const auto group = daemon::group_id(config.daemon.agent_group);
  if (group && !in_group(*account, *group))
    all.push_back(
        wrong(account_subject,
              fmt::format("{} is not in the group {}, so its agent cannot reach the daemon", ssh_account_name, config.daemon.agent_group),
              fmt::format("sudo usermod --append --groups {} {}", config.daemon.agent_group, ssh_account_name)));
  look(all, account_subject, [&] { return check_admitted(*account); });
  return all;
}

}  // namespace gsync::setup
