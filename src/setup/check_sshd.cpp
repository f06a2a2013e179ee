#include <fmt/format.h>
#include <fnmatch.h>
#include <grp.h>
#include <unistd.h>

#include <algorithm>

#include "gsync/setup/doctor.hpp"
#include "gsync/setup/ssh_account.hpp"
#include "gsync/util/subprocess.hpp"
#include "gsync/util/text.hpp"

namespace gsync::setup {
namespace {

constexpr const char* subject = "sshd";

/// The lines of `sshd -T` as keyword and value.
using Settings = std::vector<std::pair<std::string, std::string>>;

std::vector<std::string> values_of(const Settings& settings, std::string_view keyword) {
  std::vector<std::string> values;
  for (const auto& [name, value] : settings) {
    if (name != keyword) continue;
    for (auto word : util::split(value, ' ')) {
      if (!word.empty()) values.emplace_back(word);
    }
  }
  return values;
}

bool names(const std::vector<std::string>& patterns, const std::string& name) {
  return std::ranges::any_of(patterns, [&](const std::string& pattern) {
    // "user@host": from some hosts at least.
    return ::fnmatch(pattern.substr(0, pattern.find('@')).c_str(), name.c_str(), 0) == 0;
  });
}

std::vector<std::string> groups_of(const SshAccount& account) {
  std::vector<gid_t> ids(64);
  int count = static_cast<int>(ids.size());
  if (::getgrouplist(ssh_account_name, account.gid, ids.data(), &count) < 0) count = 0;
  std::vector<std::string> groups;
  for (int i = 0; i < count; ++i) {
    if (const auto* entry = ::getgrgid(ids[static_cast<std::size_t>(i)])) groups.emplace_back(entry->gr_name);
  }
  return groups;
}

Findings shut_out(const Settings& settings, const SshAccount& account) {
  Findings all;
  const auto say = [&](const std::string& what, const std::string& remedy) {
    all.push_back(
        wrong(subject, fmt::format("does not let {} log in: {}", ssh_account_name, what), remedy + ", then: sudo systemctl reload ssh"));
  };
  const auto where = "in /etc/ssh/sshd_config or a file in sshd_config.d";
  const auto groups = groups_of(account);
  const auto in_some = [&](const std::vector<std::string>& patterns) {
    return std::ranges::any_of(groups, [&](const std::string& group) { return names(patterns, group); });
  };
  if (const auto users = values_of(settings, "allowusers"); !users.empty() && !names(users, ssh_account_name))
    say("it is not in AllowUsers", fmt::format("add {} to AllowUsers {}", ssh_account_name, where));
  if (names(values_of(settings, "denyusers"), ssh_account_name)) say("it is in DenyUsers", fmt::format("take it out {}", where));
  if (const auto allowed = values_of(settings, "allowgroups"); !allowed.empty() && !in_some(allowed))
    say("its group is not in AllowGroups", fmt::format("add {} to AllowGroups {}", ssh_account_name, where));
  if (in_some(values_of(settings, "denygroups"))) say("its group is in DenyGroups", fmt::format("take it out {}", where));
  if (values_of(settings, "pubkeyauthentication") == std::vector<std::string>{"no"})
    say("PubkeyAuthentication is no", fmt::format("say `Match User {}` and `PubkeyAuthentication yes` at its end", ssh_account_name));
  const auto files = values_of(settings, "authorizedkeysfile");
  if (!files.empty() && std::ranges::none_of(files, [&](const std::string& file) {
        return file == ".ssh/authorized_keys" || file == "%h/.ssh/authorized_keys" || file == account.authorized_keys();
      }))
    say(fmt::format("AuthorizedKeysFile is {}", fmt::join(files, " ")),
        fmt::format("say `Match User {}` and `AuthorizedKeysFile .ssh/authorized_keys` at its end", ssh_account_name));
  if (const auto methods = values_of(settings, "authenticationmethods");
      !methods.empty() && std::ranges::none_of(methods, [](const auto& each) { return each == "any" || each == "publickey"; }))
    say(fmt::format("AuthenticationMethods asks for {}", fmt::join(methods, " or ")),
        fmt::format("say `Match User {}` and `AuthenticationMethods publickey` at its end", ssh_account_name));
  if (const auto command = values_of(settings, "forcecommand"); !command.empty() && command.front() != "none")
    say(fmt::format("ForceCommand runs {} in the place of the agent", fmt::join(command, " ")),
        fmt::format("say `Match User {}` and `ForceCommand none` at its end", ssh_account_name));
  return all;
}

}  // namespace

Findings check_sshd() {
  const auto account = find_ssh_account();
  if (!account) return {};
  if (::geteuid() != 0) return {hint(subject, "whether it lets peers in is for root to see", "sudo gravity-sync doctor")};
  const char* program = "/usr/sbin/sshd";
  if (::access(program, X_OK) != 0)
    return {hint(subject, "there is no OpenSSH server here, so no peer can log in", "sudo apt install openssh-server")};
  const auto result = util::run({.argv = {program, "-T", "-C", fmt::format("user={},host=localhost,addr=127.0.0.1", ssh_account_name)}},
                                util::Deadline::in(std::chrono::seconds(10)));
  if (result.exit_code != 0)
    return {hint(subject, fmt::format("its configuration cannot be read: {}", util::words_of(result)), "sudo sshd -t says more")};
  Settings settings;
  for (auto line : util::split(result.output, '\n')) {
    const auto space = line.find(' ');
    if (space != std::string_view::npos) settings.emplace_back(line.substr(0, space), line.substr(space + 1));
  }
  auto all = shut_out(settings, *account);
  if (all.empty()) all.push_back(good(subject, fmt::format("lets {} log in with a key", ssh_account_name)));
  return all;
}

std::vector<std::string> own_host_keys() {
  std::vector<std::string> files;
  const auto result = util::run({.argv = {"/usr/sbin/sshd", "-T"}}, util::Deadline::in(std::chrono::seconds(10)));
  for (auto line : util::split(result.output, '\n')) {
    if (line.starts_with("hostkey ")) files.push_back(std::string(util::trim(line.substr(8))) + ".pub");
  }
  return files;
}

}  // namespace gsync::setup
