#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <deque>
#include <memory>

#include "gsync/model/fit.hpp"
#include "gsync/model/setting.hpp"
#include "gsync/sync/engine.hpp"
#include "gsync/util/text.hpp"
#include "support/fake_node.hpp"
#include "support/sanitizer.hpp"
#include "unit/model/random_edits.hpp"

namespace gsync::sync {
namespace {

using model::testing::Random;
using model::testing::RandomEdits;
using model::testing::same_edits;
using test::FakeNode;

/// What somebody did on one node, all rows and lines at once.
struct Edit {
  std::vector<model::RowChange> rows;
  std::vector<model::RecordChange> records;
  bool everywhere = false;  ///< all nodes had the same before, by syncs that had ended
};

enum class World : std::uint8_t {
  ordinary,
  with_losses,        ///< nodes lose what they know of their pairs, or are put back to a backup of their card
  of_several_schemas  ///< some Pi-holes have one adlist for an address
};

/// Several Pi-holes in a tree, people who edit, syncs that fail anywhere, `pihole -g`; and what must be true of it in the end.
class Script {
 public:
  Script(Random& random, RandomEdits& edits, World world) : random_(random), edits_(edits), world_(world) {
    const auto count = 2 + random_.below(4);
    const auto shape = random_.below(3);
    for (std::size_t i = 0; i < count; ++i) {
      nodes_.push_back(std::make_unique<FakeNode>("n" + std::to_string(i), std::string(31, '0') + std::to_string((i * 7 + 3) % 10)));
      if (i > 0) links_.emplace_back(shape == 0 ? i - 1 : shape == 1 ? 0 : random_.below(i), i);
    }
    model::Lists lists = nodes_[0]->lists_now;
    model::Records records = nodes_[0]->records_now;
    for (auto n = random_.below(8); n > 0; --n) edits_.edit(lists);
    records[model::index_of(model::RecordKind::setting)] = model::RecordLines{"dns.blockTTL = 0", "dns.rateLimit.count = 0"};
    for (auto n = random_.below(6); n > 0; --n) edit_record(records);
    for (auto& node : nodes_) {
      node->info.capabilities.address_unique = world_ == World::of_several_schemas && random_.flip();
      node->lists_now = model::fitted(lists, fit_of(*node));
      node->records_now = records;
    }
    for (std::size_t i = 0; i < links_.size(); ++i) sync(i);
    EXPECT_TRUE(story.find("refused") == std::string::npos);
  }

  void run() {
    for (auto n = 3 + random_.below(14); n > 0; --n) step();
    for (auto& node : nodes_) end_gravity(*node);
    finish();
  }

  std::string story;

 private:
  static model::Fit fit_of(const FakeNode& node) { return model::fit_of(node.info.capabilities); }
  FakeNode& any_node() { return *nodes_[random_.below(nodes_.size())]; }

  void step() {
    switch (random_.below(10)) {
      case 0:
      case 1:
      case 2:
      case 3:
        edit(any_node());
        break;
      case 4:
      case 5:
        sync(random_.below(links_.size()));
        break;
      case 6:
        failing_sync();
        break;
      case 7:
        disturbed_sync();
        break;
      case 8: {
        auto& node = any_node();
        if (copied_.contains(&node))
          end_gravity(node);
        else
          copied_[&node] = node.lists_now;
        story += node.label() + ": pihole -g\n";
        break;
      }
      default:
        if (world_ == World::with_losses && random_.flip())
          lose(any_node());
        else
          compile(any_node());
    }
  }

  /// Comments are never the same twice, so that the end shows whose edit is in it.
  void edit(FakeNode& node) {
    Edit edit;
    edit.everywhere = all_agree();
    const auto lists = node.lists_now;
    const auto records = node.records_now;
    if (random_.below(3) == 0)
      edit_record(node.records_now);
    else
      edits_.edit(node.lists_now);
    if (!unfit(node.lists_now, fit_of(node)).empty()) node.lists_now = lists;
    for (auto& change : model::diff(lists, node.lists_now)) {
      if (change.after && !change.after->comment.empty() && (!change.before || change.before->comment != change.after->comment))
        change.after->comment = node.lists_now[change.key].comment = fmt::format("edit {}", log_.size());
      story += fmt::format("{}: {} {}\n", node.label(),
                           !change.after   ? "deletes"
                           : change.before ? "changes"
                                           : "adds",
                           describe(change.key));
      edit.rows.push_back(std::move(change));
    }
    for (auto kind : model::record_kinds) {
      for (auto& change : model::diff(kind, *records[model::index_of(kind)], *node.records_now[model::index_of(kind)])) {
        story += fmt::format("{}: {}{}\n", node.label(), change.added ? '+' : '-', change.line);
        const auto& other = *(change.added ? records : node.records_now)[model::index_of(kind)];
        if (std::find(other.begin(), other.end(), change.line) == other.end()) edit.records.push_back(std::move(change));
      }
    }
    std::erase_if(node.compiled, [&](const auto& set) { return !node.lists_now.contains(set.first); });
    if (!edit.rows.empty() || !edit.records.empty()) log_.push_back(std::move(edit));
  }

