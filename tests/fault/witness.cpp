#include "fault/witness.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <set>
#include <utility>

#include "gsync/replica/state_store.hpp"
#include "gsync/util/text.hpp"
#include "support/dns_probe.hpp"
#include "support/ftl_daemon.hpp"
#include "support/sql.hpp"
#include "support/two_nodes.hpp"

namespace gsync::test {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

constexpr auto patience = 20s;

struct stat look_at(const std::string& path) {
  struct stat st {};
  if (::lstat(path.c_str(), &st) != 0) st = {};
  return st;
}

bool same_file(const struct stat& a, const struct stat& b) {
  return a.st_ino == b.st_ino && a.st_size == b.st_size && a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
}

std::vector<std::string> names_in(const std::string& directory) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(directory)) names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

std::int64_t updated_of(const std::string& gravity) { return number(gravity, "SELECT value FROM info WHERE property='updated'"); }

/// The lines that only one of two texts has.
std::string difference(const std::string& before, const std::string& after) {
  const auto lines = [](const std::string& text) {
    std::multiset<std::string> all;
    for (const auto line : util::split(text, '\n')) all.insert(util::printable(line));
    return all;
  };
  const auto first = lines(before), second = lines(after);
  std::vector<std::string> gone, added;
  std::set_difference(first.begin(), first.end(), second.begin(), second.end(), std::back_inserter(gone));
  std::set_difference(second.begin(), second.end(), first.begin(), first.end(), std::back_inserter(added));
  return fmt::format("- {}\n+ {}\n", fmt::join(gone, "\n- "), fmt::join(added, "\n+ "));
}

