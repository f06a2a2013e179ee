#pragma once
#include <poll.h>
#include <cstdint>
#include <functional>
#include <list>
#include <string>
#include <vector>

#include "gsync/daemon/status.hpp"
#include "schedule.hpp"
#include "sockets.hpp"

namespace gsync::daemon {

/// The clients of status.sock. Nobody waits for any of them: one that does not read is dropped.
class StatusServer {
 public:
  struct Handlers {
    std::function<Status()> status;
    std::function<std::uint64_t()> now;  ///< starts a sync of all peers; gives its ticket
    std::function<void(const std::string& peer, const std::string& why)> pause;
    std::function<void(const std::string& peer)> resume;
  };
  StatusServer(const std::string& directory, Handlers handlers);

  void add_polls(std::vector<pollfd>& polls) const;
  /// What poll() said of the entries that add_polls() added, and the time.
  void handle(const std::vector<pollfd>& polls, Time now);
  std::optional<Time> next() const;

  /// To all who follow.
  void publish(const Event& event);
  /// All that was started with this ticket, or before, is done.
  void done(std::uint64_t ticket);

 private:
  struct Client {
    util::Fd fd;
    std::string in;
    std::string out;
    bool follows = false;
    bool closing = false;      ///< when `out` is sent
    std::uint64_t ticket = 0;  ///< waits for it
    Time until{};              ///< then it gets its answer anyway, or is dropped
  };

  void give_up(Client& client, Time now);
  void accept(Time now);
  void read(Client& client, Time now);
  void answer(Client& client, const std::string& line, Time now);
  static void say(Client& client, const std::string& line);
  static void write(Client& client);

  Handlers handlers_;
  Listener listener_;
  std::list<Client> clients_;
};

}  // namespace gsync::daemon
