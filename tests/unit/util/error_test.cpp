#include "gsync/util/error.hpp"

#include <gtest/gtest.h>

#include <cerrno>

namespace gsync {
namespace {

Error thrown_for(int error, std::string_view hint = {}) {
  try {
    throw_errno(error, "cannot open /x", hint);
  } catch (const Error& e) {
    return e;
  }
}

TEST(ThrowErrno, MapsErrnoToWhatTheCallerCanDo) {
  EXPECT_EQ(thrown_for(ENOSPC).code(), ErrorCode::no_space);
  EXPECT_EQ(thrown_for(EDQUOT).code(), ErrorCode::no_space);
  EXPECT_EQ(thrown_for(ENOENT).code(), ErrorCode::not_found);
  EXPECT_EQ(thrown_for(EAGAIN).code(), ErrorCode::busy);
  EXPECT_EQ(thrown_for(EBUSY).code(), ErrorCode::busy);
  EXPECT_EQ(thrown_for(EACCES).code(), ErrorCode::io);
  EXPECT_EQ(thrown_for(EIO).code(), ErrorCode::io);
}

TEST(ThrowErrno, SaysWhatWasTriedAndWhatTheSystemSaid) {
  auto e = thrown_for(EACCES, "run it with sudo");
  EXPECT_STREQ(e.what(), "cannot open /x: Permission denied");
  EXPECT_EQ(e.hint(), "run it with sudo");
}

TEST(Error, WithinPutsTheContextInFrontAndKeepsTheRest) {
  auto e = Error(ErrorCode::auth, "no key", "make one").within("peer ph2");
  EXPECT_STREQ(e.what(), "peer ph2: no key");
  EXPECT_EQ(e.code(), ErrorCode::auth);
  EXPECT_EQ(e.hint(), "make one");
}

TEST(Error, CodesAreNamedAsTheyStandInTheHeader) {
  EXPECT_EQ(to_string(ErrorCode::no_space), "no_space");
  EXPECT_EQ(to_string(ErrorCode::host_key), "host_key");
  EXPECT_EQ(to_string(ErrorCode::cancelled), "cancelled");
}

TEST(AssertDeathTest, ABrokenAssertionEndsTheProgramAndNamesTheExpression) {
  EXPECT_DEATH(GSYNC_ASSERT(1 + 1 == 3), "1 \\+ 1 == 3");
}

}  // namespace
}  // namespace gsync
