#include "support/temp_directory.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "gsync/util/fd.hpp"

namespace gsync::test {

namespace {

std::system_error failed(const std::string& what) {
  return std::system_error(errno, std::generic_category(), what);
}

}  // namespace

TempDirectory::TempDirectory() {
  const char* base = std::getenv("TMPDIR");
  path_ = std::string(base && *base ? base : "/tmp") + "/gsync-XXXXXX";
  if (!::mkdtemp(path_.data())) throw failed("mkdtemp " + path_);
}

TempDirectory::TempDirectory(TempDirectory&& other) noexcept : path_(std::exchange(other.path_, {})) {}

TempDirectory::~TempDirectory() {
  if (path_.empty()) return;
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
  if (!ignored) return;
  // A test may have taken rights away from a directory; give them back and try once more.
  for (auto it = std::filesystem::recursive_directory_iterator(path_, std::filesystem::directory_options::skip_permission_denied, ignored);
       !ignored && it != std::filesystem::recursive_directory_iterator(); it.increment(ignored)) {
    std::error_code one;
    if (it->is_directory(one) && !it->is_symlink(one)) std::filesystem::permissions(it->path(), std::filesystem::perms::owner_all, one);
  }
  std::filesystem::remove_all(path_, ignored);
}

std::string read_text(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw failed("cannot read " + path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

void write_text(const std::string& path, const std::string& text, unsigned mode) {
  util::Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode));
  if (!fd) throw failed("cannot write " + path);
  for (std::size_t done = 0; done < text.size();) {
    const auto n = ::write(fd.get(), text.data() + done, text.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw failed("cannot write " + path);
    done += static_cast<std::size_t>(n);
  }
  // Whatever the umask says.
  if (::fchmod(fd.get(), mode) != 0) throw failed("cannot change the mode of " + path);
}

void replace_text(const std::string& path, const std::string& text, unsigned mode) {
  const std::string temporary = path + ".tmp";
  write_text(temporary, text, mode);
  if (::rename(temporary.c_str(), path.c_str()) != 0) throw failed("cannot rename over " + path);
}

}  // namespace gsync::test
