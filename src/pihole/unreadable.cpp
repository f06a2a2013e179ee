#include "unreadable.hpp"

#include <fmt/format.h>
#include <pwd.h>
#include <sys/stat.h>

#include <array>

#include "gsync/util/error.hpp"

namespace gsync::pihole {
namespace {

std::string user_name(uid_t uid) {
  std::array<char, 4096> buffer{};
  struct passwd entry {};
  struct passwd* found = nullptr;
  if (::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) == 0 && found) return found->pw_name;
  return fmt::format("with id {}", uid);
}

}  // namespace

void refuse_unreadable(const std::string& path) {
  std::string seen = path;
  struct stat info {};
  while (::stat(seen.c_str(), &info) != 0 && seen != "/") {
    const auto slash = seen.rfind('/');
    seen = slash == 0 ? "/" : seen.substr(0, slash);
  }
  const auto owner = user_name(info.st_uid);
  throw Error(ErrorCode::refused, fmt::format("{} may not be read by us: {} belongs to user {}", path, seen == path ? "it" : seen, owner),
              fmt::format("run it with sudo, or as user {}", owner));
}

}  // namespace gsync::pihole
