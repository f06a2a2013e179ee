#pragma once
#include <sys/types.h>

#include <array>
#include <atomic>
#include <string>
#include <utility>
#include <vector>

/// Faults at the Nth operation of this process. This program defines the C library's functions for files, directories, locks, streams and children itself
/// (interposed.cpp), so that everything passes by here, SQLite's shared library included.
namespace gsync::test {

/// What an operation does. A fault names the kinds that it counts.
struct Kind {
  static constexpr unsigned change = 1;   ///< what is on the disk is another thing afterwards, or is safe there afterwards
  static constexpr unsigned room = 2;     ///< of these, those that may find the disk full
  static constexpr unsigned lock = 4;
  static constexpr unsigned look = 8;     ///< reads, opens for reading, asks
  static constexpr unsigned stream = 16;  ///< the connection to the other node
  static constexpr unsigned child = 32;   ///< starts a program
};

enum class Event : unsigned char {
  none,
  die,         ///< SIGKILL instead of the operation
  die_within,  ///< SIGKILL in the middle of a write, or right after another operation
  fail,        ///< it fails and does nothing; a connection breaks
  fail_after,  ///< it fails, but has had its effect
  disk_full,   ///< half of a write arrives; from here on there is no space
  read_only,   ///< from here on the filesystem is read-only, as after an error of its card
  lose_power,  ///< SIGKILL instead of the operation, and what was not brought to the disk before may be gone
  shorten,     ///< a read or a write does half of what it was asked; nothing is wrong
};

struct Fault {
  Event event = Event::none;
  unsigned kinds = 0;
  int at = 0;      ///< from 0
  int thread = 0;  ///< whose operations count: 0 for the one that armed, the others in the order of their first operation
};

/// More than a run has: the main one, one that reads ahead, one that checks.
constexpr int most_threads = 8;

/// In memory that the parent shares.
struct Trace {
  std::array<std::atomic<int>, most_threads> operations{};  ///< of the kinds that count, by thread
  std::atomic<bool> happened{false};
  char operation[256] = {};  ///< the one at which it happened
};

/// What the filesystem cannot do.
struct Filesystem {
  bool exchange = true;
  bool leases = true;
};

/// From here on operations of this process count. `stream` is the descriptor of the connection (-1: none); looks below `root` count, and no others.
void arm(const Fault& fault, Trace& trace, int stream, const std::string& root);

/// A file with the first inode number is shown with the second one: a copy of a file passes for the file itself.
void show_inodes(std::vector<std::pair<ino_t, ino_t>> numbers);
void limit_filesystem(const Filesystem& filesystem);
/// All random bytes are this one: node ids decide in which order nodes are locked.
void give_random(char byte);

}  // namespace gsync::test
