#include <fmt/format.h>

#include <algorithm>

#include "agree.hpp"
#include "deliver.hpp"
#include "gsync/model/fit.hpp"
#include "gsync/model/merge.hpp"
#include "gsync/sync/engine.hpp"
#include "gsync/util/text.hpp"
#include "lock_pair.hpp"
#include "run_support.hpp"

namespace gsync::sync {
namespace {

/// How often a run merges again when a node changed between the reading and the publish.
constexpr int max_attempts = 5;

constexpr const char* default_adlist = "https://raw.githubusercontent.com/StevenBlack/hosts/master/hosts";

/// A Pi-hole that nobody has edited yet.
bool is_fresh(const model::NodeState& node) {
  for (const auto& [key, row] : node.lists) {
    const bool comes_with_it = key == model::default_group_key() || (key.table == model::Table::adlist && key.name == default_adlist);
    if (!comes_with_it || !row.enabled) return false;
  }
  // Every Pi-hole has settings.
  return std::ranges::all_of(model::record_kinds, [&](auto kind) {
    const auto& lines = node.records[model::index_of(kind)];
    return kind == model::RecordKind::setting || !lines || lines->empty();
  });
}

/// The merge, and what it was made of.
struct Merged {
  model::NodeState here;
  model::NodeState there;
  model::Lists lists;
  model::Records records;
  model::Blocklist blocklist;
  std::vector<model::Conflict> conflicts;
};

class TwoWay {
 public:
  TwoWay(model::Node& here, model::Node& there, const TwoWayOptions& options) : here_(here), there_(there), options_(options) {}

  TwoWayResult run();

 private:
  void check_ends() const;
  void check_pair(const model::PairInfo& here, const model::PairInfo& there) const;
  bool finish_interrupted();
  void read_both(Merged& merged);
  void read_records(Merged& merged);
  model::Records records_described(model::Node& node, const model::NodeInfo& info) const;
  model::Lists lists_described(model::Node& node, const model::NodeInfo& info, const model::Lists& known) const;
  Merged merge();
  void merge_with_base(Merged& merged, const model::Base& base);
  void start_from_nothing(Merged& merged);
  TwoWayResult plan(Merged& merged);
  model::Plan plan_for(const model::NodeState& target, const model::NodeInfo& other, const Merged& merged);
  model::Intent intent_for(const HalfResult& half, const model::NodeState& node, const Merged& merged, const std::string& id,
                           bool ours_win) const;
  void carry_out(TwoWayResult& result, const Merged& merged);
  void apply(model::Node& node, HalfResult& half, model::Node& other, const std::string& other_id);
  void note_conflicts(model::Node& node, const HalfResult& half, const model::Node& other, const std::vector<model::Conflict>& conflicts);
  [[noreturn]] void refuse(const std::string& why, const std::string& hint, bool worth_a_line = true);
  bool ours_wins() const;

