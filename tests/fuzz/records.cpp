/// Records as a peer, a pihole.toml or a Pi-hole 5's files may have them.
#include <algorithm>

#include "../src/pihole/v5_record_file.hpp"
#include "fuzz/target.hpp"
#include "gsync/model/merge.hpp"
#include "gsync/model/records.hpp"
#include "gsync/util/error.hpp"
#include "gsync/util/text.hpp"

namespace gsync::fuzz {
namespace {

model::RecordLines lines_of(std::string_view text) {
  model::RecordLines lines;
  for (auto line : util::split(text, '\n')) lines.emplace_back(line);
  return lines;
}

/// What our grammar accepts is one line of dnsmasq's configuration, and says the same when it is read again.
std::optional<model::RecordLines> accepted(model::RecordKind kind, const model::RecordLines& lines) {
  model::RecordLines records;
  try {
    records = model::parse_records(kind, lines);
  } catch (const Error&) {
    return std::nullopt;
  }
  for (const auto& record : records) GSYNC_ASSERT(std::ranges::none_of(record, [](unsigned char c) { return c < 0x20 || c == 0x7F; }));
  GSYNC_ASSERT(model::parse_records(kind, records) == records);
  return records;
}

void read_as_file(model::RecordKind kind, std::string_view text) {
  std::optional<pihole::V5RecordFile> file;
  try {
    file = pihole::V5RecordFile::parse(kind, text, "custom.list");
  } catch (const Error&) {
    return;
  }
  const auto records = file->records();
  // A line of more than one name of dnsmasq's own, or written twice, is still one record here.
  const auto again = file->with_records(records);
  GSYNC_ASSERT(pihole::V5RecordFile::parse(kind, again, "custom.list").records() == records);
  file->notes();
}

/// The outcome of a merge is as valid as what went into it, whichever side is called ours.
void merge(model::RecordKind kind, const model::RecordLines& base, const model::RecordLines& ours, const model::RecordLines& theirs) {
  std::vector<model::Conflict> conflicts;
  const auto merged = model::merge_records(kind, base, ours, theirs, {"ph1", "ph2", true}, conflicts);
  std::vector<model::Conflict> mirrored;
  GSYNC_ASSERT(model::merge_records(kind, base, theirs, ours, {"ph2", "ph1", false}, mirrored) == merged);
  try {
    model::parse_records(kind, merged);
  } catch (const Error&) {
    GSYNC_ASSERT(merged.size() > 10'000);
  }
}

}  // namespace

void run(std::string_view input) {
  if (input.empty()) return;
  const auto kind = model::record_kinds[static_cast<unsigned char>(input.front()) % model::record_kinds.size()];
  input.remove_prefix(1);
  if (kind <= model::RecordKind::dhcp) read_as_file(kind, input);

  // Up to three sets of lines, with a blank line between them.
  std::vector<model::RecordLines> sets;
  while (sets.size() < 3) {
    const auto end = input.find("\n\n");
    const auto set = accepted(kind, input.empty() ? model::RecordLines{} : lines_of(input.substr(0, end)));
    if (!set) return;
    sets.push_back(*set);
    input = end == std::string_view::npos ? std::string_view() : input.substr(end + 2);
  }
  merge(kind, sets[0], sets[1], sets[2]);
}

std::vector<std::string> seeds() {
  using namespace std::string_literals;
  return {
      "\0"s + "192.168.1.2 nas.lan nas\nfd00::2 nas.lan\n192.168.1.3 printer.lan # 2nd floor\n\n192.168.1.2 nas.lan\n\n10.0.0.1 nas.lan",
      "\0"s + "# by hand\n\n192.168.1.2\tnas.lan\n127.0.0.1 localhost",
      "\1"s + "files.lan,nas.lan\nmedia.lan,tv.lan,nas.lan,600\n\na.lan,b.lan\n\nb.lan,a.lan",
      "\1"s + "cname=files.lan,nas.lan\ncname=media.lan,nas.lan,600\n# dnsmasq\nport=53",
      "\2"s + "aa:bb:cc:dd:ee:01,192.168.1.21,tv\nid:*,set:red,[fd00::5],name,12h\n\naa:bb:cc:dd:ee:01,ignore\n\n192.168.1.21,box,infinite",
      "\2"s + "dhcp-host=AA:BB:CC:DD:EE:01,192.168.1.21,tv\ndhcp-host=11:22:33:44:55:66,tag:x,host",
      "\3"s + "dns.upstreams = [\"1.1.1.1\",\"fd00::1#53\"]\ndns.blockTTL = 2\n\ndns.blockTTL = 3\n\ndns.blocking.mode = \"NX\"",
      "\3"s + "misc.dnsmasq_lines = [\"server=/lan/192.168.1.1\",\"domain-needed\"]\ndns.revServers = [\"true,10.0.0.0/8,10.0.0.1,lan\"]"};
}

std::vector<std::string> words() {
  return {"dhcp-host=", "cname=",   "address=/", "id:",       "set:",
          "tag:",       "ignore",   "infinite",  "[fd00::1]", "aa:bb:cc:dd:ee:ff",
          "12h",        ",600",     " # ",       "\n\n",      "\ndhcp-script=/bin/sh",
          "xn--",       "\xC3\xA9", "*"};
}

void change(std::string& input, test::Random&, const ChangeBytes& change_bytes) {
  change_bytes(input);
}

}  // namespace gsync::fuzz
