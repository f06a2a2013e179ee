#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gsync/util/subprocess.hpp"
#include "support/pihole_directory.hpp"
#include "support/sshd.hpp"

namespace gsync::test {

/// What a test of two Pi-holes starts from: small, so that a run is quick. `numbering` gives the rows other ids.
PiholeOptions small_pihole(std::string name, std::uint64_t numbering, const Household& household);
Household small_household(std::uint64_t seed = 1);

struct TwoNodesOptions {
  /// ph2 differs from ph1 in what three dozen edits of a person change, and in all row ids.
  TwoNodesOptions();

  PiholeOptions ph1;
  PiholeOptions ph2;
  Sshd::Options sshd{};
};

/// They differ in their row ids and records only.
TwoNodesOptions same_lists();

/// The [[peer]] entry of ph2 for ph1, where it is not as usual.
struct PeerOptions {
  std::optional<std::uint16_t> port{};
  std::optional<std::string> user{};
  std::optional<std::string> identity{};
  std::optional<std::string> remote_command{};
  std::string lines{};  ///< more of them
};

using CommandResult = util::CommandResult;

/// Two Pi-holes with a real sshd between them: ph2 has ph1 as its peer, knows its host key, and runs the built program there. The sshd runs
/// as long as the object lives.
class TwoNodes {
 public:
  explicit TwoNodes(const TwoNodesOptions& options = {});

  /// `gravity-sync` with ph2's configuration and no environment but PATH and what is given.
  CommandResult run(const std::vector<std::string>& arguments, std::map<std::string, std::string> environment = {}) const {
    return run_on(ph2, arguments, std::move(environment));
  }
  CommandResult run_on(const PiholeDirectory& pihole, const std::vector<std::string>& arguments,
                       std::map<std::string, std::string> environment = {}) const;

  /// What sshd runs on ph1.
  std::string agent_command() const;
  /// Writes ph2's [[peer]] entry anew.
  void set_peer(const PeerOptions& peer);
  std::string known_hosts() const { return ph2.state() + "/known_hosts"; }

  PiholeDirectory ph1;
  PiholeDirectory ph2;
  Sshd sshd;
};

/// All that people edit in a gravity.db and what it compiled, by natural keys and without dates: equal exactly when two databases mean the
/// same. Long.
std::string lists_of(const std::string& gravity);
std::string blocklist_of(const std::string& gravity);
std::string content_of(const std::string& gravity);

/// Denies a domain with a statement of its own, as a person in the web page does.
void deny(const PiholeDirectory& pihole, const std::string& domain);
/// Made-up adlists that compile to nothing are empty in truth from now on, and not uncompiled.
void settle_empty_adlists(const PiholeDirectory& pihole);
bool denies(const PiholeDirectory& pihole, const std::string& domain);

/// Everything about every file and directory below these but when they were read: "PATH: inode size mtime mode owner".
std::vector<std::string> files_below(const std::vector<std::string>& directories);
/// The names in .gravity-sync, sorted.
std::vector<std::string> own_files(const PiholeDirectory& pihole);

bool contains(const std::string& text, const std::string& part);

}  // namespace gsync::test
