#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <random>

#include "support/cutting_proxy.hpp"
#include "support/sql.hpp"
#include "support/two_nodes_test.hpp"

// The connection is cut at many byte counts, from the first byte of SSH's banner to the last of its farewell.

namespace gsync::test {
namespace {

constexpr std::size_t sweep_size = 60;

/// GSYNC_SEED repeats a run.
std::uint64_t seed() {
  const char* given = std::getenv("GSYNC_SEED");
  return given ? std::strtoull(given, nullptr, 10) : std::random_device{}();
}

/// From 1 to a little more than `total`: half of them geometric, half random.
std::vector<std::uint64_t> cut_points(std::uint64_t total, std::uint64_t seed_value) {
  std::mt19937_64 random(seed_value);
  std::uniform_int_distribution<std::uint64_t> anywhere(1, total + 64);
  std::vector<std::uint64_t> points;
  for (std::size_t i = 0; i < sweep_size / 2; ++i)
    points.push_back(static_cast<std::uint64_t>(std::pow(static_cast<double>(total), static_cast<double>(i) / (sweep_size / 2.0 - 1))));
  while (points.size() < sweep_size) points.push_back(anywhere(random));
  return points;
}

class Cut : public TwoNodesTest {
 protected:
  enum class Direction { pull, push };

  static TwoNodesOptions equal_nodes() {
    TwoNodesOptions options;
    options.ph2 = small_pihole("ph2", 7, small_household());
    return options;
  }

  /// A new version of an adlist and of a row, on the side that is the source.
  static void change(const PiholeDirectory& source, std::size_t version) {
    auto household = small_household();
    household.adlists[0].first_entry = 10'000 * version;  // another list altogether, so that there is much to carry
    household.domains.push_back({fmt::format("version-{}.example", version)});
    GravityBuilder builder;
    builder.household(household)
        .numbering(source.options().name == "ph1" ? 0 : 7)
        .updated(1'750'000'000 + static_cast<std::int64_t>(version));
    builder.build(source.gravity() + "_new");
    std::filesystem::rename(source.gravity() + "_new", source.gravity());
  }

  /// The lock, the shadow, and what a source keeps of its last compile.
  static void expect_nothing_left_behind(const PiholeDirectory& pihole) {
    for (const auto& name : own_files(pihole))
      EXPECT_TRUE(name == "lock" || name == "shadow.db" || name == "delta.db") << pihole.options().name << ": " << name;
  }

  void sweep(Direction direction) {
    TwoNodes nodes(equal_nodes());
    CuttingProxy proxy(nodes.sshd.port());
    PeerOptions through_proxy;
    through_proxy.port = proxy.port();
    nodes.set_peer(through_proxy);
    write_text(nodes.known_hosts(), fmt::format("[127.0.0.1]:{} {}\n", proxy.port(), nodes.sshd.host_public_key()), 0600);
    const auto& source = direction == Direction::pull ? nodes.ph1 : nodes.ph2;
    const auto& target = direction == Direction::pull ? nodes.ph2 : nodes.ph1;
    const std::string command = direction == Direction::pull ? "pull" : "push";

    std::size_t version = 0;
    while (version < 2) {
      change(source, ++version);
      ASSERT_TRUE(succeeded(nodes.run({command})));
    }
    const auto total = proxy.bytes();
    const auto with_seed = seed();
    fmt::print("{}: {} bytes uncut, GSYNC_SEED={}\n", command, total, with_seed);
    SCOPED_TRACE(fmt::format("GSYNC_SEED={}", with_seed));

    std::size_t done = 0;
    auto fresh = true;  // source and target differ by a version nobody has tried to send
    change(source, ++version);
    for (std::size_t i = 0; const auto point : cut_points(total, with_seed)) {
      SCOPED_TRACE(fmt::format("cut after {} of {} bytes", point, total));
      const auto before = content_of(target.gravity());
      const auto wanted = content_of(source.gravity());
      proxy.cut_after(point);
      const auto cuts = proxy.cuts();
      const auto result = nodes.run({command});
      const auto after = content_of(target.gravity());
      EXPECT_TRUE(after == before || after == wanted) << "neither old nor new";
      EXPECT_EQ(integrity(target.gravity()), "ok");
      EXPECT_TRUE(content_of(source.gravity()) == wanted) << "the source was changed";
      if (result.exit_code == 0) {
        EXPECT_TRUE(after == wanted) << "it says that it is done\n" << result.output;
      } else {
        EXPECT_GT(proxy.cuts(), cuts) << result.errors;
        EXPECT_TRUE(contains(result.errors, "ph1")) << "the error does not name the peer: " << result.errors;
        EXPECT_TRUE(result.exit_code == 1 || result.exit_code == 5 || result.exit_code == 75) << result.exit_code << result.errors;
      }
      if (result.exit_code == 0 && fresh) ++done;
      // Two cut runs after each other now and then.
      if (++i % 3 == 0 || after == wanted) {
        proxy.cut_after(CuttingProxy::never);
        ASSERT_TRUE(succeeded(nodes.run({command})));
        EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
        expect_nothing_left_behind(target);
        expect_nothing_left_behind(source);
        change(source, ++version);
        fresh = true;
      } else {
        fresh = false;
      }
    }
    fmt::print("{}: {} of {} runs were done in spite of the cut\n", command, done, sweep_size);
    EXPECT_LT(done, sweep_size / 3) << "the cuts came too late to show anything";
  }
};

TEST_F(Cut, APullIsOldOrNewWhereverItIsCutAndTheNextOneConverges) {
  sweep(Direction::pull);
}

TEST_F(Cut, APushIsOldOrNewWhereverItIsCutAndTheNextOneConverges) {
  sweep(Direction::push);
}

TEST_F(Cut, AWholeCopyIsOldOrNewWhereverItIsCut) {
  TwoNodes nodes;
  CuttingProxy proxy(nodes.sshd.port());
  PeerOptions through_proxy;
  through_proxy.port = proxy.port();
  nodes.set_peer(through_proxy);
  write_text(nodes.known_hosts(), fmt::format("[127.0.0.1]:{} {}\n", proxy.port(), nodes.sshd.host_public_key()), 0600);
  const auto old = content_of(nodes.ph2.gravity());
  for (const std::uint64_t point : {9'000U, 20'000U, 40'000U, 60'000U, 70'000U, 80'000U}) {
    proxy.cut_after(point);
    const auto result = nodes.run({"pull", "--full", "--force"});
    SCOPED_TRACE(fmt::format("cut after {} of {} bytes", point, proxy.bytes()));
    EXPECT_NE(result.exit_code, 0);
    EXPECT_TRUE(content_of(nodes.ph2.gravity()) == old);
    EXPECT_EQ(integrity(nodes.ph2.gravity()), "ok");
  }
  proxy.cut_after(CuttingProxy::never);
  EXPECT_TRUE(succeeded(nodes.run({"pull", "--full", "--force"})));
  EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
  expect_nothing_left_behind(nodes.ph2);
}

}  // namespace
}  // namespace gsync::test
