#include "support/gravity_editor.hpp"

#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <chrono>
#include <memory>
#include <utility>

#include "support/sql.hpp"

namespace gsync::test {

namespace {

/// FTL's own connection to the lists.
class ApiConnection {
 public:
  explicit ApiConnection(const std::string& path) : sql_(path, Sql::Mode::read_write, std::chrono::milliseconds(0)) {
    ::stat(path.c_str(), &opened_);
    sql_.try_execute("PRAGMA foreign_keys = ON");
  }

  bool still_named_by(const std::string& path) const {
    struct stat now {};
    return ::stat(path.c_str(), &now) == 0 && now.st_ino == opened_.st_ino && now.st_dev == opened_.st_dev;
  }

  /// Item, then groups deleted, then groups inserted. What is wrong, or "".
  std::string deny(const std::string& domain, const std::string& comment) {
    const std::string id = fmt::format("(SELECT id FROM domainlist WHERE domain = '{}' AND type = 1)", domain);
    const std::string statements[] = {
        fmt::format("INSERT INTO domainlist (domain, type, enabled, comment) VALUES ('{}', 1, 1, '{}') "
                    "ON CONFLICT(domain, type) DO UPDATE SET enabled = 1, comment = excluded.comment",
                    domain, comment),
        fmt::format("DELETE FROM domainlist_by_group WHERE domainlist_id = {} AND group_id NOT IN (0)", id),
        fmt::format("INSERT OR IGNORE INTO domainlist_by_group (domainlist_id, group_id) VALUES ({}, 0)", id),
    };
    for (const auto& statement : statements)
      if (sql_.try_execute(statement) != SQLITE_OK) return sql_.message();
    return {};
  }

 private:
  struct stat opened_ {};
  Sql sql_;
};

}  // namespace

GravityEditor::GravityEditor(std::string path, std::size_t per_second) : path_(std::move(path)), per_second_(per_second) {
  thread_ = std::thread([this] { run(); });
}

GravityEditor::~GravityEditor() {
  stop();
}

void GravityEditor::run() {
  auto connection = std::make_unique<ApiConnection>(path_);
  auto next = std::chrono::steady_clock::now();
  for (std::uint64_t i = 0; !stopping_; ++i) {
    std::uint64_t reopened = 0;
    std::string error;
    const std::string domain = fmt::format("edited-{}.example", i % 50);
    const std::string comment = fmt::format("edit {}", i);
    try {
      if (!connection || !connection->still_named_by(path_)) {
        connection.reset();
        connection = std::make_unique<ApiConnection>(path_);
        reopened = 1;
      }
      error = connection->deny(domain, comment);
    } catch (const std::exception& e) {
      error = e.what();
    }
    {
      std::lock_guard lock(mutex_);
      ++counts_.edits;
      counts_.reopened += reopened;
      if (error.empty()) {
        committed_[domain] = comment;
      } else {
        ++counts_.failed;
        counts_.last_error = error;
        committed_.erase(domain);  // some of its statements may have been committed
      }
    }
    next += std::chrono::nanoseconds(1'000'000'000 / per_second_);
    std::this_thread::sleep_until(next);
  }
}

EditorCounts GravityEditor::counts() const {
  std::lock_guard lock(mutex_);
  return counts_;
}

std::map<std::string, std::string> GravityEditor::committed() const {
  std::lock_guard lock(mutex_);
  return committed_;
}

EditorCounts GravityEditor::stop() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
  return counts();
}

}  // namespace gsync::test
