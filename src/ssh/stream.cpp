#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "connection.hpp"
#include "gsync/util/error.hpp"
#include "vector_registers.hpp"

namespace gsync::ssh {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t diagnostics_limit = 4096;
/// libssh keeps what it is given in memory until the socket takes it: so it is given a packet at a time.
constexpr std::size_t write_chunk = 32u << 10;
/// How long a command may take from the end of its output to its end: the exit status usually comes in the same packet.
constexpr auto exit_grace = 2s;
/// For the end of our input. It waits behind other bytes only when the far side takes none, and then it need not be told.
constexpr auto farewell = 200ms;

struct ChannelFree {
  void operator()(ssh_channel channel) const {
    // Not waiting for the answer: the far side's end of the channel goes when the session does.
    ssh_channel_close(channel);
    ssh_channel_free(channel);
  }
};

class ChannelStream final : public util::ByteStream {
 public:
  ChannelStream(std::shared_ptr<Connection> connection, const std::string& command, util::Deadline deadline)
      : connection_(std::move(connection)), channel_(ssh_channel_new(connection_->get())) {
    if (!channel_) connection_->fail("opening a channel");
    auto rc = connection_->drive([this] { return ssh_channel_open_session(channel_.get()); }, SSH_AGAIN, deadline, "opening a channel");
    if (rc != SSH_OK) refused("opening a channel");
    ssh_callbacks_init(&callbacks_);
    callbacks_.userdata = this;
    callbacks_.channel_exit_status_function = [](ssh_session, ssh_channel, int status, void* self) {
      static_cast<ChannelStream*>(self)->exit_status_ = status;
    };
    callbacks_.channel_exit_signal_function = [](ssh_session, ssh_channel, const char* signal, int, const char*, const char*, void* self) {
      static_cast<ChannelStream*>(self)->exit_signal_ = util::printable(signal ? signal : "unknown");
    };
    ssh_set_channel_callbacks(channel_.get(), &callbacks_);
    rc = connection_->drive([&] { return ssh_channel_request_exec(channel_.get(), command.c_str()); }, SSH_AGAIN, deadline,
                            "starting the remote command");
    if (rc != SSH_OK) refused("starting the remote command");
  }
  ~ChannelStream() override { ssh_remove_channel_callbacks(channel_.get(), &callbacks_); }
  ChannelStream(const ChannelStream&) = delete;
  ChannelStream& operator=(const ChannelStream&) = delete;

  std::size_t read(std::span<std::byte> buffer, util::Deadline deadline) override {
    constexpr auto step = "waiting for an answer";
    [[maybe_unused]] const CleanVectorRegisters clean;
    auto size = static_cast<std::uint32_t>(std::min<std::size_t>(buffer.size(), 1u << 30));
    for (;;) {
      collect_errors();
      auto n = ssh_channel_read_nonblocking(channel_.get(), buffer.data(), size, 0);
      if (n > 0) return static_cast<std::size_t>(n);
      if (n == SSH_EOF || ssh_channel_is_eof(channel_.get())) {
        await_exit(deadline);
        return 0;
      }
      if (!ssh_is_connected(connection_->get())) connection_->fail(step);
      if (ssh_channel_is_closed(channel_.get())) return 0;
      if (n < 0) connection_->fail(step);
      connection_->wait(deadline, step);
    }
  }

  void write(std::span<const std::byte> data, util::Deadline deadline) override {
    constexpr auto step = "sending data";
    [[maybe_unused]] const CleanVectorRegisters clean;
    while (!data.empty()) {
      auto n = ssh_channel_write(channel_.get(), data.data(), static_cast<std::uint32_t>(std::min(data.size(), write_chunk)));
      if (n < 0) write_failed(step);
      data = data.subspan(static_cast<std::size_t>(n));
      bool waited = flush(deadline, step);
      if (n == 0) {
        // No window: what the far side says next may open it, or be the end.
        if (!ssh_is_connected(connection_->get()) || ssh_channel_is_closed(channel_.get())) write_failed(step);
        if (!waited) connection_->wait(deadline, step);
      }
    }
  }

