#pragma once
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "gsync/pihole/gravity.hpp"
#include "support/gravity_builder.hpp"
#include "unit/sqlite/scratch.hpp"

namespace gsync::test {

/// A directory for gravity databases.
class GravityFiles : public testing::Test {
 protected:
  std::string file(const std::string& name = "gravity.db") const { return root_ + "/" + name; }
  /// As nobody has written to for a while: what was written to this moment is read a little later (sqlite::Pacer).
  std::string build(const GravityBuilder& builder, const std::string& name = "gravity.db") const {
    builder.build(file(name));
    std::filesystem::last_write_time(file(name), std::filesystem::file_time_type::clock::now() - std::chrono::seconds(1));
    return file(name);
  }
  static sqlite::Database open(const std::string& path) { return sqlite::Database(path, sqlite::OpenMode::read_write); }
  static pihole::GravityRows read(const std::string& path) {
    auto database = open(path);
    return pihole::read_rows(database, pihole::shape_of(database), nullptr);
  }
  static pihole::Compiled compiled(const std::string& path) {
    auto database = open(path);
    return pihole::read_compiled(database, pihole::shape_of(database));
  }

 private:
  TempDirectory directory_;
  std::string root_ = real_path(directory_);
};

inline bool same_edits(const model::Lists& a, const model::Lists& b) {
  return model::diff(a, b).empty() && model::diff(b, a).empty();
}

inline std::string shape_name(const testing::TestParamInfo<Shape>& tested) {
  return traits(tested.param).name;
}

/// The domains of each adlist, read plainly.
using Sets = std::map<std::int64_t, std::set<std::string>>;
inline Sets sets_in(const std::string& path, const std::string& table) {
  Sets sets;
  sqlite::Database database(path, sqlite::OpenMode::read_only);
  for (auto row = database.prepare("SELECT adlist_id, domain FROM " + table); row.step();) sets[row.integer(0)].emplace(row.text(1));
  return sets;
}
inline model::SetDigest digest_of(const std::set<std::string>& domains) {
  model::SetDigest digest;
  for (const auto& domain : domains) digest.add(domain);
  return digest;
}

/// What a source would send, from memory.
class MemoryBlocklist final : public model::BlocklistReader {
 public:
  struct Line {
    std::string domain;
    std::uint32_t adlist;
    bool removed = false;
    auto operator<=>(const Line&) const = default;
  };
  MemoryBlocklist(std::vector<model::BlocklistAnswer> answers, std::vector<Line> lines)
      : answers_(std::move(answers)), lines_(std::move(lines)) {}

  const std::vector<model::BlocklistAnswer>& answers() const override { return answers_; }
  std::optional<model::BlocklistRow> next() override {
    if (at_ == lines_.size()) return std::nullopt;
    shown_ = lines_[at_].domain;  // valid until the next call only
    return model::BlocklistRow{shown_, lines_[at_].adlist, lines_[at_++].removed};
  }

 private:
  std::vector<model::BlocklistAnswer> answers_;
  std::vector<Line> lines_;
  std::string shown_;
  std::size_t at_ = 0;
};

}  // namespace gsync::test
