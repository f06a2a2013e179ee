#pragma once
#include <sys/stat.h>

#include <optional>
#include <string>
#include <vector>

#include "fault/pair.hpp"

namespace gsync::test {

/// What must be true after a fault, after the next run, and after the one after that; tells it by EXPECT. Between the fault and the next run only FTL touches anything.
class Witness {
 public:
  /// Notes how things are, and starts an FTL on that node. Its poll is quick; all else is FTL's.
  Witness(Pair& pair, const ChangedNode& node);
  ~Witness();
  Witness(const Witness&) = delete;
  Witness& operator=(const Witness&) = delete;

  /// FTL dies with its host and starts again when it is up; Pair::lose_power() comes in between.
  void host_went_down();
  void host_is_up();
  void after_fault(const RunResult& result, Event event);
  void after_next_run(const RunResult& result);
  void after_third_run(const RunResult& result);

 private:
  void expect_live(const char* when);
  void expect_source_untouched(const char* when);
  void expect_ftl_serves(const std::string& content);
  void expect_no_stray_file();
  void expect_history();
  void expect_records();
  void start_ftl();

  Pair& pair_;
  const ChangedNode& node_;
  struct stat live_ {};
  struct stat last_ {};  // of live, when last looked at
  struct stat source_ {};
  std::int64_t updated_ = 0;
  std::vector<std::string> pihole_files_;
  std::size_t history_ = 0;
  std::size_t versions_ = 0;
  int changes_ = 0;  // runs that published a database or set records
  RecordTexts records_;
  pid_t ftl_ = 0;
  std::uint16_t port_ = 0;
};

}  // namespace gsync::test
