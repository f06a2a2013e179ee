#include <fmt/format.h>

#include <algorithm>

#include "gsync/sync/engine.hpp"
#include "gsync/util/text.hpp"
#include "run_support.hpp"

namespace gsync::sync {
namespace {

model::Version wanted_version(model::Node& node, std::int64_t id) {
  if (id == 0) {
    auto versions = node.versions();
    if (versions.empty()) {
      throw Error(ErrorCode::not_found, fmt::format("{} keeps no earlier version: nothing was published here yet", node.label()),
                  "a version is kept before each pull that changes something; see `gravity-sync history`");
    }
    id = versions.front().id;
  }
  return node.version(id);
}

model::Plan plan_restore(model::Node& node, const model::NodeInfo& info, const model::Version& version, const Options& options) {
  model::NodeState now;
  now.info = info;
  now.lists = node.lists();
  now.records = node.records();
  now.blocklist = node.blocklist();  // an adlist that goes takes its compiled rows with it: that counts as shrinking
  model::NodeState then;
  then.info = info;
  then.lists = version.lists;
  then.records = version.records;
  auto components = options.components;
  // Versions keep what people edit. What `pihole -g` compiled of an adlist that stays is not touched.
  components.blocklist = false;
  for (std::size_t i = 0; i < then.records.size(); ++i) {
    if (!then.records[i] || !now.records[i]) components.records[i] = false;
  }
  auto plan = model::plan_replication(then, now, components, options.shrink);
  plan.change.action = options.action;
  plan.change.source = fmt::format("version {}", version.info.id);
  plan.change.started_by = options.started_by;
  plan.change.expected = info.digests;
  // Whoever says undo has seen what the last run did, and means exactly this version.
  plan.change.force = options.force || options.action == model::Action::undo;
  auto returning = std::count_if(plan.change.rows.begin(), plan.change.rows.end(),
                                 [](const model::RowChange& row) { return row.key.table == model::Table::adlist && !row.before; });
  // Only the node itself can tell, when it applies the change, whether it still has their compiled domains: its report then says so.
  if (options.dry_run && returning > 0) {
    plan.warnings.push_back(fmt::format("{} may come back without compiled domains; `pihole -g` on {} would fetch them",
                                        util::plural(static_cast<std::uint64_t>(returning), "adlist"), node.label()));
  }
  return plan;
}

}  // namespace

Result restore(model::Node& node, std::int64_t version_id, const Options& options) {
  std::optional<NodeLock> lock;
  model::NodeInfo info;
  if (options.dry_run) {
    info = node.describe();
  } else {
    begin_step(options, fmt::format("locking {}", node.label()));
    lock.emplace(node, util::Deadline::in(options.lock_deadline));
    info = lock->info();
  }
  if (info.damaged) {
    throw Error(ErrorCode::corrupt, fmt::format("the database of {} is damaged: {}", node.label(), util::printable(info.damage)),
                "bring it back with `gravity-sync pull PEER --full`, or with `pihole -g -r recover`");
  }
  auto version = wanted_version(node, version_id);
  Result result;
  result.source = info;
  result.source.name = fmt::format("version {}", version.info.id);
  result.target = info;
  constexpr int max_attempts = 3;
  for (int attempt = 1;; ++attempt) {
    begin_step(options, fmt::format("comparing with version {}", version.info.id));
    result.plan = plan_restore(node, result.target, version, options);
    if (options.dry_run || result.plan.nothing_to_do()) return result;
    auto note = [&](model::Outcome outcome, const std::string& text) {
      note_quietly(node, history_entry(options, result.plan.change.source, node.label(), outcome, text));
    };
    if (result.plan.refusal && !result.plan.change.force) {
      note(model::Outcome::refused, *result.plan.refusal);
      throw Error(ErrorCode::refused, fmt::format("nothing was changed on {}: {}", node.label(), *result.plan.refusal),
                  "look at each row with --dry-run; if this is what you want, --force lets it through");
    }
    try {
      begin_step(options, fmt::format("publishing on {}", node.label()));
      result.report = node.apply(result.plan.change, nullptr, nullptr);
      return result;
    } catch (const Error& error) {
      const bool may_pass = error.code() == ErrorCode::conflict || error.code() == ErrorCode::busy;
      if (!may_pass || attempt == max_attempts) {
        note(error.code() == ErrorCode::refused ? model::Outcome::refused : model::Outcome::failed, error.what());
        throw;
      }
    }
    result.target = node.describe();
  }
}

}  // namespace gsync::sync