  void edit_record(model::Records& records) {
    const auto kind = model::record_kinds[random_.below(model::record_kinds.size())];
    auto& lines = *records[model::index_of(kind)];
    if (kind != model::RecordKind::setting) return edits_.edit(kind, lines);
    auto& line = lines[random_.below(lines.size())];
    line = fmt::format("{} = {}", model::setting_key_of(line), ++values_);  // never the same twice
  }

  void compile(FakeNode& node) {
    for (const auto& [key, row] : node.lists_now) {
      if (key.table != model::Table::adlist) continue;
      auto& set = node.compiled[key];
      set = {"always.example", fmt::format("only{}.example", random_.below(4))};
      node.statistics[key] = {++clock_, 2, 0, 1, 0};
      story += fmt::format("{}: compiles {} to {}\n", node.label(), describe(key), fmt::join(set, " "));
    }
  }

  /// Where all have the same, so that it is known what must be there afterwards: nothing may be deleted because one node does not have it.
  void lose(FakeNode& node) {
    auto backup = backups_.find(&node);
    if (backup == backups_.end()) {
      backups_.emplace(&node, Backup{node.lists_now, node.records_now, node.compiled, node.books});
      return;
    }
    if (!all_agree() || copied_.contains(&node)) return;
    for (const auto& [key, row] : node.lists_now) must_stay_.emplace(key, log_.size());
    if (random_.flip()) {
      story += node.label() + ": loses its books\n";
      node.books.clear();
    } else {
      story += node.label() + ": is put back to a backup\n";
      node.lists_now = backup->second.lists;
      node.records_now = backup->second.records;
      node.compiled = backup->second.compiled;
      node.books = backup->second.books;
    }
    backups_.erase(backup);
  }

  void end_gravity(FakeNode& node) {
    auto copied = copied_.extract(&node);
    if (copied.empty()) return;
    node.swap_in(copied.mapped());
    (void)node.lock(util::Deadline::in(std::chrono::seconds(1)));
    node.unlock();
    story += node.label() + ": pihole -g ends\n";
  }

  TwoWayOptions options() const {
    TwoWayOptions options;
    options.action = model::Action::sync;
    options.force = true;
    return options;
  }

  void sync(std::size_t link) {
    auto [one, two] = links_[link];
    // A node does not publish while `pihole -g` runs there.
    if (copied_.contains(nodes_[one].get()) || copied_.contains(nodes_[two].get())) return;
    if (random_.flip()) std::swap(one, two);
    story += fmt::format("n{} syncs with n{}\n", one, two);
    try {
      synchronise(*nodes_[one], *nodes_[two], options());
    } catch (const Error& error) {
      story += fmt::format("  {}\n", error.what());
      const bool no_past = std::string_view(error.what()).find("no common past") != std::string_view::npos;
      if (!no_past) throw;
      auto unite = options();
      unite.unite = true;
      synchronise(*nodes_[one], *nodes_[two], unite);
    }
  }

  template <class Work>
  void sync_while(const Work& at_call) {
    const auto link = random_.below(links_.size());
    auto until = random_.below(60);
    for (auto& node : nodes_) {
      node->on_call = [&, at = node.get()](const std::string& call) {
        if (call != "unlock" && until-- == 0) at_call(*at, call);
      };
    }
    try {
      sync(link);
    } catch (const Error& error) {
      story += fmt::format("  failed: {}\n", error.what());
      EXPECT_EQ(error.code(), ErrorCode::unreachable) << error.what();
    }
    for (auto& node : nodes_) node->on_call = {};
  }
  void failing_sync() {
    sync_while([](FakeNode& node, const std::string& call) { throw Error(ErrorCode::unreachable, node.label() + " is gone at " + call); });
  }
  void disturbed_sync() {
    sync_while([this](FakeNode& node, const std::string& call) {
      if (call == "publish" || call == "record") return;  // a node lets nobody edit between its last look and the publish
      story += fmt::format("  in the middle, at {}:\n", call);
      edit(node);
    });
  }

