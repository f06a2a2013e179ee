#pragma once
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "support/household.hpp"

namespace gsync::test {

/// Somebody who edits groups, adlists, domains and clients in the web page, at random, and knows what must be there in the end. What he
/// edits is his own (its name begins with his), so that residents do not undo each other's edits.
class Resident {
 public:
  Resident(std::string name, std::uint64_t seed) : name_(std::move(name)), random_(seed) {}

  /// One edit in a transaction of its own, made again on a new connection as long as somebody else holds the database or has exchanged it.
  void edit(const std::string& gravity);
  /// Disables or enables a group of his.
  void toggle(const std::string& gravity);
  std::uint64_t edits() const { return edits_; }

  /// "" where a database holds what he made of it and nothing else that is his; the differences otherwise.
  std::string wrong(const std::string& gravity) const;

 private:
  struct Item {
    bool enabled = true;
    std::string comment;
    std::set<std::string> groups;  ///< beside the default one
  };
  enum class Kind : unsigned char { group, adlist, domain, client };
  using Items = std::map<std::string, Item>;

  std::string add(Kind kind);
  std::string change(Kind kind);
  std::string remove(Kind kind);
  std::string turn(Kind kind, const std::string& key);
  std::string new_key(Kind kind);
  const std::string& pick(const Items& items);
  Items& of(Kind kind) { return items_[static_cast<std::size_t>(kind)]; }
  static void commit(const std::string& gravity, const std::string& statements);

  const std::string name_;
  Random random_;
  std::uint64_t edits_ = 0;
  std::uint64_t made_ = 0;
  Items items_[4];
};

}  // namespace gsync::test
