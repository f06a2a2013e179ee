#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "support/temp_directory.hpp"

namespace gsync::test {

/// Mounts that this thread and the processes that it starts see, and nobody else. Where mounting is not allowed reason() says so; a test
/// then skips with it. All throw std::system_error.
class PrivateMounts {
 public:
  PrivateMounts();
  ~PrivateMounts();
  PrivateMounts(const PrivateMounts&) = delete;
  PrivateMounts& operator=(const PrivateMounts&) = delete;

  /// Empty when mounts can be made.
  const std::string& reason() const { return reason_; }

  /// A small filesystem in memory.
  void tmpfs(const std::string& where, std::uint64_t bytes);
  /// A file or directory in a second place.
  void bind(const std::string& what, const std::string& where);
  void make_read_only(const std::string& where, bool read_only = true);
  /// Whatever is written below `where` from now on goes with this object.
  void overlay(const std::string& where);
  /// /proc as it is under hidepid=2 to those who are not root.
  void hide_processes();
  void unmount(const std::string& where);

 private:
  void mount(const std::string& what, const std::string& where, const std::string& type, unsigned long flags, const std::string& options);

  std::string reason_;
  std::vector<std::string> mounted_;
  std::optional<TempDirectory> layers_;
};

}  // namespace gsync::test
