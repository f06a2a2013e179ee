#include "gsync/model/shared_node.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "gsync/model/fit.hpp"
#include "gsync/util/codec.hpp"
#include "gsync/util/error.hpp"

namespace gsync::model {
namespace {

constexpr int max_attempts = 6;

[[noreturn]] void changed_meanwhile() {
  throw Error(ErrorCode::conflict, "the target has changed since the plan was made", "run it again");
}

}  // namespace

void SharedNode::keep(KeepLocal filter) {
  keep_ = std::move(filter);
  filter_ = digest_of(std::string_view(util::encode(keep_)));
  view_.reset();
}

Kept SharedNode::kept() {
  if (keep_.empty()) return {};
  return kept_of(whole_.lists(), whole_.records(), keep_);
}

NodeInfo SharedNode::describe() {
  return seen(whole_.describe());
}

NodeInfo SharedNode::lock(util::Deadline deadline) {
  auto info = whole_.lock(deadline);
  try {
    return seen(std::move(info));
  } catch (...) {
    whole_.unlock();
    throw;
  }
}

/// `info` of the whole, as the peer sees it.
NodeInfo SharedNode::seen(NodeInfo info) {
  if (keep_.empty()) return info;
  for (int attempt = 1;; ++attempt) {
    info.kept_local = keep_.patterns();
    info.uncompiled = without(std::move(info.uncompiled), keep_);
    if (info.damaged) return info;
    if (const auto view = view_of(info.digests)) {
      info.digests.records = view->shared.records;
      info.entries_kept = view->kept_rows;
      for (auto lines : view->kept_records) info.entries_kept += lines;
      if (!keep_.keeps_rows()) return info;
      info.digests.lists = view->shared.lists;
      info.digests.blocklist = view->shared.blocklist;
      info.fitted = view->fitted;
      info.list_rows = view->list_rows;
      info.blocklist_rows = view->blocklist_rows;
      return info;
    }
    if (attempt == max_attempts) throw Error(ErrorCode::busy, fmt::format("{} is edited all the time", label()), "try again later");
    info = whole_.describe();
  }
}

/// nullopt when what there is to see is not what has these digests any more.
std::optional<SharedNode::View> SharedNode::view_of(const Digests& whole) {
  if (view_ && view_->whole == whole) return view_;
  auto views = remembered();
  const auto known = std::ranges::find(views, filter_, &View::filter);
  if (known != views.end() && known->whole == whole) return view_ = *known;

  View view;
  const View* before = nullptr;
  if (known != views.end()) before = &*known;
  const bool same_database = before && before->whole.lists == whole.lists && before->whole.blocklist == whole.blocklist;
  if (same_database) view = *before;
  view.filter = filter_;
  view.whole = whole;
  if (keep_.keeps_rows() && !same_database && !look_at_lists(view)) return std::nullopt;
  if (!look_at_records(view, before)) return std::nullopt;

  if (known != views.end()) views.erase(known);
  views.insert(views.begin(), view);
  if (views.size() > max_views) views.resize(max_views);
  if (memory_.remember) memory_.remember(util::encode(views));
  return view_ = view;
}

bool SharedNode::look_at_lists(View& view) {
  auto lists = whole_.lists();
  auto blocklist = whole_.blocklist();
  if (digest_of(lists) != view.whole.lists || digest_of(blocklist) != view.whole.blocklist) return false;
  const auto all = lists.size();
  lists = without(std::move(lists), keep_);
  blocklist = without(std::move(blocklist), keep_);
  view.shared.lists = digest_of(lists);
  view.shared.blocklist = digest_of(blocklist);
  view.fitted = fitted_digests(lists, blocklist);
  view.list_rows = lists.size();
  view.kept_rows = all - lists.size();
  view.blocklist_rows = 0;
  for (const auto& adlist : blocklist) view.blocklist_rows += adlist.rows.count;
  return true;
}

bool SharedNode::look_at_records(View& view, const View* known) {
  std::optional<Records> records;
  for (auto kind : record_kinds) {
    const auto i = index_of(kind);
    view.shared.records[i].reset();
    view.kept_records[i] = 0;
    if (!view.whole.records[i]) continue;
    if (known && known->whole.records[i] == view.whole.records[i]) {
      view.shared.records[i] = known->shared.records[i];
      view.kept_records[i] = known->kept_records[i];
      continue;
    }
    if (!records) records = whole_.records();
    auto& lines = (*records)[i];
    if (!lines || digest_of(*lines) != view.whole.records[i]) return false;
    const auto shared = without(kind, *lines, keep_);
    view.shared.records[i] = digest_of(shared);
    if (kind != RecordKind::setting) view.kept_records[i] = lines->size() - shared.size();
  }
  return true;
}

std::vector<SharedNode::View> SharedNode::remembered() const {
  const auto bytes = memory_.recall ? memory_.recall() : std::nullopt;
  if (!bytes || bytes->empty()) return {};
  try {
    return util::decode<std::vector<View>>(*bytes);
  } catch (const Error&) {
    return {};  // written by an older version of ours: read anew
  }
}

Lists SharedNode::lists() {
  return without(whole_.lists(), keep_);
}

Records SharedNode::records() {
  return without(whole_.records(), keep_);
}

Blocklist SharedNode::blocklist() {
  return without(whole_.blocklist(), keep_);
}

std::unique_ptr<BlocklistReader> SharedNode::blocklist_rows(const std::vector<BlocklistWish>& wishes) {
  for (const auto& wish : wishes) require_shared(wish.key);
  return whole_.blocklist_rows(wishes);
}

void SharedNode::require_shared(const RowKey& adlist) const {
  if (keep_.keeps(adlist)) throw Error(ErrorCode::refused, fmt::format("{} is kept local on {}", model::describe(adlist), label()));
}

Node::Copy SharedNode::copy(CopyOf of) {
  refuse_copy();
  return whole_.copy(of);
}

void SharedNode::refuse_copy() const {
  if (keep_.patterns().empty()) return;
  throw Error(ErrorCode::refused, fmt::format("{} keeps a part of its database local, which a whole copy would not", label()),
              "leave out --full, or take keep_local out of [sync] on both Pi-holes for this one run");
}

Version SharedNode::version(std::int64_t id) {
  auto version = whole_.version(id);
  version.lists = without(std::move(version.lists), keep_);
  version.records = without(std::move(version.records), keep_);
  return version;
}

ApplyReport SharedNode::apply(const Change& change, BlocklistReader* rows, util::ByteReader* copy) {
  if (keep_.empty()) return whole_.apply(change, rows, copy);
  if (change.brings_copy()) refuse_copy();
  auto report = whole_.apply(change_of_whole(change), rows, copy);
  report.uncompiled = without(std::move(report.uncompiled), keep_);
  try {
    describe();  // all of it is in memory now, and the next run has nothing to read
  } catch (const Error&) {
    // The next run describes it.
  }
  return report;
}

Change SharedNode::change_of_whole(const Change& change) {
  const auto now = describe().digests;
  if (!view_ || now.lists != change.expected.lists || now.blocklist != change.expected.blocklist) changed_meanwhile();
  for (std::size_t i = 0; i < change.records.size(); ++i)
    if (change.records[i] && now.records[i] != change.expected.records[i]) changed_meanwhile();
  auto result = change;
  result.expected = view_->whole;
  if (!change.rows.empty() && keep_.keeps_rows()) {
    const auto whole = lists_of_whole(result.expected);
    const auto shared = without(whole, keep_);
    const auto after = patched(shared, change.rows);
    // What is kept must not make what goes look small.
    if (auto why = change.force ? std::nullopt : shrink_refusal(shared, after, limits_))
      throw Error(ErrorCode::refused, *why, "if that is meant, run it again with --force; --dry-run shows every row");
    result.rows = changes_of_whole(change.rows, whole, keep_);
  }
  for (const auto& wish : change.wishes) require_shared(wish.key);
  result.records = records_of_whole(change.records);
  return result;
}

Lists SharedNode::lists_of_whole(const Digests& whole) {
  auto lists = whole_.lists();
  if (digest_of(lists) != whole.lists) changed_meanwhile();
  return lists;
}

Records SharedNode::records_of_whole(const Records& shared) {
  auto result = shared;
  if (std::ranges::none_of(shared, [](const auto& lines) { return lines.has_value(); })) return result;
  const auto whole = whole_.records();
  for (auto kind : record_kinds) {
    auto& lines = result[index_of(kind)];
    const auto& there = whole[index_of(kind)];
    if (lines && there) lines = whole_with(kind, parse_records(kind, *lines), *there, keep_);
  }
  return result;
}

Base SharedNode::base(const std::string& peer) {
  auto base = whole_.base(peer);
  base.lists = without(std::move(base.lists), keep_);
  base.records = without(std::move(base.records), keep_);
  std::erase_if(base.compiled, [&](const auto& set) { return keep_.keeps(set.first); });
  return base;
}

void SharedNode::intend(const std::string& peer, const Intent& intent) {
  if (keep_.empty()) return whole_.intend(peer, intent);
  const auto now = describe().digests;
  if (!view_ || now != intent.expected) changed_meanwhile();
  auto result = intent;
  result.expected = view_->whole;
  if (!intent.rows.empty() && keep_.keeps_rows()) result.rows = changes_of_whole(intent.rows, lists_of_whole(result.expected), keep_);
  result.records = records_of_whole(intent.records);
  for (const auto& [key, rows] : intent.compiled) require_shared(key);
  result.kept_local = keep_;
  whole_.intend(peer, result);
}

}  // namespace gsync::model
