#include "cron.hpp"

#include "gsync/daemon/client.hpp"
#include "gsync/util/file_ops.hpp"

namespace gsync::cli {
namespace {

bool daemon_runs(const Context& context) {
  try {
    return daemon::ask(context.config().daemon.run_directory, {"status", {}, {}}).has_value();
  } catch (const Error& error) {
    // Else it is there, and not for us to ask. Where it hangs or does not start, somebody must do its work.
    return error.code() != ErrorCode::timeout;
  }
}

}  // namespace

std::optional<CronTurn> cron_turn(Context& context) {
  if (!context.invocation().cron) return CronTurn{};
  if (daemon_runs(context)) {
    context.output().detail("the daemon runs: nothing to do for cron");
    return std::nullopt;
  }
  const auto directory = util::open_directory(context.config().node.state_directory);
  auto lock = util::FileLock::acquire(directory.get(), "cron.lock", util::Deadline::in(std::chrono::milliseconds(0)));
  if (!lock) {
    context.output().detail("the last run of cron is still at work");
    return std::nullopt;
  }
  return CronTurn{std::move(lock)};
}

}  // namespace gsync::cli
