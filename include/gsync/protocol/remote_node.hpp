#pragma once
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "gsync/model/keep_local.hpp"
#include "gsync/model/node.hpp"
#include "gsync/util/byte_stream.hpp"

namespace gsync::protocol {

/// Counts up with every change of what is said on the wire; src/protocol/README.md says what each number means.
inline constexpr unsigned protocol_version = 1;

/// How one end introduces itself.
struct Hello {
  unsigned protocol = protocol_version;
  std::string software;  ///< "0.1.0"
  std::string node_id;
  std::string name;
  model::KeepLocal keep_local{};  ///< with the settings that it gives and takes; one that says nothing of them has none
  // Nothing is decided by these; `doctor` tells people of them.
  std::int64_t time = 0;        ///< of its clock, as it introduces itself; 0: not told
  bool weekly_gravity = false;  ///< its own cron runs `pihole -g`
};

struct Limits {
  std::chrono::milliseconds connect{10'000};  ///< until the far side's hello is there
  std::chrono::milliseconds idle{60'000};  ///< without a byte from the far side while we wait for one; it says "still working" in between
  /// Without a byte while neither side waits for the other. Both say that they are there, four times as often.
  std::chrono::milliseconds quiet{60'000};
  /// Both of them at most, from the request for the node's lock until it is given back.
  std::chrono::milliseconds locked{15'000};
  /// In that time, and while somebody else waits for the node here: four signs of life. Then the run gives way to him.
  std::chrono::milliseconds give_way{1'000};
};

/// What a client says first: its hello, or at once behind it the question that the first describe() asks. That saves a turn where the link
/// is slow, for whoever describes the node before all else; another first call lets the answer go.
enum class Opening : unsigned char { hello, describe };

/// A node at the other end of a byte stream. A thread of its own tells the far side that we are still there; the stream is used by one
/// thread at a time all the same. The constructor exchanges hellos: a far side of another protocol version is Error{incompatible} with both
/// versions and which side to upgrade; anything that is not a hello (a login banner, "This account is not available", a shell's "not
/// found", an end of stream) is Error{protocol} with the first line received and what the far side wrote to its standard error. Every value
/// that arrives is checked before it is given on. An Error of the node itself (busy, conflict, refused…), which the far side answered,
/// leaves the connection usable; after any other it is over, and every call but unlock() throws.
class RemoteNode final : public model::Node {
 public:
  /// `label` is the peer's name in our configuration. `wanted` says whether somebody waits for the node here that the same run holds; any
  /// thread may ask it. Empty: never.
  RemoteNode(std::unique_ptr<util::ByteStream> stream, std::string label, const Hello& ours, const Limits& limits,
             std::function<bool()> wanted = {}, Opening opening = Opening::hello);
  ~RemoteNode() override;

  std::string label() const override;
  model::NodeInfo describe() override;
  model::NodeInfo lock(util::Deadline deadline) override;
  void unlock() override;
  model::Lists lists() override;
  model::Lists lists_beside(const model::Lists& known) override;
  model::Records records() override;
  model::Blocklist blocklist() override;
  std::unique_ptr<model::BlocklistReader> blocklist_rows(const std::vector<model::BlocklistWish>& wishes) override;
  Copy copy(model::CopyOf of) override;
  model::ApplyReport apply(const model::Change& change, model::BlocklistReader* rows, util::ByteReader* copy) override;
  std::vector<model::VersionInfo> versions() override;
  model::Version version(std::int64_t id) override;
  void note(const model::HistoryEntry& entry) override;
  /// The far side knows by our hello who the other node of the pair is: `peer` must be its node id.
  model::PairInfo pair(const std::string& peer) override;
  model::Base base(const std::string& peer) override;
  void intend(const std::string& peer, const model::Intent& intent) override;
  void catch_up(const std::string& peer) override;
  void settle(const std::string& peer, const model::Settlement& settlement) override;
  void forget(const std::string& peer, bool all) override;

  enum class Woken { changed, other, deadline };
  /// Waits, between two requests, until the far side says that something changed there (also when it said so during the last request),
  /// `other` (a descriptor; -1: none) is readable, or the deadline. Errors: unreachable, timeout (a dead peer is noticed after
  /// Limits::quiet), protocol; the connection is over then.
  Woken wait(int other, util::Deadline deadline);

  const Hello& peer_hello() const;
  /// On the wire, as the transport counts (SSH's own bytes included).
  std::uint64_t bytes_sent() const;
  std::uint64_t bytes_received() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gsync::protocol
