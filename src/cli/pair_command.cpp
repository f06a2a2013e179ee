#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>

#include "ask.hpp"
#include "commands.hpp"
#include "gsync/setup/admin_session.hpp"
#include "gsync/setup/doctor.hpp"
#include "gsync/setup/service.hpp"
#include "gsync/ssh/keys.hpp"
#include "gsync/util/files.hpp"
#include "gsync/util/memory.hpp"
#include "gsync/util/text.hpp"
#include "host.hpp"

namespace gsync::cli {
namespace {

using Json = nlohmann::json;
using Words = std::vector<std::string>;

/// gravity-sync on one of the two hosts, as root. What it does is what a person would do there by hand.
struct Host {
  std::string label;
  std::function<util::CommandResult(const Words& words)> run;

  /// The result of a command with --json. What it refuses is our Error, with the host's name.
  Json ask(Words words) const {
    words.emplace_back("--json");
    const auto result = run(words);
    auto json = Json::parse(result.output, nullptr, false);
    if (json.is_discarded() || !json.is_object())
      throw Error(ErrorCode::io, fmt::format("gravity-sync {} failed on {}: {}", words.front(), label, util::words_of(result)),
                  fmt::format("run it there by hand: sudo gravity-sync {}", words.front()));
    if (json.contains("error")) {
      const auto& error = json["error"];
      throw Error(ErrorCode::io, fmt::format("{}: {}", label, util::printable(error.value("message", ""))),
                  util::printable(error.value("hint", "")));
    }
    return json;
  }
};

std::string text_of(const Json& json, const char* key) {
  return json.contains(key) && json[key].is_string() ? json[key].get<std::string>() : std::string();
}

/// A name for the configuration: of "ph2.lan" what is before the dot, of an address all of it.
std::string name_for(const std::string& host) {
  const bool address = host.find_first_not_of("0123456789.:") == std::string::npos || host.find(':') != std::string::npos;
  auto name = address ? host : host.substr(0, host.find('.'));
  for (char& c : name) {
    if (c == ':' || c == '%') c = '-';
  }
  return name.substr(std::min(name.find_first_not_of('-'), name.size()));
}

/// Debian's name of a machine; empty where there is no package for it.
std::string_view architecture_of(std::string_view machine) {
  if (machine == "x86_64") return "amd64";
  if (machine == "aarch64") return "arm64";
  if (machine == "armv7l" || machine == "armv8l") return "armhf";
  return {};
}

class Pairing {
 public:
  Pairing(const Invocation& invocation, Output& output)
      : invocation_(invocation),
        output_(output),
        config_(present_configuration(invocation)),
        admin_(setup::parse_admin(invocation.pair.admin)) {
    admin_.port = invocation.first.port;
    admin_.identities = admin_identities(invocation.pair.identity);
    name_ = invocation.peer.empty() ? name_for(admin_.host) : invocation.peer;
    for (const auto& peer : config_.peers) {
      if (invocation.peer.empty() && peer.host == admin_.host) name_ = peer.name;
    }
    if (const auto fault = config::fault_in_name(name_); !fault.empty())
      throw Error(ErrorCode::config, fmt::format("the name '{}' {}", util::printable(name_), fault), "give it another one: --name NAME");
    here_ = {"this host", [this](const Words& words) { return run_here(invocation_, words); }};
  }

  void run() {
    for (const auto& finding : setup::check_choice(config_)) throw Error(ErrorCode::refused, finding.text, finding.hint);
    const auto detected = pihole::detect(config_.pihole);
    output_.detail(fmt::format("the Pi-hole here: {}", detected.directory));
    try {
      connect();
      let_us_in();
      check_login();
      if (invocation_.pair.both) other_direction();
    } catch (...) {
      take_back();
      throw;
    }
    undo_.clear();
    const auto first = first_sync();
    if (first == "nothing") {
      output_.say(
          fmt::format("The two are connected, and nothing was synced. `sudo gravity-sync pull {0}` makes this Pi-hole as {0} is, "
                      "push the other way round, `sync {0} --union` joins both; then: sudo gravity-sync auto on",
                      name_));
      return;
    }
    output_.step("having this Pi-hole synced by itself from now on");
    if (const auto result = here_.run({"auto", "on", "--quiet"}); result.exit_code != 0)
      output_.warn(fmt::format("{}\n  the two are connected; `sudo gravity-sync auto on` tries this again", error_in(result).what()));
    output_.done(fmt::format("{} is paired; `gravity-sync status` shows what the daemon does with it", name_));
  }

