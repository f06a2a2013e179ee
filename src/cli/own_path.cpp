#include "own_path.hpp"

#include <unistd.h>

#include <cerrno>

#include "gsync/util/error.hpp"

namespace gsync::cli {

std::string own_path() {
  std::string path(4096, '\0');
  const auto size = ::readlink("/proc/self/exe", path.data(), path.size());
  if (size < 0) throw_errno(errno, "cannot tell where this program stands");
  path.resize(static_cast<std::size_t>(size));
  return path;
}

}  // namespace gsync::cli
