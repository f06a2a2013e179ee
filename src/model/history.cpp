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
  }
  return "unknown";
}

}  // namespace gsync::model
