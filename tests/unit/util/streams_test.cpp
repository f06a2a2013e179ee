#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>

#include <thread>

#include "gsync/util/error.hpp"
#include "gsync/util/fd_stream.hpp"

namespace gsync::util {
namespace {

using namespace std::chrono_literals;

bool is_open(int fd) {
  return ::fcntl(fd, F_GETFD) >= 0;
}

std::span<const std::byte> bytes_of(std::string_view s) {
  return std::as_bytes(std::span(s));
}

struct Pipe {
  Fd read;
  Fd write;
};
Pipe make_pipe() {
  int ends[2];
  EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  return {Fd(ends[0]), Fd(ends[1])};
}

std::pair<Fd, Fd> make_sockets() {
  int ends[2];
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  return {Fd(ends[0]), Fd(ends[1])};
}

std::string read_some(FdStream& stream, Deadline deadline = Deadline::in(30s)) {
  std::string out(100, '\0');
  out.resize(stream.read(std::as_writable_bytes(std::span(out)), deadline));
  return out;
}

template <class Call>
void expect_error(ErrorCode code, Call call) {
  try {
    call();
    ADD_FAILURE() << "no error";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), code) << e.what();
  }
}

TEST(Fd, ClosesWhatItOwns) {
  auto pipe = make_pipe();
  int number = pipe.read.get();
  EXPECT_TRUE(is_open(number));
  pipe.read.reset();
  EXPECT_FALSE(is_open(number));
  EXPECT_FALSE(pipe.read);
}

TEST(Fd, MovingHandsOverAndReleasingGivesAway) {
  auto pipe = make_pipe();
  int number = pipe.read.get();
  Fd other = std::move(pipe.read);
  EXPECT_EQ(other.get(), number);
  Fd released(other.release());
  EXPECT_FALSE(other);
  EXPECT_TRUE(is_open(number));
  released = Fd();
  EXPECT_FALSE(is_open(number));
}

TEST(FdStream, CarriesBytesAndCountsThem) {
  auto there = make_pipe(), back = make_pipe();
  FdStream a(std::move(back.read), std::move(there.write)), b(std::move(there.read), std::move(back.write));
  a.write(bytes_of("hello"), Deadline::in(30s));
  EXPECT_EQ(read_some(b), "hello");
  b.write(bytes_of("hi"), Deadline::in(30s));
  EXPECT_EQ(read_some(a), "hi");
  EXPECT_EQ(a.bytes_sent(), 5u);
  EXPECT_EQ(a.bytes_received(), 2u);
  EXPECT_EQ(b.bytes_received(), 5u);
}

TEST(FdStream, MoreThanAPipeHoldsGoesThroughWhileTheOtherSideReads) {
  auto [x, y] = make_sockets();
  FdStream a(std::move(x)), b(std::move(y));
  std::string sent(3'000'000, 'x'), got;
  std::thread writer([&] {
    a.write(bytes_of(sent), Deadline::in(60s));
    a.close_write();
  });
  for (auto part = read_some(b, Deadline::in(60s)); !part.empty(); part = read_some(b, Deadline::in(60s))) got += part;
  writer.join();
  EXPECT_EQ(got, sent);
}

TEST(FdStream, ReadingFromASilentPeerEndsAtTheDeadline) {
  auto [x, y] = make_sockets();
  FdStream a(std::move(x));
  expect_error(ErrorCode::timeout, [&] { read_some(a, Deadline::in(20ms)); });
}

TEST(FdStream, WritingToAPeerThatDoesNotReadEndsAtTheDeadline) {
  auto pipe = make_pipe(), other = make_pipe();
  FdStream a(std::move(other.read), std::move(pipe.write));
  expect_error(ErrorCode::timeout, [&] { a.write(bytes_of(std::string(2'000'000, 'x')), Deadline::in(20ms)); });
}

TEST(FdStream, EndOfInputIsZeroBytesAndNotAnError) {
  auto there = make_pipe(), back = make_pipe();
  FdStream a(std::move(there.read), std::move(back.write));
  there.write.reset();
  EXPECT_EQ(read_some(a), "");
  EXPECT_EQ(read_some(a), "");
}

TEST(FdStream, CloseWriteShowsTheFarSideTheEndAndReadingGoesOn) {
  auto [x, y] = make_sockets();
  FdStream a(std::move(x)), b(std::move(y));
  a.close_write();
  a.close_write();
  EXPECT_EQ(read_some(b), "");
  b.write(bytes_of("still here"), Deadline::in(30s));
  EXPECT_EQ(read_some(a), "still here");
}

TEST(FdStream, NothingIsWrittenAfterCloseWrite) {
  auto there = make_pipe(), back = make_pipe();
  FdStream a(std::move(back.read), std::move(there.write));
  a.close_write();
  expect_error(ErrorCode::unreachable, [&] { a.write(bytes_of("x"), Deadline::in(1s)); });
}

TEST(FdStream, WritingToADeadPeerIsUnreachable) {
  ::signal(SIGPIPE, SIG_IGN);
  auto [x, y] = make_sockets();
  FdStream a(std::move(x));
  y.reset();
  expect_error(ErrorCode::unreachable, [&] { a.write(bytes_of("x"), Deadline::in(1s)); });
}

TEST(FdStream, RestoresTheDescriptorsFlagsThoughBothEndsAreOneFileDescription) {
  auto [x, y] = make_sockets();
  Fd kept(::dup(x.get())), out(::dup(x.get()));
  {
    FdStream a(std::move(x), std::move(out));
    EXPECT_TRUE(::fcntl(kept.get(), F_GETFL) & O_NONBLOCK);
    a.close_write();
    EXPECT_TRUE(::fcntl(kept.get(), F_GETFL) & O_NONBLOCK) << "reading must stay non-blocking";
  }
  EXPECT_FALSE(::fcntl(kept.get(), F_GETFL) & O_NONBLOCK);
}

}  // namespace
}  // namespace gsync::util
