/// FTL's pihole.toml.
#include "fuzz/target.hpp"
#include "gsync/pihole/installation.hpp"
#include "gsync/util/error.hpp"

namespace gsync::fuzz {

void run(std::string_view input) {
  try {
    pihole::parse_pihole_toml(std::string(input), "/etc/pihole/pihole.toml");
  } catch (const Error& error) {
    GSYNC_ASSERT(error.code() == ErrorCode::corrupt);
    GSYNC_ASSERT(!std::string_view(error.what()).empty() && !error.hint().empty());
  }
}

std::vector<std::string> seeds() {
  return {R"([dns]
  # Array of upstream DNS servers
  upstreams = [
    "9.9.9.9",
    "149.112.112.112#53"
  ] ### CHANGED, default = []
  hosts = [ "192.168.1.2 nas.lan nas", "fd00::2 nas.lan" ]
  cnameRecords = [ "files.lan,nas.lan" ]
  port = 53
  [dns.cache]
    size = 10000
[dhcp]
  active = false
  hosts = [ "AA:BB:CC:DD:EE:01,192.168.1.21,tv" ]
[files]
  pid = "/run/pihole-FTL.pid"
  gravity = "/etc/pihole/gravity.db"
[misc]
  readOnly = false
  dnsmasq_lines = [ "address=/lan/192.168.1.1" ]

# Configuration statistics:
# 152 total entries out of which 143 entries are default
# --> 9 entries are modified
# 2 entries are forced through environment:
#   - dns.upstreams
#   - misc.readOnly
)",
          "", "a.b.c.d = 1979-05-27T07:32:00Z\n[x]\ny = \"\"\"\nlong\n\"\"\"\n[[z]]\nq = { a = 1, b = [ 1, 2.5, inf, 0x1F ] }\n"};
}

std::vector<std::string> words() {
  return {"[dns]",
          "[files]",
          "[misc]",
          "hosts = ",
          "cnameRecords = [",
          "gravity = ",
          "readOnly = true",
          "\"\"\"",
          "'''",
          "[[",
          "]]",
          "a.a.a.",
          "{a=",
          "\\u0000",
          "\\U0010FFFF",
          " entries are forced through environment:\n#   - ",
          "-9223372036854775808",
          "nan"};
}

void change(std::string& input, test::Random&, const ChangeBytes& change_bytes) {
  change_bytes(input);
}

}  // namespace gsync::fuzz
