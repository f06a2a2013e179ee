#pragma once
#include <string>
#include <vector>

#include "context.hpp"
#include "gsync/daemon/status.hpp"

namespace gsync::cli {

/// Before something is brought back: the peers that the daemon pulls from, and those that push to us, would overwrite it at once, so they
/// are paused. Resumed again unless keep() says that something was brought back. Does nothing where no daemon has ever run. With a peer
/// that is synced both ways it is an edit as any other, and gets there.
class UndoPause {
 public:
  /// `why` is shown by `status`.
  UndoPause(Context& context, const std::string& why);
  ~UndoPause();
  UndoPause(const UndoPause&) = delete;
  UndoPause& operator=(const UndoPause&) = delete;

  /// They stay paused, and the person hears of it.
  void keep();

 private:
  /// False where no daemon does it.
  bool daemon_does(const daemon::Request& request);
  void resume() noexcept;
  Context& context_;
  bool answers_ = true;
  std::vector<std::string> paused_;
  std::vector<std::string> told_;  ///< that sync with us
};

}  // namespace gsync::cli
