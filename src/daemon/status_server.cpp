#include "status_server.hpp"

#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "gsync/util/text.hpp"

namespace gsync::daemon {
namespace {

constexpr std::size_t most_clients = 64;
constexpr std::size_t longest_request = 8u << 10;
constexpr std::size_t longest_answer = 4u << 20;
constexpr std::chrono::seconds request_time{10};
/// How long `now` is waited for.
constexpr std::chrono::seconds now_time{60};

}  // namespace

StatusServer::StatusServer(const std::string& directory, Handlers handlers)
    : handlers_(std::move(handlers)), listener_(directory, "status.sock", std::nullopt) {}

void StatusServer::add_polls(std::vector<pollfd>& polls) const {
  polls.push_back({listener_.fd(), POLLIN, 0});
  for (const auto& client : clients_)
    polls.push_back({client.fd.get(), static_cast<short>(client.out.empty() ? POLLIN : POLLIN | POLLOUT), 0});
}

std::optional<Time> StatusServer::next() const {
  std::optional<Time> next;
  for (const auto& client : clients_) {
    if (!client.follows) next = std::min(next.value_or(client.until), client.until);
  }
  return next;
}

void StatusServer::handle(const std::vector<pollfd>& polls, Time now) {
  for (auto& client : clients_) {
    const auto entry = std::find_if(polls.begin(), polls.end(), [&](const pollfd& p) { return p.fd == client.fd.get(); });
    if (entry != polls.end() && (entry->revents & POLLOUT)) write(client);
    if (entry != polls.end() && (entry->revents & (POLLIN | POLLHUP | POLLERR))) read(client, now);
    if (client.fd && !client.follows && now >= client.until) give_up(client, now);
  }
  clients_.remove_if([](const Client& client) { return !client.fd; });
  accept(now);
}

/// One that waits for a sync learns how far it is; any other had its time.
void StatusServer::give_up(Client& client, Time now) {
  if (client.ticket == 0 || client.closing) return client.fd.reset();
  client.ticket = 0;
  client.closing = true;
  client.until = now + request_time;
  say(client, to_json(handlers_.status()));
  write(client);
}

void StatusServer::accept(Time now) {
  while (auto fd = listener_.accept()) {
    if (clients_.size() >= most_clients) continue;
    auto& client = clients_.emplace_back();
    client.fd = std::move(fd);
    client.until = now + request_time;
    if (!may_connect(credentials_of(client.fd.get()), std::nullopt)) {
      say(client, to_json(Error(ErrorCode::refused, "only root and the owner of the Pi-hole may ask the daemon", "run it with sudo")));
      client.closing = true;
      write(client);
    }
  }
}

void StatusServer::read(Client& client, Time now) {
  std::array<char, 4096> buffer;
  while (client.fd) {
    const auto n = ::read(client.fd.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) return client.fd.reset();
    // One request each; what a follower says further is not for us.
    if (client.follows || client.closing || client.ticket != 0) continue;
    client.in.append(buffer.data(), static_cast<std::size_t>(n));
    if (const auto end = client.in.find('\n'); end != std::string::npos)
      answer(client, client.in.substr(0, end), now);
    else if (client.in.size() > longest_request)
      client.fd.reset();
  }
}

void StatusServer::answer(Client& client, const std::string& line, Time now) {
  client.closing = true;
  try {
    const auto request = request_from_json(line);
    if (request.command == "now") {
      client.closing = false;
      client.ticket = handlers_.now();
      client.until = now + now_time;
      return;
    }
    if (request.command == "monitor") {
      client.follows = true;
      client.closing = false;
      return;
    }
    if (request.command == "pause")
      handlers_.pause(request.peer, request.why);
    else if (request.command == "resume")
      handlers_.resume(request.peer);
    else if (request.command != "status")
      throw Error(ErrorCode::protocol, fmt::format("the daemon knows no request '{}'", util::printable(request.command)));
    say(client, to_json(handlers_.status()));
  } catch (const Error& error) {
    say(client, to_json(error));
  }
  write(client);
}

void StatusServer::publish(const Event& event) {
  const auto line = to_json(event);
  for (auto& client : clients_) {
    if (!client.follows) continue;
    say(client, line);
    write(client);
  }
}

void StatusServer::done(std::uint64_t ticket) {
  for (auto& client : clients_) {
    if (client.ticket == 0 || client.ticket > ticket) continue;
    client.ticket = 0;
    client.closing = true;
    say(client, to_json(handlers_.status()));
    write(client);
  }
}

void StatusServer::say(Client& client, const std::string& line) {
  client.out += line;
  client.out += '\n';
}

void StatusServer::write(Client& client) {
  while (client.fd && !client.out.empty()) {
    const auto n = ::send(client.fd.get(), client.out.data(), client.out.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n >= 0)
      client.out.erase(0, static_cast<std::size_t>(n));
    else if (errno != EINTR)
      break;
  }
  if (client.out.size() > longest_answer || (client.out.empty() && client.closing)) client.fd.reset();
}

}  // namespace gsync::daemon
