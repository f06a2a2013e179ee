#include "words.hpp"

#include <vector>

#include <fmt/format.h>

#include "gsync/util/text.hpp"

namespace gsync::cli {
namespace {

/// "3 added, 1 removed" of those that are not zero.
std::string changes(std::uint64_t added, std::uint64_t changed, std::uint64_t removed) {
  std::vector<std::string> parts;
  if (added) parts.push_back(fmt::format("{} added", added));
  if (changed) parts.push_back(fmt::format("{} changed", changed));
  if (removed) parts.push_back(fmt::format("{} removed", removed));
  return fmt::format("{}", fmt::join(parts, ", "));
}

}  // namespace

std::string_view table_name(model::Table table) {
  switch (table) {
    case model::Table::group:
      return "group";
    case model::Table::adlist:
      return "adlist";
    case model::Table::domain:
      return "domain";
    case model::Table::client:
      return "client";
  }
  return "unknown";
}

std::string_view kind_name(const model::RowKey& key) {
  switch (key.table) {
    case model::Table::group:
      return key.kind == model::kind::default_group ? "default" : "named";
    case model::Table::adlist:
      return key.kind == model::kind::block_list ? "block" : "allow";
    case model::Table::domain:
      switch (key.kind) {
        case model::kind::allow_exact:
          return "allow_exact";
        case model::kind::deny_exact:
          return "deny_exact";
        case model::kind::allow_regex:
          return "allow_regex";
        default:
          return "deny_regex";
      }
    case model::Table::client:
      return "client";
  }
  return "unknown";
}

std::string_view section_of(model::Table table) {
  switch (table) {
    case model::Table::group:
      return "Groups";
    case model::Table::adlist:
      return "Adlists";
    case model::Table::domain:
      return "Domains";
    case model::Table::client:
      return "Clients";
  }
  return "Others";
}

std::string_view section_of(model::RecordKind kind) {
  switch (kind) {
    case model::RecordKind::dns:
      return "Local DNS records";
    case model::RecordKind::cname:
      return "CNAME records";
    case model::RecordKind::dhcp:
      return "Static DHCP leases";
    case model::RecordKind::setting:
      return "Settings";
  }
  return "Other records";
}

std::string counts_text(const model::ChangeCounts& counts) {
  std::vector<std::string> parts;
  if (counts.whole_database) parts.push_back("the whole database");
  if (counts.rows_added || counts.rows_changed || counts.rows_removed)
    parts.push_back("lists: " + changes(counts.rows_added, counts.rows_changed, counts.rows_removed));
  if (counts.adlists_compiled || counts.blocklist_added || counts.blocklist_removed) {
    auto rows = changes(counts.blocklist_added, 0, counts.blocklist_removed);
    // Adlists that go take their domains with them; none is compiled then.
    auto adlists = counts.adlists_compiled ? util::plural(counts.adlists_compiled, "adlist") : std::string();
    parts.push_back(
        fmt::format("blocklist: {}{}{}{}", adlists, adlists.empty() || rows.empty() ? "" : ", ", rows.empty() ? "" : "domains ", rows));
  }
  if (counts.records_added || counts.records_removed)
    parts.push_back("records: " + changes(counts.records_added, 0, counts.records_removed));
  if (counts.settings_changed) parts.push_back("settings: " + changes(0, counts.settings_changed, 0));
  if (counts.conflicts) parts.push_back(util::plural(counts.conflicts, "conflict"));
  return parts.empty() ? "nothing" : fmt::format("{}", fmt::join(parts, "; "));
}

std::string_view runtime_name(config::Runtime runtime) {
  switch (runtime) {
    case config::Runtime::automatic:
      return "automatic";
    case config::Runtime::native:
      return "native";
    case config::Runtime::docker:
      return "docker";
    case config::Runtime::podman:
      return "podman";
    case config::Runtime::volume:
      return "volume";
  }
  return "unknown";
}

}  // namespace gsync::cli
