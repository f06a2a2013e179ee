#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gsync/pihole/gravity.hpp"
#include "gsync/replica/shadow.hpp"

namespace gsync::pihole {

/// What the last `pihole -g` added to and removed from each adlist's compiled set, for targets that were in step with the compile before:
/// `delta.db` in the shadow's directory. It can be lost at any time; the whole set then goes.
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
  /// What a crash in record() has left.
  void remove_unfinished() noexcept;

  /// The sets that a delta leads from and to, by adlist.
  struct Step {
    model::RowKey key;
    model::SetDigest from;
    model::SetDigest to;
  };
  std::vector<Step> steps() const noexcept;

  /// The rows added and removed for some adlists, in the order that BlocklistReader promises; `wishes` gives the index of each key there.
  /// Call only for keys among steps().
  class Reader {
   public:
    Reader(const std::string& path, const std::vector<std::pair<model::RowKey, std::uint32_t>>& wishes);
    std::optional<model::BlocklistRow> next();

   private:
    sqlite::Database database_;
    std::unique_ptr<sqlite::Statement> rows_;
  };
  std::unique_ptr<Reader> read(const std::vector<std::pair<model::RowKey, std::uint32_t>>& wishes) const;

 private:
  std::string path() const;
  void finish();
  replica::Shadow& shadow_;
};

}  // namespace gsync::pihole
