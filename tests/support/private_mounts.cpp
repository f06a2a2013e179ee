#include "support/private_mounts.hpp"

#include <fmt/format.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace gsync::test {

PrivateMounts::PrivateMounts() {
  if (::geteuid() != 0) {
    reason_ = "only root can mount something";
  } else if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    reason_ = fmt::format("nothing can be mounted here: {}", std::strerror(errno));
  }
}

PrivateMounts::~PrivateMounts() {
  for (auto where = mounted_.rbegin(); where != mounted_.rend(); ++where) ::umount2(where->c_str(), MNT_DETACH);
}

void PrivateMounts::mount(const std::string& what, const std::string& where, const std::string& type, unsigned long flags,
                          const std::string& options) {
  if (::mount(what.c_str(), where.c_str(), type.c_str(), flags, options.c_str()) != 0)
    throw std::system_error(errno, std::generic_category(), "mount " + where);
  if (!(flags & MS_REMOUNT)) mounted_.push_back(where);
}

void PrivateMounts::tmpfs(const std::string& where, std::uint64_t bytes) {
  mount("tmpfs", where, "tmpfs", 0, fmt::format("size={},mode=0755", bytes));
}

void PrivateMounts::bind(const std::string& what, const std::string& where) {
  mount(what, where, "", MS_BIND, "");
}

void PrivateMounts::make_read_only(const std::string& where, bool read_only) {
  mount("none", where, "", MS_REMOUNT | MS_BIND | (read_only ? std::uint64_t{MS_RDONLY} : 0), "");
}

void PrivateMounts::overlay(const std::string& where) {
  if (!layers_) {
    layers_.emplace();
    tmpfs(layers_->path(), 16u << 20);
  }
  for (const char* name : {"/upper", "/work"}) ::mkdir((layers_->path() + name).c_str(), 0755);
  mount("overlay", where, "overlay", 0,
        fmt::format("lowerdir={},upperdir={}/upper,workdir={}/work", where, layers_->path(), layers_->path()));
}

void PrivateMounts::hide_processes() {
  mount("proc", "/proc", "proc", 0, "hidepid=2");
}

void PrivateMounts::unmount(const std::string& where) {
  if (::umount2(where.c_str(), MNT_DETACH) != 0) throw std::system_error(errno, std::generic_category(), "umount " + where);
  mounted_.erase(std::remove(mounted_.begin(), mounted_.end(), where), mounted_.end());
}

}  // namespace gsync::test
