#include "gsync/util/memory.hpp"

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <fstream>
#include <string>

#include "support/in_child.hpp"

namespace gsync::util {
namespace {

TEST(CoreFiles, AreWrittenOfNoProcessThatHoldsSecrets) {
  const auto wrong = test::in_child([]() -> std::string {
    rlimit limit{};
    ::getrlimit(RLIMIT_CORE, &limit);
    const auto highest = limit.rlim_max;
    limit.rlim_cur = highest;
    ::setrlimit(RLIMIT_CORE, &limit);
    write_no_core_files();
    ::getrlimit(RLIMIT_CORE, &limit);
    if (limit.rlim_cur != 0) return "it would be written";
    if (limit.rlim_max != highest) return "who asks for one cannot have it";
    if (::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 1) return "hidden already";
    hide_memory();
    return ::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 ? "" : "others may look into it";
  });
  EXPECT_EQ(wrong, "");
}

long resident_of_files() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("RssFile:")) return std::stol(line.substr(8));
  return -1;
}

TEST(GivenBackMemory, IsThatOfCodeThatHasRunAndWhatRunsAgainIsThere) {
  // Much that this program has run since its start it does not run again.
  const auto before = resident_of_files();
  give_memory_back();
  EXPECT_LT(resident_of_files(), before);
  for (int i = 0; i < 100; ++i) give_memory_back();
}

}  // namespace
}  // namespace gsync::util
