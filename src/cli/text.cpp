#include "text.hpp"

#include <fmt/format.h>

#include "gsync/model/fit.hpp"
#include "gsync/util/text.hpp"
#include "words.hpp"

namespace gsync::cli {
namespace {

using util::human_bytes;
using util::human_time;
using util::plural;
using util::printable;

/// The lines of one heading.
class Sections {
 public:
  explicit Sections(std::size_t limit) : limit_(limit) {}

  void add(std::string_view section, Line line) {
    if (sections_.empty() || sections_.back().name != section) sections_.push_back({std::string(section), {}});
    sections_.back().lines.push_back(std::move(line));
  }
  std::vector<Line> take() const {
    std::vector<Line> all;
    for (const auto& [name, lines] : sections_) {
      all.push_back({"", Style::plain});
      all.push_back({fmt::format("{} ({})", name, lines.size()), Style::heading});
      // One line more is shown rather than "and 1 more".
      auto shown = limit_ == 0 || lines.size() <= limit_ + 1 ? lines.size() : limit_;
      for (std::size_t i = 0; i < shown; ++i) all.push_back({"  " + lines[i].text, lines[i].style});
      if (shown < lines.size()) all.push_back({fmt::format("  … and {} more (--all shows them)", lines.size() - shown), Style::faint});
    }
    return all;
  }

