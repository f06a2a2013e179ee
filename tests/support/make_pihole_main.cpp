#include <fmt/format.h>

#include <exception>
#include <iostream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "support/household.hpp"
#include "support/pihole_directory.hpp"

namespace {

using namespace gsync::test;

constexpr const char* usage =
    "usage: make-pihole [--directory] DIRECTORY [options]\n"
    "\n"
    "Makes what gravity-sync sees of a Pi-hole 6 in DIRECTORY, which must not exist or be empty: DIRECTORY/pihole with gravity.db and\n"
    "pihole.toml, a stand-in for pihole-FTL, and DIRECTORY/gravity-sync.toml. The same arguments give the same rows.\n"
    "\n"
    "  --name NAME         what the node is called (ph1)\n"
    "  --household WHICH   mixed: generated, with everything that a person or a script can enter (default)\n"
    "                      home: a family's lists; home-before: the same some weeks ago, with edits of its own\n"
    "  --seed N            of a mixed household (1)\n"
    "  --domains N         so many rows in the compiled blocklist (20000)\n"
    "  --adlists N         of a mixed household (12)\n"
    "  --entries N         domains, allowed and denied, of a mixed household (150)\n"
    "  --edits N           so many edits to a mixed household since (0)\n"
    "  --recompiled N      so many domains of the longest adlist are others than without this (0)\n"
    "  --numbering N       0: ids 1, 2, 3…; others: another order, with gaps (0)\n"
    "  --updated EPOCH     when `pihole -g` ran (1750000000)\n"
    "  --lists-cache       with Pi-hole's cache of downloaded lists\n";

struct Arguments {
  std::string directory;
  std::string household = "mixed";
  HouseholdSize size;
  std::uint64_t seed = 1;
  std::uint64_t numbering = 0;
  std::int64_t updated = 1'750'000'000;
  std::size_t edits = 0;
  std::size_t recompiled = 0;
  PiholeOptions pihole;
};

std::uint64_t number(const std::string& option, const std::string& text) {
  if (text.empty() || text.size() > 18 || text.find_first_not_of("0123456789") != std::string::npos)
    throw std::runtime_error(fmt::format("{} needs a number, not '{}'", option, text));
  return std::stoull(text);
}

Arguments parse(const std::vector<std::string>& words) {
  Arguments result;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    const auto value = [&] {
      if (++i == words.size()) throw std::runtime_error(word + " needs a value");
      return words[i];
    };
    if (word == "--directory") {
      result.directory = value();
    } else if (word == "--name") {
      result.pihole.name = value();
    } else if (word == "--household") {
      result.household = value();
    } else if (word == "--seed") {
      result.seed = number(word, value());
    } else if (word == "--domains") {
      result.size.gravity = number(word, value());
    } else if (word == "--adlists") {
      result.size.adlists = number(word, value());
    } else if (word == "--entries") {
      result.size.domains = number(word, value());
    } else if (word == "--edits") {
      result.edits = number(word, value());
    } else if (word == "--recompiled") {
      result.recompiled = number(word, value());
    } else if (word == "--numbering") {
      result.numbering = number(word, value());
    } else if (word == "--updated") {
      result.updated = static_cast<std::int64_t>(number(word, value()));
    } else if (word == "--lists-cache") {
      result.pihole.lists_cache = true;
    } else if (word.starts_with("--") || !result.directory.empty()) {
      throw std::runtime_error("what is " + word + "?");
    } else {
      result.directory = word;
    }
  }
  if (result.directory.empty()) throw std::runtime_error("which directory?");
  return result;
}

