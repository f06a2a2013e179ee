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
#include <optional>
#include <utility>

#include "gsync/util/codec.hpp"
#include "gsync/util/error.hpp"

namespace gsync::util {
namespace {

constexpr std::size_t max_message = 16u << 20;
constexpr auto forever = std::chrono::hours(1);  // of silence, after which the child looks again

/// What comes back: what the function gave, or the Error that it threw.
struct Reply {
  std::string result;
  bool failed = false;
  ErrorCode code = ErrorCode::io;
  std::string what;
  std::string hint;
};
template <class Archive>
void fields(Archive& a, Reply& r) {
  std::uint8_t code = static_cast<std::uint8_t>(r.code);
  a(r.result, r.failed, code, r.what, r.hint);
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

Reply answered(const HelperProcess::Answer& answer, const std::string& request) {
  Reply reply;
  try {
    reply.result = answer(request);
  } catch (const Error& error) {
    reply = {{}, true, error.code(), error.what(), error.hint()};
  }
  return reply;
}

/// Until the other end is closed.
void serve(FdStream& stream, const HelperProcess::Answer& answer) {
  for (;;) {
    try {
      auto request = receive(stream, Deadline::in(forever));
      if (!request) return;
      send(stream, encode(answered(answer, *request)), Deadline::in(forever));
    } catch (const Error& error) {
      if (error.code() != ErrorCode::timeout) return;
    }
  }
}

void close_from(unsigned first) {
  if (::syscall(SYS_close_range, first, ~0u, 0u) == 0) return;
  for (auto fd = static_cast<int>(first), last = static_cast<int>(::sysconf(_SC_OPEN_MAX)); fd < last; ++fd) ::close(fd);
}

/// Nothing of the parent's stays open in the child: an sshd would wait for its ends of the pipes. Gives the socket back as 3.
Fd keep_only(const Fd& socket) {
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  Fd safe(::fcntl(socket.get(), F_DUPFD_CLOEXEC, 4));
  for (int fd : {0, 1, 2}) ::dup2(null, fd);
  Fd kept(::dup3(safe.get(), 3, O_CLOEXEC));
  close_from(4);
  return kept;
}

}  // namespace

HelperProcess::HelperProcess(const Answer& answer) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) throw_errno(errno, "cannot make a pair of sockets");
  Fd ours(ends[0]), theirs(ends[1]);
  pid_ = ::fork();
  if (pid_ < 0) throw_errno(errno, "cannot start a helper process");
  if (pid_ == 0) {
    // A Ctrl-C is for the parent, which may still need an answer.
    ::setpgid(0, 0);
    ::signal(SIGPIPE, SIG_IGN);
    auto socket = keep_only(theirs);
    if (!socket) ::_exit(1);
    FdStream stream(std::move(socket));
    serve(stream, answer);
    ::_exit(0);
  }
  stream_ = std::make_unique<FdStream>(std::move(ours));
}

HelperProcess::~HelperProcess() {
  stream_.reset();
  // It ends at once, unless it works on something that we gave up waiting for; then it is left to itself.
  Fd fd(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  pollfd ended{fd.get(), POLLIN, 0};
  if (fd) ::poll(&ended, 1, 500);
  ::waitpid(pid_, nullptr, WNOHANG);
}

std::string HelperProcess::ask(const std::string& request, Deadline deadline) {
  std::optional<std::string> message;
  try {
    send(*stream_, request, deadline);
    message = receive(*stream_, deadline);
  } catch (const Error& error) {
    throw error.within("asking our helper process");
  }
  if (!message) throw Error(ErrorCode::unreachable, "our helper process has ended");
  auto reply = decode<Reply>(*message);
  if (reply.failed) throw Error(reply.code, reply.what, reply.hint);
  return std::move(reply.result);
}

}  // namespace gsync::util
