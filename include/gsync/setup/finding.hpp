#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "gsync/util/error.hpp"

namespace gsync::setup {

enum class Verdict : std::uint8_t {
  good,
  hint,   ///< works, and could be better, or could not be looked at
  wrong,  ///< does not work
};
std::string_view to_string(Verdict verdict);

/// What a check saw.
struct Finding {
  std::string subject;  ///< "configuration", "FTL", "peer ph1"
  Verdict verdict = Verdict::good;
  std::string text;    ///< one sentence
  std::string hint{};  ///< how to mend it; not for what is good
};
using Findings = std::vector<Finding>;

Finding good(std::string subject, std::string text);
Finding hint(std::string subject, std::string text, std::string what_to_do);
Finding wrong(std::string subject, std::string text, std::string what_to_do);
Finding wrong(std::string subject, const Error& error);

/// The worst of them.
Verdict worst_of(const Findings& findings);

/// Adds what `check` gives; an Error that it throws is a finding like another.
template <class Check>
void look(Findings& all, const std::string& subject, const Check& check) {
  try {
    const Findings found = check();
    all.insert(all.end(), found.begin(), found.end());
  } catch (const Error& error) {
    all.push_back(wrong(subject, error));
  }
}

}  // namespace gsync::setup
