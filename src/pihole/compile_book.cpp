#include "gsync/pihole/compile_book.hpp"

#include <map>
#include <set>

#include "gsync/util/codec.hpp"
#include "gsync/util/error.hpp"

namespace gsync::pihole {
namespace {

constexpr const char* told_name = "uncompiled told";
constexpr const char* tries_name = "compile tries";
constexpr std::int64_t hour = 3'600;
constexpr std::int64_t day = 24 * hour;
constexpr std::int64_t week = 7 * day;

using Told = std::set<model::RowKey>;
using Tries = std::map<model::RowKey, std::int64_t>;  // until when it is left alone

template <class T>
T kept(const replica::StateStore& state, const char* name) {
  const auto bytes = state.value(name);
  if (!bytes) return {};
  try {
    return util::decode<T>(*bytes);
  } catch (const Error&) {
    return {};  // at worst it is said and tried once more
  }
}

template <class T>
void keep(replica::StateStore& state, const char* name, T& value) {
  state.set_value(name, value.empty() ? std::string() : util::encode(value));
}

/// A clock that was set back does not make a week of years.
bool holds(std::int64_t until, std::int64_t now) {
  return now < until && until <= now + week;
}

}  // namespace

model::Uncompiled CompileBook::tell(const model::Uncompiled& uncompiled, const model::Uncompiled& here) {
  auto told = kept<Told>(state_, told_name);
  std::erase_if(told, [&](const model::RowKey& key) { return !here.names(key) && !uncompiled.names(key); });
  model::Uncompiled news;
  for (const auto& adlist : uncompiled.adlists)
    if (told.insert(adlist.key).second) news.add(adlist);
  keep(state_, told_name, told);
  return news;
}

model::Uncompiled CompileBook::untried(const model::Uncompiled& uncompiled) const {
  model::Uncompiled result;
  if (uncompiled.empty()) return result;
  const auto tries = kept<Tries>(state_, tries_name);
  const auto now = clock_.unix_time();
  for (const auto& adlist : uncompiled.adlists) {
    const auto tried = tries.find(adlist.key);
    if (tried == tries.end() || !holds(tried->second, now)) result.add(adlist);
  }
  return result;
}

void CompileBook::leave_to_others(const model::Uncompiled& uncompiled) {
  set(uncompiled, week);
}
void CompileBook::begin(const model::Uncompiled& uncompiled) {
  set(uncompiled, hour);
}
void CompileBook::end(const model::Uncompiled& uncompiled) {
  set(uncompiled, day);
}

void CompileBook::set(const model::Uncompiled& uncompiled, std::int64_t seconds) {
  auto tries = kept<Tries>(state_, tries_name);
  const auto now = clock_.unix_time();
  std::erase_if(tries, [&](const auto& tried) { return !holds(tried.second, now); });
  for (const auto& adlist : uncompiled.adlists) tries.insert_or_assign(adlist.key, now + seconds);
  keep(state_, tries_name, tries);
}

}  // namespace gsync::pihole
