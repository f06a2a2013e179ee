#include "gsync/model/history.hpp"

namespace gsync::model {

std::string_view to_string(Outcome outcome) {
  switch (outcome) {
    case Outcome::done:
      return "done";
    case Outcome::refused:
      return "refused";
    case Outcome::failed:
      return "failed";
    case Outcome::interrupted:
      return "interrupted";
  }
  return "unknown";
}

std::string_view to_string(Action action) {
  switch (action) {
    case Action::pull:
      return "pull";
    case Action::push:
      return "push";
    case Action::undo:
      return "undo";
    case Action::restore:
      return "restore";
    case Action::sync:
      return "sync";
  }
  return "unknown";
}

ChangeCounts& ChangeCounts::operator+=(const ChangeCounts& other) {
  rows_added += other.rows_added;
  rows_changed += other.rows_changed;
  rows_removed += other.rows_removed;
  adlists_compiled += other.adlists_compiled;
  blocklist_added += other.blocklist_added;
  blocklist_removed += other.blocklist_removed;
  records_added += other.records_added;
  records_removed += other.records_removed;
  settings_changed += other.settings_changed;
  conflicts += other.conflicts;
  whole_database = whole_database || other.whole_database;
  return *this;
}

}  // namespace gsync::model
