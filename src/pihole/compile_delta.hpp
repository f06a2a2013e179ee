#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gsync/pihole/gravity.hpp"
#include "gsync/replica/shadow.hpp"

namespace gsync::pihole {

/// What the last compile added to and removed from each adlist's compiled set: `delta.db` in the shadow's directory. It was a `pihole -g`
/// here, or a change from a peer that told it. It goes to targets that were in step with the compile before, and to our own shadow. It can
/// be lost at any time; the whole set then goes.
class CompileDelta {
 public:
  explicit CompileDelta(replica::Shadow& shadow) : shadow_(shadow) {}

  struct Version {
    std::string path;
    std::optional<Compiled> compiled;  ///< what is remembered of it; read where nothing is
  };
  /// Compares two database files, the version before and the one now. An adlist that is not in both, or whose delta would not be much
  /// smaller than its set, is left out. An error leaves none, and so does a version before that is not what is remembered of it.
  void record(const Version& before, const Version& now) noexcept;
  void forget() noexcept;
  /// What a crash has left.
  void remove_unfinished() noexcept;

  /// The sets that a delta leads from and to, by adlist.
  struct Step {
    model::RowKey key;
    model::SetDigest from;
    model::SetDigest to;
    bool operator==(const Step&) const = default;
  };
  std::vector<Step> steps() const noexcept;

  /// The rows added and removed for some adlists; `wishes` gives the index of each key in `answers`. Call only for keys among steps().
  std::unique_ptr<model::BlocklistReader> read(const std::vector<std::pair<model::RowKey, std::uint32_t>>& wishes,
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
  Keeper(CompileDelta delta, model::BlocklistReader& rows, const std::vector<model::BlocklistWish>& wishes);
  ~Keeper() override;
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;

  const std::vector<model::BlocklistAnswer>& answers() const override { return rows_.answers(); }
  std::optional<model::BlocklistRow> next() override;
  /// After the last row, if they led where they should. How many were kept; nullopt when they were not, or when some of the sets came
  /// whole.
  std::optional<std::uint64_t> finish() noexcept;

 private:
  CompileDelta delta_;
  model::BlocklistReader& rows_;
  const std::vector<model::BlocklistWish>& wishes_;
  std::unique_ptr<Writer> writer_;
};

}  // namespace gsync::pihole