  Ready wait(int other, util::Deadline deadline) override {
    [[maybe_unused]] const CleanVectorRegisters clean;
    for (;;) {
      collect_errors();
      // Data, the end or a fault: read() says which.
      if (ssh_channel_poll(channel_.get(), 0) != 0 || ssh_channel_is_eof(channel_.get()) || ssh_channel_is_closed(channel_.get()) ||
          !ssh_is_connected(connection_->get()))
        return Ready::stream;
      if (connection_->wait_also_for(other, deadline, "waiting for the far side")) return Ready::other;
      if (deadline.passed()) return Ready::neither;
    }
  }

  void close_write() noexcept override {
    if (closed_) return;
    closed_ = true;
    try {
      ssh_channel_send_eof(channel_.get());
      flush(util::Deadline::in(farewell), "ending the input");
    } catch (const Error&) {
      // A connection that is gone says so at the next read.
    }
  }

  std::string diagnostics() override {
    collect_errors();
    auto text = errors_;
    auto add = [&](const std::string& line) {
      if (!text.empty() && text.back() != '\n') text += '\n';
      text += line;
    };
    if (exit_signal_)
      add("the command was ended by signal " + *exit_signal_);
    else if (exit_status_ && *exit_status_ != 0)
      add(fmt::format("the command ended with exit status {}", *exit_status_));
    return text;
  }

  std::uint64_t bytes_sent() const override { return connection_->bytes_sent(); }
  std::uint64_t bytes_received() const override { return connection_->bytes_received(); }

 private:
  [[noreturn]] void refused(const char* step) {
    if (!ssh_is_connected(connection_->get())) connection_->fail(step);
    throw Error(ErrorCode::unreachable, fmt::format("{} refused {}: {}", connection_->name(), step, error_text(connection_->get())),
                "its sshd must allow this user to run a command (MaxSessions, ForceCommand, and a login shell other than nologin)");
  }

  /// Takes standard error in, so that it does not use up the window; past the limit it is dropped. This also takes in what else has
  /// arrived, so it comes before reading, not between reading and waiting.
  void collect_errors() {
    char buffer[1024];
    for (;;) {
      auto n = ssh_channel_read_nonblocking(channel_.get(), buffer, sizeof buffer, 1);
      if (n <= 0) return;
      errors_.append(buffer, std::min(static_cast<std::size_t>(n), diagnostics_limit - errors_.size()));
    }
  }

  void await_exit(util::Deadline deadline) {
    auto grace = deadline.at_most(exit_grace);
    while (!exit_status_ && !exit_signal_ && !ssh_channel_is_closed(channel_.get()) && !grace.passed())
      connection_->pump(grace.remaining());
    collect_errors();
  }

  /// Until the socket has taken everything. True when it had to wait.
  bool flush(util::Deadline deadline, const char* step) {
    bool waited = false;
    for (;;) {
      auto rc = ssh_blocking_flush(connection_->get(), 0);
      if (rc == SSH_OK) return waited;
      if (rc != SSH_AGAIN) connection_->fail(step);
      connection_->wait(deadline, step);
      waited = true;
    }
  }

  [[noreturn]] void write_failed(const char* step) {
    if (!ssh_is_connected(connection_->get())) connection_->fail(step);
    await_exit(util::Deadline::in(exit_grace));
    throw Error(ErrorCode::unreachable, fmt::format("the command on {} ended while {}", connection_->name(), step));
  }

  std::shared_ptr<Connection> connection_;
  std::unique_ptr<ssh_channel_struct, ChannelFree> channel_;
  ssh_channel_callbacks_struct callbacks_{};
  std::string errors_;
  std::optional<int> exit_status_;
  std::optional<std::string> exit_signal_;
  bool closed_ = false;
};

}  // namespace

std::unique_ptr<util::ByteStream> open_stream(std::shared_ptr<Connection> connection, const std::string& command, util::Deadline deadline) {
  [[maybe_unused]] const CleanVectorRegisters clean;
  return std::make_unique<ChannelStream>(std::move(connection), command, deadline);
}

}  // namespace gsync::ssh
