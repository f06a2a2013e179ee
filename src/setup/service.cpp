#include "gsync/setup/service.hpp"

#include <fmt/format.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <optional>

#include "gsync/util/error.hpp"
#include "gsync/util/files.hpp"
#include "gsync/util/subprocess.hpp"
#include "gsync/util/text.hpp"
#include "started_by_root.hpp"

namespace gsync::setup {
namespace {

constexpr const char* units[] = {"gravity-sync-agent.socket", "gravity-sync-status.socket", "gravity-sync.service"};
constexpr const char* unit_directory = "/etc/systemd/system";
/// Of all drop-ins for our units only these are ours.
constexpr const char* owner_drop_in = "auto.conf";
constexpr const char* root_drop_in = "started-by-root.conf";
constexpr const char* metrics_drop_in = "metrics.conf";
constexpr const char* cron_directory = "/etc/cron.d";
constexpr const char* cron_file = "/etc/cron.d/gravity-sync";
constexpr const char* cron_mark = "# Written by `gravity-sync auto on`.";

std::string drop_in(const std::string& unit, const char* name) {
  return fmt::format("{}/{}.d/{}", unit_directory, unit, name);
}

/// As a word of a unit file (systemd.syntax(7)); "%" would begin a specifier.
std::string quoted(const std::string& path) {
  std::string result = "\"-";
  for (char c : path) {
    if (c == '"' || c == '\\') result += '\\';
    if (c == '%') result += '%';
    result += c;
  }
  return result + "\"";
}

/// ProtectHome= would cover it.
bool is_in_a_home(const std::string& path) {
  return path.starts_with("/home/") || path.starts_with("/root/") || path.starts_with("/run/user/");
}

bool is_as_packaged(const config::Config& config, const pihole::Installation& installation, uid_t packaged_user) {
  return installation.owner == packaged_user && installation.directory == "/etc/pihole" &&
         installation.gravity_database.starts_with("/etc/pihole/") && config.node.state_directory == config::NodeConfig{}.state_directory;
}

std::optional<uid_t> uid_of(const char* name) {
  std::vector<char> buffer(16384);
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwnam_r(name, &entry, buffer.data(), buffer.size(), &found) != 0 || !found) return std::nullopt;
  return found->pw_uid;
}

/// The owner by number: on the host of a container he may have no name.
void run_as_owner(ServicePlan& plan, const config::Config& config, const pihole::Installation& installation) {
  std::vector<std::string> paths = installation.directories();
  paths.push_back(config.node.state_directory);
  std::vector<std::string> words;
  bool home = false;
  for (const auto& path : paths) {
    if (std::ranges::any_of(path, [](char c) { return static_cast<unsigned char>(c) < 0x20; }))
      throw Error(ErrorCode::config, fmt::format("{} cannot stand in a unit file", util::printable(path)), "rename that directory");
    words.push_back(quoted(path));
    home = home || is_in_a_home(path);
  }
  plan.drop_ins[drop_in("gravity-sync.service", owner_drop_in)] = fmt::format(
      "# Written by `gravity-sync auto on`.\n[Unit]\nConditionPathExists=\n\n[Service]\nUser={}\nGroup={}\nReadWritePaths={}\n{}",
      installation.owner, installation.group, fmt::join(words, " "), home ? "ProtectHome=no\n" : "");
  for (const char* socket : {units[0], units[1]})
    plan.drop_ins[drop_in(socket, owner_drop_in)] = fmt::format(
        "# Written by `gravity-sync auto on`.\n[Socket]\nExecStartPre=\n"
        "ExecStartPre=/usr/bin/install -d -m 0755 -o {0} -g {1} /run/gravity-sync\nSocketUser={0}\n",
        installation.owner, installation.group);
  plan.why = fmt::format("the service runs as user {}, who owns {}", installation.owner, installation.directory);
}

/// The unit's service writes nowhere else.
void let_metrics_be_written(ServicePlan& plan, const std::string& file) {
  const auto directory = file.substr(0, file.rfind('/'));
  if (directory.empty() || std::ranges::any_of(directory, [](char c) { return static_cast<unsigned char>(c) < 0x20; }))
    throw Error(ErrorCode::config, fmt::format("{} cannot stand in a unit file", util::printable(file)), "name another metrics_file");
  plan.drop_ins[drop_in("gravity-sync.service", metrics_drop_in)] =
      fmt::format("# Written by `gravity-sync auto on`, for [daemon] metrics_file.\n[Service]\nReadWritePaths={}\n", quoted(directory));
}

util::CommandResult systemctl(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "systemctl");
  return util::run({.argv = std::move(arguments)}, util::Deadline::in(std::chrono::seconds(120)));
}