  model::Node& here_;
  model::Node& there_;
  const TwoWayOptions& options_;
  model::NodeInfo here_info_;
  model::NodeInfo there_info_;
  model::Components components_;
};

bool TwoWay::ours_wins() const {
  if (options_.prefer == Prefer::lower_id) return here_info_.node_id < there_info_.node_id;
  return options_.prefer == Prefer::here;
}

void TwoWay::check_ends() const {
  require_two_nodes(here_, here_info_, there_, there_info_);
  for (const auto* end : {&here_info_, &there_info_}) {
    const auto& node = end == &here_info_ ? here_ : there_;
    const auto& other = end == &here_info_ ? there_ : here_;
    if (end->damaged) {
      throw Error(ErrorCode::corrupt, fmt::format("the database of {} is damaged: {}", node.label(), util::printable(end->damage)),
                  end == &here_info_ ? fmt::format("replace it with the whole database of {0}: gravity-sync pull {0} --full", other.label())
                                     : fmt::format("replace it with the one of this host: gravity-sync push {} --full", node.label()));
    }
    if (end->read_only && !options_.dry_run) {
      throw Error(ErrorCode::refused, fmt::format("{} only lets itself be read: its agent runs with --read-only", node.label()),
                  fmt::format("take --read-only out of the command in its authorized_keys, or use mode \"pull\" for {}", node.label()));
    }
  }
}

void TwoWay::check_pair(const model::PairInfo& here, const model::PairInfo& there) const {
  if (const auto ring = model::ring_of(here, there); !ring.empty()) {
    std::vector<std::string> names;
    names.reserve(ring.size());
    for (const auto& node : ring) names.push_back(util::printable(node.name));
    throw Error(
        ErrorCode::refused,
        fmt::format("{} and {} are joined already by way of {}: together they would make a ring, in which edits come back as new ones",
                    here_.label(), there_.label(), fmt::join(names, ", ")),
        "sync in a star or a chain: take mode \"sync\" from one pair of the ring. If one of them is not synced any more, say so: "
        "gravity-sync forget NAME");
  }
  if (!here.label.empty() && here.label != there_.label()) {
    throw Error(ErrorCode::refused,
                fmt::format("{} has the node id of {}: one was made by copying the other's card or disk, or it was renamed here",
                            there_.label(), here.label),
                fmt::format("if it was copied: remove <state_directory>/state.db on {}; if it was renamed: gravity-sync forget {}",
                            there_.label(), here.label));
  }
}

TwoWayResult TwoWay::run() {
  begin_step(options_, fmt::format("comparing {} with {}", here_.label(), there_.label()));
  here_info_ = here_.describe();
  there_info_ = there_.describe();
  check_ends();
  components_ = agreeable(here_info_, there_info_, options_.components);
  if (agreed(here_, here_info_, there_info_, options_.components))
    return {{here_info_, {}, {}}, {there_info_, {}, {}}, {}, uncompiled(here_info_, there_info_, options_.components)};
  if (options_.dry_run) {
    check_pair(here_.pair(there_info_.node_id), there_.pair(here_info_.node_id));
    auto merged = merge();
    return plan(merged);
  }
  begin_step(options_, fmt::format("locking {} and {}", here_.label(), there_.label()));
  auto locks = lock_both(here_, here_info_, there_, there_info_, options_.lock_deadline);
  here_info_ = locks.source.info();
  there_info_ = locks.target.info();
  for (int attempt = 1;; ++attempt) {
    check_ends();
    try {
      if (finish_interrupted()) {
        here_info_ = here_.describe();
        there_info_ = there_.describe();
      }
      components_ = agreeable(here_info_, there_info_, options_.components);
      auto merged = merge();
      auto result = plan(merged);
      for (const auto* half : {&result.here, &result.there})
        if (half->plan.refusal && !options_.force)
          refuse(fmt::format("nothing was changed: on {}, {}", half == &result.here ? here_.label() : there_.label(), *half->plan.refusal),
                 "look at each row with --dry-run; if this is what you want, --force lets it through");
      carry_out(result, merged);
      auto here = here_info_;
      auto there = there_info_;
      if (result.here.report) here.uncompiled = result.here.report->uncompiled;
      if (result.there.report) there.uncompiled = result.there.report->uncompiled;
      result.uncompiled = uncompiled(here, there, options_.components);
      return result;
    } catch (const Error& error) {
      if ((error.code() != ErrorCode::conflict && error.code() != ErrorCode::busy) || attempt == max_attempts) throw;
      begin_step(options_, fmt::format("merging again: {}", error.what()));
      if (error.code() == ErrorCode::busy) back_off(util::Deadline::in(options_.lock_deadline));
    }
    here_info_ = here_.describe();
    there_info_ = there_.describe();
  }
}

/// What a run before this one has left undone: it goes on, because one of the two may have published already. True when something was done.
bool TwoWay::finish_interrupted() {
  const auto& here_id = here_info_.node_id;
  const auto& there_id = there_info_.node_id;
  const auto here = here_.pair(there_id);
  const auto there = there_.pair(here_id);
  check_pair(here, there);
  if (here.intent.empty() && there.intent.empty()) return false;
  begin_step(options_, "finishing an interrupted sync");
  if (here.intent == there.intent) {
    here_.catch_up(there_id);
    there_.catch_up(here_id);
    settle_both(here_, here_info_, there_, there_info_, here.intent, true);
    return true;
  }
  // Each is told last of all that it is done, so one that is not told has done it when the other has it as its base. And none begins before
  // both are told. It may have been done by catching up, without the compiled sets.
  if (!here.intent.empty() && here.intent == there.base)
    settle_one(here_, here_info_, there_, there_info_, here.intent, true, there_.label());
  else if (!here.intent.empty())
    here_.forget(there_id, false);
  if (!there.intent.empty() && there.intent == here.base)
    settle_one(there_, there_info_, here_, here_info_, there.intent, true, {});
  else if (!there.intent.empty())
    there_.forget(here_id, false);
  return true;
}

void TwoWay::read_records(Merged& merged) {
  const auto known = here_.pair(there_info_.node_id);
  bool any = false;
  for (auto kind : model::record_kinds) {
    const auto i = model::index_of(kind);
    any = any || (components_.records[i] && (records_differ(here_info_.digests, there_info_.digests, kind) || !known.records[i]));
  }
  // Ours are at hand; theirs are the same where the digests are.
  merged.here.records = records_described(here_, here_info_);
  merged.there.records = any ? records_described(there_, there_info_) : merged.here.records;
}

/// Of the kinds that are synced, each as it was described: one that cannot be read now would look as if all of it had been deleted.
/// Without locks an edit meanwhile is as good as one before.
model::Records TwoWay::records_described(model::Node& node, const model::NodeInfo& info) const {
  auto records = node.records();
  for (auto kind : model::record_kinds) {
    const auto i = model::index_of(kind);
    auto& lines = records[i];
    if (!components_.records[i]) {
      lines.reset();
    } else if (!lines || (!options_.dry_run && model::digest_of(*lines) != info.digests.records[i])) {
      throw Error(ErrorCode::conflict,
                  fmt::format("the {} of {} {}", model::plural_of(kind), node.label(),
                              lines ? "were edited while they were compared" : "cannot be read any more"),
                  "run it again");
    }
  }
  return records;
}

/// An edit after the description that is taken back before the intent would go to the other, and be in one base only.
model::Lists TwoWay::lists_described(model::Node& node, const model::NodeInfo& info, const model::Lists& known) const {
  auto lists = node.lists_beside(known);
  if (!options_.dry_run && model::digest_of(lists) != info.digests.lists)
    throw Error(ErrorCode::conflict, fmt::format("{} was edited while it was compared", node.label()), "run it again");
  return lists;
}

void TwoWay::read_both(Merged& merged) {
  merged.here.info = here_info_;
  merged.there.info = there_info_;
  begin_step(options_, fmt::format("reading {}", here_.label()));
  merged.here.lists = lists_described(here_, here_info_, {});
  merged.here.blocklist = here_.blocklist();
  // What only one of them can hold is in its own base, or it would look as if the other had deleted it once that can hold it, too.
  const bool other_lists = lists_differ(here_info_, there_info_) || here_info_.digests.lists != there_info_.digests.lists;
  const bool other_blocklist = blocklists_differ(here_info_, there_info_) || here_info_.digests.blocklist != there_info_.digests.blocklist;
  begin_step(options_, fmt::format("reading {}", there_.label()));
  // Adlists that go take their compiled rows with them, so these are counted wherever lists differ.
  merged.there.lists = other_lists || other_blocklist ? lists_described(there_, there_info_, merged.here.lists) : merged.here.lists;
  merged.there.blocklist = other_lists || other_blocklist ? there_.blocklist() : merged.here.blocklist;
  read_records(merged);
}

Merged TwoWay::merge() {
  Merged merged;
  read_both(merged);
  const auto here = here_.pair(there_info_.node_id);
  const auto there = there_.pair(here_info_.node_id);
  if (!here.base.empty() && here.base == there.base)
    merge_with_base(merged, here_.base(there_info_.node_id));
  else if (options_.unite || (!lists_differ(here_info_, there_info_) && in_step(here_info_, there_info_, components_)))
    merge_with_base(merged, {});
  else
    start_from_nothing(merged);
  return merged;
}

void TwoWay::merge_with_base(Merged& merged, const model::Base& base) {
  const auto fit = model::common_fit(here_info_, there_info_);
  const model::Sides sides{here_.label(), there_.label(), ours_wins()};
  if (components_.lists)
    merged.lists = model::merge_lists(model::fitted(base.lists, fit), model::fitted(merged.here.lists, fit),
                                      model::fitted(merged.there.lists, fit), sides, merged.conflicts, fit);
  else
    merged.lists = merged.here.lists;
  for (auto kind : model::record_kinds) {
    const auto i = model::index_of(kind);
    if (!components_.records[i]) continue;
    merged.records[i] = model::merge_records(kind, base.records[i].value_or(model::RecordLines{}), *merged.here.records[i],
                                             *merged.there.records[i], sides, merged.conflicts);
  }
  merged.blocklist = model::merge_blocklists(base.compiled, merged.here.blocklist, merged.there.blocklist, merged.lists);
}

/// The two have never been synced, or do not agree what they had then: nothing that only one of them has may be taken for deleted on the
/// other.
void TwoWay::start_from_nothing(Merged& merged) {
  const bool here_is_fresh = is_fresh(merged.here);
  const bool there_is_fresh = is_fresh(merged.there);
  if (here_is_fresh || there_is_fresh) {
    const auto& taken = here_is_fresh ? merged.there : merged.here;
    merged.lists = taken.lists;
    merged.records = taken.records;
    merged.blocklist = taken.blocklist;
    return;
  }
  refuse(
      fmt::format("{} and {} differ and have no common past (they were never synced both ways, or one of them was reinstalled or "
                  "restored): what only one of them has may be new there, or deleted on the other",
                  here_.label(), there_.label()),
      fmt::format("say once what is right: `gravity-sync pull {0}` takes everything of {0}, `gravity-sync push {0}` everything of this "
                  "host, `gravity-sync sync {0} --union` joins both and deletes nothing; `gravity-sync compare {0}` shows the difference",
                  there_.label()),
      false);
}

model::Plan TwoWay::plan_for(const model::NodeState& target, const model::NodeInfo& other, const Merged& merged) {
  model::NodeState wanted{other, merged.lists, merged.records, merged.blocklist};
  // What the other could not hold so far was no part of the merge. If it can now, the next one takes it there.
  for (const auto& key : model::unfit(target.lists, model::common_fit(here_info_, there_info_))) {
    if (key.kind == model::kind::allow_list && merged.lists.contains({model::Table::adlist, model::kind::block_list, key.name})) continue;
    auto row = target.lists.at(key);
    std::erase_if(row.groups, [&](const model::RowKey& group) { return !merged.lists.contains(group); });
    wanted.lists.emplace(key, std::move(row));
  }
  auto plan = model::plan_replication(wanted, target, components_, options_.shrink);
  plan.change.action = options_.action;
  plan.change.started_by = options_.started_by;
  plan.change.expected = target.info.digests;
  plan.change.force = options_.force;
  plan.change.source_compiles = other.runs_gravity && options_.components.blocklist;
  const auto noted = std::min(merged.conflicts.size(), model::HistoryEntry::max_rows);
  plan.change.conflicts.assign(merged.conflicts.begin(), merged.conflicts.begin() + static_cast<std::ptrdiff_t>(noted));
  return plan;
}

TwoWayResult TwoWay::plan(Merged& merged) {
  begin_step(options_, "planning");
  TwoWayResult result{{here_info_, plan_for(merged.here, there_info_, merged), {}},
                      {there_info_, plan_for(merged.there, here_info_, merged), {}},
                      merged.conflicts};
  result.here.plan.change.source = there_.label();
  result.there.plan.change.source = here_.label();
  result.here.plan.by_copy = model::answers_of_copy(result.here.plan.change, merged.there, merged.here, options_.copy_from);
  result.there.plan.by_copy = model::answers_of_copy(result.there.plan.change, merged.here, merged.there, options_.copy_from);
  return result;
}

model::Intent TwoWay::intent_for(const HalfResult& half, const model::NodeState& node, const Merged& merged, const std::string& id,
                                 bool ours_win) const {
  model::Intent intent;
  intent.id = id;
  intent.expected = half.info.digests;
  intent.ours_wins = ours_win;
  for (const auto& key : model::unfit(node.lists, model::common_fit(here_info_, there_info_)))
    if (!merged.lists.contains(key)) intent.only_here.insert(key);
  intent.components = components_;
  intent.rows = half.plan.change.rows;
  intent.records = half.plan.change.records;
  intent.conflicts = half.plan.change.conflicts;
  const auto sets = model::compiled_sets(merged.blocklist);
  for (const auto& wish : half.plan.change.wishes)
    if (auto set = sets.find(wish.key); set != sets.end()) intent.compiled.insert(*set);
  return intent;
}

void TwoWay::carry_out(TwoWayResult& result, const Merged& merged) {
  const auto& here_id = here_info_.node_id;
  const auto& there_id = there_info_.node_id;
  const auto id = base_id(here_.pair(there_id), there_.pair(here_id), merged.lists, merged.records, model::compiled_sets(merged.blocklist));
  here_.intend(there_id, intent_for(result.here, merged.here, merged, id, ours_wins()));
  there_.intend(here_id, intent_for(result.there, merged.there, merged, id, !ours_wins()));
  apply(here_, result.here, there_, there_id);
  apply(there_, result.there, here_, here_id);
  settle_both(here_, here_info_, there_, there_info_, id, false);
  note_conflicts(here_, result.here, there_, merged.conflicts);
  note_conflicts(there_, result.there, here_, merged.conflicts);
}

void TwoWay::apply(model::Node& node, HalfResult& half, model::Node& other, const std::string& other_id) {
  auto& change = half.plan.change;
  if (half.plan.nothing_to_do()) return;
  change.pair = other_id;
  if (&node == &here_ && options_.bytes_sent && options_.bytes_received)
    change.transferred = [this] { return model::Change::Transferred{options_.bytes_sent(), options_.bytes_received()}; };
  half.report = deliver(half.plan, other, node, options_);
}

/// Where the outcome was there already nothing was applied, and the history would not say that somebody's edit has lost.
void TwoWay::note_conflicts(model::Node& node, const HalfResult& half, const model::Node& other,
                            const std::vector<model::Conflict>& conflicts) {
  if (conflicts.empty() || half.report) return;
  auto entry = history_entry(options_, other.label(), node.label(), model::Outcome::done, {});
  entry.conflicts = conflicts;
  entry.counts.conflicts = conflicts.size();
  note_quietly(node, entry);
}

void TwoWay::refuse(const std::string& why, const std::string& hint, bool worth_a_line) {
  if (worth_a_line && !options_.dry_run)
    note_quietly(here_, history_entry(options_, there_.label(), here_.label(), model::Outcome::refused, why));
  throw Error(ErrorCode::refused, why, hint);
}

}  // namespace

Prefer preferred(const std::string& name, const std::string& here, const std::string& there, const std::vector<std::string>& known) {
  if (name.empty()) return Prefer::lower_id;
  if (name == here) return Prefer::here;
  if (name == there) return Prefer::there;
  if (std::find(known.begin(), known.end(), name) != known.end()) return Prefer::lower_id;
  throw Error(
      ErrorCode::config, fmt::format("no Pi-hole is called '{}', whose edits are to be preferred", util::printable(name)),
      fmt::format("this one is called {}; the others: {}", here, known.empty() ? "none" : fmt::format("{}", fmt::join(known, ", "))));
}

bool agreed(model::Node& here, const model::NodeInfo& here_info, const model::NodeInfo& there_info, const model::Components& components) {
  if (!in_step(here_info, there_info, components)) return false;
  const auto pair = here.pair(there_info.node_id);
  if (pair.base.empty() || !pair.intent.empty()) return false;
  const auto wanted = agreeable(here_info, there_info, components);
  if (wanted.lists && pair.lists != here_info.digests.lists) return false;
  for (std::size_t i = 0; i < wanted.records.size(); ++i)
    if (wanted.records[i] && pair.records[i] != here_info.digests.records[i]) return false;
  return true;
}

TwoWayResult synchronise(model::Node& here, model::Node& there, const TwoWayOptions& options) {
  return TwoWay(here, there, options).run();
}

}  // namespace gsync::sync