 private:
  struct Section {
    std::string name;
    std::vector<Line> lines;
  };
  std::size_t limit_;
  std::vector<Section> sections_;
};

/// "deny  ads.example.com  # comment": with what a person wrote there, for a row that comes or goes.
std::string whole_row(const model::RowKey& key, const model::Row& row) {
  auto text = model::describe(key);
  if (!row.enabled) text += "  (disabled)";
  if (!row.comment.empty()) text += "  # " + printable(row.comment);
  return text;
}

/// One change as it will be, or was, made on a target.
Line change_line(const model::RowChange& change, std::string_view before_name, std::string_view after_name) {
  if (!change.before) return {"+ " + whole_row(change.key, *change.after), Style::added};
  if (!change.after) return {"- " + whole_row(change.key, *change.before), Style::removed};
  return {fmt::format("~ {} : {}", model::describe(change.key), model::describe_difference(change, before_name, after_name)),
          Style::changed};
}

std::string group_name(const model::RowKey& group) {
  return group == model::default_group_key() ? "Default" : printable(group.name);
}

/// What a past run made of a row.
std::string what_became(const model::Row& before, const model::Row& after) {
  std::vector<std::string> parts;
  if (before.title != after.title) parts.push_back(fmt::format("name '{}' became '{}'", printable(before.title), printable(after.title)));
  if (before.enabled != after.enabled) parts.push_back(after.enabled ? "enabled" : "disabled");
  if (before.comment != after.comment)
    parts.push_back(fmt::format("comment '{}' became '{}'", printable(before.comment), printable(after.comment)));
  for (const auto& group : before.groups)
    if (!after.groups.contains(group)) parts.push_back("out of group " + group_name(group));
  for (const auto& group : after.groups)
    if (!before.groups.contains(group)) parts.push_back("into group " + group_name(group));
  return fmt::format("{}", fmt::join(parts, ", "));
}

Line history_line(const model::RowChange& change) {
  auto line = change_line(change, "", "");
  if (change.before && change.after)
    line.text = fmt::format("~ {} : {}", model::describe(change.key), what_became(*change.before, *change.after));
  return line;
}

Line change_line(const model::RecordChange& change) {
  return {(change.added ? "+ " : "- ") + printable(change.line), change.added ? Style::added : Style::removed};
}

std::string compiled_text(const std::optional<model::AdlistState>& state) {
  if (!state || (state->rows.count == 0 && state->statistics.date_updated == 0)) return "not compiled";
  if (state->statistics.date_updated == 0) return plural(state->rows.count, "domain");
  return fmt::format("{} of {}", plural(state->rows.count, "domain"), human_time(state->statistics.date_updated));
}

std::string adlist_line(const sync::AdlistDifference& d, std::string_view here, std::string_view there) {
  const bool same_count = d.here && d.there && d.here->rows.count == d.there->rows.count;
  return fmt::format("{}  {}: {}, {}: {}{}", printable(d.key.name), here, compiled_text(d.here), there, compiled_text(d.there),
                     same_count ? " (not the same domains)" : "");
}

void append(std::vector<Line>& to, std::vector<Line> lines) {
  to.insert(to.end(), std::make_move_iterator(lines.begin()), std::make_move_iterator(lines.end()));
}

std::string ends_text(const model::HistoryEntry& entry) {
  if (entry.action == model::Action::push) return fmt::format("to {} from {}", printable(entry.target), printable(entry.source));
  if (entry.action == model::Action::sync) return fmt::format("with {}", printable(entry.source));
  if (entry.action == model::Action::pull) return fmt::format("from {}", printable(entry.source));
  return fmt::format("to {}", printable(entry.source));
}

Style style_of(model::Outcome outcome) {
  switch (outcome) {
    case model::Outcome::done:
      return Style::plain;
    case model::Outcome::refused:
      return Style::changed;
    case model::Outcome::failed:
    case model::Outcome::interrupted:
      return Style::removed;
  }
  return Style::plain;
}

std::string runtime_text(const pihole::Installation& in) {
  if (in.container) return fmt::format("{}, {}", in.container->label(), in.container->inspection().running ? "runs" : "does not run");
  auto text = fmt::format("{} ({})", runtime_name(in.runtime), in.how_runtime);
  if (in.runtime != config::Runtime::volume) return text;
  return text + ": only the directory of a container is seen here, so lists and blocklist are synced and records are not";
}

std::string or_unknown(const std::string& text) {
  return text.empty() ? "unknown" : printable(text);
}

std::vector<Line> label_lines(const std::vector<std::pair<std::string, std::string>>& pairs) {
  std::vector<Line> lines;
  lines.reserve(pairs.size());
  for (const auto& [label, value] : pairs) lines.push_back({fmt::format("  {:<16} {}", label, value), Style::plain});
  return lines;
}

/// What a dry run shows, as far as it can be known before the compiled sets have come.
model::ChangeCounts planned_counts(const sync::Result& result) {
  model::ChangeCounts counts;
  for (const auto& row : result.plan.change.rows)
    ++(!row.before ? counts.rows_added : !row.after ? counts.rows_removed : counts.rows_changed);
  for (const auto& record : result.plan.records) {
    if (record.kind != model::RecordKind::setting)
      ++(record.added ? counts.records_added : counts.records_removed);
    else if (record.added)
      ++counts.settings_changed;
  }
  counts.adlists_compiled = result.blocklist.size();
  return counts;
}

}  // namespace

std::vector<std::string> NodeReport::not_synced() const {
  std::vector<std::string> reasons;
  if (const auto& keep = config.sync.keep_local; !keep.empty())
    reasons.push_back(fmt::format("kept local by [sync] keep_local: {}", fmt::join(keep.patterns(), ", ")));
  for (auto kind : model::record_kinds) {
    const auto& why = node.capabilities.records_unavailable[model::index_of(kind)];
    if (!why.empty()) reasons.push_back(fmt::format("{}: {}", model::plural_of(kind), why));
    const auto& why_not_set = node.capabilities.records_read_only[model::index_of(kind)];
    if (!why_not_set.empty()) reasons.push_back(fmt::format("{} are only given, not set here: {}", model::plural_of(kind), why_not_set));
  }
  for (std::string_view note : node.notes) {
    // The heading above them says it.
    constexpr std::string_view prefix = "not synced: ";
    reasons.emplace_back(note.starts_with(prefix) ? note.substr(prefix.size()) : note);
  }
  return reasons;
}

std::vector<Line> plan_text(const sync::Result& result, const std::string& source, const std::string& target) {
  const auto& plan = result.plan;
  std::vector<Line> lines;
  if (plan.change.whole_copy) {
    lines.push_back(
        {fmt::format("the whole database of {} ({}) would replace the one of {}", source, human_bytes(plan.change.copy_bytes), target),
         Style::plain});
  } else {
    lines.push_back({fmt::format("{} would change: {}", target, counts_text(planned_counts(result))), Style::plain});
  }
  Sections sections(0);
  for (const auto& change : plan.change.rows) sections.add(section_of(change.key.table), change_line(change, target, source));
  for (const auto& difference : result.blocklist)
    sections.add("Blocklist", {"~ " + adlist_line(difference, target, source), Style::changed});
  for (const auto& change : plan.records) sections.add(section_of(change.kind), change_line(change));
  append(lines, sections.take());
  return lines;
}

std::vector<Line> comparison_text(const sync::Comparison& comparison, const std::string& here, const std::string& there,
                                  std::size_t limit) {
  Sections sections(limit);
  for (const auto& change : comparison.rows)
    sections.add(section_of(change.key.table),
                 {fmt::format("{}  {}", model::describe(change.key), model::describe_difference(change, here, there)), Style::plain});
  for (const auto& difference : comparison.blocklist) sections.add("Blocklist", {adlist_line(difference, here, there), Style::plain});
  for (const auto& change : comparison.records)
    sections.add(section_of(change.kind),
                 {fmt::format("{}  {} {}", printable(change.line), change.kind == model::RecordKind::setting ? "on" : "only on",
                              change.added ? there : here),
                  Style::plain});

  const auto fit = model::common_fit(comparison.here, comparison.there);
  for (const auto& row : comparison.unfit) {
    sections.add("Cannot be on both", {fmt::format("{}  stays only on {}: {}", model::describe(row.key), row.here ? here : there,
                                                   model::why_unfit(fit, row.here ? there : here)),
                                       Style::faint});
  }

  for (const auto& key : comparison.kept_here.rows)
    sections.add("Kept local", {fmt::format("{}  stays on {}", model::describe(key), here), Style::faint});
  for (const auto& lines : comparison.kept_here.records)
    for (const auto& line : lines) sections.add("Kept local", {fmt::format("{}  stays on {}", printable(line), here), Style::faint});
  if (const auto n = comparison.there.entries_kept; n > 0)
    sections.add("Kept local", {fmt::format("{} of {}, which it does not show", plural(n, "entry", "entries"), there), Style::faint});

  const auto add_lone = [&](const std::vector<std::string>& keys, const std::string& node, const std::string& other) {
    for (const auto& key : keys)
      sections.add("Settings that only one of them gives",
                   {fmt::format("{}  stays on {}: it is not in [sync] settings of {}, or not to be had there", printable(key), node, other),
                    Style::faint});
  };
  add_lone(comparison.settings_only_here, here, there);
  add_lone(comparison.settings_only_there, there, here);

  std::vector<std::string> parts;
  auto count = [&](std::size_t n, std::string_view one, std::string_view many) {
    if (n > 0) parts.push_back(plural(n, one, many));
  };
  count(comparison.rows.size(), "list entry", "list entries");
  count(comparison.blocklist.size(), "compiled adlist", "compiled adlists");
  count(comparison.records.size() - 2 * comparison.settings(), "record", "records");
  count(comparison.settings(), "setting", "settings");
  auto total = comparison.rows.size() + comparison.blocklist.size() + comparison.records.size();
  std::vector<Line> lines{{fmt::format("{} and {} differ in {}", here, there, fmt::join(parts, ", ")), Style::plain}};
  if (total == 0)
    lines = {{fmt::format("{} and {} are the same{}", here, there, comparison.unfit.empty() ? "" : ", as far as both can hold it"),
              Style::plain}};
  if (const auto& patterns = comparison.here.kept_local; !patterns.empty())
    lines.push_back(
        {fmt::format("not counting what is kept local: {}", printable(fmt::format("{}", fmt::join(patterns, ", ")))), Style::plain});
  append(lines, sections.take());
  return lines;
}

std::vector<Line> conflicts_text(const std::vector<model::Conflict>& conflicts) {
  Sections sections(0);
  for (const auto& c : conflicts) {
    const auto what = c.field.empty() ? c.subject : fmt::format("{}: {}", c.subject, c.field);
    sections.add("Conflicts", {printable(what), Style::changed});
    sections.add("Conflicts", {fmt::format("  kept, of {}: {}", printable(c.kept_from), printable(c.kept)), Style::plain});
    sections.add("Conflicts", {fmt::format("  lost, of {}: {}", printable(c.lost_from), printable(c.lost)), Style::removed});
  }
  return sections.take();
}

std::vector<Line> history_text(const std::vector<model::HistoryEntry>& entries) {
  std::vector<Line> lines;
  for (const auto& entry : entries) {
    auto tail = entry.outcome == model::Outcome::done ? counts_text(entry.counts) : printable(entry.text);
    if (entry.outcome == model::Outcome::done && !entry.text.empty()) tail += " (" + printable(entry.text) + ")";
    if (entry.dns_paused) tail += "; DNS paused";
    if (!entry.started_by.empty()) tail += "; " + printable(entry.started_by);
    auto bytes = entry.bytes_sent + entry.bytes_received;
    if (bytes > 0) tail += "; " + human_bytes(bytes);
    lines.push_back({fmt::format("{:>5}  {}  {} {}  {}: {}", entry.id, human_time(entry.time), model::to_string(entry.action),
                                 ends_text(entry), model::to_string(entry.outcome), tail),
                     style_of(entry.outcome)});
  }
  return lines;
}

std::vector<Line> history_entry_text(const model::HistoryEntry& entry) {
  std::vector<std::pair<std::string, std::string>> pairs{
      {"when", human_time(entry.time)},
      {"what", fmt::format("{} {}", model::to_string(entry.action), ends_text(entry))},
      {"started by", or_unknown(entry.started_by)},
      {"outcome", std::string(model::to_string(entry.outcome)) + (entry.text.empty() ? "" : ": " + printable(entry.text))},
      {"changed", counts_text(entry.counts)},
      {"bytes", fmt::format("{} sent, {} received", human_bytes(entry.bytes_sent), human_bytes(entry.bytes_received))},
      {"kept version", entry.version ? fmt::format("{} (gravity-sync restore {} brings it back)", entry.version, entry.version) : "none"},
      {"DNS", entry.dns_paused ? "paused: FTL restarted for cname or dhcp records, or for settings" : "was not interrupted"},
  };
  std::vector<Line> lines{{fmt::format("Run {}", entry.id), Style::heading}};
  append(lines, label_lines(pairs));
  Sections sections(0);
  for (const auto& change : entry.rows) sections.add(section_of(change.key.table), history_line(change));
  for (const auto& change : entry.records) sections.add(section_of(change.kind), change_line(change));
  append(lines, sections.take());
  append(lines, conflicts_text(entry.conflicts));
  if (entry.rows_left_out > 0)
    lines.push_back({fmt::format("  … and {} that were not kept", plural(entry.rows_left_out, "row")), Style::faint});
  return lines;
}

std::vector<Line> versions_text(const std::vector<model::VersionInfo>& versions) {
  std::vector<Line> lines;
  lines.reserve(versions.size());
  for (const auto& version : versions)
    lines.push_back(
        {fmt::format("{:>5}  {}  {}, {}  {}", version.id, human_time(version.time), plural(version.list_rows, "list entry", "list entries"),
                     plural(version.records, "record"), printable(version.reason)),
         Style::plain});
  return lines;
}

std::vector<Line> report_text(const NodeReport& report) {
  const auto& in = report.installation;
  const auto& node = report.node;
  std::vector<Line> lines{{printable(node.name), Style::heading}};
  append(lines, label_lines({
                    {"gravity-sync", printable(node.software)},
                    {"node id", printable(node.node_id)},
                    {"runs as", report.user},
                    {"configuration", report.config.path.empty() ? "none found: defaults, no peers" : report.config.path},
                    {"state", report.config.node.state_directory},
                }));
  if (const auto& settings = report.config.sync.settings; !settings.empty())
    append(lines, label_lines({{"settings", fmt::format("{}: synced with peers that list them as well", fmt::join(settings, ", "))}}));
  lines.push_back({"", Style::plain});
  lines.push_back({"Pi-hole", Style::heading});
  append(lines,
         label_lines({
             {"generation", fmt::format("{} ({}), {}", in.generation == pihole::Generation::v6 ? "v6" : "v5", printable(in.how_generation),
                                        runtime_text(in))},
             {"core", or_unknown(in.core_version)},
             {"FTL", or_unknown(in.ftl_version)},
             {"web", or_unknown(in.web_version)},
             {"directory", in.directory},
             {"database", fmt::format("{} ({})", in.gravity_database, printable(in.how_gravity))},
             {"schema", node.damaged ? "unreadable" : std::to_string(node.schema)},
             {"size", human_bytes(node.live_bytes)},
             {"lists", plural(node.list_rows, "entry", "entries")},
             {"blocklist", plural(node.blocklist_rows, "row")},
             {"pihole -g", report.gravity_running ? "runs now" : "does not run"},
             {"FTL binary", in.ftl_binary.empty() ? "none on this host" : in.ftl_binary},
             {"pid file", in.pid_file.empty() ? "none on this host" : in.pid_file},
             {"FTL process", printable(report.ftl)},
             {"DNS port", fmt::format("{} ({})", in.dns_port ? std::to_string(in.dns_port) : "not asked", printable(in.how_dns_port))},
             {"kept versions", std::to_string(report.versions)},
         }));
  if (in.generation == pihole::Generation::v5) {
    append(lines,
           label_lines({
               {"records", fmt::format("{}, and two files in {}", in.record_file(model::RecordKind::dns),
                                       in.dnsmasq_directory.empty() ? "a directory that this host does not reach" : in.dnsmasq_directory)},
               {"restarted by", in.container                ? "pihole restartdns in " + in.container->label()
                                : in.pihole_command.empty() ? "nobody: the pihole command was not found"
                                                            : in.pihole_command + " restartdns"},
           }));
  }
  if (node.damaged) lines.push_back({"  damaged: " + printable(node.damage), Style::removed});
  lines.push_back({"", Style::plain});
  lines.push_back({"Not synced", Style::heading});
  auto reasons = report.not_synced();
  if (reasons.empty()) lines.push_back({"  everything that gravity-sync knows can be synced here", Style::plain});
  for (const auto& reason : reasons) lines.push_back({"  " + printable(reason), Style::plain});
  lines.push_back({"", Style::plain});
  lines.push_back({"Peers", Style::heading});
  if (report.config.peers.empty()) lines.push_back({"  none configured", Style::plain});
  for (const auto& peer : report.config.peers)
    lines.push_back({fmt::format("  {:<16} {}@{}{}", peer.name, peer.user, peer.host, peer.port ? fmt::format(" port {}", peer.port) : ""),
                     Style::plain});
  return lines;
}

}  // namespace gsync::cli