/// `unit` is the one that its log is asked for.
void must(const std::vector<std::string>& arguments, const std::string& unit = "gravity-sync.service") {
  const auto result = systemctl(arguments);
  if (result.exit_code != 0)
    throw Error(ErrorCode::io, fmt::format("systemctl {} failed: {}", fmt::join(arguments, " "), util::words_of(result)),
                fmt::format("journalctl -u {} and `systemctl status {}` say why", unit, unit));
}

void require_root(const char* command) {
  if (::geteuid() != 0)
    throw Error(ErrorCode::refused, "only root turns services on and off", fmt::format("run: sudo gravity-sync {}", command));
}

/// True when something changed.
bool remove_file(const std::string& path, const Say& say) {
  if (::access(path.c_str(), F_OK) != 0) return false;
  say("removing " + path);
  if (::unlink(path.c_str()) != 0) throw_errno(errno, "cannot remove " + path);
  // With others in it, it stays.
  ::rmdir(path.substr(0, path.rfind('/')).c_str());
  return true;
}

bool remove_drop_ins_but(const ServicePlan& plan, const Say& say) {
  bool changed = false;
  for (const char* unit : units) {
    for (const char* name : {owner_drop_in, root_drop_in, metrics_drop_in}) {
      const auto path = drop_in(unit, name);
      if (!plan.drop_ins.contains(path)) changed = remove_file(path, say) || changed;
    }
  }
  return changed;
}

void write_drop_in(const std::string& path, const std::string& content, const Say& say) {
  if (util::read_file(path) == content) return;
  say("writing " + path);
  const auto directory = path.substr(0, path.rfind('/'));
  if (::mkdir(directory.c_str(), 0755) != 0 && errno != EEXIST) throw_errno(errno, "cannot make the directory " + directory);
  util::replace_file(path, content, 0644);
}

bool is_our_cron_file() {
  const auto text = util::read_file(cron_file);
  return text && text->starts_with(cron_mark);
}

}  // namespace

ServicePlan plan_service(const config::Config& config, const pihole::Installation& installation) {
  if (config.daemon.run_directory != config::DaemonConfig{}.run_directory)
    throw Error(ErrorCode::config,
                fmt::format("the service has its sockets in {}, and [daemon] run_directory is {}", config::DaemonConfig{}.run_directory,
                            config.daemon.run_directory),
                "leave run_directory out");
  ServicePlan plan;
  if (!config.daemon.metrics_file.empty()) let_metrics_be_written(plan, config.daemon.metrics_file);
  if (installation.generation == pihole::Generation::v5 || installation.container || installation.owner == 0) {
    plan.drop_ins[drop_in("gravity-sync.service", root_drop_in)] = started_by_root;
    plan.on = {"gravity-sync.service"};
    plan.off = {units[0], units[1]};
    plan.why = installation.container
                   ? fmt::format("root starts the service, because only root may ask about {}", installation.container->label())
               : installation.owner == 0 ? std::string("the service runs as root, who owns the Pi-hole")
                                         : std::string("root starts the service, because the records of a Pi-hole 5 are root's files");
    return plan;
  }
  plan.on.assign(std::begin(units), std::end(units));
  const auto packaged = uid_of("pihole");
  if (!packaged || !is_as_packaged(config, installation, *packaged)) run_as_owner(plan, config, installation);
  return plan;
}

std::string cron_table(const config::Config& config, const std::string& program) {
  if (config.peers.empty())
    throw Error(ErrorCode::config, "there is no peer to sync with", "add a [[peer]]: sudo gravity-sync config init");
  std::string option;
  // cron runs it elsewhere.
  if (!config.path.empty() && config.path != config::default_path) option = std::filesystem::absolute(config.path).lexically_normal();
  for (char c : program + option) {
    // cron makes a line break of "%".
    if (c == ' ' || c == '%' || c == '\'' || c == '"' || c == '$' || c == '`' || c == ';' || c == '&' || c == '|' ||
        static_cast<unsigned char>(c) < 0x20)
      throw Error(ErrorCode::config, fmt::format("'{}' cannot stand in a crontab", util::printable(option.empty() ? program : option)),
                  "use a plain path");
  }
  if (!option.empty()) option.insert(0, " --config ");
  auto table = fmt::format(
      "{}\n# Every five minutes; --cron stands aside while the daemon runs, and while the last one is still at work.\n"
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n",
      cron_mark);
  for (const auto& peer : config.peers) {
    const auto* mode = peer.mode == config::Mode::pull ? "pull" : peer.mode == config::Mode::push ? "push" : "sync";
    table += fmt::format("*/5 * * * * root {}{} {} {} --cron --quiet\n", program, option, mode, peer.name);
  }
  return table;
}

