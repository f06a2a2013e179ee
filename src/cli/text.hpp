#pragma once
#include <cstddef>
#include <string>
#include <vector>

#include "gsync/model/history.hpp"
#include "gsync/sync/engine.hpp"
#include "node_report.hpp"
#include "output.hpp"

/// What commands print for people, as lines.
namespace gsync::cli {

/// The plan of a dry run, row by row in sections.
std::vector<Line> plan_text(const sync::Result& result, const std::string& source, const std::string& target);

/// Counts first, then the rows, at most `limit` for a section (0: all).
std::vector<Line> comparison_text(const sync::Comparison& comparison, const std::string& here, const std::string& there, std::size_t limit);

/// What was kept and what was lost.
std::vector<Line> conflicts_text(const std::vector<model::Conflict>& conflicts);

std::vector<Line> history_text(const std::vector<model::HistoryEntry>& entries);
/// One entry with its rows.
std::vector<Line> history_entry_text(const model::HistoryEntry& entry);
std::vector<Line> versions_text(const std::vector<model::VersionInfo>& versions);
std::vector<Line> report_text(const NodeReport& report);

}  // namespace gsync::cli