 private:
  /// What a later failure has to take back.
  void undo_with(std::string what, std::function<void()> action) { undo_.emplace_back(std::move(what), std::move(action)); }
  void take_back() {
    for (auto each = undo_.rbegin(); each != undo_.rend(); ++each) {
      output_.step("taking back: " + each->first);
      try {
        each->second();
      } catch (const Error& error) {
        output_.warn(fmt::format("could not be taken back: {}: {}", each->first, error.what()));
      }
    }
    undo_.clear();
  }

  void write_peer() {
    const auto path = config::chosen_path(invocation_.config);
    output_.step(fmt::format("writing the peer {} into {}", name_, path));
    const auto before = util::read_file(path);
    Words words{"config", "peer", name_, "--host", admin_.host};
    if (admin_.port != 0) words.insert(words.end(), {"--port", std::to_string(admin_.port)});
    if (!invocation_.first.mode.empty()) words.insert(words.end(), {"--mode", invocation_.first.mode});
    const auto result = run_here(invocation_, words);
    if (result.exit_code != 0) throw error_in(result, "nothing was changed");
    if (util::read_file(path) == before) return;
    undo_with(path, [path, before] {
      if (before)
        util::replace_file(std::filesystem::canonical(path), *before);
      else
        ::unlink(path.c_str());
    });
  }

  void trust_host_key() {
    output_.step(fmt::format("asking {} for its host key", admin_.host));
    const auto shown = here_.ask({"trust", name_});
    const auto fingerprint = text_of(shown, "fingerprint");
    admin_.host_key = text_of(shown, "public_key");
    if (text_of(shown, "state") == "changed")
      throw Error(
          ErrorCode::host_key,
          fmt::format("{} shows ANOTHER host key than the one that was trusted before: it was set up anew, or somebody stands in between",
                      admin_.host),
          fmt::format("only if you know why: sudo gravity-sync trust {}", name_));
    if (!invocation_.fingerprint.empty() && invocation_.fingerprint != fingerprint)
      throw Error(ErrorCode::host_key, fmt::format("{} shows another host key ({}) than --fingerprint says", admin_.host, fingerprint),
                  "if that one was read on the host itself, somebody else answers in its place");
    if (text_of(shown, "state") == "known") return;
    if (invocation_.fingerprint.empty()) {
      output_.say(fmt::format("{} shows the {} key {}", admin_.host, text_of(shown, "key_type"), fingerprint));
      if (!can_ask())
        throw Error(ErrorCode::host_key, "nobody is there to be asked whether that is the right one",
                    fmt::format("compare it with what `ssh-keygen -lf` prints on {}, and say: --fingerprint {}", admin_.host, fingerprint));
      if (!confirm(output_,
                   fmt::format("Is that what `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` (or its like) prints on {}?", admin_.host)))
        throw Error(ErrorCode::host_key, "the host key was not accepted", "nothing was changed");
    }
    here_.ask({"trust", name_, "--fingerprint", fingerprint});
    undo_with("the trust in its host key", [this] { here_.ask({"trust", name_, "--remove"}); });
  }

  void connect() {
    write_peer();
    output_.step("reading this Pi-hole's key, or making one");
    key_ = text_of(here_.ask({"key"}), "public_key");
    trust_host_key();
    output_.step(fmt::format("logging in to {} as {}", admin_.host, admin_.user));
    session_.emplace(admin_);
    facts_ = session_->facts();
    there_ = {admin_.host, [this](const Words& words) { return session_->gravity_sync(words); }};
    check_version();
    session_->become_root(facts_, [&](const std::string& question) {
      if (!can_ask())
        throw Error(ErrorCode::auth, fmt::format("sudo on {} asks for a password, and nobody is there to be asked", admin_.host),
                    "run this in a terminal, or log in as root");
      return ask_secret(output_, question);
    });
  }