std::optional<Error> left_by_the_script() {
  constexpr const char* timer = "/etc/systemd/system/gravity-sync.timer";
  constexpr const char* service = "/etc/systemd/system/gravity-sync.service";
  constexpr const char* program = "/usr/local/bin/gravity-sync";
  if (::access(timer, F_OK) == 0)
    return Error(
        ErrorCode::refused, fmt::format("{} is of the retired gravity-sync script, and goes on starting gravity-sync.service", timer),
        fmt::format("take it away: sudo systemctl disable --now gravity-sync.timer; sudo rm {}; sudo systemctl daemon-reload", timer));
  const auto unit = util::read_file(service);
  if (unit && unit->find("gravity-sync daemon") == std::string::npos)
    return Error(ErrorCode::refused, fmt::format("{} is not this program's unit, perhaps that of the retired gravity-sync script", service),
                 fmt::format("take it away: sudo systemctl stop gravity-sync.service; sudo rm {}; sudo systemctl daemon-reload", service));
  // systemd, as a shell, looks there before it looks in /usr/bin.
  struct stat own {};
  struct stat packaged {};
  struct stat other {};
  if (::stat("/proc/self/exe", &own) == 0 && ::stat("/usr/bin/gravity-sync", &packaged) == 0 && ::stat(program, &other) == 0 &&
      own.st_ino == packaged.st_ino && own.st_dev == packaged.st_dev && own.st_ino != other.st_ino)
    return Error(ErrorCode::refused, fmt::format("{} is another gravity-sync, and the service would run that one", program),
                 fmt::format("look at it, and take it away: sudo rm {}", program));
  return std::nullopt;
}

bool has_systemd() {
  return ::access("/run/systemd/system", F_OK) == 0;
}

void turn_on(const ServicePlan& plan, const Say& say) {
  require_root("auto on");
  if (const auto left = left_by_the_script()) throw Error(*left);
  for (const auto& unit : plan.on) {
    if (const auto shown = systemctl({"cat", unit}); shown.exit_code != 0)
      throw Error(ErrorCode::not_found, fmt::format("systemd does not know {}: {}", unit, util::words_of(shown)),
                  "the package installs it; by hand: see packaging/systemd");
  }
  if (is_our_cron_file()) remove_file(cron_file, say);
  remove_drop_ins_but(plan, say);
  for (const auto& [path, content] : plan.drop_ins) write_drop_in(path, content, say);
  must({"daemon-reload"});
  for (const auto& unit : plan.off) {
    if (systemctl({"is-enabled", unit}).exit_code != 0 && systemctl({"is-active", unit}).exit_code != 0) continue;
    say("stopping " + unit);
    must({"disable", "--now", unit}, unit);
  }
  say(fmt::format("enabling and starting {}", fmt::join(plan.on, ", ")));
  std::vector<std::string> enable{"enable"};
  enable.insert(enable.end(), plan.on.begin(), plan.on.end());
  must(enable);
  // Restarted, so that one that runs already is what the drop-ins say; the service before its sockets, which cannot listen while it does.
  systemctl({"stop", "gravity-sync.service"});
  for (const auto& unit : plan.on) must({"restart", unit}, unit);
}

void turn_on_cron(const std::string& table, const Say& say) {
  require_root("auto on");
  struct stat st {};
  if (::stat(cron_directory, &st) != 0 || !S_ISDIR(st.st_mode))
    throw Error(ErrorCode::not_found, "this host has neither systemd nor a cron that reads /etc/cron.d",
                "have `gravity-sync daemon` started with the host in another way");
  if (::access(cron_file, F_OK) == 0 && !is_our_cron_file())
    throw Error(ErrorCode::refused, fmt::format("{} was not written by `gravity-sync auto on`", cron_file), "look at it, and remove it");
  say(fmt::format("writing {}", cron_file));
  util::replace_file(cron_file, table, 0644);
}

void turn_off(const Say& say) {
  require_root("auto off");
  if (is_our_cron_file()) remove_file(cron_file, say);
  if (!has_systemd()) return;
  for (const char* unit : units) {
    if (systemctl({"cat", unit}).exit_code != 0) continue;
    say(fmt::format("stopping and disabling {}", unit));
    must({"disable", "--now", unit}, unit);
  }
}

void remove_drop_ins(const Say& say) {
  require_root("purge");
  if (remove_drop_ins_but({}, say) && has_systemd()) must({"daemon-reload"});
}

}  // namespace gsync::setup
