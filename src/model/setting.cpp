#include "gsync/model/setting.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>

#include "gsync/util/error.hpp"
#include "gsync/util/text.hpp"
#include "record_grammar.hpp"

namespace gsync::model {
namespace {

enum class Type : std::uint8_t { truth, number, word, domain, lease, upstreams, reverse_servers, dnsmasq_lines };

/// As FTL's src/config/config.c has them, v6.0 to v6.4. `restarts` is its FLAG_RESTART_FTL.
struct Key {
  std::string_view name;
  Type type = Type::truth;
  bool restarts = false;
  std::int64_t lowest = 0;
  std::int64_t highest = 0;
  std::string_view words{};  ///< with a blank between them
};

// FTL takes more seconds and cache entries than anybody can mean, and wraps what is more still.
constexpr std::int64_t year = 31'536'000;
constexpr Key keys[] = {
    {"dhcp.ignoreUnknownClients", Type::truth, true},
    {"dhcp.leaseTime", Type::lease, true},
    {"dhcp.multiDNS", Type::truth, true},
    {"dhcp.rapidCommit", Type::truth, true},
    {"dns.CNAMEdeepInspect"},
    {"dns.EDNS0ECS"},
    {"dns.analyzeOnlyAandAAAA"},
    {"dns.blockESNI"},
    {"dns.blockTTL", Type::number, false, 0, year},
    {"dns.blocking.edns", Type::word, false, 0, 0, "NONE CODE TEXT"},
    {"dns.blocking.mode", Type::word, false, 0, 0, "NULL IP_NODATA_AAAA IP NX NODATA"},
    {"dns.bogusPriv", Type::truth, true},
    {"dns.cache.optimizer", Type::number, true, -1, year},
    {"dns.cache.size", Type::number, true, 0, 1'000'000},
    {"dns.cache.upstreamBlockedTTL", Type::number, false, 0, year},
    {"dns.dnssec", Type::truth, true},
    {"dns.domain", Type::domain, true},  // a section from v6.3 on
    {"dns.domain.local", Type::truth, true},
    {"dns.domain.name", Type::domain, true},
    {"dns.domainNeeded", Type::truth, true},
    {"dns.expandHosts", Type::truth, true},
    {"dns.ignoreLocalhost"},
    {"dns.localise", Type::truth, true},
    {"dns.piholePTR", Type::word, true, 0, 0, "NONE HOSTNAME HOSTNAMEFQDN PI.HOLE"},
    {"dns.queryLogging", Type::truth, true},
    {"dns.rateLimit.count", Type::number, false, 0, 1'000'000},
    {"dns.rateLimit.interval", Type::number, false, 0, year},
    {"dns.replyWhenBusy", Type::word, false, 0, 0, "BLOCK ALLOW REFUSE DROP"},
    {"dns.revServers", Type::reverse_servers, true},
    {"dns.showDNSSEC"},
    {"dns.specialDomains.designatedResolver"},
    {"dns.specialDomains.iCloudPrivateRelay"},
    {"dns.specialDomains.mozillaCanary"},
    {"dns.upstreams", Type::upstreams, true},
    {"misc.dnsmasq_lines", Type::dnsmasq_lines, true},
    {"misc.privacylevel", Type::number, false, 0, 3},
};

/// What people may look for here, and why it stays at home. A name that ends in a dot is a whole section.
struct Refused {
  std::string_view name;
  std::string_view why;
};
constexpr std::string_view of_host = "belongs to this host alone";
constexpr std::string_view path = "names a path on this host";
constexpr std::string_view secret = "is secret, and each Pi-hole has its own";
constexpr Refused refused[] = {
    {"database.", "is about the query history of this host"},
    {"debug.", of_host},
    {"dhcp.active", of_host},
    {"dhcp.end", of_host},
    {"dhcp.hosts", "is a kind of record: it travels with \"dhcp\" in components"},
    {"dhcp.ipv6", of_host},
    {"dhcp.logging", of_host},
    {"dhcp.netmask", of_host},
    {"dhcp.router", of_host},
    {"dhcp.start", of_host},
    {"dns.blocking.active", "is switched on one Pi-hole, often for minutes only"},
    {"dns.cnameRecords", "is a kind of record: it travels with \"cname\" in components"},
    {"dns.hostRecord", of_host},
    {"dns.hosts", "is a kind of record: it travels with \"dns\" in components"},
    {"dns.interface", of_host},
    {"dns.listeningMode", of_host},
    {"dns.port", of_host},
    {"dns.reply.", of_host},
    {"files.", path},
    {"misc.addr2line", of_host},
    {"misc.check.", of_host},
    {"misc.delay_startup", of_host},
    {"misc.etc_dnsmasq_d", path},
    {"misc.extraLogging", of_host},
    {"misc.hide_dnsmasq_warn", of_host},
    {"misc.nice", of_host},
    {"misc.normalizeCPU", of_host},
    {"misc.readOnly", of_host},
    {"ntp.", of_host},
    {"resolver.", of_host},
    {"webserver.api.app_pwhash", secret},
    {"webserver.api.password", secret},
    {"webserver.api.pwhash", secret},
    {"webserver.api.totp_secret", secret},
    {"webserver.paths.", path},
    {"webserver.tls.", secret},
    {"webserver.", "belongs to the web server of this host"},
};

const Key* find(std::string_view name) {
  const auto* key = std::ranges::find(keys, name, &Key::name);
  return key == std::end(keys) ? nullptr : key;
}

/// Empty for a key that can travel.
std::string why_not(std::string_view name) {
  if (find(name) != nullptr) return {};
  for (const auto& [word, why] : refused) {
    const bool section = word.ends_with('.');
    if (name == word || (section && (name.starts_with(word) || name == word.substr(0, word.size() - 1)))) return fmt::format("it {}", why);
  }
  const auto near = util::nearest(name, setting_keys());
  return near.empty() ? fmt::format("there is no such setting that can travel; those that can are {}", fmt::join(setting_keys(), ", "))
                      : fmt::format("there is no such setting that can travel; did you mean \"{}\"?", near);
}

/// The bytes that need no escape in JSON, TOML or dnsmasq's own parser of lines.
void check_bytes(std::string_view text) {
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) grammar::refuse("it holds a control character");
    if (byte > 0x7e) grammar::refuse("it holds a character outside ASCII");
    if (c == ' ' || c == '"' || c == '\'' || c == '\\')
      grammar::refuse(fmt::format("it holds {}", c == ' ' ? "a blank" : std::string(1, c)));
  }
}

