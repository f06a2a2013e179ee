#include "gsync/util/helper_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <optional>
#include <utility>

#include "gsync/util/codec.hpp"
#include "gsync/util/error.hpp"

namespace gsync::util {
namespace {

constexpr std::size_t max_message = 16u << 20;
constexpr auto forever = std::chrono::hours(1);  // of silence, after which the child looks again

struct Request {
  std::uint64_t number = 0;
  std::string text;
};
template <class Archive>
void fields(Archive& a, Request& r) {
  a(r.number, r.text);
}

/// What comes back: what the function gave, or the Error that it threw.
struct Reply {
  std::uint64_t number = 0;  ///< of the request
  std::string result;
  bool failed = false;
  ErrorCode code = ErrorCode::io;
  std::string what;
  std::string hint;
};
template <class Archive>
void fields(Archive& a, Reply& r) {
  std::uint8_t code = static_cast<std::uint8_t>(r.code);
  a(r.number, r.result, r.failed, code, r.what, r.hint);
  r.code = static_cast<ErrorCode>(code);
}

void send(FdStream& stream, const std::string& message, Deadline deadline) {
  const std::uint64_t size = message.size();
  stream.write(std::as_bytes(std::span(&size, 1)), deadline);
  stream.write(std::as_bytes(std::span(message)), deadline);
}

/// False when the other side has ended before the first byte.
bool read_whole(FdStream& stream, std::span<std::byte> buffer, Deadline deadline) {
  for (std::size_t have = 0; have < buffer.size();) {
    const auto n = stream.read(buffer.subspan(have), deadline);
    if (n == 0) return false;
    have += n;
  }
  return true;
}

std::optional<std::string> receive(FdStream& stream, Deadline deadline) {
  std::uint64_t size = 0;
  if (!read_whole(stream, std::as_writable_bytes(std::span(&size, 1)), deadline)) return std::nullopt;
  if (size > max_message) throw Error(ErrorCode::protocol, "a message between our own processes is too large");
  std::string message(static_cast<std::size_t>(size), '\0');
  if (!read_whole(stream, std::as_writable_bytes(std::span(message)), deadline)) return std::nullopt;
  return message;
}

Reply answered(const HelperProcess::Answer& answer, const Request& request) {
  Reply reply;
  reply.number = request.number;
  try {
    reply.result = answer(request.text);
  } catch (const Error& error) {
    reply = {request.number, {}, true, error.code(), error.what(), error.hint()};
  }
  return reply;
}

/// False when the other end is closed.
bool serve_one(FdStream& stream, const HelperProcess::Answer& answer) {
  const auto request = receive(stream, Deadline::in(forever));
  if (request) send(stream, encode(answered(answer, decode<Request>(*request))), Deadline::in(forever));
  return request.has_value();
}

/// Runs until `turn` says that it is over. An hour without a request is none.
template <class Turn>
void serve(Turn turn) {
  for (bool more = true; more;) {
    try {
      more = turn();
    } catch (const Error& error) {
      more = error.code() == ErrorCode::timeout;
    }
  }
}

std::pair<Fd, Fd> make_pair(int type) {
  int ends[2];
  if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends) != 0) throw_errno(errno, "cannot make a pair of sockets");
  return {Fd(ends[0]), Fd(ends[1])};
}

/// A message of one byte, with room for a descriptor.
struct DescriptorMessage {
  DescriptorMessage() {
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
  }
  DescriptorMessage(const DescriptorMessage&) = delete;
  DescriptorMessage& operator=(const DescriptorMessage&) = delete;