  void check_version() {
    const auto json = Json::parse(facts_.version, nullptr, false);
    if (facts_.version.empty() || json.is_discarded()) {
      const auto architecture = architecture_of(facts_.machine);
      if (architecture.empty())
        throw Error(ErrorCode::not_found,
                    fmt::format("gravity-sync is not on {}, and there is no package for its machine ({})", admin_.host, facts_.machine),
                    "there are packages for amd64, arm64 and armhf (ARMv7 and newer)");
      throw Error(
          ErrorCode::not_found, fmt::format("gravity-sync is not installed on {}", admin_.host),
          fmt::format("scp gravity-sync_{0}_{1}.deb {2}: && ssh -t {2} sudo apt install ./gravity-sync_{0}_{1}.deb; then run this again",
                      software_version(), architecture, session_->label()));
    }
    const auto protocol = json.value("protocol", 0u);
    if (protocol == protocol::protocol_version) return;
    throw Error(ErrorCode::protocol,
                fmt::format("gravity-sync there is {} (protocol {}), here {} (protocol {}): these two cannot talk",
                            text_of(json, "version"), protocol, software_version(), protocol::protocol_version),
                fmt::format("update the one on {}", protocol < protocol::protocol_version ? admin_.host : "this host"));
  }

  /// What would make a login of the account, or its agent, fail there. More is seen when somebody was let in.
  void check_there(bool let_in) {
    if (!let_in) output_.step(fmt::format("looking at the Pi-hole and the sshd of {}", admin_.host));
    for (const auto& finding : there_.ask({"doctor"}).value("findings", Json::array())) {
      const auto subject = text_of(finding, "subject");
      if (text_of(finding, "verdict") != "wrong") continue;
      const auto text = fmt::format("{}: {}: {}", admin_.host, subject, util::printable(text_of(finding, "text")));
      if (subject == "Pi-hole" || subject == "SSH account" || subject == "sshd" || subject == "configuration" || subject == "disk")
        throw Error(ErrorCode::refused, text, util::printable(text_of(finding, "hint")));
      if (!let_in) output_.warn(text);
    }
  }

  void let_in(const Host& host, const std::string& name, const std::string& key) {
    const auto bare = key.substr(0, key.find(' ', key.find(' ') + 1));
    const auto accepted = host.ask({"accept", name, "--key", bare});
    const auto replaced = text_of(accepted, "replaced");
    if (!replaced.empty()) {
      output_.warn(fmt::format(
          "{0} let another key in as {1} before, and does not any more: if it is another Pi-hole's, give each a name of its own "
          "([node] name), and pair both again",
          host.label, name));
      undo_with(fmt::format("the key of {} on {}, which is the one of before again", name, host.label),
                [&host, name, replaced, read_only = accepted.value("replaced_read_only", false)] {
                  Words words{"accept", name, "--key", replaced};
                  if (read_only) words.push_back("--read-only");
                  host.ask(words);
                });
      return;
    }
    if (accepted.value("before", false)) return;
    undo_with(fmt::format("the key of {} on {}", name, host.label), [&host, name] { host.ask({"accept", name, "--remove"}); });
  }

  void let_us_in() {
    check_there(false);
    own_name_ = config_.node.name;
    output_.step(fmt::format("letting this Pi-hole's key in on {}, as {}, for the agent only", admin_.host, own_name_));
    let_in(there_, own_name_, key_);
    // Without systemd we start no daemon there, so the account may have to serve us itself.
    if (!facts_.systemd) return check_there(true);
    if (session_->as_root({"systemctl", "is-enabled", "--quiet", "gravity-sync.service"}).exit_code == 0 &&
        session_->as_root({"systemctl", "is-active", "--quiet", "gravity-sync.service"}).exit_code == 0)
      return;
    output_.step(fmt::format("starting the daemon on {}", admin_.host));
    const auto result = there_.run({"auto", "on", "--quiet"});
    if (result.exit_code != 0) throw error_in(result, "run it there by hand: sudo gravity-sync auto on").within(admin_.host);
    undo_with(fmt::format("the daemon on {}", admin_.host), [this] { there_.run({"auto", "off", "--quiet"}); });
  }

  /// Shows what doctor says of the peer. Only what keeps us out ends it, and a disk on which no sync has room.
  void check_login() {
    output_.step(fmt::format("logging in with this Pi-hole's own key, and looking whether all is well (doctor {})", name_));
    for (const auto& finding : here_.ask({"doctor", name_}).value("findings", Json::array())) {
      const auto verdict = text_of(finding, "verdict");
      const auto subject = text_of(finding, "subject");
      const auto text = fmt::format("{}: {}", subject, util::printable(text_of(finding, "text")));
      const auto remedy = util::printable(text_of(finding, "hint"));
      if (verdict == "wrong" && subject == "peer " + name_) throw Error(ErrorCode::auth, text, remedy);
      if (verdict == "wrong" && subject == "disk") throw Error(ErrorCode::no_space, text, remedy);
      if (verdict == "good") {
        output_.detail(text);
        continue;
      }
      output_.warn(remedy.empty() ? text : fmt::format("{}\n  {}", text, remedy));
    }
  }

