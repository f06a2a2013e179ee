#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "fault/faults.hpp"
#include "fault/power.hpp"
#include "gsync/config/config.hpp"
#include "gsync/model/history.hpp"
#include "gsync/pihole/installation.hpp"
#include "gsync/util/error.hpp"
#include "support/pihole_directory.hpp"
#include "support/temp_directory.hpp"

namespace gsync::test {

enum class Operation : unsigned char { pull, push, full_pull, full_push, undo, sync };
enum class Side : unsigned char { initiator, agent };

/// What is done, and from where.
struct Scenario {
  Operation operation = Operation::pull;
  bool again = false;    ///< the two were made the same by an earlier run; else gravity-sync has never run on either
  bool records = false;  ///< local DNS records differ as well
  bool only_records = false;
  bool uncompiled = false;     ///< the target has compiled nothing, and what it lacks comes as pages
  bool damaged = false;        ///< the target's database cannot be read
  bool contradicting = false;  ///< both were edited since their last sync, lists and records of all kinds, against each other as well
  Filesystem filesystem = {};
};

/// What of these two the histories tell, each once, sorted.
std::vector<model::Conflict> conflicts_in_history(const PiholeDirectory& pihole);

/// How a process of a run ended.
struct Ending {
  bool killed = false;  ///< by the fault
  std::string trouble;  ///< how it ended that it must not end: by a signal of its own, not at all
  std::optional<ErrorCode> error;
  std::string what;
  bool nothing_to_do = false;
  bool ok() const { return !killed && trouble.empty() && !error; }
};
struct RunResult {
  Ending initiator;
  Ending agent;
  std::array<int, most_threads> operations{};  ///< by thread
  bool happened = false;
  std::string operation;  ///< at which the fault happened
};

/// The lines of each kind of record, and the settings that are synced.
using RecordTexts = std::array<std::vector<std::string>, 4>;
RecordTexts records_of(const PiholeDirectory& pihole);

/// A node that an operation changes.
struct ChangedNode {
  const PiholeDirectory* pihole;
  const char* only_old;          ///< is blocked before the run and not after it
  const char* only_new;          ///< and this one the other way round
  std::string old_content = {};  ///< what it holds before the run, and after it
  std::string new_content = {};
  RecordTexts old_records = {};
  RecordTexts new_records = {};
};

/// Two small Pi-holes, and a state of both of them that every case begins with.
class Pair {
 public:
  explicit Pair(const Scenario& scenario);
  ~Pair();

  /// Both are as at the start of every case.
  void reset();
  /// Runs the scenario's operation in a process for each end; `fault` comes to one of them.
  RunResult run(Side side, const Fault& fault);
  RunResult run() { return run(Side::initiator, {}); }
  /// After a run that Event::lose_power stopped: what `random` lets survive of the disk of that end's host.
  void lose_power(Random& random);
  /// The same for an operation that finds nothing to do where this one would always do something.
  RunResult look();

  const PiholeDirectory& source() const { return *source_; }
  const PiholeDirectory& target() const { return *target_; }
  /// The target, and where both were edited the other one as well.
  const std::vector<ChangedNode>& changed() const { return changed_; }
  /// The lists of a target after the run.
  const std::string& new_lists() const { return new_lists_; }
  /// What the history of either must tell, in the end, of what was lost to something else, and nothing more. Sorted.
  const std::vector<model::Conflict>& conflicts() const { return conflicts_; }
  const Scenario& scenario() const { return scenario_; }

  /// Read once, because reading TOML takes longer than a run.
  struct Host {
    Host(PiholeOptions options, const std::string& root, const std::string& sync_lines);
    PiholeDirectory pihole;
    config::Config config;
    pihole::Installation installation;
  };

 private:
  class Process;
  void prepare();
  void run_before(Operation operation);
  void edit_source() const;
  void contradict() const;
  void learn_the_outcome();

  Scenario scenario_;
  TempDirectory root_;
  std::unique_ptr<DiskLog> log_;
  std::unique_ptr<Disk> disk_;  // of the end that the log is of, before the run
  std::vector<std::pair<ino_t, ino_t>> inodes_;
  std::unique_ptr<Host> here_;
  std::unique_ptr<Host> peer_;
  const PiholeDirectory* source_ = nullptr;
  const PiholeDirectory* target_ = nullptr;
  std::vector<ChangedNode> changed_;
  std::string new_lists_;
  std::vector<model::Conflict> conflicts_;
  std::int64_t version_ = 0;  // that an undo goes back to
};

}  // namespace gsync::test
