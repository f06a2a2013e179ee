// What a LocalNode remembers for a sync both ways while somebody edits.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>

#include "gsync/util/error.hpp"
#include "support/node_fixture.hpp"
#include "support/sql.hpp"

namespace gsync::test {
namespace {

/// Else an edit in between would be in the base of this node and not in the other's, and the next merge would take it for one of the other.
TEST(LocalNodeIntent, RemembersNothingButWhatWasPlannedForWhileSomebodyEdits) {
  LocalFixture here;
  std::atomic<bool> stopping{false};
  std::thread person([&] {
    for (int i = 0; !stopping; ++i) {
      Sql(here.directory.gravity())
          .try_execute(i % 2 == 0 ? "INSERT INTO domainlist (type, domain) VALUES (1, 'on-and-off.example')"
                                  : "DELETE FROM domainlist WHERE domain = 'on-and-off.example'");
      // At times too fast for an intent, at times slow enough.
      std::this_thread::sleep_for(std::chrono::milliseconds(i * 37 % 200));
    }
  });
  const std::string peer(32, 'c');
  int remembered = 0;
  int wrong = 0;
  const auto deadline = util::Deadline::in(std::chrono::seconds(4));
  while (!deadline.passed()) {
    try {
      const auto info = here.node->lock(util::Deadline::in(std::chrono::seconds(5)));
      model::Intent intent;
      intent.id = "base";
      intent.expected = info.digests;
      intent.components = {};
      here.node->intend(peer, intent);
      here.node->settle(peer, {"base", false, "ph9", {peer, "ph9"}, {}});
      ++remembered;
      if (here.node->pair(peer).lists != info.digests.lists) ++wrong;
    } catch (const Error& error) {
      EXPECT_TRUE(error.code() == ErrorCode::conflict || error.code() == ErrorCode::busy) << error.what();
    }
    here.node->unlock();
  }
  stopping = true;
  person.join();
  fmt::print("{} intents were remembered, {} of them wrong\n", remembered, wrong);
  EXPECT_GT(remembered, 0);
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace gsync::test
