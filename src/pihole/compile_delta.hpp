#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gsync/pihole/gravity.hpp"
#include "gsync/replica/shadow.hpp"

namespace gsync::pihole {

/// What the last compiles added to and removed from each adlist's compiled set: `delta.db` in the shadow's directory. Each was a `pihole
/// -g` here, or a change from a peer that told it. They go to targets that have one of the compiles before, and the last one to our own
/// shadow. They can be lost at any time; the whole set then goes.
class CompileDelta {
 public:
  explicit CompileDelta(replica::Shadow& shadow) : shadow_(shadow) {}

  struct Version {
    std::string path;
    std::optional<Compiled> compiled;  ///< what is remembered of it; read where nothing is
  };
  /// Compares two database files, the version before and the one now. An adlist that is not in both, or whose delta would not be much
  /// smaller than its set, is left out. An error adds none, and neither does a version before that is not what is remembered of it.
  void record(const Version& before, const Version& now) noexcept;
  /// What a crash has left.
  void remove_unfinished() noexcept;

  /// The sets that a change leads from and to.
  struct Step {
    std::int64_t id = 0;
    model::RowKey key;
    model::SetDigest from;
    model::SetDigest to;
  };
  /// In the order in which they were made.
  std::vector<Step> steps() const noexcept;
  /// The ids of those that lead an adlist's set from one state to another; empty where none do.
  static std::vector<std::int64_t> path(const std::vector<Step>& steps, const model::RowKey& key, const model::SetDigest& from,
                                        const model::SetDigest& to);

  /// The rows added and removed by all steps together; `steps` gives the index in `answers` of each step's adlist.
  std::unique_ptr<model::BlocklistReader> read(const std::vector<std::pair<std::int64_t, std::uint32_t>>& steps,
                                               std::vector<model::BlocklistAnswer> answers) const;

  class Keeper;

 private:
  class Writer;
  class Reader;
  std::string path() const;
  std::string building_path() const;
  void finish();
  replica::Shadow& shadow_;
};

/// Passes on what a source answers, and keeps the changes among it. That they cannot be kept is no failure of the run.
class CompileDelta::Keeper final : public model::BlocklistReader {
 public:
  /// `all_rows`: of all compiled sets, as a measure of what is worth keeping.
  Keeper(CompileDelta delta, model::BlocklistReader& rows, const std::vector<model::BlocklistWish>& wishes, std::uint64_t all_rows);
  ~Keeper() override;
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;

  const std::vector<model::BlocklistAnswer>& answers() const override { return rows_.answers(); }
  std::optional<model::BlocklistRow> next() override;
  /// After the last row, if they led where they should. How many were kept; nullopt when some were not, or when some of the sets came
  /// whole.
  std::optional<std::uint64_t> finish() noexcept;

 private:
  CompileDelta delta_;
  model::BlocklistReader& rows_;
  const std::vector<model::BlocklistWish>& wishes_;
  std::unique_ptr<Writer> writer_;
};

}  // namespace gsync::pihole
