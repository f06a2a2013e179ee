#pragma once
#include <optional>

#include "context.hpp"
#include "gsync/util/files.hpp"

namespace gsync::cli {

/// For `--cron`: the right to run now, to be kept until the end; nullopt while the daemon runs here, or while the last such run is at work.
/// Without `--cron` everybody may run.
struct CronTurn {
  std::optional<util::FileLock> lock;
};
std::optional<CronTurn> cron_turn(Context& context);

}  // namespace gsync::cli