/// What a family has on its Pi-hole: for people to look at.
Household home(std::size_t rows) {
  Household h;
  h.groups = {{"Kids", true, "tablets and the console"}, {"Guests", true, "guest Wi-Fi"}, {"Smart home", true, "TV, plugs, bulbs"}};
  const auto list = [&](std::string address, std::string comment, std::size_t percent) {
    AdlistRow row;
    row.address = std::move(address);
    row.comment = std::move(comment);
    row.entries = rows * percent / 100;
    h.adlists.push_back(row);
  };
  list("https://lists.example.org/ads-and-trackers.txt", "the big one", 60);
  list("https://lists.example.org/malware.txt", "malware and phishing", 25);
  list("https://filters.example.net/smart-tv.txt", "TVs that phone home", 5);
  list("https://filters.example.net/adult.txt", "for the kids' devices", 10);
  h.adlists[3].groups = {"Kids"};
  list("https://lists.example.org/false-positives.txt", "what the others block by mistake", 0);
  h.adlists[4].type = 1;
  h.adlists[4].content = {"cdn.shop.example", "login.bank.example"};

  const auto domain = [&](int type, std::string name, std::string comment, std::vector<std::string> groups = {default_group}) {
    DomainRow row;
    row.type = type;
    row.domain = std::move(name);
    row.comment = std::move(comment);
    row.groups = std::move(groups);
    h.domains.push_back(row);
  };
  domain(0, "s.youtube.com", "history works again");
  domain(0, "clients4.google.com", "");
  domain(0, "captive.apple.com", "Wi-Fi log-in", {default_group, "Guests"});
  domain(1, "ads.example.com", "seen on the news site");
  domain(1, "telemetry.example.net", "");
  domain(1, "tracker.vacuum.example", "the vacuum cleaner", {"Smart home"});
  domain(2, R"((\.|^)updates\.example\.com$)", "");
  domain(3, R"((\.|^)doubleclick\.net$)", "");
  domain(3, R"(^ad[0-9]+\.)", "numbered ad servers");
  domain(3, R"((\.|^)games\.example$)", "weekdays", {"Kids"});

  const auto client = [&](std::string ip, std::string comment, std::vector<std::string> groups) {
    ClientRow row;
    row.ip = std::move(ip);
    row.comment = std::move(comment);
    row.groups = std::move(groups);
    h.clients.push_back(row);
  };
  client("192.168.1.21", "Anna's tablet", {default_group, "Kids"});
  client("AA:BB:CC:00:00:22", "game console", {"Kids"});
  client("192.168.2.0/24", "guest Wi-Fi", {"Guests"});
  client("tv.lan", "", {default_group, "Smart home"});
  return h;
}

/// The same household on a Pi-hole that nobody kept in step: what was entered since is missing, and something was entered here instead.
Household home_before(std::size_t rows) {
  Household h = home(rows);
  std::erase_if(h.domains, [](const DomainRow& row) { return row.domain == "ads.example.com" || row.domain == R"(^ad[0-9]+\.)"; });
  std::erase_if(h.adlists, [](const AdlistRow& row) { return row.comment == "TVs that phone home"; });
  std::erase_if(h.clients, [](const ClientRow& row) { return row.comment == "game console"; });
  for (auto& row : h.domains) {
    if (row.domain == "telemetry.example.net") row.enabled = false;
    if (row.domain == "s.youtube.com") row.comment = "";
  }
  DomainRow own;
  own.domain = "banner.example.org";
  own.comment = "entered here only";
  h.domains.push_back(own);
  return h;
}

Household household(const Arguments& arguments) {
  Household h;
  if (arguments.household == "mixed") {
    h = realistic(arguments.seed, arguments.size);
    if (arguments.edits > 0) drift(h, arguments.seed, arguments.edits);
  } else if (arguments.household == "home") {
    h = home(arguments.size.gravity);
  } else if (arguments.household == "home-before") {
    h = home_before(arguments.size.gravity);
  } else {
    throw std::runtime_error("there is no household '" + arguments.household + "'");
  }
  if (!h.adlists.empty()) h.adlists.front().first_entry += arguments.recompiled;
  return h;
}

int run(Arguments arguments) {
  auto& pihole = arguments.pihole;
  pihole.gravity = GravityBuilder().household(household(arguments)).numbering(arguments.numbering).updated(arguments.updated);
  if (arguments.household == "home-before") {
    pihole.dns_hosts = {"192.168.1.2 nas.lan nas", "192.168.1.9 printer.lan"};
    pihole.cname_records = {"files.lan,nas.lan"};
    pihole.dhcp_hosts.clear();
  }
  const PiholeDirectory made(pihole, arguments.directory);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.empty() || words.front() == "--help") {
    std::cout << usage;
    return words.empty() ? 2 : 0;
  }
  try {
    return run(parse(words));
  } catch (const std::exception& e) {
    std::cerr << "make-pihole: " << e.what() << "\n";
    return 1;
  }
}