  char byte = 0;
  iovec part{&byte, 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
};

Error gone() {
  return {ErrorCode::unreachable, "our helper process has ended", "run it again; the daemon: sudo systemctl restart gravity-sync"};
}

void hand_over(const Fd& door, const Fd& connection) {
  DescriptorMessage to;
  auto* header = CMSG_FIRSTHDR(&to.message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  const int fd = connection.get();
  std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
  while (::sendmsg(door.get(), &to.message, MSG_NOSIGNAL) < 0)
    if (errno != EINTR) throw gone();
}

/// None when there was none, or the other end is closed.
Fd take_over(const Fd& door) {
  DescriptorMessage from;
  if (::recvmsg(door.get(), &from.message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) <= 0) return {};
  const auto* header = CMSG_FIRSTHDR(&from.message);
  if (header == nullptr || header->cmsg_type != SCM_RIGHTS || header->cmsg_len != CMSG_LEN(sizeof(int))) return {};
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
  return Fd(fd);
}

void close_from(unsigned first) {
  if (::syscall(SYS_close_range, first, ~0u, 0u) == 0) return;
  for (auto fd = static_cast<int>(first), last = static_cast<int>(::sysconf(_SC_OPEN_MAX)); fd < last; ++fd) ::close(fd);
}

struct Sockets {
  Fd stream, door;
};

/// Nothing of the parent's stays open in the child: an sshd would wait for its ends of the pipes. Gives the sockets back as 3 and 4.
Sockets keep_only(const Fd& stream, const Fd& door) {
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  Fd safe_stream(::fcntl(stream.get(), F_DUPFD_CLOEXEC, 5)), safe_door(::fcntl(door.get(), F_DUPFD_CLOEXEC, 5));
  for (int fd : {0, 1, 2}) ::dup2(null, fd);
  Sockets kept{Fd(::dup3(safe_stream.get(), 3, O_CLOEXEC)), Fd(::dup3(safe_door.get(), 4, O_CLOEXEC))};
  close_from(5);
  return kept;
}

/// A process of its own serves `connection` and has nothing else of ours. It is nobody's to wait for: its parent ends at once.
void serve_apart(const Fd& connection, const HelperProcess::Answer& answer) {
  const auto between = ::fork();
  if (between > 0) ::waitpid(between, nullptr, 0);
  if (between != 0) return;
  if (::fork() != 0) ::_exit(0);
  FdStream stream(Fd(::dup3(connection.get(), 3, O_CLOEXEC)));
  close_from(4);
  serve([&] { return serve_one(stream, answer); });
  ::_exit(0);
}

[[noreturn]] void be_helper(Sockets sockets, const HelperProcess::Answer& answer) {
  if (!sockets.stream || !sockets.door) ::_exit(1);
  FdStream stream(std::move(sockets.stream));
  serve([&] {
    const auto ready = stream.wait(sockets.door.get(), Deadline::in(forever));
    if (ready == ByteStream::Ready::stream) return serve_one(stream, answer);
    if (auto connection = take_over(sockets.door)) serve_apart(connection, answer);
    return true;
  });
  ::_exit(0);
}

}  // namespace

HelperProcess::HelperProcess(const Answer& answer) {
  auto [stream, their_stream] = make_pair(SOCK_STREAM);
  auto [door, their_door] = make_pair(SOCK_SEQPACKET);
  pid_ = ::fork();
  if (pid_ < 0) throw_errno(errno, "cannot start a helper process");
  if (pid_ == 0) {
    // A Ctrl-C is for the parent, which may still need an answer.
    ::setpgid(0, 0);
    ::signal(SIGPIPE, SIG_IGN);
    be_helper(keep_only(their_stream, their_door), answer);
  }
  stream_ = std::make_unique<FdStream>(std::move(stream));
  door_ = std::move(door);
}

HelperProcess::HelperProcess(Fd connection) {
  ::fcntl(connection.get(), F_SETFD, FD_CLOEXEC);
  stream_ = std::make_unique<FdStream>(std::move(connection));
}

HelperProcess::~HelperProcess() {
  stream_.reset();
  if (pid_ == 0) return;
  // It ends at once, unless it works on something that we gave up waiting for; then it is left to itself.
  Fd fd(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  pollfd ended{fd.get(), POLLIN, 0};
  if (fd) ::poll(&ended, 1, 500);
  ::waitpid(pid_, nullptr, WNOHANG);
}

Fd HelperProcess::share() {
  auto [ours, theirs] = make_pair(SOCK_STREAM);
  hand_over(door_, theirs);
  return std::move(ours);
}

std::string HelperProcess::ask(const std::string& request, Deadline deadline) {
  if (!stream_) throw gone();
  // What was asked before may still be answered, to nobody.
  const auto number = stream_->bytes_sent();
  bool sent = false;
  std::uint64_t read = 0;  // up to the end of a message
  Reply reply;
  try {
    send(*stream_, encode(Request{number, request}), deadline);
    sent = true;
    do {
      read = stream_->bytes_received();
      const auto message = receive(*stream_, deadline);
      if (!message) throw gone();
      reply = decode<Reply>(*message);
    } while (reply.number != number);
  } catch (const Error& error) {
    // In the middle of a message there is no going on.
    if (error.code() != ErrorCode::timeout || !sent || stream_->bytes_received() != read) stream_.reset();
    throw error.within("asking our helper process");
  }
  if (reply.failed) throw Error(reply.code, reply.what, reply.hint);
  return std::move(reply.result);
}

}  // namespace gsync::util
