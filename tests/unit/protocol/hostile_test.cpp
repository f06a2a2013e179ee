#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zstd.h>

#include <random>

#include "../src/protocol/hello.hpp"
#include "../src/protocol/messages.hpp"
#include "gsync/model/list_buckets.hpp"
#include "served.hpp"

/// Far sides that speak the protocol's words and mean no good. They are canned: bytes that were made before, so that nothing here waits.
namespace gsync::test {
namespace {

using protocol::MessageType;
using protocol::RemoteNode;
using testing::HasSubstr;

std::string raw_frame(std::uint32_t length, unsigned type, std::string_view payload) {
  std::string out;
  for (unsigned shift = 0; shift < 32; shift += 8) out.push_back(static_cast<char>(length >> shift & 0xFF));
  out.push_back(static_cast<char>(type));
  return out.append(payload);
}

std::string frame(MessageType type, std::string_view payload = {}) {
  return raw_frame(static_cast<std::uint32_t>(payload.size()), static_cast<unsigned>(type), payload);
}
template <class T>
std::string frame_of(MessageType type, const T& value) {
  return frame(type, util::encode(value));
}

std::string compressed(std::string_view plain, int window_log = 18, ZSTD_EndDirective how = ZSTD_e_flush) {
  std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> c(ZSTD_createCCtx(), ZSTD_freeCCtx);
  ZSTD_CCtx_setParameter(c.get(), ZSTD_c_windowLog, window_log);
  std::string out(ZSTD_compressBound(plain.size()) + 1000, '\0');
  ZSTD_inBuffer in{plain.data(), plain.size(), 0};
  ZSTD_outBuffer to{out.data(), out.size(), 0};
  EXPECT_EQ(ZSTD_compressStream2(c.get(), &to, &in, how), 0u);
  out.resize(to.pos);
  return out;
}

std::string from_client(std::string_view frames) {
  return protocol::hello_line(client_hello()) + compressed(frames);
}
std::string from_agent(std::string_view frames) {
  return protocol::hello_line(agent_options().hello) + compressed(frames);
}

/// What the agent makes of a client that says this.
Error agent_hears(FakeNode& node, const std::string& bytes) {
  CannedStream stream(bytes);
  return error_from([&] { protocol::serve(node, stream, agent_options()); });
}

/// What a client makes of an agent that answers like this, when it does `talk`.
template <class Talk>
Error client_hears(const std::string& frames, Talk talk) {
  RemoteNode remote(std::make_unique<CannedStream>(from_agent(frames)), "ph1", client_hello(), {});
  auto error = error_from([&] { talk(remote); });
  EXPECT_NE(error_from([&] { remote.describe(); }).code(), ErrorCode::config) << "the connection must be over";
  return error;
}

#define EXPECT_PROTOCOL_ERROR(expression, words)          \
  do {                                                    \
    auto e = (expression);                                \
    EXPECT_EQ(e.code(), ErrorCode::protocol) << e.what(); \
    EXPECT_THAT(e.what(), HasSubstr(words));              \
  } while (false)

model::RowKey adlist(const std::string& address) {
  return {model::Table::adlist, 0, address};
}

TEST(HostileFrames, AreRefusedByTheAgentAndTouchNothing) {
  FakeNode node("ph1");
  auto hears = [&](std::string_view frames) { return agent_hears(node, from_client(frames)); };
  EXPECT_PROTOCOL_ERROR(hears(raw_frame(0xFFFFFFFF, 1, "")), "a frame of 4294967295 bytes");
  EXPECT_PROTOCOL_ERROR(hears(raw_frame(protocol::max_frame + 1, 9, std::string(protocol::max_frame + 1, 'x'))), "a frame of");
  EXPECT_PROTOCOL_ERROR(hears(raw_frame(0, 0, "")), "unknown type 0");
  EXPECT_PROTOCOL_ERROR(hears(raw_frame(0, 99, "")), "unknown type 99");
  EXPECT_PROTOCOL_ERROR(hears(raw_frame(0, 9 | 0x80, "")), "empty frame that is continued");
  EXPECT_PROTOCOL_ERROR(hears(raw_frame(1, 9 | 0x80, "x") + frame(MessageType::note, "x")), "changes its type");
  EXPECT_PROTOCOL_ERROR(hears(frame(MessageType::describe, std::string(2000, 'x'))), "larger than 1024");
  EXPECT_PROTOCOL_ERROR(hears(frame(MessageType::answer, "")), "as a request");
  EXPECT_PROTOCOL_ERROR(hears(frame(MessageType::rows, "x")), "as a request");
  EXPECT_PROTOCOL_ERROR(hears(frame(MessageType::lock, "")), "ends too early");
  EXPECT_PROTOCOL_ERROR(hears(frame(MessageType::lock, "\x01\x01")), "left over");
  EXPECT_PROTOCOL_ERROR(hears(frame(MessageType::apply, "\x09")), "enumeration");
  EXPECT_PROTOCOL_ERROR(hears(frame(MessageType::apply, std::string("\x00\xFF\xFF\xFF\xFF\x0F", 6))), "a length exceeds");
  EXPECT_TRUE(node.calls.empty());
}

TEST(HostileFrames, TheAgentSaysWhatWasWrong) {
  FakeNode node("ph1");
  CannedStream stream(from_client(raw_frame(0, 99, "")));
  EXPECT_THROW(protocol::serve(node, stream, agent_options()), Error);
  RemoteNode remote(std::make_unique<CannedStream>(stream.received), "ph1", client_hello(), {});
  EXPECT_THAT(error_from([&] { remote.describe(); }).what(), HasSubstr("unknown type 99"));
}

TEST(HostileFrames, OfTheWrongCompressionAreRefused) {
  FakeNode node("ph1");
  auto hello = protocol::hello_line(client_hello());
  EXPECT_PROTOCOL_ERROR(agent_hears(node, hello + std::string(1000, '\xA5')), "not compressed as agreed");
  EXPECT_PROTOCOL_ERROR(agent_hears(node, hello + compressed(frame(MessageType::describe), 19)), "not compressed as agreed");
  EXPECT_PROTOCOL_ERROR(agent_hears(node, hello + compressed("", 18, ZSTD_e_end)), "an empty frame");
  const auto request = compressed(frame(MessageType::describe), 18, ZSTD_e_end);
  EXPECT_PROTOCOL_ERROR(agent_hears(node, hello + request + request + compressed("", 18, ZSTD_e_end)), "an empty frame");
  EXPECT_EQ(node.count("describe"), 2u) << "a frame may end";
  const std::string skippable(
      "\x50\x2A\x4D\x18\x04\x00\x00\x00"
      "abcd",
      12);
  EXPECT_PROTOCOL_ERROR(agent_hears(node, hello + skippable), "not compressed as agreed");
  EXPECT_PROTOCOL_ERROR(agent_hears(node, hello + request + skippable), "not compressed as agreed");
}

/// What decodes them asks for the memory of a window as large as they say.
TEST(HostileFrames, OfZstdsOldFormatsAreRefused) {
  FakeNode node("ph1");
  auto hello = protocol::hello_line(client_hello());
  for (const char version : {'\x25', '\x26', '\x27'}) {
    // The largest window that version 0.5 to 0.7 can say, and nothing yet of a block.
    const std::string old = version + std::string("\xB5\x2F\xFD\x0F\x78\x00\x00", 7);
    EXPECT_PROTOCOL_ERROR(agent_hears(node, hello + old), "not a frame of zstd's present format");
  }
}

TEST(HostileFrames, ABombIsStoppedAtTheLimitOfOneMessage) {
  FakeNode node("ph1");
  const std::string piece(protocol::max_frame, '\0');
  std::string bomb;
  for (int i = 0; i < 260; ++i) bomb += raw_frame(protocol::max_frame, 9 | 0x80, piece);
  auto small = from_client(bomb);
  ASSERT_LT(small.size(), 100'000u);
  EXPECT_PROTOCOL_ERROR(agent_hears(node, small), "larger than 67108864");

  std::string rows;
  for (int i = 0; i < 5; ++i) rows += raw_frame(protocol::max_frame, static_cast<unsigned>(MessageType::rows) | 0x80, piece);
  EXPECT_PROTOCOL_ERROR(agent_hears(node, from_client(rows)), "larger than 1048576");
}

TEST(HostileFrames, AMessageThatWouldSwellInMemoryIsRefusedBeforeItIsDecoded) {
  FakeNode node("ph1");
  // A vector of rows that are as short as they can be: 5 bytes here, 400 in memory.
  constexpr std::uint64_t rows = 2'000'000;
  const model::Change empty;
  auto change = util::encode(empty);
  util::Encoder count;
  count(rows);
  util::Encoder front;
  front(empty.action, empty.source, empty.started_by, empty.expected, empty.force, empty.whole_copy, empty.copied, empty.copy_bytes,
        empty.copy_schema, empty.copy_lists, empty.copy_blocklist);
  const auto at = front.take().size();
  change.replace(at, 1, count.take() + std::string(rows * 5, '\0'));
  std::string frames;
  for (std::string_view left = change; !left.empty(); left.remove_prefix(std::min<std::size_t>(left.size(), protocol::max_frame)))
    frames += raw_frame(static_cast<std::uint32_t>(std::min<std::size_t>(left.size(), protocol::max_frame)),
                        static_cast<unsigned>(MessageType::apply) | (left.size() > protocol::max_frame ? 0x80u : 0u),
                        left.substr(0, protocol::max_frame));
  EXPECT_PROTOCOL_ERROR(agent_hears(node, from_client(frames)), "too much memory");
}

/// A client that locks, asks for `change` with one wish and goes on with `stream`.
Error agent_hears_apply(FakeNode& node, const std::string& stream) {
  model::Change change;
  change.expected = FakeNode(node).describe().digests;
  change.wishes = {{adlist("https://lists.example/a.txt"), std::nullopt}};
  auto error = agent_hears(
      node, from_client(frame_of(MessageType::lock, protocol::LockRequest{1000}) + frame_of(MessageType::apply, change) + stream));
  EXPECT_TRUE(node.applied.empty());
  EXPECT_FALSE(node.locked);
  return error;
}

TEST(HostileStreams, AreNeverApplied) {
  FakeNode node("ph1");
  furnish(node);
  model::BlocklistAnswer honest;
  honest.rows.add("a");
  auto answers = frame_of(MessageType::answers, std::vector{honest});
  auto a_row = frame(MessageType::rows, std::string("\x00\x01"
                                                    "a"
                                                    "\x01\x00",
                                                    5));
  auto b_row = frame(MessageType::rows, std::string("\x00\x01"
                                                    "b"
                                                    "\x01\x00",
                                                    5));
  auto end = [](std::uint64_t n) { return frame_of(MessageType::end, protocol::End{n}); };

  EXPECT_PROTOCOL_ERROR(agent_hears_apply(node, a_row), "in a stream");
  EXPECT_PROTOCOL_ERROR(agent_hears_apply(node, end(0)), "in a stream");
  EXPECT_PROTOCOL_ERROR(agent_hears_apply(node, frame_of(MessageType::answers, std::vector<model::BlocklistAnswer>(2)) + end(0)),
                        "2 answers to 1");
  auto delta = honest;
  delta.delta = true;
  EXPECT_PROTOCOL_ERROR(agent_hears_apply(node, frame_of(MessageType::answers, std::vector{delta}) + a_row + end(1)),
                        "where nothing is there");
  EXPECT_PROTOCOL_ERROR(agent_hears_apply(node, answers + b_row + a_row + end(2)), "out of order");
  EXPECT_PROTOCOL_ERROR(agent_hears_apply(node, answers + a_row + a_row + end(2)), "out of order");
  EXPECT_PROTOCOL_ERROR(agent_hears_apply(node, answers + a_row + end(2)), "a stream of 1 that says it has 2");
  EXPECT_PROTOCOL_ERROR(agent_hears_apply(node, answers + frame(MessageType::rows, "")), "without rows");
  EXPECT_PROTOCOL_ERROR(agent_hears_apply(node, answers + a_row + frame(MessageType::describe)), "in a stream");
  EXPECT_PROTOCOL_ERROR(agent_hears_apply(node, answers + a_row + answers), "in a stream");
  EXPECT_PROTOCOL_ERROR(agent_hears_apply(node, answers + frame(MessageType::bytes, "abc")), "in a stream");
  EXPECT_EQ(agent_hears_apply(node, answers + a_row).code(), ErrorCode::unreachable);
  EXPECT_EQ(agent_hears_apply(node, answers + a_row + frame_of(MessageType::abort, protocol::Abort{"no more"})).code(), ErrorCode::config)
      << "a client may give up; that is an error of the change, not of the conversation";
  EXPECT_EQ(agent_hears_apply(node, answers + b_row + end(1)).code(), ErrorCode::config)
      << "a lie about the digest is for the node to find";
}

TEST(HostileChanges, AreRefusedBeforeTheNodeSeesThem) {
  FakeNode node("ph1");
  auto hears = [&](auto spoil) {
    model::Change change;
    model::Row row;
    change.rows = {{{model::Table::domain, 1, "a.example"}, std::nullopt, row}};
    spoil(change);
    return agent_hears(node, from_client(frame_of(MessageType::lock, protocol::LockRequest{0}) + frame_of(MessageType::apply, change)));
  };
  using C = model::Change;
  EXPECT_PROTOCOL_ERROR(hears([](C& c) { c.source = "ph2\nph3"; }), "control characters");
  EXPECT_PROTOCOL_ERROR(hears([](C& c) { c.source = std::string(300, 'x'); }), "longer than");
  EXPECT_PROTOCOL_ERROR(hears([](C& c) { c.whole_copy = true; }), "whole copy");
  EXPECT_PROTOCOL_ERROR(hears([](C& c) { c.copied.resize(1); }), "1 answers to 0 wishes");
  const auto wish = [](C& c, bool delta) {
    c.wishes = {{{model::Table::adlist, 0, "https://a.example"}, std::nullopt}};
    c.copied = {{delta, {}, {}}};
  };
  EXPECT_PROTOCOL_ERROR(hears([&](C& c) { wish(c, true); }), "a difference, where nothing is there");
  EXPECT_PROTOCOL_ERROR(hears([&](C& c) { wish(c, false), c.wishes[0].have.emplace(), c.copied[0].delta = true; }), "a part of a set");
  EXPECT_PROTOCOL_ERROR(hears([&](C& c) { wish(c, false), c.whole_copy = true; }), "whole copy");
  EXPECT_PROTOCOL_ERROR(hears([](C& c) { c.rows.push_back(c.rows[0]); }), "changed twice");
  EXPECT_PROTOCOL_ERROR(hears([](C& c) { c.rows[0].key.kind = 4; }), "unknown kind");
  EXPECT_PROTOCOL_ERROR(hears([](C& c) { c.rows[0].key.name.clear(); }), "no name");
  EXPECT_PROTOCOL_ERROR(hears([](C& c) { c.rows[0].key.name = std::string("a\0b", 3); }), "NUL");
  EXPECT_PROTOCOL_ERROR(hears([](C& c) { c.rows[0].after.reset(); }), "from nothing to nothing");
  EXPECT_PROTOCOL_ERROR(hears([](C& c) { c.rows[0].after->comment = std::string(70'000, 'x'); }), "longer than 64 KiB");
  EXPECT_PROTOCOL_ERROR(hears([](C& c) { c.rows[0].after->title = "x"; }), "title");
  EXPECT_PROTOCOL_ERROR(hears([](C& c) { c.rows[0].after->groups = {{model::Table::client, 0, "x"}}; }), "not a group");
  EXPECT_PROTOCOL_ERROR(hears([](C& c) { c.wishes = {{{model::Table::domain, 0, "x"}, std::nullopt}}; }), "not an adlist");
  EXPECT_PROTOCOL_ERROR(hears([](C& c) { c.wishes = {{adlist("x"), std::nullopt}, {adlist("x"), std::nullopt}}; }), "wished for twice");
  EXPECT_EQ(node.count("apply"), 0u);
  EXPECT_FALSE(node.locked);
}

TEST(HostileAnswers, EndTheConnection) {
  auto good = FakeNode("ph1").describe();
  auto info = [&](auto spoil) {
    auto value = good;
    spoil(value);
    return client_hears(frame_of(MessageType::answer, value), [](RemoteNode& r) { r.describe(); });
  };
  using I = model::NodeInfo;
  EXPECT_PROTOCOL_ERROR(info([](I& i) { i.name = "ph1\x1b[2J"; }), "control characters");
  EXPECT_PROTOCOL_ERROR(info([](I& i) { i.software = std::string(300, '1'); }), "longer than");
  EXPECT_PROTOCOL_ERROR(info([](I& i) { i.notes.assign(65, "x"); }), "more than 64");
  EXPECT_PROTOCOL_ERROR(info([](I& i) { i.notes = {"a\nb"}; }), "control characters");

  auto records = [&](const model::Records& value) {
    return client_hears(frame_of(MessageType::answer, value), [](RemoteNode& r) { r.records(); });
  };
  EXPECT_EQ(records({model::RecordLines{"10.0.0.1 a.lan\ndhcp-script=/x"}, std::nullopt, std::nullopt}).code(), ErrorCode::refused);
  EXPECT_EQ(records({std::nullopt, model::RecordLines{"a.lan,b.lan\nconf-file=/x"}, std::nullopt}).code(), ErrorCode::refused);

  auto lists = [&](const model::ListsBeside& value) {
    return client_hears(frame_of(MessageType::answer, value), [](RemoteNode& r) { r.lists(); });
  };
  EXPECT_PROTOCOL_ERROR(lists({model::digest_of(model::Lists{}), {}, {}}), "default group");
  EXPECT_PROTOCOL_ERROR(lists({}), "another digest");
  auto beside = [&](const model::ListsBeside& value) {
    return client_hears(frame_of(MessageType::answer, value), [](RemoteNode& r) { r.lists_beside({{model::default_group_key(), {}}}); });
  };
  EXPECT_PROTOCOL_ERROR(beside({{}, {77}, {}}), "buckets that there are not");
  auto blocklist = [&](const model::Blocklist& value) {
    return client_hears(frame_of(MessageType::answer, value), [](RemoteNode& r) { r.blocklist(); });
  };
  EXPECT_PROTOCOL_ERROR(blocklist({{adlist("b"), {}, {}}, {adlist("a"), {}, {}}}), "out of order");
  EXPECT_PROTOCOL_ERROR(blocklist({{adlist("a"), {}, {}}, {adlist("a"), {}, {}}}), "out of order");
  EXPECT_PROTOCOL_ERROR(blocklist({{{model::Table::group, 1, "a"}, {}, {}}}), "not an adlist");
  EXPECT_PROTOCOL_ERROR(client_hears(frame(MessageType::rows, "x"), [](RemoteNode& r) { r.describe(); }), "as an answer");
}

TEST(HostileAnswers, InStreamsEndTheConnection) {
  std::vector<model::BlocklistWish> wishes{{adlist("a"), std::nullopt}};
  auto rows = [&](const std::string& frames) {
    return client_hears(frames, [&](RemoteNode& r) {
      auto reader = r.blocklist_rows(wishes);
      while (reader->next()) {
      }
    });
  };
  auto one = frame_of(MessageType::answer, std::vector<model::BlocklistAnswer>(1));
  EXPECT_PROTOCOL_ERROR(rows(frame_of(MessageType::answer, std::vector<model::BlocklistAnswer>(3))), "3 answers to 1");
  EXPECT_PROTOCOL_ERROR(rows(one + frame(MessageType::rows, std::string("\x00\x01"
                                                                        "b"
                                                                        "\x01\x02",
                                                                        5))),
                        "no adlist 1");
  EXPECT_PROTOCOL_ERROR(rows(one + frame_of(MessageType::end, protocol::End{1})), "a stream of 0");
  EXPECT_PROTOCOL_ERROR(rows(one + frame_of(MessageType::answers, std::vector<model::BlocklistAnswer>(1))), "in a stream");

  auto copy = [&](const std::string& frames) {
    return client_hears(frame_of(MessageType::answer, protocol::CopyAnswer{4, {}}) + frames, [&](RemoteNode& r) {
      auto taken = r.copy(model::CopyOf::live);
      std::array<std::byte, 3> buffer{};
      while (taken.reader->read(buffer) > 0) {
      }
    });
  };
  auto end = frame_of(MessageType::end, protocol::End{4});
  EXPECT_PROTOCOL_ERROR(copy(frame(MessageType::bytes, "12345") + end), "more bytes");
  EXPECT_PROTOCOL_ERROR(copy(frame(MessageType::bytes, "123") + end), "of 3");
  EXPECT_PROTOCOL_ERROR(copy(frame(MessageType::bytes, "123") + frame_of(MessageType::end, protocol::End{3})), "1 bytes early");
  EXPECT_PROTOCOL_ERROR(copy(frame(MessageType::bytes, "") + end), "empty frame");
}

TEST(HostileAnswers, ToAnApplyAreNotBelieved) {
  FakeNode source("ph2");
  source.add_adlist("a", {"a.example"});
  model::Change change;
  change.wishes = {{adlist("a"), std::nullopt}};
  model::ApplyReport report;
  report.warnings.assign(65, "x");
  auto error = client_hears(frame_of(MessageType::answer, report), [&](RemoteNode& r) {
    auto rows = source.blocklist_rows(change.wishes);
    r.apply(change, rows.get(), nullptr);
  });
  EXPECT_PROTOCOL_ERROR(error, "more than 64 warnings");
}

/// Whole conversations with a few bytes changed, before they are compressed.
TEST(HostileFrames, AConversationWithAnyBytesChangedLeavesTheNodeWhole) {
  const auto seed = std::random_device{}();
  RecordProperty("seed", std::to_string(seed));
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);

  FakeNode before("ph1");
  furnish(before);
  FakeNode source = before;
  source.add_domain("new.example", "x");
  const auto wishes = wishes_for(before);
  model::Change change;
  change.expected = FakeNode(before).describe().digests;
  change.rows = model::diff(before.lists_now, source.lists_now);
  change.wishes = wishes;
  std::vector<model::BlocklistAnswer> answers(wishes.size());
  for (std::size_t i = 0; i < wishes.size(); ++i) answers[i].rows.add("a");
  const auto plain = frame(MessageType::describe) + frame_of(MessageType::lock, protocol::LockRequest{10}) +
                     frame_of(MessageType::blocklist_rows, wishes) + frame_of(MessageType::apply, change) +
                     frame_of(MessageType::answers, answers) +
                     frame(MessageType::rows, std::string("\x00\x01"
                                                          "a"
                                                          "\x02\x00\x02",
                                                          6)) +
                     frame_of(MessageType::end, protocol::End{2}) + frame_of(MessageType::note, model::HistoryEntry{}) +
                     frame_of(MessageType::version, protocol::VersionRequest{1}) + frame(MessageType::unlock);
  {
    FakeNode node = before;
    EXPECT_EQ(agent_hears(node, from_client(plain)).code(), ErrorCode::config) << "unchanged it is an honest conversation";
    ASSERT_EQ(node.applied.size(), 1u);
  }
  int applied = 0;
  for (int i = 0; i < 1'000; ++i) {
    auto bytes = plain;
    for (auto n = 1 + random() % 3; n > 0; --n) bytes[random() % bytes.size()] = static_cast<char>(random() % 4 ? random() % 16 : random());
    if (random() % 4 == 0) bytes.resize(random() % bytes.size());
    FakeNode node = before;
    const auto old = FakeNode(node).describe().digests;
    agent_hears(node, from_client(bytes));
    ASSERT_FALSE(node.locked);
    ASSERT_LE(node.applied.size(), 1u);
    ASSERT_EQ(node.kept.size(), node.applied.size());
    if (node.applied.empty()) {
      ASSERT_EQ(FakeNode(node).describe().digests, old);
    }
    applied += !node.applied.empty();
  }
  EXPECT_LT(applied, 1'000);
}

}  // namespace
}  // namespace gsync::test
