#include "log.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace gsync::cli {

struct Log::Impl {
  explicit Impl(bool enabled) : logger("gravity-sync", std::make_shared<spdlog::sinks::stderr_sink_mt>()) {
    logger.set_pattern("%H:%M:%S.%e %v");
    logger.set_level(enabled ? spdlog::level::debug : spdlog::level::off);
  }
  spdlog::logger logger;
};

Log::Log(bool enabled) : impl_(std::make_unique<Impl>(enabled)) {}
Log::~Log() = default;
void Log::line(std::string_view text) {
  impl_->logger.debug("{}", text);
}

}  // namespace gsync::cli
