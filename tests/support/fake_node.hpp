#pragma once
#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "gsync/model/node.hpp"
#include "gsync/util/error.hpp"

namespace gsync::test {

/// A truth that one thread may set while another looks.
class Flag {
 public:
  Flag(bool value) : value_(value) {}
  Flag(const Flag& other) : value_(other.value_.load()) {}
  Flag& operator=(const Flag& other) {
    value_ = other.value_.load();
    return *this;
  }
  operator bool() const { return value_; }

 private:
  std::atomic<bool> value_;
};

/// A Pi-hole in memory that behaves as model::Node promises: digests follow its content, `apply` is all or nothing, `expected` is checked,
/// versions are kept. It writes down what is asked of it and fails where it was told to. Its whole copy is an encoding of its lists and
/// compiled sets, which another FakeNode takes. Members may be changed freely while no call runs; nothing here locks.
class FakeNode final : public model::Node {
 public:
  explicit FakeNode(std::string name, std::string node_id = std::string(32, '1'));

  std::string label() const override { return name_; }
  model::NodeInfo describe() override;
  model::NodeInfo lock(util::Deadline deadline) override;
  void unlock() override;
  bool lock_is_wanted() const override { return locked && wanted && wanted(); }
  model::Lists lists() override;
  model::Records records() override;
  model::Blocklist blocklist() override;
  std::unique_ptr<model::BlocklistReader> blocklist_rows(const std::vector<model::BlocklistWish>& wishes) override;
  Copy copy(model::CopyOf of) override;
  model::ApplyReport apply(const model::Change& change, model::BlocklistReader* rows, util::ByteReader* copy) override;
  std::vector<model::VersionInfo> versions() override;
  model::Version version(std::int64_t id) override;
  void note(const model::HistoryEntry& entry) override;
  model::PairInfo pair(const std::string& peer) override;
  model::Base base(const std::string& peer) override;
  void intend(const std::string& peer, const model::Intent& intent) override;
  void catch_up(const std::string& peer) override;
  void settle(const std::string& peer, const model::Settlement& settlement) override;
  void forget(const std::string& peer, bool all) override;

  /// `pihole -g`: what it copied when it began becomes live. What was replaced is brought back by the next lock(), as far as it can be
  /// told.
  void swap_in(const model::Lists& copied);

  void add_group(const std::string& name);
  void add_domain(const std::string& domain, const std::string& comment = {}, std::uint8_t kind = model::kind::deny_exact);
  /// The adlist and what it compiles to. Gives its key.
  model::RowKey add_adlist(const std::string& address, const std::set<std::string>& domains, std::uint8_t kind = model::kind::block_list);
  /// Forgets `removed` and takes `added`, and remembers the difference: a wish for what was there before is then answered with a delta.
  void recompile(const model::RowKey& adlist, const std::set<std::string>& added, const std::set<std::string>& removed);

  model::SetDigest digest_of_set(const model::RowKey& adlist) const;
  std::size_t count(const std::string& call) const;

  /// What it holds. The digests, list_rows and blocklist_rows of `info` are filled in by describe().
  model::NodeInfo info;
  model::Lists lists_now;
  model::Records records_now;
  std::map<model::RowKey, std::set<std::string>> compiled;
  std::map<model::RowKey, model::AdlistStatistics> statistics;
  std::map<std::int64_t, model::Version> kept;

  /// What it was asked. A call is in `calls` as soon as it begins; `applied` has the changes that were made whole, and only those.
  std::vector<std::string> calls;
  std::vector<model::Change> applied;
  std::vector<model::HistoryEntry> notes;
  std::map<std::string, std::string> books;  ///< of its pairs
  Flag locked = false;
  std::vector<std::chrono::milliseconds> lock_times;  ///< how long lock() might have waited

  /// Whether somebody else waits for its lock. Any thread asks.
  std::function<bool()> wanted;

  /// Runs at the begin of each call, with its name, and in `apply` once more as "publish", after everything was read and before anything is
  /// changed. May throw.
  std::function<void(const std::string& call)> on_call;
  model::Digest schema;  ///< of its copies, and what it takes
  /// Runs before each row of blocklist_rows() and each read of copy(), with the rows or bytes given so far. May throw.
  std::function<void(std::uint64_t done)> on_row;
  /// Warnings of the next reports.
  std::vector<std::string> warnings;

 private:
  class Rows;
  class Bytes;
  struct Delta {
    model::SetDigest before;
    std::set<std::string> added;
    std::set<std::string> removed;
  };

  void called(const std::string& call);
  model::Blocklist states() const;
  model::NodeInfo described() const;
  void take_copied(const model::Change& change, util::ByteReader& copy, std::map<model::RowKey, std::set<std::string>>& sets,
                   model::ChangeCounts& counts) const;
  void take_rows(const model::Change& change, model::BlocklistReader& rows, std::map<model::RowKey, std::set<std::string>>& sets,
                 model::ChangeCounts& counts) const;

  model::PairBook book();

  std::string name_;
  std::map<model::RowKey, Delta> deltas_;
  std::optional<model::Lists> replaced_;
};

}  // namespace gsync::test
