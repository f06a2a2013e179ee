#pragma once
#include <sys/stat.h>
#include <sys/types.h>

#include <cstddef>
#include <optional>
#include <span>
#include <string>

#include "gsync/util/fd.hpp"

namespace gsync::util {

/// The operations on files that publishing and our own state are made of, as a seam: tests put a decorator here that fails, shortens or kills at the Nth
/// call, before or after its effect. Names are relative to an open directory and are never followed if they are symbolic links. All throw Error
/// (see throw_errno) unless they say otherwise. Thread-safe.
class FileOps {
 public:
  virtual ~FileOps() = default;

  /// O_CLOEXEC and O_NOFOLLOW are added.
  virtual Fd open_at(int dir, const std::string& name, int flags, mode_t mode = 0) = 0;
  /// nullopt when there is no such name.
  virtual std::optional<struct stat> stat_at(int dir, const std::string& name) = 0;
  virtual struct stat stat(int fd) = 0;
  virtual void write(int fd, std::span<const std::byte> data, off_t offset) = 0;
  virtual void truncate(int fd, off_t size) = 0;
  virtual void sync(int fd) = 0;
  virtual void change_owner(int fd, uid_t uid, gid_t gid) = 0;
  virtual void change_mode(int fd, mode_t mode) = 0;
  virtual void make_directory(int dir, const std::string& name, mode_t mode) = 0;
  /// False when there was nothing to remove.
  virtual bool unlink_at(int dir, const std::string& name) = 0;
  /// This one, link_at and exchange_at: Error{refused} for a file that is a mount of its own, which cannot be moved.
  virtual void rename_at(int from_dir, const std::string& from, int to_dir, const std::string& to) = 0;
  virtual void link_at(int from_dir, const std::string& from, int to_dir, const std::string& to) = 0;
  /// renameat2(RENAME_EXCHANGE). False when this filesystem or kernel cannot (EINVAL, ENOSYS, EPERM).
  virtual bool exchange_at(int a_dir, const std::string& a, int b_dir, const std::string& b) = 0;
};

/// The system calls themselves, with EINTR repeated.
class PosixFileOps final : public FileOps {
 public:
  Fd open_at(int dir, const std::string& name, int flags, mode_t mode = 0) override;
  std::optional<struct stat> stat_at(int dir, const std::string& name) override;
  struct stat stat(int fd) override;
  void write(int fd, std::span<const std::byte> data, off_t offset) override;
  void truncate(int fd, off_t size) override;
  void sync(int fd) override;
  void change_owner(int fd, uid_t uid, gid_t gid) override;
  void change_mode(int fd, mode_t mode) override;
  void make_directory(int dir, const std::string& name, mode_t mode) override;
  bool unlink_at(int dir, const std::string& name) override;
  void rename_at(int from_dir, const std::string& from, int to_dir, const std::string& to) override;
  void link_at(int from_dir, const std::string& from, int to_dir, const std::string& to) override;
  bool exchange_at(int a_dir, const std::string& a, int b_dir, const std::string& b) override;
};

/// Opens a directory (following links: it is the administrator's own path). Error{not_found, io}.
Fd open_directory(const std::string& path);

}  // namespace gsync::util