template <class T>
const T& wanted(const SettingValue& value, std::string_view what) {
  const auto* found = std::get_if<T>(&value);
  if (found == nullptr) grammar::refuse(fmt::format("its value is not {}", what));
  return *found;
}

std::string quoted(const std::string& text) {
  check_bytes(text);
  return fmt::format("\"{}\"", text);
}

std::string number(const Key& key, std::int64_t value) {
  if (value < key.lowest || value > key.highest)
    grammar::refuse(fmt::format("{} is not between {} and {}", value, key.lowest, key.highest));
  return std::to_string(value);
}

std::string word(const Key& key, const std::string& value) {
  const auto words = util::split(key.words, ' ');
  if (std::ranges::find(words, value) == words.end())
    grammar::refuse(fmt::format("'{}' is none of {}", util::printable(value), fmt::join(words, ", ")));
  return quoted(value);
}

std::string array(const std::vector<std::string>& values, void (*check)(std::string_view)) {
  std::string json = "[";
  for (const auto& value : values) {
    try {
      check_bytes(value);
      check(value);
    } catch (const grammar::Refusal& refusal) {
      grammar::refuse(fmt::format("'{}': {}", util::printable(std::string_view(value).substr(0, 100)), refusal.why));
    }
    json.append(json.size() > 1 ? "," : "").append(quoted(value));
  }
  return json + "]";
}

