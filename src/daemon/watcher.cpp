#include "watcher.hpp"

#include <fmt/format.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "gsync/util/error.hpp"

namespace gsync::daemon {
namespace {

// A commit changes the file in place, `pihole -g` and FTL's settings rename over it. Deletions are those of the journal, the last thing of
// a commit.
constexpr std::uint32_t what_counts = IN_MODIFY | IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_ATTRIB | IN_ONLYDIR;

}  // namespace

Watcher::Watcher(const std::vector<std::string>& files) : fd_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)), files_(files) {
  if (!fd_)
    throw_errno(errno, "cannot watch files for changes",
                "raise fs.inotify.max_user_instances (sysctl); something on this host uses them all");
  for (const auto& file : files_) {
    const auto slash = file.rfind('/');
    const auto name = file.substr(slash + 1);
    auto& names = names_[slash == 0 ? "/" : file.substr(0, slash)];
    names.insert(name);
    names.insert(name + "-journal");
  }
  watch();
  looks_ = looks();
}

void Watcher::watch() {
  for (const auto& [directory, names] : names_) {
    const int watch = ::inotify_add_watch(fd_.get(), directory.c_str(), what_counts);
    if (watch >= 0) {
      watched_[watch].insert(names.begin(), names.end());  // several directories of ours may be one
    } else if (errno != ENOENT && errno != ENOTDIR) {
      throw_errno(errno, fmt::format("cannot watch {} for changes", directory));
    }
  }
}

bool Watcher::take() {
  alignas(inotify_event) std::array<char, 16384> buffer;
  bool concerns = false;
  for (;;) {
    const auto n = ::read(fd_.get(), buffer.data(), buffer.size());
    if (n <= 0) {
      if (n < 0 && errno == EINTR) continue;
      return concerns;
    }
    for (const char* at = buffer.data(); at < buffer.data() + n;) {
      inotify_event event{};
      std::memcpy(&event, at, sizeof event);
      const char* name = at + sizeof event;
      at += sizeof event + event.len;
      // Events were lost, or the directory went: look.
      if (event.mask & (IN_Q_OVERFLOW | IN_IGNORED)) concerns = true;
      if (event.len == 0) continue;
      const auto names = watched_.find(event.wd);
      if (names != watched_.end() && names->second.contains(name)) concerns = true;
    }
  }
}

bool Watcher::differs() {
  watch();
  auto now = looks();
  const bool other = now != looks_;
  looks_ = std::move(now);
  return other;
}

std::string Watcher::looks() const {
  std::string text;
  for (const auto& file : files_) {
    struct stat s {};
    if (::stat(file.c_str(), &s) != 0)
      text += "- ";
    else
      text += fmt::format("{}:{}:{}:{}.{} ", s.st_dev, s.st_ino, s.st_size, s.st_mtim.tv_sec, s.st_mtim.tv_nsec);
  }
  return text;
}

}  // namespace gsync::daemon
