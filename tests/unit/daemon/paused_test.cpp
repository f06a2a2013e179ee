#include <gtest/gtest.h>

#include "gsync/daemon/supervisor.hpp"
#include "gsync/util/clock.hpp"
#include "gsync/util/error.hpp"
#include "support/temp_directory.hpp"

namespace gsync::daemon {
namespace {

TEST(Paused, IsKeptWithItsReasonAndSaidToWhoWantsToSync) {
  test::TempDirectory directory;
  util::SystemClock clock;
  replica::StateStore state(directory.path(), clock);
  set_paused(state, "ph1", "by hand");
  try {
    require_not_paused(state, "ph1", "ph2");
    ADD_FAILURE() << "it is not paused";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::refused);
    EXPECT_STREQ(error.what(), "ph1 is paused on ph2: by hand");
    EXPECT_EQ(error.hint(), "to go on, on ph2: gravity-sync resume ph1");
  }
  require_not_paused(state, "ph3", "ph2");
  set_resumed(state, "ph1");
  require_not_paused(state, "ph1", "ph2");
  EXPECT_TRUE(paused_peers(state).empty());
}

TEST(Paused, IsNotForgottenWhereItCannotBeRead) {
  test::TempDirectory directory;
  util::SystemClock clock;
  replica::StateStore state(directory.path(), clock);
  state.set_value("paused", "\xff\xff\xff");
  try {
    require_not_paused(state, "ph1", "ph2");
    ADD_FAILURE() << "what cannot be read is taken for nothing";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::corrupt);
  }
}

}  // namespace
}  // namespace gsync::daemon
