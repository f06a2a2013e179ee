#include "fault/pair.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <new>
#include <set>
#include <stdexcept>
#include <thread>

#include "gsync/config/config.hpp"
#include "gsync/pihole/local_node.hpp"
#include "gsync/protocol/agent.hpp"
#include "gsync/protocol/remote_node.hpp"
#include "gsync/sync/engine.hpp"
#include "gsync/util/clock.hpp"
#include "gsync/util/fd_stream.hpp"
#include "gsync/util/file_ops.hpp"
#include "gsync/util/files.hpp"
#include "support/sql.hpp"
#include "support/two_nodes.hpp"

namespace gsync::test {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr unsigned longest_seconds = 120;  // a run takes milliseconds; sanitizers and a loaded machine some more
constexpr std::array parts{"pihole", "state"};
constexpr uid_t owner = 4711;
/// What is blocked on the target before a run and what after it; and the same of the source, where it is changed as well.
constexpr const char* only_old = "only-old.example";
constexpr const char* only_new = "only-new.example";
constexpr const char* only_old_there = "only-old-there.example";
constexpr const char* only_new_there = "only-new-there.example";

/// Steps of pacing are as long on every machine, and pauses short.
class StepClock final : public util::Clock {
 public:
  std::int64_t unix_time() override { return 1'760'000'000; }
  std::chrono::steady_clock::time_point now() override { return now_ += 20us; }
  void sleep(std::chrono::nanoseconds time) override {
    now_ += time;
    system_.sleep(std::min<std::chrono::nanoseconds>(time, 200us));
  }

 private:
  std::chrono::steady_clock::time_point now_{};
  util::SystemClock system_;
};

/// What a process has of a Pi-hole.
struct OpenNode {
  explicit OpenNode(const Pair::Host& host)
      : state(host.config.node.state_directory, clock), node(host.installation, host.config, state, files, clock, "0.1.0") {}

  StepClock clock;
  util::PosixFileOps files;
  replica::StateStore state;
  pihole::LocalNode node;
};

protocol::Hello hello_of(const OpenNode& node) {
  return {protocol::protocol_version, "0.1.0", node.state.node_id(), node.node.label()};
}

/// They are operations, too, and how many there are must not depend on how long a run takes.
protocol::Limits rare_signs_of_life() {
  protocol::Limits limits;
  limits.give_way = limits.locked;
  return limits;
}

/// A copy that keeps what an Identity looks at but for the inode; `inodes` gets copy and original.
void copy_tree(const std::string& from, const std::string& to, std::vector<std::pair<ino_t, ino_t>>& inodes) {
  struct stat st {};
  if (::lstat(from.c_str(), &st) != 0) throw std::runtime_error(from);
  if (S_ISDIR(st.st_mode)) {
    fs::create_directory(to);
    for (const auto& entry : fs::directory_iterator(from)) copy_tree(entry.path(), to + "/" + entry.path().filename().string(), inodes);
  } else {
    fs::copy_file(from, to);
  }
  const std::array<struct timespec, 2> times{st.st_atim, st.st_mtim};
  if (::lchown(to.c_str(), st.st_uid, st.st_gid) != 0 || ::chmod(to.c_str(), st.st_mode & 07777) != 0 || ::utimensat(AT_FDCWD, to.c_str(), times.data(), 0) != 0) throw std::runtime_error(to);
  struct stat copy {};
  ::lstat(to.c_str(), &copy);
  inodes.emplace_back(copy.st_ino, st.st_ino);
}

Household household() {
  HouseholdSize size;
  size.groups = 3;
  size.adlists = 3;
  size.domains = 14;
  size.clients = 4;
  size.gravity = 90;
  auto result = realistic(5, size);
  for (const auto* domain : {only_old, only_old_there, "contested.example", "edited-here.example", "edited-there.example"})
    result.domains.push_back({domain});
  for (const auto* group : {"used here", "used there"}) result.groups.push_back({group});
  return result;
}

PiholeOptions options_of(const std::string& name, std::uint64_t numbering, const Household& rows) {
  PiholeOptions options;
  options.backups = true;
  options.name = name;
  options.gravity = GravityBuilder().household(rows).numbering(numbering);
  options.dns_hosts.emplace_back("192.168.1.30 clash.lan");
  options.cname_records.emplace_back("alias.lan,printer.lan");
  options.dhcp_hosts.emplace_back("AA:BB:CC:DD:EE:30,192.168.1.30,clash");
  return options;
}

/// The same household before its first `pihole -g`.
Household uncompiled(Household household) {
  for (auto& adlist : household.adlists) adlist.entries = 0, adlist.content.clear();
  return household;
}

sync::Options engine_options(const Scenario& scenario) {
  const auto operation = scenario.operation;
  sync::Options options;
  options.action = operation == Operation::undo                                                     ? model::Action::undo
                   : operation == Operation::sync                                      ? model::Action::sync
                   : operation == Operation::push || operation == Operation::full_push ? model::Action::push
                                                                                       : model::Action::pull;
  options.full = operation == Operation::full_pull || operation == Operation::full_push;
  options.started_by = "a test";
  options.lock_deadline = 10s;
  if (scenario.uncompiled) {
    options.copy_from = 1;
    options.copy_patience = std::chrono::hours(1);
  }
  return options;
}

/// A program that a killed process had started goes on; as a subreaper we inherit it. What was there before (FTL) is no orphan.
class Orphans {
 public:
  Orphans() : known_(children()) { ::prctl(PR_SET_CHILD_SUBREAPER, 1); }
  /// One that ends may leave another one behind.
  void wait() const {
    for (bool any = true; any;) {
      any = false;
      for (const auto pid : children()) {
        if (std::find(known_.begin(), known_.end(), pid) == known_.end()) any = ::waitpid(pid, nullptr, 0) == pid || any;
      }
    }
  }