  /// As far as they can have the same.
  bool all_same() const {
    return std::all_of(links_.begin(), links_.end(), [&](const auto& link) {
      const auto& one = *nodes_[link.first];
      const auto& two = *nodes_[link.second];
      const auto fit = std::max(fit_of(one), fit_of(two));
      return same_edits(model::fitted(one.lists_now, fit), model::fitted(two.lists_now, fit)) && one.records_now == two.records_now;
    });
  }

  bool all_agree() const {
    return all_same() && std::all_of(links_.begin(), links_.end(), [&](const auto& link) {
             auto& one = *nodes_[link.first];
             auto& two = *nodes_[link.second];
             return agreed(one, one.describe(), two.describe(), {}) && agreed(two, two.describe(), one.describe(), {});
           });
  }

  void finish() {
    // A compile that meets an older one takes a sweep more, a row for which a schema had no place so far another.
    for (std::size_t sweep = 0; sweep < 5; ++sweep) {
      for (std::size_t i = 0; i < links_.size(); ++i) sync(i);
      for (std::size_t i = links_.size(); i-- > 0;) sync(i);
    }
    ASSERT_TRUE(all_same());
    for (const auto& node : nodes_) {
      ASSERT_NO_THROW(check_lists(node->lists_now));
      ASSERT_TRUE(unfit(node->lists_now, fit_of(*node)).empty());
      ASSERT_TRUE(world_ == World::of_several_schemas || node->describe().digests == nodes_[0]->describe().digests) << shown();
    }
    for (auto [one, two] : links_) ASSERT_TRUE(synchronise(*nodes_[one], *nodes_[two], options()).nothing_to_do());
    for (const auto& node : nodes_) {
      for (const auto& change : node->applied) conflicts_.insert(conflicts_.end(), change.conflicts.begin(), change.conflicts.end());
      for (const auto& entry : node->notes) conflicts_.insert(conflicts_.end(), entry.conflicts.begin(), entry.conflicts.end());
    }
    for (const auto& [key, since] : must_stay_) {
      const auto edited = [&, it = &key](const model::RowChange& change) { return change.key == *it; };
      EXPECT_TRUE(nodes_[0]->lists_now.contains(key) || said_since(since, edited)) << describe(key) << " was deleted by nobody\n"
                                                                                   << shown();
    }
    if (world_ == World::with_losses) return;  // a backup has none of the edits after it
    for (std::size_t i = 0; i < log_.size(); ++i) {
      for (const auto& change : log_[i].rows) check(i, change);
      for (const auto& change : log_[i].records) check(i, change);
    }
  }

  template <class Said>
  bool said_since(std::size_t i, const Said& said) const {
    return std::any_of(log_.begin() + static_cast<std::ptrdiff_t>(i), log_.end(),
                       [&](const Edit& edit) { return std::any_of(edit.rows.begin(), edit.rows.end(), said); });
  }
  bool noted(const std::string& subject, const std::string& lost) const {
    return std::any_of(conflicts_.begin(), conflicts_.end(), [&](const model::Conflict& c) {
      return c.subject.find(subject) != std::string::npos && c.lost.find(lost) != std::string::npos;
    });
  }

  void check(std::size_t i, const model::RowChange& change) const {
    const auto& key = change.key;
    if (world_ == World::of_several_schemas && key.table == model::Table::adlist) return;  // not all can have it
    const auto& lists = nodes_[0]->lists_now;
    const auto now = lists.find(key);
    const auto later = [&](const model::RowChange& other) { return other.key == key; };
    if (said_since(i + 1, later)) return;
    if (!change.after) {
      if (!log_[i].everywhere || now == lists.end()) return;
      EXPECT_TRUE(noted(describe(key), "deleted")) << "edit " << i << ", the deletion of " << describe(key) << ", is not there\n"
                                                   << shown();
      return;
    }
    const bool new_comment = !change.after->comment.empty() && (!change.before || change.before->comment != change.after->comment);
    if (new_comment && (now == lists.end() || now->second.comment != change.after->comment)) {
      EXPECT_TRUE(noted(describe(key), change.after->comment)) << "edit " << i << ", the comment of " << describe(key) << ", is not there\n"
                                                               << shown();
    }
    if (!change.before && log_[i].everywhere) {
      EXPECT_TRUE(now != lists.end()) << "edit " << i << ", " << describe(key) << ", is not there\n" << shown();
    }
  }

