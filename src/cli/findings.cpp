#include "findings.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace gsync::cli {

void show_findings(Output& output, const setup::Findings& findings) {
  if (output.options().json) return output.json(findings_json(findings));
  for (const auto& finding : findings) {
    const auto text = fmt::format("{}: {}", finding.subject, finding.text);
    switch (finding.verdict) {
      case setup::Verdict::good:
        output.mark("✓ ", "ok     ", text, Style::added);
        continue;
      case setup::Verdict::hint:
        output.mark("! ", "hint   ", text, Style::changed);
        break;
      case setup::Verdict::wrong:
        output.mark("✗ ", "wrong  ", text, Style::removed);
        break;
    }
    if (!finding.hint.empty()) output.mark("  ", "       ", finding.hint, Style::plain);
  }
}

std::string findings_json(const setup::Findings& findings) {
  using Json = nlohmann::ordered_json;
  Json json{{"verdict", setup::to_string(setup::worst_of(findings))}, {"findings", Json::array()}};
  for (const auto& finding : findings)
    json["findings"].push_back(
        {{"subject", finding.subject}, {"verdict", setup::to_string(finding.verdict)}, {"text", finding.text}, {"hint", finding.hint}});
  return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

}  // namespace gsync::cli