 private:
  static std::vector<pid_t> children() {
    std::vector<pid_t> result;
    for (const auto& entry : fs::directory_iterator("/proc")) {
      const auto name = entry.path().filename().string();
      if (name.find_first_not_of("0123456789") != std::string::npos) continue;
      try {
        // "PID (COMMAND) STATE PARENT …"
        const auto stat = util::read_file(entry.path() / "stat").value_or("");
        if (const auto end = stat.rfind(") "); end != std::string::npos && std::stoi(stat.substr(end + 4)) == ::getpid()) result.push_back(std::stoi(name));
      } catch (const Error&) {
        // It has ended.
      }
    }
    return result;
  }
  const std::vector<pid_t> known_;
};

config::Config load_with(PiholeDirectory& pihole, const std::string& sync_lines) {
  pihole.set_sync_lines(sync_lines);
  return config::load(pihole.config());
}

bool pushes(Operation operation) { return operation == Operation::push || operation == Operation::full_push; }

}  // namespace

/// A process of a run: it does its work, and says in shared memory how it ended.
class Pair::Process {
 public:
  struct Report {
    Trace trace;
    bool ended;
    bool failed;
    ErrorCode code;
    char what[600];
    bool nothing_to_do;
  };

  /// `work` gives whether there was nothing to do.
  template <class Work>
  explicit Process(Work work) {
    void* memory = ::mmap(nullptr, sizeof(Report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::runtime_error("mmap");
    report_ = new (memory) Report{};
    pid_ = ::fork();
    if (pid_ < 0) throw std::runtime_error("fork");
    if (pid_ > 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::signal(SIGPIPE, SIG_IGN);
    ::umask(077);
    ::alarm(longest_seconds);
    try {
      report_->nothing_to_do = work(report_->trace);
    } catch (const Error& error) {
      report_->failed = true;
      report_->code = error.code();
      std::strncpy(report_->what, error.what(), sizeof report_->what - 1);
    }
    report_->ended = true;
    ::_exit(0);
  }
  ~Process() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      wait();
    }
    ::munmap(report_, sizeof(Report));
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  Ending wait() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    Ending ending;
    ending.nothing_to_do = report_->nothing_to_do;
    if (WIFSIGNALED(status)) {
      ending.killed = WTERMSIG(status) == SIGKILL && report_->trace.happened;
      if (!ending.killed) ending.trouble = fmt::format("ended by signal {} ({})", WTERMSIG(status), ::strsignal(WTERMSIG(status)));
    } else if (!report_->ended) {
      ending.trouble = fmt::format("ended with status {} before its end", WEXITSTATUS(status));
    } else if (report_->failed) {
      ending.error = report_->code;
      ending.what = report_->what;
    }
    return ending;
  }
  const Trace& trace() const { return report_->trace; }

 private:
  Report* report_ = nullptr;
  pid_t pid_ = -1;
};

RecordTexts records_of(const PiholeDirectory& pihole) {
  auto settings = pihole.settings();
  return {std::move(settings.dns_hosts),
          std::move(settings.cname_records),
          std::move(settings.dhcp_hosts),
          {std::to_string(settings.block_ttl)}};
}

std::vector<model::Conflict> conflicts_in_history(const PiholeDirectory& pihole) {
  util::SystemClock clock;
  std::set<model::Conflict> conflicts;
  for (const auto& entry : replica::StateStore(pihole.state(), clock).history(1'000, true))
    conflicts.insert(entry.conflicts.begin(), entry.conflicts.end());
  return {conflicts.begin(), conflicts.end()};
}

Pair::Host::Host(PiholeOptions options, const std::string& root, const std::string& sync_lines)
    : pihole(std::move(options), root), config(load_with(pihole, sync_lines)), installation(pihole::detect(config.pihole)) {}

Pair::Pair(const Scenario& scenario) : scenario_(scenario) {
  auto rows = household();
  const std::string sync_lines = scenario.contradicting ? "settings = [\"dns.blockTTL\"]" : "";
  const auto on_target = scenario.uncompiled ? uncompiled(rows) : rows;
  const bool to_peer = pushes(scenario.operation);
  here_ = std::make_unique<Host>(options_of("ph2", 7, to_peer ? rows : on_target), root_ / "ph2", sync_lines);
  peer_ = std::make_unique<Host>(options_of("ph1", 0, to_peer ? on_target : rows), root_ / "ph1", sync_lines);
  source_ = &(to_peer ? here_ : peer_)->pihole;
  target_ = &(to_peer ? peer_ : here_)->pihole;
  limit_filesystem(scenario.filesystem);
  prepare();
}

/// What the numbers of this pair's files stood for means nothing for those of the next.
Pair::~Pair() {
  show_inodes({});
}

/// What people and `pihole -g` do on the source before the run.
void Pair::edit_source() const {
  const auto temp = source_->gravity() + "_temp";
  fs::copy_file(source_->gravity(), temp);
  {
    Sql sql(temp);
    sql.execute(fmt::format("DELETE FROM domainlist WHERE domain='{}'; INSERT INTO domainlist (type, domain) VALUES (1, '{}')", only_old, only_new));
    sql.execute("UPDATE client SET comment='the new phone' WHERE id=(SELECT min(id) FROM client)");
    sql.execute("INSERT INTO gravity SELECT 'fresh-' || domain, adlist_id FROM gravity WHERE domain NOT LIKE '||%' ORDER BY domain LIMIT 6");
    sql.execute("DELETE FROM gravity WHERE rowid IN (SELECT rowid FROM gravity WHERE domain NOT LIKE 'fresh-%' ORDER BY domain LIMIT 5)");
    sql.execute("UPDATE info SET value=value+60 WHERE property='updated'");
  }
  fs::rename(temp, source_->gravity());
}

/// What people do on both, of which some is against what others do on the other: a field of one row, a row that one edits and the other
/// deletes, a group that one deletes and the other puts something into, a name, an alias, a lease and a setting.
void Pair::contradict() const {
  const auto client = value(source_->gravity(), "SELECT ip FROM client WHERE id=(SELECT min(id) FROM client)");
  const auto without_group = [](const std::string& name) {
    return fmt::format(
        "DELETE FROM domainlist_by_group WHERE group_id=(SELECT id FROM \"group\" WHERE name='{0}'); DELETE FROM \"group\" WHERE "
        "name='{0}';",
        name);
  };
  const auto edited = [](const std::string& domain, const std::string& comment) {
    return fmt::format("UPDATE domainlist SET comment='{}' WHERE domain='{}';", comment, domain);
  };
  const auto in_group = [](const std::string& name) {
    return fmt::format(
        "INSERT INTO domainlist_by_group SELECT d.id, g.id FROM domainlist d, \"group\" g WHERE d.domain='contested.example' AND "
        "g.name='{}';",
        name);
  };
  execute(source_->gravity(), edited("contested.example", "of ph1") + edited("edited-there.example", "of ph1") +
                                  "DELETE FROM domainlist WHERE domain='edited-here.example';" + in_group("used there") +
                                  without_group("used here"));
  execute(target_->gravity(),
          edited("contested.example", "of ph2") + edited("edited-here.example", "of ph2") +
              "DELETE FROM domainlist WHERE domain='edited-there.example';" + in_group("used here") + without_group("used there") +
              "UPDATE domainlist SET enabled=0 WHERE domain='contested.example';" +
              fmt::format("UPDATE client SET comment='the old phone' WHERE ip='{}';", client) +
              fmt::format("DELETE FROM domainlist WHERE domain='{}'; INSERT INTO domainlist (type, domain) VALUES (1, '{}');",
                          only_old_there, only_new_there));
  for (const auto* pihole : {source_, target_}) {
    const int number = pihole == source_ ? 1 : 2;
    auto settings = pihole->settings();
    std::erase(settings.dns_hosts, "192.168.1.30 clash.lan");
    settings.dns_hosts.push_back(fmt::format("192.168.2.{} clash.lan", number));
    settings.dns_hosts.push_back(fmt::format("192.168.3.{0} only-on-ph{0}.lan", number));
    std::erase(settings.cname_records, "alias.lan,printer.lan");
    settings.cname_records.push_back(fmt::format("alias.lan,only-on-ph{}.lan", number));
    std::erase(settings.dhcp_hosts, "AA:BB:CC:DD:EE:30,192.168.1.30,clash");
    settings.dhcp_hosts.push_back(fmt::format("AA:BB:CC:DD:EE:30,192.168.2.{},clash", number));
    settings.block_ttl = static_cast<std::uint32_t>(10 * number);
    pihole->save(settings);
  }
}

void Pair::run_before(Operation operation) {
  const auto wanted = std::exchange(scenario_.operation, operation);
  const auto result = run();
  scenario_.operation = wanted;
  if (!result.initiator.ok()) throw std::runtime_error("the run before: " + result.initiator.what + result.initiator.trouble);
}

void Pair::prepare() {
  if (::geteuid() == 0) {
    // What a root that does not look leaves behind is somebody else's.
    for (const auto* pihole : {source_, target_}) pihole->give_to(owner, owner);
  }
  const auto operation = scenario_.operation;
  if (scenario_.again) {
    // A publish of rows that people edit, which can be made again on the shadow.
    execute(source_->gravity(), "INSERT INTO domainlist (type, domain) VALUES (1, 'earlier.example')");
    run_before(pushes(operation) ? Operation::push : Operation::pull);
    if (operation == Operation::sync) run_before(operation);  // equal, they agree on a base
  }
  if (!scenario_.only_records) edit_source();
  if (scenario_.records || scenario_.only_records) {
    auto settings = source_->settings();
    settings.dns_hosts.emplace_back("192.168.1.77 camera.lan");
    source_->save(settings);
  }
  if (scenario_.contradicting) contradict();
  const bool undo = operation == Operation::undo;
  if (undo) {
    execute(source_->gravity(), "DELETE FROM gravity WHERE adlist_id=(SELECT max(id) FROM adlist); DELETE FROM adlist WHERE id=(SELECT max(id) FROM adlist)");
    run_before(Operation::pull);
    version_ = OpenNode(*here_).state.versions().front().id;
  }
  changed_.push_back({target_, undo ? only_new : only_old, undo ? only_old : only_new});
  if (scenario_.contradicting) changed_.push_back({source_, only_old_there, only_new_there});
  for (auto& node : changed_) {
    node.old_content = content_of(node.pihole->gravity());
    node.old_records = records_of(*node.pihole);
    node.new_content = content_of(source_->gravity());
    node.new_records = records_of(undo ? *target_ : *source_);
  }
  new_lists_ = lists_of(source_->gravity());
  if (scenario_.damaged) write_text(target_->gravity(), std::string(5'000, 'x'), 0664);
  for (const auto* pihole : {source_, target_}) {
    fs::create_directories(root_ / "template/" + pihole->options().name);
    for (const auto* part : parts) fs::rename(pihole->root() + "/" + part, root_ / "template/" + pihole->options().name + "/" + part);
  }
  // A reader waits for somebody who has just written (sqlite::Pacer), and how often it looks would be a matter of luck.
  std::this_thread::sleep_for(50ms);
  if (undo || scenario_.contradicting) learn_the_outcome();
}

/// Of what is not known before: an undo keeps what was compiled meanwhile, and a merge is made of both.
void Pair::learn_the_outcome() {
  reset();
  const auto result = run();
  if (!result.initiator.ok()) throw std::runtime_error("the run without a fault: " + result.initiator.what + result.initiator.trouble);
  for (auto& node : changed_) {
    node.new_content = content_of(node.pihole->gravity());
    node.new_records = records_of(*node.pihole);
  }
  new_lists_ = lists_of(target_->gravity());
  conflicts_ = conflicts_in_history(*target_);
}

void Pair::reset() {
  show_inodes({});
  fs::remove_all(root_ / "aside");
  inodes_.clear();
  for (const auto* pihole : {source_, target_}) {
    for (const auto* part : parts) {
      const auto path = pihole->root() + "/" + part;
      fs::remove_all(path);
      copy_tree(root_ / "template/" + pihole->options().name + "/" + part, path, inodes_);
    }
  }
  show_inodes(inodes_);
}

void Pair::lose_power(Random& random) {
  disk_->lose_power(*log_, random, root_ / "aside", inodes_);
  show_inodes(inodes_);
}

RunResult Pair::look() {
  auto operation = scenario_.operation;
  if (operation == Operation::full_pull) scenario_.operation = Operation::pull;
  if (operation == Operation::full_push) scenario_.operation = Operation::push;
  auto result = run();
  scenario_.operation = operation;
  return result;
}

RunResult Pair::run(Side side, const Fault& fault) {
  // Whole messages arrive, so that it does not depend on the scheduler how many reads there are.
  const auto& dying = side == Side::initiator ? *here_ : *peer_;
  if (fault.event == Event::lose_power) {
    log_ = std::make_unique<DiskLog>();
    disk_ = std::make_unique<Disk>(std::vector{dying.pihole.directory(), dying.pihole.state()});
  }
  std::optional<Orphans> orphans;
  if (scenario_.records || scenario_.only_records) orphans.emplace();
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) throw std::runtime_error("socketpair");
  std::optional<util::Fd> near(ends[0]), far(ends[1]);

  Process agent([&](Trace& trace) {
    near.reset();
    if (scenario_.operation == Operation::undo) return false;
    give_random('a');
    if (side == Side::agent) arm(fault, trace, far->get(), root_.path());
    if (side == Side::agent && fault.event == Event::lose_power) record(*log_, dying.pihole.root());
    OpenNode node(*peer_);
    util::FdStream stream(std::move(*far));
    protocol::AgentOptions options;
    options.hello = hello_of(node);
    options.peer = "ph2";
    options.limits = rare_signs_of_life();
    protocol::serve(node.node, stream, options);
    return false;
  });
  Process initiator([&](Trace& trace) {
    far.reset();
    give_random('b');
    if (side == Side::initiator) arm(fault, trace, near->get(), root_.path());
    if (side == Side::initiator && fault.event == Event::lose_power) record(*log_, dying.pihole.root());
    OpenNode node(*here_);
    const auto options = engine_options(scenario_);
    if (scenario_.operation == Operation::undo) return !sync::restore(node.node, version_, options).report;
    protocol::RemoteNode peer(std::make_unique<util::FdStream>(std::move(*near)), "ph1", hello_of(node), rare_signs_of_life());
    if (scenario_.operation == Operation::sync) {
      sync::TwoWayOptions both;
      static_cast<sync::Options&>(both) = options;
      const auto result = sync::synchronise(node.node, peer, both);
      return !result.here.report && !result.there.report;
    }
    const auto result = pushes(scenario_.operation) ? sync::replicate(node.node, peer, options) : sync::replicate(peer, node.node, options);
    return !result.report;
  });
  near.reset();
  far.reset();
  RunResult result;
  result.initiator = initiator.wait();
  result.agent = agent.wait();
  if (orphans) orphans->wait();
  const auto& trace = (side == Side::initiator ? initiator : agent).trace();
  std::copy(trace.operations.begin(), trace.operations.end(), result.operations.begin());
  result.happened = trace.happened;
  result.operation = trace.operation;
  return result;
}

}  // namespace gsync::test