  void check(std::size_t i, const model::RecordChange& change) const {
    if (!change.added) return;
    // Added again it is as in some base, and who has taken it away since then has the only edit.
    for (const auto& edit : log_)
      for (const auto& other : edit.records)
        if (other.kind == change.kind && other.line == change.line && !other.added) return;
    const auto& lines = *nodes_[0]->records_now[model::index_of(change.kind)];
    if (std::find(lines.begin(), lines.end(), change.line) != lines.end()) return;
    const bool setting = change.kind == model::RecordKind::setting;
    EXPECT_TRUE(setting ? noted(fmt::format("setting {}", model::setting_key_of(change.line)), model::setting_argument(change.line))
                        : noted(std::string(to_string(change.kind)) + " record", util::printable(change.line)))
        << "edit " << i << ", " << change.line << ", is not there\n"
        << shown();
  }

  std::string shown() const {
    std::string text = "in the end:\n";
    for (const auto& node : nodes_)
      for (const auto& [key, set] : node->compiled) text += fmt::format("  {}: {} {}\n", node->label(), describe(key), fmt::join(set, " "));
    for (const auto& [key, row] : nodes_[0]->lists_now) text += fmt::format("  {} '{}'\n", describe(key), row.comment);
    for (const auto& lines : nodes_[0]->records_now)
      for (const auto& line : *lines) text += fmt::format("  {}\n", line);
    for (const auto& c : conflicts_)
      text += fmt::format("  conflict: {} {}: kept {} ({}), lost {} ({})\n", c.subject, c.field, c.kept, c.kept_from, c.lost, c.lost_from);
    return text;
  }

  Random& random_;
  RandomEdits& edits_;
  const World world_;
  struct Backup {
    model::Lists lists;
    model::Records records;
    std::map<model::RowKey, std::set<std::string>> compiled;
    std::map<std::string, std::string> books;
  };
  std::map<FakeNode*, Backup> backups_;
  std::map<model::RowKey, std::size_t> must_stay_;  ///< unless it was edited since
  std::deque<std::unique_ptr<FakeNode>> nodes_;
  std::vector<std::pair<std::size_t, std::size_t>> links_;
  std::map<FakeNode*, model::Lists> copied_;  ///< by a `pihole -g` that runs
  std::vector<Edit> log_;
  std::vector<model::Conflict> conflicts_;
  std::int64_t clock_ = 1'700'000'000;
  std::uint64_t values_ = 0;
};

/// GSYNC_ROUNDS=1000000 for a campaign.
std::size_t rounds(std::size_t usual) {
  const char* given = std::getenv("GSYNC_ROUNDS");
  return given ? std::strtoull(given, nullptr, 10) : usual;
}

/// What one of the two cannot hold is not in their base: that it is not there later on is nobody's deletion.
TEST(SyncOfTwoSchemas, KeepsARowThatFitsOnlyNow) {
  const model::RowKey block{model::Table::adlist, model::kind::block_list, "https://a"};
  const model::RowKey allow{model::Table::adlist, model::kind::allow_list, "https://a"};
  FakeNode a("a", std::string(32, '1'));
  FakeNode b("b", std::string(32, '2'));
  b.info.capabilities.address_unique = true;
  a.lists_now[block].groups = a.lists_now[allow].groups = {model::default_group_key()};
  synchronise(a, b, {});
  EXPECT_TRUE(b.lists_now.contains(block));
  b.lists_now.erase(block);
  b.compiled.erase(block);
  TwoWayOptions options;
  options.force = true;
  synchronise(a, b, options);
  EXPECT_FALSE(a.lists_now.contains(block));
  EXPECT_TRUE(a.lists_now.contains(allow));
  synchronise(a, b, options);
  EXPECT_TRUE(a.lists_now.contains(allow));
  EXPECT_TRUE(b.lists_now.contains(allow));
}

void run_scripts(World world, std::size_t usual) {
  if (test::sanitized) usual /= 20;  // each takes so much longer
  Random random;
  RandomEdits edits(random);
  for (std::size_t i = 0; i < rounds(usual); ++i) {
    Script script(random, edits, world);
    try {
      script.run();
    } catch (const std::exception& error) {
      ADD_FAILURE() << error.what();
    }
    if (::testing::Test::HasFailure()) {
      std::cout << "script " << i << '\n' << script.story;
      return;
    }
  }
}

TEST(RandomScripts, EndWithAllNodesEqualAndNoEditLost) {
  run_scripts(World::ordinary, 20'000);
}

TEST(RandomScripts, DeriveNoDeletionFromWhatANodeHasForgotten) {
  run_scripts(World::with_losses, 5'000);
}

TEST(RandomScripts, EndWithAllNodesEqualAsFarAsTheirSchemasGo) {
  run_scripts(World::of_several_schemas, 5'000);
}

}  // namespace
}  // namespace gsync::sync
