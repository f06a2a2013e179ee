#pragma once
#include <string>
#include <vector>

#include "gsync/model/node.hpp"
#include "messages.hpp"

/// Values from the far side are checked before they are given on; ours are made to pass those checks before they are sent (a line break in
/// SQLite's words about a damaged file must not look like an attack). What `check` finds is Error{protocol}.
namespace gsync::protocol {

inline constexpr std::size_t max_name = 256;   ///< names, versions and ids
inline constexpr std::size_t max_text = 4096;  ///< sentences
inline constexpr std::size_t max_notes = 64;
inline constexpr std::size_t max_lost_text = 256u << 10;  ///< a row in words: what a person typed, in full
inline constexpr std::size_t max_nodes = 1'000;
inline constexpr std::size_t max_wishes = 65'536;
inline constexpr std::size_t max_kept_versions = 10'000;
inline constexpr std::size_t max_record_changes = 30'000;

/// Made printable and cut, between two characters, to at most `limit` bytes.
std::string presentable(const std::string& text, std::size_t limit);

model::NodeInfo presentable(model::NodeInfo info);
model::ApplyReport presentable(model::ApplyReport report);
model::HistoryEntry presentable(model::HistoryEntry entry);
model::VersionInfo presentable(model::VersionInfo info);
std::vector<model::Conflict> presentable(std::vector<model::Conflict> conflicts);
model::NodeName presentable(const model::NodeName& node);
ErrorMessage message_of(const Error& error);
/// The Error that the far side reported.
Error error_of(const ErrorMessage& message);

void check(const model::NodeInfo& info);
void check(const model::ApplyReport& report);
void check(const model::HistoryEntry& entry);
void check(const model::VersionInfo& info);
void check(const model::Change& change);
void check(const model::PairInfo& info);
void check(const model::Base& base);
void check(const model::Intent& intent);
void check(const model::Settlement& settlement);
void check(const model::Blocklist& blocklist);
void check(const std::vector<model::BlocklistWish>& wishes);
/// They answer these wishes, and a delta only those that say what is there.
void check(const std::vector<model::BlocklistAnswer>& answers, const std::vector<model::BlocklistWish>& wishes);
/// Parses the lines by our grammar and gives their canonical form. Error{refused}.
model::Records parsed(const model::Records& records);

}  // namespace gsync::protocol
