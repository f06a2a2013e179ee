#pragma once
#include <string>

#include "gsync/setup/finding.hpp"
#include "output.hpp"

namespace gsync::cli {

/// One line each, with what to do below what is not good; with --quiet only those. JSON with --json.
void show_findings(Output& output, const setup::Findings& findings);
std::string findings_json(const setup::Findings& findings);

}  // namespace gsync::cli
