#include "fault/power.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <filesystem>
#include <map>
#include <set>
#include <stdexcept>

#include "fault/faults.hpp"
#include "support/temp_directory.hpp"

namespace gsync::test {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t log_bytes = 64u << 20;
constexpr std::size_t sector = 512;

std::string directory_of(const std::string& path) {
  return path.substr(0, path.rfind('/'));
}

struct stat status_of(const std::string& path) {
  struct stat st {};
  if (::lstat(path.c_str(), &st) != 0) throw std::runtime_error("cannot look at " + path);
  return st;
}

}  // namespace

struct DiskLog::Memory {
  std::atomic<bool> busy{false};
  std::atomic<std::size_t> used{0};
  char bytes[1];
};

DiskLog::DiskLog() {
  void* memory = ::mmap(nullptr, log_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::runtime_error("mmap");
  memory_ = new (memory) Memory;
}

DiskLog::~DiskLog() {
  ::munmap(memory_, log_bytes);
}

void DiskLog::add(What what, ino_t inode, std::uint64_t at, std::string_view data, std::string_view path, std::string_view other) {
  while (memory_->busy.exchange(true)) ::usleep(10);
  auto used = memory_->used.load();
  const std::array<std::uint64_t, 6> head{static_cast<std::uint64_t>(what), inode, at, data.size(), path.size(), other.size()};
  if (offsetof(Memory, bytes) + used + sizeof head + data.size() + path.size() + other.size() > log_bytes) ::abort();
  const auto put = [&](const void* from, std::size_t size) {
    std::memcpy(memory_->bytes + used, from, size);
    used += size;
  };
  put(head.data(), sizeof head);
  for (const auto part : {data, path, other}) put(part.data(), part.size());
  memory_->used = used;
  memory_->busy = false;
}

std::vector<DiskLog::Entry> DiskLog::entries() const {
  std::vector<Entry> entries;
  std::string_view left(memory_->bytes, memory_->used);
  while (!left.empty()) {
    std::array<std::uint64_t, 6> head{};
    std::memcpy(head.data(), left.data(), sizeof head);
    left.remove_prefix(sizeof head);
    const auto take = [&](std::uint64_t size) {
      std::string part(left.substr(0, size));
      left.remove_prefix(size);
      return part;
    };
    Entry entry{static_cast<What>(head[0]), head[1], head[2], {}, {}, {}};
    entry.data = take(head[3]);
    entry.path = take(head[4]);
    entry.other = take(head[5]);
    entries.push_back(std::move(entry));
  }
  return entries;
}

struct Disk::File {
  ino_t inode = 0;
  struct stat status {};
  std::string bytes;  // those that are safe
  std::vector<DiskLog::Entry> pending;

  static void apply(std::string& bytes, const DiskLog::Entry& entry) {
    if (entry.what == DiskLog::What::truncate) {
      bytes.resize(entry.at);
    } else {
      write(bytes, entry.at, entry.data);
    }
  }
  static void write(std::string& bytes, std::uint64_t at, std::string_view data) {
    if (bytes.size() < at + data.size()) bytes.resize(at + data.size());
    bytes.replace(at, data.size(), data);
  }
};

/// Goes through the log, and then decides what has survived.
class Disk::Replay {
 public:
  using FilePtr = std::shared_ptr<File>;
  using What = DiskLog::What;

  Replay(const std::vector<std::pair<std::string, FilePtr>>& files, Random& random) : random_(random) {
    for (const auto& [path, file] : files) {
      auto copy = std::make_shared<File>(*file);
      names_[path] = copy;
      by_inode_[copy->inode] = copy;
    }
  }

  void add(const DiskLog::Entry& entry) {
    switch (entry.what) {
      case What::write:
      case What::truncate:
        touched_.insert(file_of(entry));
        file_of(entry)->pending.push_back(entry);
        break;
      case What::sync:
        for (const auto& change : file_of(entry)->pending) File::apply(file_of(entry)->bytes, change);
        file_of(entry)->pending.clear();
        break;
      case What::sync_directory:
        make_durable(entry.path);
        break;
      case What::create:
        by_inode_[entry.inode] = std::make_shared<File>();
        by_inode_[entry.inode]->inode = entry.inode;
        touched_.insert(by_inode_[entry.inode]);
        changes_.push_back({entry, by_inode_[entry.inode], false});
        break;
      case What::link:
      case What::remove:
      case What::rename:
      case What::exchange:
        changes_.push_back({entry, nullptr, false});
        break;
    }
  }

  /// What is at each of the paths that the log is about; null: nothing.
  std::map<std::string, FilePtr> survivors() {
    // Often all or nothing, because what breaks is mostly the one without the other.
    constexpr std::array chances{0u, 100u, 50u};
    const auto names = chances[random_.below(chances.size())];
    const auto data = chances[random_.below(chances.size())];
    std::set<std::string> paths;
    std::set<std::string> stopped;  // directories of which nothing later has survived
    for (const auto& change : changes_) {
      paths.insert(change.entry.path);
      if (!change.entry.other.empty()) paths.insert(change.entry.other);
      const auto directories = directories_of(change.entry);
      const bool free = std::ranges::none_of(directories, [&](const auto& name) { return stopped.contains(name); });
      if (change.durable || (free && random_.below(100) < names))
        apply(change);
      else
        stopped.insert(directories.begin(), directories.end());
    }
    for (const auto& [path, file] : names_)
      if (touched_.contains(file)) paths.insert(path);
    std::map<std::string, FilePtr> result;
    for (const auto& path : paths) {
      const auto found = names_.find(path);
      result[path] = found == names_.end() ? nullptr : found->second;
    }
    for (const auto& file : touched_) lose_data(*file, data);
    return result;
  }

 private:
  struct Change {
    DiskLog::Entry entry;
    FilePtr file;
    bool durable;
  };

  FilePtr& file_of(const DiskLog::Entry& entry) {
    auto& file = by_inode_[entry.inode];
    if (!file) throw std::runtime_error("the log is about a file that was never there: " + std::to_string(entry.inode));
    return file;
  }

  static std::set<std::string> directories_of(const DiskLog::Entry& entry) {
    std::set<std::string> result{directory_of(entry.path)};
    if (!entry.other.empty()) result.insert(directory_of(entry.other));
    return result;
  }

  /// With a name all that happened before in the same directories is safe.
  void make_durable(const std::string& directory) {
    std::set<std::string> safe{directory};
    for (auto change = changes_.rbegin(); change != changes_.rend(); ++change) {
      const auto directories = directories_of(change->entry);
      if (std::ranges::none_of(directories, [&](const auto& name) { return safe.contains(name); })) continue;
      change->durable = true;
      safe.insert(directories.begin(), directories.end());
    }
  }

  void apply(const Change& change) {
    const auto& [entry, file, durable] = change;
    const auto at = [&](const std::string& path) {
      const auto found = names_.find(path);
      return found == names_.end() ? nullptr : found->second;
    };
    const auto set = [&](const std::string& path, FilePtr what) {
      if (what)
        names_[path] = std::move(what);
      else
        names_.erase(path);
    };
    auto first = at(entry.path);
    switch (entry.what) {
      case What::create:
        set(entry.path, file);
        break;
      case What::remove:
        set(entry.path, nullptr);
        break;
      case What::link:
        set(entry.other, first);
        break;
      case What::rename:
        set(entry.other, first);
        set(entry.path, nullptr);
        break;
      case What::exchange:
        set(entry.path, at(entry.other));
        set(entry.other, first);
        break;
      default:
        break;
    }
  }

  /// Sector by sector, in any order.
  void lose_data(File& file, unsigned chance) {
    for (const auto& change : file.pending) {
      if (change.what == What::truncate) {
        if (random_.below(100) < chance) File::apply(file.bytes, change);
        continue;
      }
      const bool torn = random_.one_in(4);
      const bool all = random_.below(100) < chance;
      for (std::size_t from = 0; from < change.data.size();) {
        const auto size = std::min(change.data.size() - from, sector - (change.at + from) % sector);
        if (torn ? random_.one_in(2) : all) File::write(file.bytes, change.at + from, std::string_view(change.data).substr(from, size));
        from += size;
      }
    }
    file.pending.clear();
  }

  Random& random_;
  std::map<std::string, FilePtr> names_;
  std::map<ino_t, FilePtr> by_inode_;
  std::set<FilePtr> touched_;
  std::vector<Change> changes_;
};

Disk::Disk(std::vector<std::string> directories) : directories_(std::move(directories)) {
  for (const auto& directory : directories_) {
    for (const auto& entry : fs::recursive_directory_iterator(directory)) {
      if (!entry.is_regular_file()) continue;
      auto file = std::make_shared<File>();
      file->status = status_of(entry.path());
      file->inode = file->status.st_ino;
      file->bytes = read_text(entry.path());
      files_.emplace_back(entry.path(), std::move(file));
    }
  }
}

Disk::~Disk() = default;

void Disk::lose_power(const DiskLog& log, Random& random, const std::string& aside, std::vector<std::pair<ino_t, ino_t>>& inodes) const {
  Replay replay(files_, random);
  for (const auto& entry : log.entries()) replay.add(entry);
  const auto survivors = replay.survivors();

  // Those that are to stay keep their numbers from being given to others.
  fs::create_directories(aside);
  std::size_t number = 0;
  std::map<ino_t, struct stat> last;  // how a file was when the power went
  const auto put_aside = [&](const std::string& path) {
    struct stat st {};
    if (::lstat(path.c_str(), &st) != 0) return;
    last[st.st_ino] = st;
    fs::rename(path, aside + "/" + std::to_string(number++));
  };
  for (const auto& [path, file] : survivors) put_aside(path);
  // What is made now may get the number of a file that is gone, and must not be shown as that one.
  show_inodes({});
  std::map<File*, std::string> written;
  for (const auto& [path, file] : survivors) {
    if (!file) continue;
    if (const auto before = written.find(file.get()); before != written.end()) {
      fs::create_hard_link(before->second, path);
      continue;
    }
    written[file.get()] = path;
    write_text(path, file->bytes, 0600);
    const auto known = last.find(file->inode);
    const auto& st = known != last.end() ? known->second : file->status;
    const std::array<struct timespec, 2> times{st.st_atim, st.st_mtim};
    if (::chmod(path.c_str(), st.st_ino != 0 ? st.st_mode & 07777 : 0600) != 0) throw std::runtime_error(path);
    if (st.st_ino != 0 && (::lchown(path.c_str(), st.st_uid, st.st_gid) != 0 || ::utimensat(AT_FDCWD, path.c_str(), times.data(), 0) != 0))
      throw std::runtime_error(path);
    const auto made = status_of(path).st_ino;
    std::erase_if(inodes, [&](const auto& pair) { return pair.first == made; });
    // A number that nobody has any more is nobody's to remember.
    if (known != last.end() || file->status.st_ino != 0) inodes.emplace_back(made, file->inode);
  }
}

}  // namespace gsync::test
