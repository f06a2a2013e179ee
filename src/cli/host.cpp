#include "host.hpp"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <cstdlib>

#include "gsync/cli/exit_code.hpp"
#include "gsync/util/files.hpp"
#include "gsync/util/text.hpp"
#include "own_path.hpp"

namespace gsync::cli {

util::CommandResult run_here(const Invocation& invocation, const std::vector<std::string>& words) {
  util::Command command{.argv = {own_path()}};
  if (invocation.config) command.argv.insert(command.argv.end(), {"--config", *invocation.config});
  command.argv.insert(command.argv.end(), words.begin(), words.end());
  return util::run(command, util::Deadline::in(std::chrono::minutes(30)));
}

Error error_in(const util::CommandResult& result, const std::string& hint) {
  constexpr std::string_view word = "error: ";
  std::string what;
  std::string its_hint;
  for (auto line : util::split(result.errors, '\n')) {
    if (line.starts_with(word)) {
      what = line.substr(word.size());
      its_hint.clear();
    } else if (!what.empty() && its_hint.empty()) {
      its_hint = util::trim(line);
    }
  }
  if (what.empty()) what = util::words_of(result);
  if (its_hint.empty()) its_hint = hint;
  const auto code = static_cast<ExitCode>(result.exit_code);
  return Error(code == ExitCode::usage     ? ErrorCode::config
               : code == ExitCode::refused ? ErrorCode::refused
                                           : ErrorCode::io,
               util::printable(what), util::printable(its_hint));
}

config::Config present_configuration(const Invocation& invocation) {
  const auto path = config::chosen_path(invocation.config);
  return config::parse(util::read_file(path).value_or(""), path);
}

std::vector<std::string> admin_identities(const std::string& named) {
  if (!named.empty()) return {named};
  const char* user = std::getenv("SUDO_USER");
  const auto* entry = user ? ::getpwnam(user) : nullptr;
  if (!entry) return {};
  std::vector<std::string> files;
  for (const char* name : {"id_ed25519", "id_ecdsa", "id_rsa"}) {
    const auto path = fmt::format("{}/.ssh/{}", entry->pw_dir, name);
    if (::access(path.c_str(), R_OK) == 0) files.push_back(path);
  }
  return files;
}

void require_root(const char* command) {
  if (::geteuid() != 0)
    throw Error(ErrorCode::refused, "only root can do this: keys, configuration and service are its matter",
                fmt::format("run: sudo gravity-sync {} …", command));
}

}  // namespace gsync::cli