struct Books {
  std::vector<model::HistoryEntry> history;
  std::size_t versions = 0;
};
Books books_of(const PiholeDirectory& pihole) {
  if (!fs::exists(pihole.state() + "/state.db")) return {};
  util::SystemClock clock;
  replica::StateStore state(pihole.state(), clock);
  return {state.history(1'000, false), state.versions().size()};
}

std::string told(const PiholeDirectory& pihole) {
  std::string text;
  for (const auto& entry : books_of(pihole).history)
    text += fmt::format("{} {} from {} ({}): {}\n", model::to_string(entry.action), model::to_string(entry.outcome), entry.source,
                        entry.started_by, entry.text);
  return text;
}

}  // namespace

Witness::Witness(Pair& pair, const ChangedNode& node) : pair_(pair), node_(node) {
  const auto& target = *node.pihole;
  live_ = look_at(target.gravity());
  last_ = live_;
  records_ = records_of(target);
  source_ = look_at(pair.source().gravity());
  pihole_files_ = names_in(target.directory());
  const auto books = books_of(target);
  history_ = books.history.size();
  versions_ = books.versions;
  if (!pair.scenario().damaged) updated_ = updated_of(target.gravity());
  start_ftl();
}

Witness::~Witness() {
  host_went_down();
}

void Witness::host_went_down() {
  ::kill(ftl_, SIGKILL);
  ::waitpid(ftl_, nullptr, 0);
}

void Witness::host_is_up() {
  start_ftl();
}

void Witness::start_ftl() {
  const auto& target = *node_.pihole;
  ::unlink(target.port_file().c_str());
  ftl_ = ::fork();
  if (ftl_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    DaemonOptions options;
    options.directory = target.directory();
    options.port_file = target.port_file();
    options.poll_interval = 5ms;
    ::_exit(run_daemon(options));
  }
  const auto deadline = util::Deadline::in(patience);
  while (::access(target.port_file().c_str(), F_OK) != 0 && !deadline.passed()) ::usleep(200);
  port_ = static_cast<std::uint16_t>(std::stoul(read_text(target.port_file())));
  // FTL only notes the first info.updated that it sees.
  while (!deadline.passed()) {
    const auto texts = lookup_texts(port_, "stats.stand-in", deadline);
    if (texts && std::none_of(texts->begin(), texts->end(), [](const auto& text) { return text == "polls=0"; })) return;
  }
  throw std::runtime_error("the stand-in does not answer");
}

void Witness::expect_live(const char* when) {
  const auto& target = *node_.pihole;
  const auto st = look_at(target.gravity());
  ASSERT_NE(st.st_ino, 0u) << when << ": there is no live database";
  EXPECT_EQ(st.st_mode, live_.st_mode) << when;
  EXPECT_EQ(st.st_uid, live_.st_uid) << when;
  EXPECT_EQ(st.st_gid, live_.st_gid) << when;
  // Where two names cannot be exchanged, live has a second name for a moment.
  const bool two_names = !pair_.scenario().filesystem.exchange && fs::exists(target.directory() + "/.gravity-sync/shadow.previous");
  EXPECT_LE(st.st_nlink, two_names ? 2u : 1u) << when;
  for (const char* suffix : {"-journal", "-wal", "-shm"}) EXPECT_FALSE(fs::exists(target.gravity() + suffix)) << when << ": " << suffix;
  const auto records = records_of(target);
  const auto before = std::exchange(last_, st);
  // A sync that was interrupted is finished by a publish of rows, and what was compiled follows in another: the first file is live again then.
  const bool twice = pair_.scenario().operation == Operation::sync && st.st_ino == before.st_ino && !same_file(st, before);
  const bool published = st.st_ino != before.st_ino || twice;
  if (std::exchange(records_, records) != records || published) changes_ += twice ? 2 : 1;
  expect_records();
  if (pair_.scenario().damaged && same_file(st, live_)) return;
  EXPECT_EQ(integrity(target.gravity()), "ok") << when;
  const auto content = content_of(target.gravity());
  const bool undone = pair_.scenario().operation == Operation::undo && lists_of(target.gravity()) == pair_.new_lists();
  EXPECT_TRUE(content == node_.old_content || content == node_.new_content || undone)
      << when << ": live is neither the old nor the new version\n"
      << "against the old one:\n"
      << difference(node_.old_content, content) << "against the new one:\n"
      << difference(node_.new_content, content) << told(target);
  if (published) {
    const auto updated = updated_of(target.gravity());
    EXPECT_GT(updated, std::exchange(updated_, updated)) << when << ": FTL would not notice";
  } else {
    EXPECT_TRUE(same_file(st, before)) << when << ": live was written in place";
  }
  expect_ftl_serves(content);
}

/// Each kind is set whole.
void Witness::expect_records() {
  for (std::size_t i = 0; i < records_.size(); ++i)
    EXPECT_TRUE(records_[i] == node_.old_records[i] || records_[i] == node_.new_records[i])
        << "records are neither the old nor the new ones: " << fmt::format("{}", fmt::join(records_[i], "; "));
}

void Witness::expect_source_untouched(const char* when) {
  if (pair_.scenario().operation == Operation::undo || pair_.changed().size() > 1) return;
  EXPECT_TRUE(same_file(look_at(pair_.source().gravity()), source_)) << when << ": the source's database was touched";
}

void Witness::expect_ftl_serves(const std::string& content) {
  if (pair_.scenario().only_records) return;
  const bool old = content == node_.old_content;
  const auto deadline = util::Deadline::in(patience);
  std::string first, second;
  do {
    first = lookup(port_, old ? node_.only_old : node_.only_new);
    second = lookup(port_, old ? node_.only_new : node_.only_old);
    if (first == "blocked" && second == "allowed") return;
  } while (!deadline.passed());
  const auto stats = lookup_texts(port_, "stats.stand-in", util::Deadline::in(patience)).value_or(std::vector<std::string>{"nothing"});
  ADD_FAILURE() << "FTL goes on with another version than live is: what must be blocked is " << first << ", what must be allowed " << second
                << fmt::format("; FTL of {} says {}", node_.pihole->options().name, fmt::join(stats, ", "));
}

void Witness::after_fault(const RunResult& result, Event event) {
  for (const auto* ending : {&result.initiator, &result.agent}) EXPECT_EQ(ending->trouble, "");
  const bool must_die = event == Event::die || event == Event::die_within || event == Event::lose_power;
  EXPECT_EQ(result.initiator.killed || result.agent.killed, must_die);
  if (event == Event::shorten) {
    EXPECT_TRUE(result.initiator.ok()) << result.initiator.what;
  }
  expect_live("after the fault");
  expect_source_untouched("after the fault");
  if (result.initiator.ok() && !pair_.scenario().only_records) {
    EXPECT_FALSE(same_file(last_, live_)) << "it says that it is done";
  }
  for (const auto* ending : {&result.initiator, &result.agent}) {
    if (ending->error) {
      EXPECT_NE(*ending->error, ErrorCode::timeout) << ending->what;
    }
  }
}

void Witness::after_next_run(const RunResult& result) {
  EXPECT_TRUE(result.initiator.ok()) << result.initiator.what << result.initiator.trouble;
  EXPECT_TRUE(result.agent.ok()) << result.agent.what << result.agent.trouble;
  expect_live("after the next run");
  expect_source_untouched("after the next run");
  const auto& target = *node_.pihole;
  if (pair_.scenario().operation == Operation::undo) {
    EXPECT_TRUE(lists_of(target.gravity()) == pair_.new_lists());
  } else {
    EXPECT_TRUE(content_of(target.gravity()) == node_.new_content);
    EXPECT_EQ(records_, node_.new_records);
  }
  expect_no_stray_file();
  expect_history();
}

void Witness::after_third_run(const RunResult& result) {
  EXPECT_TRUE(result.initiator.ok()) << result.initiator.what << result.initiator.trouble;
  EXPECT_TRUE(result.initiator.nothing_to_do) << "the third run finds something to do";
}

void Witness::expect_no_stray_file() {
  for (const auto* pihole : {&pair_.source(), &pair_.target()}) {
    auto names = names_in(pihole->directory());
    std::erase_if(names, [](const auto& name) { return name == ".gravity-sync" || name == "config_backups"; });  // the latter is FTL's
    auto before = pihole_files_;
    std::erase(before, ".gravity-sync");
    EXPECT_EQ(names, before);
    for (const auto& name : own_files(*pihole)) {
      EXPECT_TRUE(name == "lock" || name == "shadow.db" || name == "delta.db" || (pair_.scenario().damaged && name == "damaged.db"))
          << pihole->options().name << " keeps " << name;
    }
    for (const auto& name : names_in(pihole->state())) EXPECT_TRUE(name == "state.db" || name == "state.db-journal") << name;
    const auto ours = pihole->directory() + "/.gravity-sync";
    if (fs::exists(ours)) {
      const auto around = look_at(pihole->directory());
      const auto st = look_at(ours);
      EXPECT_EQ(st.st_uid, around.st_uid);
      EXPECT_EQ(st.st_gid, around.st_gid);
      EXPECT_EQ(st.st_mode & 0777, around.st_mode & 0777);
    }
    EXPECT_EQ(integrity(pihole->state() + "/state.db"), "ok");
  }
}

/// Every publish has its line, which says that it happened, and one kept version.
void Witness::expect_history() {
  const auto books = books_of(*node_.pihole);
  int lines = 0;
  std::string all;
  for (std::size_t i = 0; i + history_ < books.history.size(); ++i) {
    const auto& entry = books.history[i];
    if (entry.outcome == model::Outcome::done || entry.outcome == model::Outcome::interrupted) ++lines;
    all += fmt::format("{}: {}\n", model::to_string(entry.outcome), entry.text);
  }
  // Where the records failed after the database was published, a run may have come by twice.
  if (!(pair_.scenario().records || pair_.scenario().operation == Operation::sync) || lines != changes_ + 1) {
    EXPECT_EQ(lines, changes_) << all;
  }
  // Whoever finishes a sync that was interrupted knows what was lost in it.
  EXPECT_EQ(conflicts_in_history(*node_.pihole), pair_.conflicts()) << all;
  // Of a database that cannot be read there is nothing to keep.
  if (!pair_.scenario().damaged) {
    EXPECT_EQ(books.versions - versions_, static_cast<std::size_t>(lines)) << all;
  }
}

}  // namespace gsync::test
