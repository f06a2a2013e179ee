// A far side that hangs in the middle of a run, while another run waits for the node here.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <random>

#include "served.hpp"

namespace gsync::test {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

constexpr milliseconds plenty{60'000};

/// Nothing but giving way ends a wait within a test's patience.
protocol::Limits limits() {
  return {plenty, plenty, plenty, plenty, milliseconds(200)};
}

util::Deadline soon() {
  return util::Deadline::in(plenty);
}

/// From `hang()` on nothing comes and what is sent is lost, as when the far side was switched off.
class HangingStream final : public util::ByteStream {
 public:
  HangingStream(std::unique_ptr<util::ByteStream> inner, std::shared_ptr<std::atomic<bool>> hangs)
      : inner_(std::move(inner)), hangs_(std::move(hangs)) {}

  std::size_t read(std::span<std::byte> buffer, util::Deadline deadline) override {
    if (wait(-1, deadline) == Ready::neither) throw Error(ErrorCode::timeout, "nothing came within the deadline");
    return inner_->read(buffer, deadline);
  }
  void write(std::span<const std::byte> data, util::Deadline deadline) override {
    if (!*hangs_) return inner_->write(data, deadline);
    if (!full_) return;
    while (!deadline.passed()) std::this_thread::sleep_for(std::min(deadline.remaining(), milliseconds(5)));
    throw Error(ErrorCode::timeout, "nothing was taken within the deadline");
  }
  Ready wait(int other, util::Deadline deadline) override {
    while (!deadline.passed()) {
      if (!*hangs_) {
        if (const auto ready = inner_->wait(other, util::Deadline::in(milliseconds(2))); ready != Ready::neither) return ready;
      } else {
        std::this_thread::sleep_for(std::min(deadline.remaining(), milliseconds(2)));
      }
    }
    return Ready::neither;
  }
  void close_write() noexcept override { inner_->close_write(); }
  std::uint64_t bytes_sent() const override { return inner_->bytes_sent(); }
  std::uint64_t bytes_received() const override { return inner_->bytes_received(); }
  /// What is sent is not even taken.
  void fill() { full_ = true; }

 private:
  std::unique_ptr<util::ByteStream> inner_;
  std::shared_ptr<std::atomic<bool>> hangs_;
  bool full_ = false;
};

/// A client of a served node, on a stream that can hang.
class GiveWay : public testing::Test {
 protected:
  GiveWay() {
    furnish(node_);
    options_.limits = limits();
  }
  void connect(const protocol::Limits& client_limits = limits()) {
    served_.emplace(node_, options_);
    auto stream = std::make_unique<HangingStream>(served_->take_stream(), hangs_);
    stream_ = stream.get();
    remote_ = std::make_unique<protocol::RemoteNode>(std::move(stream), "ph1", client_hello(), client_limits, [this] {
      ++asked_;
      return wanted_.load();
    });
  }
  /// Ends the conversation, so that the agent can.
  void end() {
    remote_.reset();
    served_->finish();
  }
  void expect_given_way(const Error& error, const std::string& name) {
    EXPECT_EQ(error.code(), ErrorCode::timeout);
    EXPECT_THAT(error.what(), HasSubstr(name));
    EXPECT_THAT(error.what(), HasSubstr("silent for 0.2 s in the middle of a run, while another run waited"));
  }

  FakeNode node_{"ph1"};
  protocol::AgentOptions options_ = agent_options();
  std::shared_ptr<std::atomic<bool>> hangs_ = std::make_shared<std::atomic<bool>>(false);
  std::atomic<bool> wanted_ = false;
  std::atomic<int> asked_ = 0;
  HangingStream* stream_ = nullptr;
  std::optional<Served> served_;
  std::unique_ptr<protocol::RemoteNode> remote_;
};

TEST_F(GiveWay, AClientThatWaitsForASilentAgentDoesSoWhenItsOwnNodeIsWanted) {
  connect();
  remote_->lock(soon());
  *hangs_ = true;
  wanted_ = true;
  expect_given_way(error_from([&] { remote_->lists(); }), "ph1");
  EXPECT_NO_THROW(remote_->unlock());
  end();
  EXPECT_FALSE(node_.locked);
}

TEST_F(GiveWay, AlsoWhenTheWishComesLater) {
  connect();
  remote_->lock(soon());
  *hangs_ = true;
  std::thread later([&] {
    for (const auto deadline = soon(); asked_ < 3 && !deadline.passed();) std::this_thread::sleep_for(milliseconds(1));
    wanted_ = true;
  });
  expect_given_way(error_from([&] { remote_->lists(); }), "ph1");
  later.join();
  EXPECT_GE(asked_, 3);
  end();
}

TEST_F(GiveWay, AlsoWhenTheRequestForTheLockIsNeverAnswered) {
  connect();
  *hangs_ = true;
  wanted_ = true;
  expect_given_way(error_from([&] { remote_->lock(soon()); }), "ph1");
  end();
}

TEST_F(GiveWay, AlsoWhenWhatIsSentIsNotTaken) {
  connect();
  remote_->lock(soon());
  stream_->fill();
  *hangs_ = true;
  wanted_ = true;
  expect_given_way(error_from([&] { remote_->lists(); }), "ph1");
  end();
}

TEST_F(GiveWay, NobodyDoesWhenNobodyWaits) {
  auto shorter = limits();
  shorter.locked = milliseconds(800);
  connect(shorter);
  remote_->lock(soon());
  *hangs_ = true;
  const auto error = error_from([&] { remote_->lists(); });
  EXPECT_EQ(error.code(), ErrorCode::timeout);
  EXPECT_THAT(error.what(), HasSubstr("nothing was heard from the far side for 0.8 s"));
  EXPECT_GT(asked_, 0);
  end();
}

TEST_F(GiveWay, NobodyDoesToAFarSideThatWorks) {
  // Longer than give_way, told by its signs of life.
  node_.on_call = [this](const std::string& call) {
    if (call != "lists" && call != "lock") return;
    auto last = remote_->bytes_received();
    int grown = 0;
    for (const auto deadline = soon(); grown < 8 && !deadline.passed(); std::this_thread::sleep_for(milliseconds(1)))
      if (std::exchange(last, remote_->bytes_received()) != last) ++grown;
    EXPECT_EQ(grown, 8);
  };
  connect();
  wanted_ = true;
  remote_->lock(soon());
  EXPECT_EQ(remote_->lists().size(), node_.lists_now.size());
  remote_->unlock();
  end();
}

TEST_F(GiveWay, AnAgentDoesSoWhenItsClientIsSilentBetweenTwoRequests) {
  node_.wanted = [this] { return wanted_.load(); };
  connect();
  remote_->lock(soon());
  *hangs_ = true;
  wanted_ = true;
  const auto deadline = soon();
  while (node_.locked && !deadline.passed()) std::this_thread::sleep_for(milliseconds(1));
  EXPECT_FALSE(node_.locked);
  remote_.reset();
  const auto error = served_->finish();
  ASSERT_TRUE(error);
  expect_given_way(*error, "ph2");
}

TEST_F(GiveWay, AnAgentDoesSoInTheMiddleOfAStream) {
  std::set<std::string> many;
  for (int i = 0; i < 100'000; ++i) many.insert(fmt::format("host{}.example.com", i * 7919LL % 1'000'003));
  const auto key = node_.add_adlist("https://lists.example/many.txt", many);
  node_.wanted = [this] { return wanted_.load(); };
  connect();
  remote_->lock(soon());
  auto reader = remote_->blocklist_rows({{key, std::nullopt}});
  ASSERT_TRUE(reader->next());
  *hangs_ = true;
  wanted_ = true;
  const auto deadline = soon();
  while (node_.locked && !deadline.passed()) std::this_thread::sleep_for(milliseconds(1));
  EXPECT_FALSE(node_.locked);
  reader.reset();
  remote_.reset();
  const auto error = served_->finish();
  ASSERT_TRUE(error);
  expect_given_way(*error, "ph2");
}

TEST_F(GiveWay, OnceTheLockIsGivenBackSilenceIsNoMatter) {
  node_.wanted = [] { return true; };
  auto shorter = limits();
  shorter.idle = milliseconds(600);
  connect(shorter);
  remote_->lock(soon());
  remote_->unlock();
  *hangs_ = true;
  wanted_ = true;
  EXPECT_THAT(error_from([&] { remote_->lists(); }).what(), HasSubstr("nothing was heard"));
  EXPECT_EQ(asked_, 0);
  end();
}

/// Between client and agent: carries so many bytes at a time, a hundred times a second, in each direction. With `stall_after` the way to
/// the agent is stuck from there on, until the agent was heard eight times more.
class Link {
 public:
  Link(std::unique_ptr<util::ByteStream> client, std::unique_ptr<util::ByteStream> agent, std::size_t at_a_time,
       std::uint64_t stall_after = Faults::never)
      : client_(std::move(client)), agent_(std::move(agent)), at_a_time_(at_a_time), stall_after_(stall_after), thread_([this] {
          run();
        }) {}
  ~Link() { thread_.join(); }

  bool was_stuck() const { return was_stuck_; }

 private:
  static constexpr int enough = 8;

  /// How much; throws at the end.
  std::size_t carry(util::ByteStream& from, util::ByteStream& to) const {
    if (from.wait(-1, util::Deadline::in(milliseconds(0))) != util::ByteStream::Ready::stream) return 0;
    std::vector<std::byte> buffer(at_a_time_);
    const auto n = from.read(buffer, soon());
    if (n == 0) throw Error(ErrorCode::unreachable, "the end");
    to.write({buffer.data(), n}, soon());
    return n;
  }
  void run() {
    std::uint64_t sent = 0;
    int heard = 0;
    try {
      for (;; std::this_thread::sleep_for(milliseconds(10))) {
        const bool stuck = sent >= stall_after_ && heard < enough;
        was_stuck_ = was_stuck_ || stuck;
        if (!stuck) sent += carry(*client_, *agent_);
        if (carry(*agent_, *client_) > 0 && stuck) ++heard;
      }
    } catch (const Error&) {
    }
    client_.reset();
    agent_.reset();
  }

  std::unique_ptr<util::ByteStream> client_;
  std::unique_ptr<util::ByteStream> agent_;
  const std::size_t at_a_time_;
  const std::uint64_t stall_after_;
  std::atomic<bool> was_stuck_ = false;
  std::thread thread_;
};

/// They do not compress.
class RandomRows final : public model::BlocklistReader {
 public:
  explicit RandomRows(std::uint64_t rows) : left_(rows) { answers_.push_back({false, {rows, 1, 2}, {}}); }
  const std::vector<model::BlocklistAnswer>& answers() const override { return answers_; }
  std::optional<model::BlocklistRow> next() override {
    if (left_ == 0) return std::nullopt;
    domain_ = fmt::format("{:016x}.{:016x}{:016x}.example", left_count(), random_(), random_());
    --left_;
    return model::BlocklistRow{domain_, 0, false};
  }

 private:
  std::uint64_t left_count() const { return 1'000'000 - left_; }
  std::uint64_t left_;
  std::string domain_;
  std::mt19937_64 random_{7};
  std::vector<model::BlocklistAnswer> answers_;
};

/// Pushes many rows through a link, while somebody waits for both nodes all the time.
class GiveWayOnALink : public testing::Test {
 protected:
  GiveWayOnALink() {
    furnish(node_);
    node_.wanted = [] { return true; };
  }
  void push_through(std::size_t at_a_time, std::uint64_t stall_after, const protocol::Limits& limits) {
    auto options = agent_options();
    options.limits = limits;
    Served served(node_, options);
    auto pair = stream_pair();
    Link link(std::move(pair.server), served.take_stream(), at_a_time, stall_after);
    protocol::RemoteNode remote(std::move(pair.client), "ph1", client_hello(), limits, [] { return true; });
    model::Change change;
    change.expected = FakeNode(node_).describe().digests;
    change.wishes = {{node_.compiled.begin()->first, std::nullopt}};
    remote.lock(soon());
    RandomRows rows(16'000);
    const auto error = error_from([&] { remote.apply(change, &rows, nullptr); });
    EXPECT_EQ(error.code(), ErrorCode::corrupt) << "all rows arrived, and are not the announced ones: " << error.what();
    EXPECT_EQ(link.was_stuck(), stall_after != Faults::never);
  }

  FakeNode node_{"ph1"};
};

TEST_F(GiveWayOnALink, NobodyDoesBecauseItIsSlow) {
  protocol::Limits limits;
  limits.connect = plenty;
  const auto begin = std::chrono::steady_clock::now();
  push_through(1'000, Faults::never, limits);
  EXPECT_GT(std::chrono::steady_clock::now() - begin, 2 * limits.give_way) << "a window is longer on its way than a silence may last";
}

TEST_F(GiveWayOnALink, AClientDoesNotBecauseBothSidesWaitForWhatIsStuckOnItsWay) {
  node_.wanted = {};  // to the agent it is as silent as one that hangs
  push_through(100'000, 150'000, limits());
}

}  // namespace
}  // namespace gsync::test
