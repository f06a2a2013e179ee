#pragma once
#include <map>
#include <set>
#include <string>
#include <vector>

#include "gsync/util/fd.hpp"

namespace gsync::daemon {

/// Tells when one of some files may have changed. Watched are their directories: the files are replaced by renames. Opens none of them.
class Watcher {
 public:
  /// Absolute paths.
  explicit Watcher(const std::vector<std::string>& files);

  int fd() const { return fd_.get(); }
  /// Takes in what happened. True when it concerns one of the files.
  bool take();
  /// Whether the files are others than when this was last asked (device, inode, size, time of change). Also looks anew for directories that
  /// were not there or were replaced.
  bool differs();

 private:
  void watch();
  std::string looks() const;

  util::Fd fd_;
  std::vector<std::string> files_;
  std::map<std::string, std::set<std::string>> names_;  ///< by directory
  std::map<int, std::set<std::string>> watched_;        ///< by watch
  std::string looks_;
};

}  // namespace gsync::daemon
