#pragma once
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "gsync/model/keep_local.hpp"
#include "gsync/model/merge.hpp"
#include "gsync/model/plan.hpp"

namespace gsync::model {

/// A node as others know it.
struct NodeName {
  std::string id;
  std::string name;
  auto operator<=>(const NodeName&) const = default;
};

/// A two-way sync that is about to be carried out, as one of the two nodes is told of it before the first of them publishes: if anybody
/// dies in the middle, each can finish its part by itself.
struct Intent {
  std::string id;                        ///< made of what will be on both, and of the base before it
  Digests expected;                      ///< of the node, else Error{conflict}
  bool ours_wins = true;                 ///< of an edit that arrives in the middle and the merge
  std::set<RowKey> only_here;            ///< rows of this node that the other one cannot hold: not in the base
  Components components;                 ///< the others keep their base
  std::vector<RowChange> rows;           ///< what makes the node's lists the merged ones
  Records records;                       ///< nullopt: they are as they will be
  std::map<RowKey, SetDigest> compiled;  ///< as they will be, of the adlists whose compile changes
  std::vector<Conflict> conflicts;       ///< of the merge, for the history of whoever has to finish it
  /// What of all this is no part of the base, because one of the two keeps it. Does not travel: SharedNode adds it.
  KeepLocal kept_local;
};

/// How a two-way sync ended: what was intended is on both nodes, and is their base now.
struct Settlement {
  std::string id;
  bool caught_up = false;  ///< after a crash: the lists and records are there, of the compiled sets nothing is known
  std::string label;       ///< what this node's configuration calls the other; empty: it was the other that called
  NodeName peer;
  std::vector<NodeName> reach;  ///< the nodes that the other one syncs with, not by way of this one
};

/// What a node knows of its syncs with one other node.
struct PairInfo {
  std::string base;    ///< id of what both had last; empty: never, or forgotten
  std::string intent;  ///< id of a sync that was begun and not settled; empty: none
  std::string label;   ///< see Settlement
  Digest lists;        ///< of the base, as it is on this node
  PerKind<std::optional<Digest>> records;
  std::vector<NodeName> reach;  ///< this node, and those that it syncs with, not by way of the other
};

/// What is left to do on a node of a sync that was interrupted: its own content with the sync's outcome, and with what was edited
/// meanwhile.
struct Unfinished {
  Lists lists;
  Records records;  ///< nullopt: nothing to do
  std::vector<Conflict> conflicts;
};

/// The books of a node about all its pairs, kept as named values in a store that survives crashes; each call is one transaction of that
/// store. The rules of "Bases, intents, crashes" are here, and nothing of Pi-hole.
class PairBook {
 public:
  struct Store {
    std::function<std::optional<std::string>(const std::string& name)> value;
    std::function<void(const std::vector<std::pair<std::string, std::string>>& values)> set;  ///< all or none; an empty value removes
  };
  PairBook(NodeName self, Store store) : self_(std::move(self)), store_(std::move(store)) {}

  PairInfo info(const std::string& peer) const;
  /// Empty where there is none.
  Base base(const std::string& peer) const;
  /// The lists at the end of the last sync with whomever, and of the one before it; empty: there was none.
  std::vector<Lists> last_agreed() const;

  /// Keeps what the node has, and what it is about to have. The caller has seen to `expected`.
  void intend(const std::string& peer, const Intent& intent, const Lists& lists, const Records& records, const Blocklist& blocklist);
  /// The values that say that the intended lists are live, for the transaction that says so of the publish.
  std::vector<std::pair<std::string, std::string>> published(const std::string& peer) const;
  /// Of the intent that is not settled, if there is one, for a node that holds `fit`. Whether records were set is not in the books: they
  /// are compared. Error{conflict} when those that were being set cannot be read now.
  std::optional<Unfinished> unfinished(const std::string& peer, const Lists& now, const Records& records_now, Fit fit) const;
  /// Error{conflict} when that is not what was intended.
  void settle(const std::string& peer, const Settlement& settlement);
  /// The intent, of which nothing was published on either node; with `all` everything, as if the two had never synced.
  void forget(const std::string& peer, bool all);
  /// Those that this node has synced with, as Settlement::peer, and what it calls them.
  std::vector<std::pair<NodeName, std::string>> peers() const;

 private:
  const NodeName self_;
  const Store store_;
};

/// `pihole -g` copies the lists when it begins and puts its copy in the place of the database when it ends: `copied` is that copy as it was
/// first seen there, `now` what has come of it since, and `replaced` the database that was moved away. Gives the lists of now with what was
/// published and edited in between, if there is any. `before` are lists that this node once had (before each of the last publishes, and
/// after the last two syncs): that one of them which is nearest to the copy tells what was deleted, and where; without any nothing can be
/// told. Of a row that differs in all three the one with the later date stays; of two of one second that of `replaced`, as a run takes
/// longer.
std::optional<Lists> brought_back(const std::vector<Lists>& before, const Lists& copied, const Lists& now, Lists replaced,
                                  std::vector<Conflict>& conflicts, Fit fit);

/// The nodes that both reach: with them the two would make a ring, in which each edit meets itself.
std::vector<NodeName> ring_of(const PairInfo& a, const PairInfo& b);

template <class Archive>
void fields(Archive& a, NodeName& n) {
  a(n.id, n.name);
}
template <class Archive>
void fields(Archive& a, Intent& i) {
  a(i.id, i.expected, i.ours_wins, i.only_here, i.components, i.rows, i.records, i.compiled, i.conflicts);
}
template <class Archive>
void fields(Archive& a, Settlement& s) {
  a(s.id, s.caught_up, s.label, s.peer, s.reach);
}
template <class Archive>
void fields(Archive& a, PairInfo& p) {
  a(p.base, p.intent, p.label, p.lists, p.records, p.reach);
}

}  // namespace gsync::model
