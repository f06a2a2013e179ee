#include <fmt/format.h>

#include <algorithm>

#include "agree.hpp"
#include "deliver.hpp"
#include "gsync/model/fit.hpp"
#include "gsync/sync/engine.hpp"
#include "gsync/util/text.hpp"
#include "lock_pair.hpp"
#include "run_support.hpp"

namespace gsync::sync {
namespace {

/// How often a run plans again when a node changed between the plan and the publish.
constexpr int max_attempts = 3;

/// Than what is settled now.
bool has_more_than(const model::PairInfo& pair, const model::Components& wanted) {
  if (pair.base.empty()) return false;
  bool more = !wanted.lists && pair.lists != model::Digest{};
  for (std::size_t i = 0; i < pair.records.size(); ++i) more = more || (pair.records[i] && !wanted.records[i]);
  return more;
}

class Replication {
 public:
  Replication(model::Node& source, model::Node& target, const Options& options) : source_(source), target_(target), options_(options) {}

  Result run();

 private:
  void check_ends() const;
  Result plan_only();
  Result replicate_locked();
  Result nothing_to_do() const;
  Result result_of(model::Plan plan, std::optional<model::ApplyReport> report);
  model::Plan plan();
  void read_lists_and_blocklist(model::NodeState& source, model::NodeState& target);
  void read_records(model::NodeState& source, model::NodeState& target);
  void warn_of_unavailable_records(std::vector<std::string>& warnings) const;
  void warn_of_rows_left_out(std::vector<std::string>& warnings) const;
  void note_blocklist_differences(const model::Plan& plan, const model::Blocklist& source, const model::Blocklist& target);
  void make_whole_copy(model::Plan& plan) const;
  void agree_on_outcome();
  void refuse(const std::string& why);
  void remember(model::Outcome outcome, const std::string& text);
  void remember_push(model::Outcome outcome, const std::string& text, const model::ApplyReport& report);

