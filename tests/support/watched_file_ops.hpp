#pragma once
#include <unistd.h>

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <type_traits>

#include "gsync/util/error.hpp"
#include "gsync/util/file_ops.hpp"

namespace gsync::test {

/// The system's file operations, with a function called before and after the effect of each. Names are those of the calls; `name` is the
/// file's, or empty for calls on a descriptor.
class WatchedFileOps final : public util::FileOps {
 public:
  struct Call {
    std::string operation;
    std::string name;
  };
  std::function<void(const Call&)> before = [](const Call&) {};
  std::function<void(const Call&)> after = [](const Call&) {};
  bool can_exchange = true;

  util::Fd open_at(int dir, const std::string& name, int flags, mode_t mode = 0) override {
    return around({"open_at", name}, [&] { return real_.open_at(dir, name, flags, mode); });
  }
  std::optional<struct stat> stat_at(int dir, const std::string& name) override {
    return around({"stat_at", name}, [&] { return real_.stat_at(dir, name); });
  }
  struct stat stat(int fd) override {
    return around({"stat", {}}, [&] { return real_.stat(fd); });
  }
  void write(int fd, std::span<const std::byte> data, off_t offset) override {
    around({"write", {}}, [&] { return real_.write(fd, data, offset), 0; });
  }
  void truncate(int fd, off_t size) override {
    around({"truncate", {}}, [&] { return real_.truncate(fd, size), 0; });
  }
  void sync(int fd) override {
    around({"sync", {}}, [&] { return real_.sync(fd), 0; });
  }
  void change_owner(int fd, uid_t uid, gid_t gid) override {
    around({"change_owner", {}}, [&] { return real_.change_owner(fd, uid, gid), 0; });
  }
  void change_mode(int fd, mode_t mode) override {
    around({"change_mode", {}}, [&] { return real_.change_mode(fd, mode), 0; });
  }
  void make_directory(int dir, const std::string& name, mode_t mode) override {
    around({"make_directory", name}, [&] { return real_.make_directory(dir, name, mode), 0; });
  }
  bool unlink_at(int dir, const std::string& name) override {
    return around({"unlink_at", name}, [&] { return real_.unlink_at(dir, name); });
  }
  void rename_at(int from_dir, const std::string& from, int to_dir, const std::string& to) override {
    around({"rename_at", from}, [&] { return real_.rename_at(from_dir, from, to_dir, to), 0; });
  }
  void link_at(int from_dir, const std::string& from, int to_dir, const std::string& to) override {
    around({"link_at", from}, [&] { return real_.link_at(from_dir, from, to_dir, to), 0; });
  }
  bool exchange_at(int a_dir, const std::string& a, int b_dir, const std::string& b) override {
    return around({"exchange_at", a}, [&] { return can_exchange && real_.exchange_at(a_dir, a, b_dir, b); });
  }

 private:
  template <class Work>
  std::invoke_result_t<Work> around(const Call& call, Work work) {
    before(call);
    auto result = work();
    after(call);
    return result;
  }

  util::PosixFileOps real_;
};

/// Lets something happen at the Nth operation, before or after its effect.
class Nth {
 public:
  enum class When : unsigned char { before, after };
  Nth(WatchedFileOps& files, int n, When when, const std::function<void()>& happen) {
    auto count = std::make_shared<int>(0);
    auto watch = [this, count, n, happen](const WatchedFileOps::Call& call) {
      if ((*count)++ != n) return;
      happened_ = true;
      call_ = call.operation + " " + call.name;
      happen();
    };
    (when == When::before ? files.before : files.after) = watch;
  }
  Nth(const Nth&) = delete;
  Nth& operator=(const Nth&) = delete;
  bool happened() const { return happened_; }
  const std::string& call() const { return call_; }

 private:
  bool happened_ = false;
  std::string call_;
};

}  // namespace gsync::test
