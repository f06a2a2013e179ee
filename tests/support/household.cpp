#include "support/household.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace gsync::test {

namespace {

constexpr std::array<std::string_view, 32> words{"ads",     "track", "metric", "pixel", "beacon",  "stats",   "click",  "count",
                                                 "banner",  "promo", "log",    "event", "insight", "collect", "tag",    "sync",
                                                 "measure", "cdn",   "api",    "media", "news",    "shop",    "mobile", "video",
                                                 "social",  "cloud", "edge",   "data",  "smart",   "push",    "offer",  "deal"};
constexpr std::array<std::string_view, 8> endings{"com", "net", "org", "io", "co.uk", "de", "example", "info"};

std::uint64_t mix(std::uint64_t x) {
  x ^= x >> 30;
  x *= 0xbf58476d1ce4e5b9ULL;
  x ^= x >> 27;
  x *= 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

std::uint64_t hash_text(std::string_view text) {
  std::uint64_t h = 0xcbf29ce484222325ULL;
  for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return mix(h);
}

void append_base36(std::string& text, std::uint64_t value) {
  do {
    text += "0123456789abcdefghijklmnopqrstuvwxyz"[value % 36];
    value /= 36;
  } while (value != 0);
}

/// What people and scripts really write there, and what breaks naive code.
std::optional<std::string> comment(Random& random) {
  static const std::array<std::string, 10> odd{"it's \"quoted\" and 'quoted'",
                                               "two\nlines",
                                               "a\ttab",
                                               "🛑 nie działa, 日本語",
                                               "'); DROP TABLE adlist;--",
                                               std::string(300, 'x'),
                                               " spaces ",
                                               "50% \\ back",
                                               "#hash;semi,comma",
                                               "NULL"};
  switch (random.below(5)) {
    case 0:
      return std::nullopt;
    case 1:
      return std::string();
    case 2:
      return odd[random.below(odd.size())];
    default:
      return fmt::format("{} for {}", words[random.below(words.size())], words[random.below(words.size())]);
  }
}

std::vector<std::string> some_groups(Random& random, const std::vector<GroupRow>& groups) {
  if (random.one_in(10)) return {};
  if (groups.empty() || random.below(10) < 6) return {default_group};
  std::vector<std::string> chosen;
  if (random.one_in(2)) chosen.push_back(default_group);
  chosen.push_back(groups[random.below(groups.size())].name);
  if (random.one_in(3)) {
    const auto& another = groups[random.below(groups.size())].name;
    if (another != chosen.back()) chosen.push_back(another);
  }
  return chosen;
}

std::int64_t date(Random& random) {
  return 1'577'836'800 + static_cast<std::int64_t>(random.below(150'000'000));
}

/// Fills in what all four kinds of rows have.
template <class Row>
void set_dates(Row& row, Random& random) {
  row.added = date(random);
  row.modified = row.added + static_cast<std::int64_t>(random.below(1'000'000));
}

DomainRow random_domain(Random& random, const std::vector<GroupRow>& groups, std::size_t number) {
  DomainRow row;
  row.type = static_cast<int>(random.below(4));
  const auto word = words[random.below(words.size())];
  if (row.type < 2) {
    row.domain = random.one_in(12) ? fmt::format("xn--{}-{}-kva.lan", word, number)
                                   : fmt::format("{}{}.{}", word, number, endings[random.below(endings.size())]);
  } else {
    static const std::array<std::string_view, 6> patterns{R"((\.|^){}{}\.com$)",        R"(^{}[0-9]+{}\.)",       R"({}{};querytype=AAAA)",
                                                          R"(^{}{}-.*;reply=NXDOMAIN)", R"({}.*{}\.net$;invert)", R"(реклама-{}{})"};
    row.domain = fmt::format(fmt::runtime(patterns[random.below(patterns.size())]), word, number);
  }
  row.enabled = !random.one_in(9);
  row.comment = comment(random);
  row.groups = some_groups(random, groups);
  set_dates(row, random);
  return row;
}

ClientRow random_client(Random& random, const std::vector<GroupRow>& groups, std::size_t number) {
  ClientRow row;
  switch (number % 6) {
    case 0:
      row.ip = fmt::format("fd00:{:x}:{:x}::/48", number >> 16, number & 0xffff);
      break;
    case 1:
      row.ip = fmt::format("AA:BB:CC:{:02X}:{:02X}:{:02X}", number >> 16 & 255, number >> 8 & 255, number & 255);
      break;
    case 2:
      row.ip = fmt::format("fd00::{:x}", number);
      break;
    case 3:
      row.ip = fmt::format("laptop-{}.lan", number);
      break;
    case 4:
      row.ip = fmt::format(":eth{}", number);
      break;
    default:
      row.ip = fmt::format("10.{}.{}.{}", number >> 16 & 255, number >> 8 & 255, number & 255);
  }
  row.comment = comment(random);
  row.groups = some_groups(random, groups);
  set_dates(row, random);
  return row;
}

AdlistRow random_adlist(Random& random, const std::vector<GroupRow>& groups, std::size_t number) {
  AdlistRow row;
  row.address = fmt::format("https://lists.{}.example/{}/{}.txt", words[number % words.size()], number, words[random.below(words.size())]);
  row.comment = comment(random);
  row.groups = some_groups(random, groups);
  set_dates(row, random);
  return row;
}

}  // namespace

std::uint64_t Random::next() {
  state_ += 0x9e3779b97f4a7c15ULL;
  return mix(state_);
}

std::string generated_domain(const std::string& address, std::size_t i) {
  const bool shared = i % 12 == 5;
  const std::uint64_t list = shared ? 0 : hash_text(address);
  const std::uint64_t h = mix(list + 0x9e3779b97f4a7c15ULL * (i + 1));
  std::string name;
  name.reserve(48);
  const bool abp = (h >> 30) % 30 == 0;
  if (abp) name += "||";
  // The number in the name keeps them apart; the rest makes them look like domains and sort like them.
  name += words[h % 32];
  name += "-";
  append_base36(name, h >> 40);
  append_base36(name, i);
  name += ".";
  name += words[(h >> 5) % 32];
  append_base36(name, (h >> 10) % 1296);
  name += ".";
  name += endings[(h >> 24) % 8];
  if (abp) name += "^";
  return name;
}

Household realistic(std::uint64_t seed, const HouseholdSize& size, bool typed) {
  Random random(seed);
  Household h;
  static const std::array<std::string, 6> names{"Kids",  "Guests & friends", "O'Brien's \"lab\"", "IoT", "'); DROP TABLE \"group\";--",
                                                "Büro 🏠"};
  for (std::size_t i = 0; i < size.groups; ++i) {
    GroupRow row;
    row.name = i < names.size() ? names[i] : fmt::format("Group {}", i);
    row.enabled = i != 3;
    row.description = comment(random);
    set_dates(row, random);
    h.groups.push_back(row);
  }

  std::size_t left = size.gravity;
  for (std::size_t i = 0; i < size.adlists; ++i) {
    AdlistRow row = random_adlist(random, h.groups, i);
    row.type = typed && size.adlists > 3 && i % 8 == 7 ? 1 : 0;
    row.enabled = i % 5 != 4;
    if (i < 3) row.groups = {default_group};
    if (row.type == 1) row.content = {fmt::format("allowed-{}.example", i), fmt::format("@@||partner-{}.example^", i)};
    if (row.type == 0 && row.enabled) {
      row.entries = i + 1 == size.adlists ? left : left / 2;
      left -= row.entries;
    }
    h.adlists.push_back(std::move(row));
  }
  // The last list may not have been one that takes the rest.
  if (!h.adlists.empty()) h.adlists[0].entries += left;

  for (std::size_t i = 0; i < size.domains; ++i) h.domains.push_back(random_domain(random, h.groups, i));
  if (size.domains > 1) {
    // The same domain allowed and denied: two rows that Pi-hole's own update trigger mixes up.
    DomainRow twin = h.domains[0];
    h.domains[0].type = 0;
    twin.type = 1;
    twin.domain = h.domains[0].domain = "both.example";
    h.domains[1] = twin;
  }
  for (std::size_t i = 0; i < size.clients; ++i) h.clients.push_back(random_client(random, h.groups, i));
  return h;
}

void drift(Household& h, std::uint64_t seed, std::size_t edits) {
  Random random(seed ^ 0x5eed);
  for (std::size_t i = 0; i < edits; ++i) {
    const std::size_t number = 100'000 + (seed % 1000) * 1000 + i;
    switch (random.below(8)) {
      case 0:
      case 1:
        h.domains.push_back(random_domain(random, h.groups, number));
        break;
      case 2:
        if (!h.domains.empty()) h.domains.erase(h.domains.begin() + static_cast<std::ptrdiff_t>(random.below(h.domains.size())));
        break;
      case 3:
        if (!h.domains.empty()) h.domains[random.below(h.domains.size())].enabled ^= true;
        break;
      case 4:
        if (!h.domains.empty()) h.domains[random.below(h.domains.size())].groups = some_groups(random, h.groups);
        break;
      case 5:
        h.clients.push_back(random_client(random, h.groups, number));
        break;
      case 6:
        if (!h.clients.empty()) h.clients[random.below(h.clients.size())].comment = fmt::format("changed {}", number);
        break;
      default:
        h.adlists.push_back(random_adlist(random, h.groups, number));
    }
  }
}

}  // namespace gsync::test
