#include "second_raise.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "check_database.hpp"
#include "gsync/util/error.hpp"

namespace gsync::pihole {
namespace {

constexpr auto writer_deadline = std::chrono::seconds(5);
constexpr auto poll_deadline = std::chrono::seconds(2);  // FTL's poll opens live for a moment, once a second

}  // namespace

RaisedAgain raise_again(const Parts& parts, const LiveContent& live, const replica::PublishHooks& hooks,
                        const std::function<void(const replica::Identity&)>& before_exchange) {
  const auto like = parts.live.files().stat_at(parts.live.directory(), parts.live.name());
  if (!like) throw Error(ErrorCode::conflict, fmt::format("{} has gone", parts.live.path()), "run it again");
  const auto checked = parts.live_state.copy_live_to_building(live, replica::Shadow::Previous::reuse);
  RaisedAgain result{live};
  try {
    auto database = parts.shadow.open_building();
    sqlite::Transaction transaction(database);
    raise_updated(database, std::max(live.rows.mark.updated, parts.live_state.highest_updated()), 0);
    result.content.rows.mark.updated = read_updated(database);
    transaction.commit();
    result.content.checked = check_edited(database, checked, parts.clock.unix_time());
  } catch (...) {
    parts.shadow.discard();
    throw;
  }
  parts.shadow.finish(*like);
  const auto identity = parts.shadow.identity();
  GSYNC_ASSERT(identity.has_value());
  result.content.summary.identity = *identity;
  before_exchange(*identity);
  replica::Publication publication(parts.live, parts.shadow, live.summary.identity, hooks, parts.clock,
                                   util::Deadline::in(writer_deadline));
  const bool closed = publication.wait_until_old_is_closed(util::Deadline::in(poll_deadline));
  if (closed)
    result.edited = !(result.kept = publication.keep_old());
  else
    publication.abandon_old();
  return result;
}

}  // namespace gsync::pihole
