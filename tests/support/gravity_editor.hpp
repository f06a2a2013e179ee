#pragma once
#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <thread>

namespace gsync::test {

struct EditorCounts {
  std::uint64_t edits = 0;
  std::uint64_t failed = 0;    ///< edits of which a statement failed
  std::uint64_t reopened = 0;  ///< because the path named another file
  std::string last_error;
};

/// Somebody in the web page: edits live as FTL's API does, each statement its own commit, no busy handler, foreign keys on. Opens anew when
/// the path names another file, as FTL does after its reload.
class GravityEditor {
 public:
  GravityEditor(std::string path, std::size_t per_second);
  ~GravityEditor();
  GravityEditor(const GravityEditor&) = delete;
  GravityEditor& operator=(const GravityEditor&) = delete;

  EditorCounts counts() const;
  /// The denied domains whose last edit succeeded, with the comment that it gave them.
  std::map<std::string, std::string> committed() const;
  EditorCounts stop();

 private:
  void run();

  const std::string path_;
  const std::size_t per_second_;
  std::atomic<bool> stopping_{false};
  mutable std::mutex mutex_;
  EditorCounts counts_;
  std::map<std::string, std::string> committed_;
  std::thread thread_;
};

}  // namespace gsync::test