  model::Node& source_;
  model::Node& target_;
  const Options& options_;
  model::NodeInfo source_info_;
  model::NodeInfo target_info_;
  std::vector<AdlistDifference> blocklist_;
};

std::optional<model::AdlistState> state_of(const model::Blocklist& blocklist, const model::RowKey& key) {
  auto found = std::find_if(blocklist.begin(), blocklist.end(), [&](const model::AdlistState& state) { return state.key == key; });
  return found == blocklist.end() ? std::nullopt : std::optional(*found);
}

Result Replication::run() {
  if (options_.full && !(options_.components.lists && options_.components.blocklist)) {
    throw Error(ErrorCode::config, "--full replaces the whole database, lists and blocklist together",
                "leave --full out, or name both in --only");
  }
  begin_step(options_, fmt::format("comparing {} with {}", source_.label(), target_.label()));
  source_info_ = source_.describe();
  target_info_ = target_.describe();
  check_ends();
  if (!options_.full && in_step(source_info_, target_info_, options_.components) &&
      (options_.dry_run || !options_.agree || agreed(target_, target_info_, source_info_, options_.components)))
    return nothing_to_do();
  return options_.dry_run ? plan_only() : replicate_locked();
}

/// What no plan can mend.
void Replication::check_ends() const {
  require_two_nodes(source_, source_info_, target_, target_info_);
  if (source_info_.damaged) {
    throw Error(
        ErrorCode::corrupt,
        fmt::format("the database of {} is damaged and is not copied: {}", source_.label(), util::printable(source_info_.damage)),
        fmt::format(
            "repair it on {}: `pihole -g -r recover`, or bring its lists back from another Pi-hole with `gravity-sync pull PEER --full`",
            source_.label()));
  }
  if (target_info_.damaged && !options_.full) {
    auto command = options_.action == model::Action::push ? fmt::format("gravity-sync push {} --full", target_.label())
                                                          : fmt::format("gravity-sync pull {} --full", source_.label());
    throw Error(ErrorCode::corrupt, fmt::format("the database of {} is damaged: {}", target_.label(), util::printable(target_info_.damage)),
                fmt::format("replace it with the whole database of {}: {}", source_.label(), command));
  }
  if (options_.full && !(source_info_.kept_local.empty() && target_info_.kept_local.empty())) {
    const auto& patterns = source_info_.kept_local.empty() ? target_info_.kept_local : source_info_.kept_local;
    throw Error(ErrorCode::refused,
                fmt::format("a whole copy of the database of {} would replace what {} keeps local ({})", source_.label(), target_.label(),
                            util::printable(fmt::format("{}", fmt::join(patterns, ", ")))),
                "leave out --full, or take keep_local out of [sync] on both Pi-holes for this one run");
  }
  if (target_info_.read_only && !options_.dry_run) {
    throw Error(
        ErrorCode::refused, fmt::format("{} only lets itself be read: its agent runs with --read-only", target_.label()),
        fmt::format("run `gravity-sync pull` on {}, or take --read-only out of the command in its authorized_keys", target_.label()));
  }
}

Result Replication::plan_only() {
  return result_of(plan(), {});
}

Result Replication::result_of(model::Plan plan, std::optional<model::ApplyReport> report) {
  auto after = target_info_;
  if (report) after.uncompiled = report->uncompiled;
  auto uncompiled = sync::uncompiled(after, source_info_, options_.components);
  return {source_info_, target_info_, std::move(plan), std::move(report), std::move(blocklist_), std::move(uncompiled)};
}

Result Replication::replicate_locked() {
  begin_step(options_, fmt::format("locking {} and {}", source_.label(), target_.label()));
  auto locks = lock_both(source_, source_info_, target_, target_info_, options_.lock_deadline);
  source_info_ = locks.source.info();
  target_info_ = locks.target.info();
  for (int attempt = 1;; ++attempt) {
    check_ends();
    if (!options_.full && in_step(source_info_, target_info_, options_.components)) {
      if (options_.agree) agree_on_outcome();
      return nothing_to_do();
    }
    auto made = plan();
    if (!made.change.whole_copy && made.nothing_to_do()) return result_of(std::move(made), {});
    if (made.refusal && !options_.force) refuse(*made.refusal);
    try {
      // A base of before is none: what goes here now would come back by it.
      const auto pair = target_.pair(source_info_.node_id);
      const bool paired = !pair.base.empty() || !pair.intent.empty();
      if (paired) target_.forget(source_info_.node_id, true);
      if (options_.bytes_sent && options_.bytes_received)
        made.change.transferred = [this] { return model::Change::Transferred{options_.bytes_sent(), options_.bytes_received()}; };
      auto report = deliver(made, source_, target_, options_);
      if (options_.agree || paired) agree_on_outcome();
      if (options_.action == model::Action::push)
        remember_push(model::Outcome::done, model::to_text(model::newly(target_info_.uncompiled, report.uncompiled)), report);
      return result_of(std::move(made), std::move(report));
    } catch (const Error& error) {
      const bool may_pass = error.code() == ErrorCode::conflict || error.code() == ErrorCode::busy;
      if (!may_pass || attempt == max_attempts) {
        remember(error.code() == ErrorCode::refused ? model::Outcome::refused : model::Outcome::failed, error.what());
        throw;
      }
      begin_step(options_, fmt::format("planning again: {}", error.what()));
      if (error.code() == ErrorCode::busy) back_off(util::Deadline::in(options_.lock_deadline));
    }
    source_info_ = source_.describe();
    target_info_ = target_.describe();
  }
}

/// What cannot be synced is said each time, so that nobody takes silence for success.
Result Replication::nothing_to_do() const {
  Result result{source_info_, target_info_, {}, {}, {}, sync::uncompiled(target_info_, source_info_, options_.components)};
  warn_of_unavailable_records(result.plan.warnings);
  warn_of_rows_left_out(result.plan.warnings);
  return result;
}

/// Reads from both ends what differs by digest, and nothing else.
model::Plan Replication::plan() {
  model::NodeState source;
  model::NodeState target;
  source.info = source_info_;
  target.info = target_info_;
  auto components = options_.components;
  if (target_info_.damaged) {
    // Its lists cannot be read, and everything in the database is replaced.
    components.lists = components.blocklist = false;
  } else {
    read_lists_and_blocklist(source, target);
  }
  read_records(source, target);
  begin_step(options_, "planning");
  auto made = model::plan_replication(source, target, components, options_.shrink);
  warn_of_unavailable_records(made.warnings);
  // A plan of the lists names them.
  if (components.lists && !lists_differ(source_info_, target_info_)) warn_of_rows_left_out(made.warnings);
  note_blocklist_differences(made, source.blocklist, target.blocklist);
  made.change.action = options_.action;
  made.change.source = source_.label();
  made.change.started_by = options_.started_by;
  made.change.expected = target_info_.digests;
  made.change.force = options_.force;
  made.change.source_compiles = source_info_.runs_gravity && options_.components.blocklist;
  made.by_copy = model::answers_of_copy(made.change, source, target, options_.copy_from);
  if (options_.full) make_whole_copy(made);
  return made;
}

void Replication::read_lists_and_blocklist(model::NodeState& source, model::NodeState& target) {
  const auto& wanted = options_.components;
  const bool other_lists = lists_differ(source_info_, target_info_);
  const bool blocklist_differs = blocklists_differ(source_info_, target_info_);
  const bool need_blocklist = wanted.blocklist && blocklist_differs;
  if (!(wanted.lists && other_lists) && !need_blocklist) return;

  begin_step(options_, fmt::format("reading the lists of {} and {}", source_.label(), target_.label()));
  // The near side's first, so that of the far side's only what differs has to travel.
  if (options_.action == model::Action::push) {
    source.lists = source_.lists();
    target.lists = target_.lists_beside(source.lists);
    if (!other_lists) source.lists = target.lists;
  } else {
    target.lists = target_.lists();
    source.lists = other_lists ? source_.lists_beside(target.lists) : target.lists;
  }
  // Equal digests: every adlist that has compiled rows is on both with the same ones, so none of them can go.
  if (!blocklist_differs) return;
  // Adlists that go take their compiled rows with them, so the target's are counted even where only the lists travel.
  begin_step(options_, fmt::format("comparing the blocklists of {} and {}", source_.label(), target_.label()));
  target.blocklist = target_.blocklist();
  if (need_blocklist) source.blocklist = source_.blocklist();
}

void Replication::read_records(model::NodeState& source, model::NodeState& target) {
  model::PerKind<bool> differs{};
  bool any = false;
  for (auto kind : model::record_kinds) {
    auto i = model::index_of(kind);
    differs[i] = options_.components.records[i] && records_can_be_synced(source_info_, target_info_, kind);
    any = any || differs[i];
  }
  if (!any) return;
  begin_step(options_, fmt::format("reading the records of {} and {}", source_.label(), target_.label()));
  auto from = source_.records();
  auto to = target_.records();
  for (std::size_t i = 0; i < differs.size(); ++i) {
    if (!differs[i] || !from[i] || !to[i]) continue;
    source.records[i] = std::move(from[i]);
    target.records[i] = std::move(to[i]);
  }
}

/// A kind that only one side has, or that the target cannot take, is left alone, and the person hears why: once where it is the same for
/// all.
void Replication::warn_of_unavailable_records(std::vector<std::string>& warnings) const {
  std::vector<std::pair<std::string, std::vector<std::string_view>>> reasons;  // with the kinds
  auto add = [&](model::RecordKind kind, const std::string& why) {
    if (reasons.empty() || reasons.back().first != why) reasons.emplace_back(why, 0);
    reasons.back().second.push_back(model::to_string(kind));
  };
  for (auto kind : model::record_kinds) {
    auto i = model::index_of(kind);
    if (!options_.components.records[i]) continue;
    const bool source_has = source_info_.digests.records[i].has_value();
    const bool target_has = target_info_.digests.records[i].has_value();
    if (source_has != target_has) {
      const auto& lacking = source_has ? target_ : source_;
      const auto& reason = (source_has ? target_info_ : source_info_).capabilities.records_unavailable[i];
      add(kind, fmt::format("are not synced, {} cannot {} them{}{}", lacking.label(), source_has ? "take" : "give",
                            reason.empty() ? "" : ": ", util::printable(reason)));
    } else if (records_differ(source_info_.digests, target_info_.digests, kind) &&
               !records_can_be_synced(source_info_, target_info_, kind)) {
      add(kind, fmt::format("differ and are not synced, {} cannot take them: {}", target_.label(),
                            util::printable(target_info_.capabilities.records_read_only[i])));
    }
  }
  for (auto& [why, kinds] : reasons) {
    const bool settings = kinds.back() == model::to_string(model::RecordKind::setting);
    if (settings) kinds.pop_back();
    const auto records = kinds.empty() ? std::string() : fmt::format("{} records", fmt::join(kinds, ", "));
    warnings.push_back(fmt::format("{}{}{} {}", records, settings && !kinds.empty() ? " and " : "", settings ? "settings" : "", why));
  }
}

void Replication::warn_of_rows_left_out(std::vector<std::string>& warnings) const {
  const auto fit = model::common_fit(source_info_, target_info_);
  const auto n = model::digests_at(source_info_, fit).rows_left_out;
  if (!options_.components.lists || n == 0 || target_info_.damaged) return;
  warnings.push_back(fmt::format("{} of {} {} left out, {}; `gravity-sync compare` names {}", util::plural(n, "list entry", "list entries"),
                                 source_.label(), n == 1 ? "is" : "are", model::why_unfit(fit, target_.label()), n == 1 ? "it" : "them"));
}

/// What the wishes of the plan are about, for people.
void Replication::note_blocklist_differences(const model::Plan& plan, const model::Blocklist& source, const model::Blocklist& target) {
  blocklist_.clear();
  for (const auto& wish : plan.change.wishes) blocklist_.push_back({wish.key, state_of(target, wish.key), state_of(source, wish.key)});
}

/// The rows stay in a dry run: they are what the person asked to see.
void Replication::make_whole_copy(model::Plan& plan) const {
  plan.change.whole_copy = true;
  plan.change.copy_bytes = source_info_.live_bytes;
  plan.change.copy_lists = source_info_.digests.lists;
  plan.change.copy_blocklist = source_info_.digests.blocklist;
  plan.change.wishes.clear();
  plan.by_copy.clear();
  if (!options_.dry_run) plan.change.rows.clear();
}

/// From here on the two can be synced both ways. Not if somebody has edited meanwhile: then they have nothing in common that both know of.
void Replication::agree_on_outcome() {
  if (source_info_.read_only) return;
  const auto source_info = source_.describe();
  const auto target_info = target_.describe();
  if (!in_step(source_info, target_info, options_.components)) return;
  const auto source_pair = source_.pair(target_info.node_id);
  const auto target_pair = target_.pair(source_info.node_id);
  const auto wanted = agreeable(source_info, target_info, options_.components);
  if (source_pair.base != target_pair.base && (has_more_than(source_pair, wanted) || has_more_than(target_pair, wanted))) {
    // One base for both would be what only one of them remembers: what a person has deleted since would come back, or go.
    source_.forget(target_info.node_id, true);
    target_.forget(source_info.node_id, true);
    return;
  }
  if (options_.action == model::Action::push)
    agree(source_, source_info, target_, target_info, options_.components);
  else
    agree(target_, target_info, source_, source_info, options_.components);
}

void Replication::refuse(const std::string& why) {
  remember(model::Outcome::refused, why);
  throw Error(ErrorCode::refused, fmt::format("nothing was changed on {}: {}", target_.label(), why),
              "look at each row with --dry-run; if this is what you want, --force lets it through");
}

void Replication::remember(model::Outcome outcome, const std::string& text) {
  note_quietly(target_, history_entry(options_, source_.label(), target_.label(), outcome, text));
  if (options_.action == model::Action::push) remember_push(outcome, text, {});
}

/// A push is started on the source, where people look for what became of it. The rows are in the target's history.
void Replication::remember_push(model::Outcome outcome, const std::string& text, const model::ApplyReport& report) {
  auto entry = history_entry(options_, source_.label(), target_.label(), outcome, text);
  entry.counts = report.counts;
  entry.dns_paused = report.dns_paused;
  note_quietly(source_, entry);
}

}  // namespace

Result replicate(model::Node& source, model::Node& target, const Options& options) {
  return Replication(source, target, options).run();
}

}  // namespace gsync::sync
