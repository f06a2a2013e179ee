#include <dirent.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <ctime>
#include <memory>
#include <string_view>

#include "gsync/pihole/ftl.hpp"
#include "gsync/util/error.hpp"
#include "gsync/util/files.hpp"
#include "gsync/util/text.hpp"

namespace gsync::pihole {
namespace {

constexpr std::string_view script = "gravity.sh";
constexpr std::int64_t recently_seconds = 10;

std::string_view base_name(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

/// The script's first line asks env for bash, so the process is called bash, and the script is its first argument.
bool runs_gravity(std::string_view command_line) {
  const auto arguments = util::split(command_line, '\0');
  if (base_name(arguments[0]) == script) return true;
  const auto program = base_name(arguments[0]);
  return arguments.size() > 1 && (program.ends_with("sh") || program == "env") && base_name(arguments[1]) == script;
}

bool gravity_process_is_visible() {
  const std::unique_ptr<DIR, int (*)(DIR*)> processes(::opendir("/proc"), &::closedir);
  if (!processes) return false;
  while (const auto* entry = ::readdir(processes.get())) {
    const std::string_view name = entry->d_name;
    if (name.find_first_not_of("0123456789") != std::string_view::npos) continue;
    try {
      const auto comm = util::read_file(fmt::format("/proc/{}/comm", name));
      const auto command_line = util::read_file(fmt::format("/proc/{}/cmdline", name));
      // One that has ended and that nobody has asked for yet keeps its name, but has no command line any more.
      if (!command_line || command_line->empty()) continue;
      if ((comm && util::trim(*comm) == script) || runs_gravity(*command_line)) return true;
    } catch (const Error&) {
      // It ended, or it is not ours to see.
    }
  }
  return false;
}

}  // namespace

bool gravity_is_running(const Installation& installation) {
  bool there = false;
  // Where gravity.db is a symbolic link, the temporary file stands beside the link.
  for (const auto& database : {installation.gravity_named, installation.gravity_database}) {
    struct stat info {};
    if (database.empty() || ::stat((database + "_temp").c_str(), &info) != 0) continue;
    there = true;
    // A date in the far future is a clock that was set back, not a run.
    const auto age = static_cast<std::int64_t>(std::time(nullptr)) - static_cast<std::int64_t>(info.st_mtime);
    if (age >= -recently_seconds && age <= recently_seconds) return true;
  }
  return there && gravity_process_is_visible();
}

}  // namespace gsync::pihole
