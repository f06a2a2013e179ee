#pragma once
#include <chrono>
#include <cstdint>
#include <string>

namespace gsync::test {

struct DaemonOptions {
  std::string directory;           ///< with gravity.db (or files.gravity) and pihole.toml
  std::string dnsmasq_directory;   ///< makes it an FTL 5, whose files these are
  std::string port_file;           ///< written, by a rename, when queries are answered
  std::uint16_t port = 0;          ///< 0: the system chooses
  bool musl = false;               ///< reload on 35; 34 is not caught and kills
  bool poll = true;                ///< look at info.updated once a second
  std::chrono::milliseconds poll_interval{1'000};
  bool reload = true;              ///< false: notices everything and goes on serving what it has open
  bool hang_after_reload = false;  ///< the DNS thread stops for good after its first reload; only SIGKILL helps
  bool in_container = false;       ///< /etc/pihole in pihole.toml is `directory`, and /run where the port file is
  bool end_with_stdin = false;     ///< exit when standard input is closed, so that a test that dies leaves nothing behind
};

/// pihole-FTL as far as gravity.db, its signals, pihole.toml and DNS over UDP on 127.0.0.1 are concerned. Returns the exit code after
/// SIGTERM.
///
/// FTL 5 does not look at info.updated, opens gravity.db READONLY, drops a query that meets a lock where 6 allows it, notices a signal
/// within 0.1 s, reads custom.list again at SIGHUP and the other records only at its start, and calls its idle thread `housekeeper`.
///
/// Blocked names are 0.0.0.0, allowed ones 192.0.2.1, pi.hole 127.0.0.1; those of dns.hosts and cnameRecords have their addresses. A TXT
/// query for stats.stand-in is answered with "key=value" strings, from the same thread that does what is counted.
int run_daemon(const DaemonOptions& options);

}  // namespace gsync::test
