#include "gsync/replica/abilities.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <string>

#include "gsync/util/error.hpp"
#include "gsync/util/file_ops.hpp"
#include "gsync/util/text.hpp"
#include "lease.hpp"

namespace gsync::replica {
namespace {

class TwoFiles {
 public:
  TwoFiles(util::FileOps& files, int directory) : directory_(directory) {
    const auto unique = util::random_hex(6);
    for (std::size_t i = 0; i < names.size(); ++i) names[i] = "try." + unique + "." + std::to_string(i);
    try {
      for (std::size_t i = 0; i < names.size(); ++i) opened[i] = files.open_at(directory, names[i], O_RDWR | O_CREAT | O_EXCL, 0600);
    } catch (const Error&) {
      remove();
      throw;
    }
  }
  ~TwoFiles() { remove(); }
  TwoFiles(const TwoFiles&) = delete;
  TwoFiles& operator=(const TwoFiles&) = delete;

  std::array<std::string, 2> names;
  std::array<util::Fd, 2> opened;

 private:
  void remove() noexcept {
    for (const auto& name : names) ::unlinkat(directory_, name.c_str(), 0);
  }
  int directory_;
};

}  // namespace

Abilities try_abilities(int directory) {
  util::PosixFileOps files;
  TwoFiles two(files, directory);
  Abilities result;
  result.leases = open_elsewhere(two.opened[0].get()) == OpenElsewhere::no;
  result.exchange = files.exchange_at(directory, two.names[0], directory, two.names[1]);
  return result;
}

bool is_open_elsewhere(int directory, const std::string& name) {
  const util::Fd fd(::openat(directory, name.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  return fd && open_elsewhere(fd.get()) == OpenElsewhere::yes;
}

}  // namespace gsync::replica
