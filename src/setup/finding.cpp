#include "gsync/setup/finding.hpp"

#include <algorithm>

namespace gsync::setup {

std::string_view to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::good:
      return "good";
    case Verdict::hint:
      return "hint";
    case Verdict::wrong:
      return "wrong";
  }
  return "wrong";
}

Finding good(std::string subject, std::string text) {
  return {std::move(subject), Verdict::good, std::move(text), {}};
}

Finding hint(std::string subject, std::string text, std::string what_to_do) {
  return {std::move(subject), Verdict::hint, std::move(text), std::move(what_to_do)};
}

Finding wrong(std::string subject, std::string text, std::string what_to_do) {
  return {std::move(subject), Verdict::wrong, std::move(text), std::move(what_to_do)};
}

Finding wrong(std::string subject, const Error& error) {
  return wrong(std::move(subject), error.what(), error.hint());
}

Verdict worst_of(const Findings& findings) {
  auto worst = Verdict::good;
  for (const auto& finding : findings) worst = std::max(worst, finding.verdict);
  return worst;
}

}  // namespace gsync::setup