  void other_direction() {
    const auto& options = invocation_.pair;
    const auto address = options.own_address.empty() ? facts_.our_address : options.own_address;
    const auto there_is = [&](const Words& words, const std::string& step) {
      const auto result = there_.run(words);
      if (result.exit_code != 0) throw error_in(result, "run it there by hand").within(fmt::format("{}: {}", admin_.host, step));
    };
    output_.step(fmt::format("having {} connect to this Pi-hole at {} as well", admin_.host, address));
    Words words{"config", "peer", own_name_, "--host", address};
    if (options.own_port != 0) words.insert(words.end(), {"--port", std::to_string(options.own_port)});
    if (!invocation_.first.mode.empty() && invocation_.first.mode != "sync")
      words.insert(words.end(), {"--mode", invocation_.first.mode == "pull" ? "push" : "pull"});
    there_is(words, "its configuration");
    undo_with(fmt::format("the peer {} on {}", own_name_, admin_.host), [this] { there_.run({"config", "peer", own_name_, "--remove"}); });
    let_in(here_, name_, text_of(there_.ask({"key"}), "public_key"));
    // Our keys go to it over the connection that is authenticated already.
    const auto shown = there_.ask({"trust", own_name_});
    bool ours = false;
    for (const auto& file : setup::own_host_keys()) {
      const auto text = util::read_file(file);
      ours = ours || (text && ssh::parse_public_key(*text, file).fingerprint == text_of(shown, "fingerprint"));
    }
    if (!ours)
      throw Error(ErrorCode::host_key, fmt::format("what answers {} at {} is not this host's sshd", admin_.host, address),
                  "name this host's address as it is reached from there: --own-address, --own-port");
    there_.ask({"trust", own_name_, "--fingerprint", text_of(shown, "fingerprint")});
    if (setup::has_systemd()) here_.run({"auto", "on", "--quiet"});
    for (const auto& finding : there_.ask({"doctor", own_name_}).value("findings", Json::array())) {
      if (text_of(finding, "verdict") == "wrong" && text_of(finding, "subject") == "peer " + own_name_)
        throw Error(ErrorCode::auth, fmt::format("{}: {}", admin_.host, util::printable(text_of(finding, "text"))),
                    util::printable(text_of(finding, "hint")));
    }
  }

  /// Lets a person see the two beside each other, and carries out what he says.
  std::string first_sync() {
    const auto compared = run_here(invocation_, {"compare", name_, "--exit-code"});
    if (compared.exit_code != 0 && compared.exit_code != 3)
      throw error_in(compared).within(fmt::format("the two are connected, and cannot be compared (gravity-sync compare {})", name_));
    if (compared.exit_code == 0) {
      output_.say("Both are the same already.");
      return "both";
    }
    output_.say(compared.output);
    auto first = invocation_.pair.first;
    if (first.empty() && can_ask())
      first = answer(
          ask(output_,
              fmt::format("Which is right? \"here\": make {0} as this Pi-hole is. \"there\": make this one as {0} is. \"both\": join them. "
                          "\"nothing\": not now",
                          name_),
              "both"));
    if (first.empty() || first == "nothing") return "nothing";
    const Words words = first == "both" ? Words{"sync", name_, "--union"} : Words{first, name_};
    output_.step(fmt::format("gravity-sync {}", fmt::join(words, " ")));
    const auto result = run_here(invocation_, words);
    output_.say(result.output);
    if (result.exit_code != 0)
      throw error_in(result).within(
          fmt::format("the two are connected, and the first sync failed (gravity-sync {})", fmt::join(words, " ")));
    return first;
  }
  static std::string answer(const std::string& word) {
    return word == "here" ? "push" : word == "there" ? "pull" : word == "both" ? "both" : "nothing";
  }

  const Invocation& invocation_;
  Output& output_;
  config::Config config_;
  setup::Admin admin_;
  std::string name_;
  std::string own_name_;
  std::string key_;
  std::optional<setup::AdminSession> session_;
  setup::AdminSession::Facts facts_;
  Host here_;
  Host there_;
  std::vector<std::pair<std::string, std::function<void()>>> undo_;
};

}  // namespace

ExitCode run_pair(const Invocation& invocation, Output& output) {
  require_root("pair");
  util::hide_memory();
  Pairing(invocation, output).run();
  return ExitCode::done;
}

}  // namespace gsync::cli
