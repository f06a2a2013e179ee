#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>

struct sqlite3;
struct sqlite3_stmt;

namespace gsync::test {

/// gravity.db as FTL holds it: one connection, READWRITE (FTL 5: READONLY), open until the next reload, prepared statements, no busy
/// handler. Used by the DNS thread alone.
class FtlGravity {
 public:
  struct Counts {
    std::uint64_t lookups = 0;  ///< names asked of the database, not of the cache
    std::uint64_t busy = 0;     ///< of them answered "allowed" because of SQLITE_BUSY, or by FTL 5 not at all
    std::uint64_t errors = 0;   ///< of them answered "allowed" because of another failure
  };

  explicit FtlGravity(std::string path, bool v5 = false) : path_(std::move(path)), v5_(v5) {}
  ~FtlGravity() { close(); }
  FtlGravity(const FtlGravity&) = delete;
  FtlGravity& operator=(const FtlGravity&) = delete;

  /// Closes, opens anew and forgets all verdicts.
  void reload();
  void close();

  /// For a client of the default group. What a failed lookup said ("allowed") sticks until reload(), as what a successful one said does.
  /// nullopt: FTL 5 drops the query.
  std::optional<bool> blocked(const std::string& name);

  const Counts& counts() const { return counts_; }
  /// info.updated as it was at the last reload; -1 when it could not be read.
  std::int64_t updated() const { return updated_; }

 private:
  enum class Found : std::uint8_t { no, yes, unknown, dropped };
  enum Query : std::uint8_t { allow, deny, antigravity, gravity, query_count };

  bool open();
  Found find(Query query, const std::string& name);
  /// The name itself, and "||x^" for it and all that it is part of.
  Found find_compiled(Query query, const std::string& name);
  Found decide(const std::string& name);

  std::string path_;
  bool v5_;
  sqlite3* db_ = nullptr;
  std::array<sqlite3_stmt*, query_count> statements_{};
  bool abp_ = false;
  std::int64_t updated_ = -1;
  std::unordered_map<std::string, bool> verdicts_;
  Counts counts_;
};

/// The one-second look at info.updated (PIHOLE.md §3). Used by the timer thread.
class FtlPoll {
 public:
  explicit FtlPoll(std::string path) : path_(std::move(path)) {}
  /// True when info.updated is higher than ever seen. The first value after the start is only remembered.
  bool updated();
  void forget() { last_ = -1; }
  std::uint64_t failures() const { return failures_; }

 private:
  std::string path_;
  std::int64_t last_ = -1;
  std::uint64_t failures_ = 0;
};

}  // namespace gsync::test