std::string json_of(const Key& key, const SettingValue& value) {
  switch (key.type) {
    case Type::truth:
      return wanted<bool>(value, "true or false") ? "true" : "false";
    case Type::number:
      return number(key, wanted<std::int64_t>(value, "a whole number"));
    case Type::word:
      return word(key, wanted<std::string>(value, "a text"));
    case Type::domain: {
      const auto& text = wanted<std::string>(value, "a text");
      return quoted(text.empty() ? text : grammar::name(text));
    }
    case Type::lease: {
      const auto& text = wanted<std::string>(value, "a text");
      if (!text.empty() && text != "infinite" && !grammar::is_lease(text)) grammar::refuse("its value is no lease time");
      return quoted(text);
    }
    case Type::upstreams:
      return array(wanted<std::vector<std::string>>(value, "an array"), grammar::check_upstream);
    case Type::reverse_servers:
      return array(wanted<std::vector<std::string>>(value, "an array"), grammar::check_reverse_server);
    case Type::dnsmasq_lines:
      return array(wanted<std::vector<std::string>>(value, "an array"), grammar::check_dnsmasq_line);
  }
  return {};
}

constexpr std::string_view equals = " = ";

std::string canonical(std::string_view name, const SettingValue& value) {
  const auto* key = find(name);
  if (key == nullptr) grammar::refuse(why_not(name));
  auto line = fmt::format("{}{}{}", name, equals, json_of(*key, value));
  if (line.size() > grammar::max_setting) grammar::refuse(fmt::format("it is longer than {} bytes", grammar::max_setting));
  return line;
}

/// A string of JSON that needs no escapes, which it removes from the front.
std::string take_string(std::string_view& json) {
  const auto end = json.find('"', 1);
  if (json.empty() || json.front() != '"' || end == std::string_view::npos) grammar::refuse("its value is not JSON as we write it");
  std::string text(json.substr(1, end - 1));
  json.remove_prefix(end + 1);
  return text;
}

SettingValue value_of(std::string_view json) {
  if (json == "true" || json == "false") return json == "true";
  if (json.starts_with('"')) {
    auto text = take_string(json);
    if (!json.empty()) grammar::refuse("something stands behind its value");
    return text;
  }
  if (json.starts_with('[')) {
    std::vector<std::string> values;
    json.remove_prefix(1);
    while (json != "]") {
      if (!values.empty()) {
        if (!json.starts_with(',')) grammar::refuse("its value is not an array as we write it");
        json.remove_prefix(1);
      }
      values.push_back(take_string(json));
    }
    return values;
  }
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(json.data(), json.data() + json.size(), number);
  if (error != std::errc() || end != json.data() + json.size()) grammar::refuse("its value is not JSON as we write it");
  return number;
}

}  // namespace

std::string grammar::setting(std::string_view line) {
  const auto at = line.find(equals);
  if (at == std::string_view::npos) refuse("it is not KEY = VALUE");
  return canonical(line.substr(0, at), value_of(line.substr(at + equals.size())));
}

std::vector<std::string_view> setting_keys() {
  std::vector<std::string_view> names;
  for (const auto& key : keys) names.push_back(key.name);
  return names;
}

void require_setting_key(std::string_view key) {
  if (const auto why = why_not(key); !why.empty())
    throw Error(ErrorCode::config, fmt::format("\"{}\" cannot be synced: {}", util::printable(key), why));
}

std::string setting_line(std::string_view key, const SettingValue& value) {
  try {
    return canonical(key, value);
  } catch (const grammar::Refusal& refusal) {
    throw Error(ErrorCode::refused, fmt::format("setting {}: {}", util::printable(key), refusal.why),
                "change it on the Pi-hole that has it, or take it out of [sync] settings there");
  }
}

std::string_view setting_key_of(std::string_view line) {
  return line.substr(0, line.find(' '));
}

std::string setting_argument(std::string_view line) {
  auto json = line.substr(line.find(equals) + equals.size());
  if (json.starts_with('"')) json = json.substr(1, json.size() - 2);
  return std::string(json);
}

bool restarts_ftl(std::string_view line) {
  const auto* key = find(setting_key_of(line));
  return key != nullptr && key->restarts;
}

RecordLines with_values_of(const RecordLines& from, RecordLines there) {
  std::map<std::string_view, const std::string*> values;
  for (const auto& line : from) values.emplace(setting_key_of(line), &line);
  for (auto& line : there) {
    if (const auto found = values.find(setting_key_of(line)); found != values.end()) line = *found->second;
  }
  return there;
}

}  // namespace gsync::model
