#include "gsync/pihole/container.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>

#include "gsync/pihole/ftl.hpp"
#include "gsync/util/codec.hpp"
#include "gsync/util/error.hpp"
#include "gsync/util/text.hpp"

namespace gsync::pihole {
namespace {

constexpr auto inspect_deadline = std::chrono::seconds(20);
constexpr auto grace = std::chrono::seconds(2);  // for the answer of a helper that has just reached its deadline

std::string_view name_of(config::Runtime runtime) {
  return runtime == config::Runtime::podman ? "podman" : "docker";
}

/// The whole path, so that what is run later, perhaps with other rights, is what was found now.
std::string find_command(std::string_view name) {
  const char* path = std::getenv("PATH");
  for (auto directory : util::split(path ? path : "/usr/local/bin:/usr/bin:/bin", ':')) {
    auto candidate = fmt::format("{}/{}", directory, name);
    if (directory.starts_with('/') && ::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  throw Error(ErrorCode::not_found, fmt::format("[pihole] runtime is \"{0}\", and there is no command {0} in PATH", name),
              "install it, or correct [pihole] runtime; \"volume\" needs no command, but cannot set records");
}

/// What goes to the helper that keeps our rights, and what comes back.
struct Order {
  Container::Request request;
  std::int64_t milliseconds = 0;
};
template <class Archive>
void fields(Archive& a, Order& o) {
  a(o.request, o.milliseconds);
}
struct Outcome {
  util::CommandResult result;
};
template <class Archive>
void fields(Archive& a, Outcome& o) {
  auto exit_code = std::int64_t{o.result.exit_code};
  a(exit_code, o.result.output, o.result.errors);
  o.result.exit_code = static_cast<int>(exit_code);
}

bool says(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

/// What docker 20 to 28 and podman 3 to 5 say, which both end with exit codes of little meaning.
[[noreturn]] void cannot_inspect(std::string_view program, const std::string& name, const util::CommandResult& result) {
  const auto words = util::printable(util::trim(result.errors));
  if (says(result.errors, "o such container") || says(result.errors, "no such object")) {
    throw Error(ErrorCode::not_found, fmt::format("{} knows no container '{}'", program, name),
                fmt::format("`{} ps -a` lists those that there are{}; set [pihole] container to the one with Pi-hole", program,
                            program == "podman" ? " (each user has their own: a rootless container is seen by its user only)" : ""));
  }
  if (says(result.errors, "ermission denied")) {
    throw Error(ErrorCode::refused, fmt::format("we may not ask {} about container '{}': {}", program, name, words),
                "run it with sudo; or, without any right to docker, set [pihole] runtime = \"volume\" and directory");
  }
  throw Error(ErrorCode::io, fmt::format("{} container inspect {} failed with exit code {}: {}", program, name, result.exit_code, words),
              fmt::format("does {} run? `{} ps` must work for the user that gravity-sync is started by", program, program));
}

}  // namespace

Container::Container(std::string command, std::string name, Inspection inspection)
    : command_(std::move(command)),
      name_(std::move(name)),
      label_(fmt::format("container {} ({})", name_, command_.substr(command_.rfind('/') + 1))),
      inspection_(std::move(inspection)) {}

std::shared_ptr<Container> Container::find(config::Runtime runtime, const std::string& name, util::Fd helper) {
  const auto program = name_of(runtime);
  auto found = std::make_shared<Container>(helper ? std::string(program) : find_command(program), name);
  if (helper) found->helper_ = std::make_unique<util::HelperProcess>(std::move(helper));
  const auto result = found->run({.action = Action::inspect}, util::Deadline::in(inspect_deadline));
  if (result.exit_code != 0) cannot_inspect(program, name, result);
  found->inspection_ = parse_inspection(result.output, fmt::format("container {}", name));
  return found;
}

void Container::keep_rights() {
  helper_ = std::make_unique<util::HelperProcess>([this](const std::string& message) {
    const auto order = util::decode<Order>(message);
    const auto deadline = util::Deadline::in(std::chrono::milliseconds(order.milliseconds));
    return util::encode(Outcome{run_here(order.request, deadline)});
  });
}

util::CommandResult Container::run(const Request& request, util::Deadline deadline) const {
  if (!helper_) return run_here(request, deadline);
  const auto order = util::encode(Order{request, deadline.remaining().count()});
  return util::decode<Outcome>(helper_->ask(order, util::Deadline::in(deadline.remaining() + grace))).result;
}

util::CommandResult Container::run_here(const Request& request, util::Deadline deadline) const {
  std::vector<std::string> words{command_, "exec", name_};
  const auto add = [&](std::initializer_list<std::string> more) { words.insert(words.end(), more); };
  switch (request.action) {
    case Action::set_records: {
      const auto [key, value] = config_words(request.kind, request.text);
      add({"pihole-FTL", "--config", key, value});
      break;
    }
    case Action::reload_lists:
      add({"pihole", "restartdns", "reload-lists"});
      break;
    case Action::reload_dns:
      add({"pihole", "restartdns", "reload"});
      break;
    case Action::restart_dns:
      add({"pihole", "restartdns"});
      break;
    case Action::test_configuration:
      add({"pihole-FTL", "dnsmasq-test"});
      break;
    case Action::update_gravity:
      add({"pihole", "-g"});
      break;
    case Action::restart:
      words = {command_, "restart", name_};
      break;
    case Action::inspect:
      words = {command_, "container", "inspect", name_};
      break;
  }
  return util::run({.argv = std::move(words), .keep_end = request.action == Action::update_gravity}, deadline);
}

}  // namespace gsync::pihole
