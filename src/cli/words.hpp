#pragma once
#include <string>
#include <string_view>

#include "gsync/config/config.hpp"
#include "gsync/model/history.hpp"
#include "gsync/model/lists.hpp"

namespace gsync::cli {

/// "group", "adlist", "domain", "client".
std::string_view table_name(model::Table table);
/// The kind of a row as scripts see it: "default", "named"; "block", "allow"; "allow_exact", "deny_exact", "allow_regex", "deny_regex";
/// "client".
std::string_view kind_name(const model::RowKey& key);
/// The heading of a section: "Groups", "Local DNS records"…
std::string_view section_of(model::Table table);
std::string_view section_of(model::RecordKind kind);

/// "native", "docker"…, as it stands in the configuration.
std::string_view runtime_name(config::Runtime runtime);

/// "lists: 3 added, 1 removed; blocklist: 2 adlists, 120 domains added; records: 1 added". "nothing" when there is nothing.
std::string counts_text(const model::ChangeCounts& counts);

}  // namespace gsync::cli
