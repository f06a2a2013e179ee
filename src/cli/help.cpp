#include "help.hpp"

#include <algorithm>
#include <array>

#include "gsync/util/error.hpp"

namespace gsync::cli {
namespace {

constexpr std::array<CommandHelp, 25> commands{{
    {Command::pair, "pair", "connect this Pi-hole with another one: keys, configuration, first sync",
     "Does all that two Pi-holes need to be kept the same: logs in to HOST as ADMIN (by key, agent or a password that ssh asks for\n"
     "and nobody keeps), has gravity-sync there let this Pi-hole's key in, for its agent and nothing else, writes the [[peer]],\n"
     "checks it, shows how the two differ, asks which is right, and starts the daemon. Says each step before it; takes back what\n"
     "it did when one fails. Running it again is harmless.",
     "Examples:\n"
     "  sudo gravity-sync pair pi@192.168.1.3\n"
     "  sudo gravity-sync pair root@ph2.lan --name ph2 --mode pull\n"
     "  sudo gravity-sync pair pi@192.168.1.3 --fingerprint SHA256:0Cp2... --first push"},
    {Command::unpair, "unpair", "take the connection with another Pi-hole back",
     "Takes the peer out of the configuration, its host key and its own key away, and forgets the syncs with it. With --admin it\n"
     "also has this Pi-hole's key taken away there. Lists and records stay as they are on both.",
     "Examples:\n"
     "  sudo gravity-sync unpair ph2\n"
     "  sudo gravity-sync unpair ph2 --admin pi@192.168.1.3"},
    {Command::sync, "sync", "give each the edits of the other (what gravity-sync alone does)",
     "Merges this Pi-hole and the peer row by row, so that no edit of either is lost: what was added, changed or deleted\n"
     "on one of them since their last sync is done on the other too. Where both edited the same field, --prefer or\n"
     "`prefer` in the configuration says whose stays, else the lower node id; `history --conflicts` shows what was lost.\n"
     "Without PEER: the only one, or all whose mode is \"sync\".",
     "Examples:\n"
     "  sudo gravity-sync sync --dry-run      what would change on both\n"
     "  sudo gravity-sync sync ph2\n"
     "  sudo gravity-sync sync ph2 --union    the first time, when both have lists of their own"},
    {Command::pull, "pull", "make this Pi-hole as the peer is",
     "Makes this Pi-hole as the peer is: its groups, adlists, domains and clients, the blocklist that the peer\n"
     "compiled, and its local DNS, CNAME and static DHCP records. What is only here goes; it is kept as a version\n"
     "that `undo` brings back. DNS is not interrupted. When both are the same already, nothing is read or written.",
     "Examples:\n"
     "  sudo gravity-sync pull --dry-run      what would change, row by row\n"
     "  sudo gravity-sync pull ph1            do it\n"
     "  sudo gravity-sync pull --only lists,blocklist   leave the records alone"},
    {Command::push, "push", "make the peer as this Pi-hole is",
     "Makes the peer as this Pi-hole is. The same as a `pull` on the peer, started from this side. The peer keeps\n"
     "what it had as a version; `gravity-sync undo` on the peer brings it back.",
     "Examples:\n"
     "  sudo gravity-sync push ph2 --dry-run\n"
     "  sudo gravity-sync push ph2"},
    {Command::compare, "compare", "show how this Pi-hole and the peer differ",
     "Shows every row in which this Pi-hole and the peer differ, and for each adlist how many domains each side has\n"
     "compiled and when. Dates and row numbers do not count, and what `keep_local` in [sync] keeps on one side is marked.\n"
     "Reads only what differs; changes nothing.",
     "Examples:\n"
     "  sudo gravity-sync compare\n"
     "  sudo gravity-sync compare ph1 --all --only lists\n"
     "  sudo gravity-sync compare --exit-code --quiet || echo they differ"},
    {Command::info, "info", "show what was found on this host, and what is not synced",
     "Shows which Pi-hole was found on this host and how, its versions, its database, how FTL will be told of a new\n"
     "one, what is not synced here and why, and which peers are configured. The first thing to run on a new host.",
     "Example:\n"
     "  sudo gravity-sync info"},
    {Command::doctor, "doctor", "check everything that can go wrong, and say how to mend it",
     "Looks at the configuration, the Pi-hole, FTL, files, disk, service and sockets of this host, and at each peer (or the\n"
     "one that is named): can it be reached, is its host key trusted, does it let our key in and for the agent only. One line\n"
     "each, with what to do about what is wrong. Changes nothing. Exits with 1 when something is wrong.",
     "Examples:\n"
     "  sudo gravity-sync doctor\n"
     "  sudo gravity-sync doctor ph1\n"
     "  sudo gravity-sync doctor --quiet        what is not as it should be, and nothing else"},
    {Command::forget, "forget", "forget the syncs with a Pi-hole that is gone or renamed",
     "Forgets that this Pi-hole was ever synced both ways with NAME. Nothing is changed on either. A later `sync` with it\n"
     "begins as the first one did.",
     "Example:\n"
     "  sudo gravity-sync forget ph3"},
    {Command::history, "history", "show past runs",
     "Shows the runs that changed or refused something on this Pi-hole, the newest first. With --id one of them, and with\n"
     "--rows all that are listed, with every row that was added, changed or removed.",
     "Examples:\n"
     "  sudo gravity-sync history --limit 5\n"
     "  sudo gravity-sync history --peer ph1 --since 2d --rows\n"
     "  sudo gravity-sync history --conflicts\n"
     "  sudo gravity-sync history --id 12"},
    {Command::undo, "undo", "bring back what the last run replaced",
     "Brings back the lists and records as they were before the last change that gravity-sync made here. It goes the\n"
     "same careful way as a pull, and can itself be undone. The next pull makes this Pi-hole as the peer is again; the daemon does\n"
     "not: the peers that it pulls from, and those that push to this one, are paused until `resume`. A peer in mode sync gets it.",
     "Examples:\n"
     "  sudo gravity-sync undo --dry-run\n"
     "  sudo gravity-sync undo"},
    {Command::restore, "restore", "bring back an older version",
     "Without ID, lists the versions of lists and records that are kept: one from before each change, the last 50 at\n"
     "most. With ID, brings that one back. The compiled blocklist is not part of a version: after an adlist came\n"
     "back, run `pihole -g`.",
     "Examples:\n"
     "  sudo gravity-sync restore\n"
     "  sudo gravity-sync restore 12 --dry-run\n"
     "  sudo gravity-sync restore 12"},
    {Command::trust, "trust", "accept the SSH host key of a peer",
     "Accepts the SSH host key of a peer. Without --fingerprint it prints the key's fingerprint and how to check it\n"
     "on the peer, and exits with 2. With the right fingerprint it writes the key into known_hosts.",
     "Examples:\n"
     "  sudo gravity-sync trust ph1\n"
     "  sudo gravity-sync trust ph1 --fingerprint SHA256:0Cp2...\n"
     "  ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub     on ph1: what to compare it with"},
    {Command::key, "key", "print this Pi-hole's public SSH key; make the key if there is none",
     "Prints the public half of the key that this Pi-hole logs in to its peers with. Where there is none, makes an ed25519\n"
     "key in the state directory. The private half never leaves this host.",
     "Examples:\n"
     "  sudo gravity-sync key\n"
     "  sudo gravity-sync key | ssh admin@ph1 sudo gravity-sync accept ph2"},
    {Command::accept, "accept", "let another Pi-hole log in to this one with its key",
     "Lets the Pi-hole NAME log in to this host's account gravity-sync with its public key, which `key` prints there. The\n"
     "key is good for gravity-sync's agent and for nothing else: no shell, no forwarding. What let NAME or that key in\n"
     "before is replaced. The private key of NAME is then as good as the right to edit this Pi-hole's lists and records.",
     "Examples:\n"
     "  sudo gravity-sync accept ph2 ph2.pub\n"
     "  sudo gravity-sync accept ph2 --read-only        reads the key from the terminal; ph2 can only pull\n"
     "  sudo gravity-sync accept ph2 --remove"},
    {Command::config, "config", "check, show, begin or take over a configuration",
     "`config check` names all that is wrong with the configuration. `config show` shows every setting that is in force and\n"
     "where it comes from. `config init` writes a first one: it finds the Pi-hole, and asks for the other one's address.\n"
     "`config peer` adds a peer, changes it or takes it out.\n"
     "`config import` reads the settings of the gravity-sync script (4.0 and before), which is retired, and says what has\n"
     "no counterpart.",
     "Examples:\n"
     "  sudo gravity-sync config check\n"
     "  gravity-sync config show\n"
     "  sudo gravity-sync config init\n"
     "  sudo gravity-sync config init --host 192.168.1.3 --name ph2 --mode sync\n"
     "  sudo gravity-sync config import /etc/gravity-sync/gravity-sync.conf --dry-run"},
    {Command::automatic, "auto", "have this Pi-hole synced by itself, or not any more",
     "`auto on` starts the daemon now and whenever this host starts. Where the Pi-hole does not belong to the user pihole or\n"
     "is not in /etc/pihole, it writes what systemd has to know. Without systemd, cron syncs every five minutes.\n"
     "`auto off` takes that back; nothing else changes.",
     "Examples:\n"
     "  sudo gravity-sync auto on\n"
     "  sudo gravity-sync auto off"},
    {Command::purge, "purge", "take everything of gravity-sync away from this host",
     "Takes away the service, the keys, the account of the peers, the history and the kept versions, the configuration, and\n"
     "what is beside gravity.db. Nothing of Pi-hole's is touched, and DNS goes on. Asks first. The program itself is left to\n"
     "the package manager.",
     "Examples:\n"
     "  sudo gravity-sync purge\n"
     "  sudo gravity-sync purge --yes"},
    {Command::daemon, "daemon", "keep this Pi-hole and its peers the same, all the time",
     "Runs until it is stopped, and does with each peer what its `mode` in the configuration says: `pull` follows the\n"
     "peer about a second after each change there, `push` makes the peer follow, `sync` gives each the edits of the\n"
     "other. Peers that are off are tried again.\n"
     "systemd runs this: `systemctl enable --now gravity-sync`.",
     "Examples:\n"
     "  sudo gravity-sync daemon\n"
     "  sudo systemctl reload gravity-sync       read the configuration again (SIGHUP)"},
    {Command::status, "status", "show what the daemon does with each peer",
     "Shows for each peer of the running daemon whether the two are in step, since when it is connected, the last\n"
     "change, and what went wrong and when it is tried again. With --now it syncs all of them first.",
     "Examples:\n"
     "  sudo gravity-sync status\n"
     "  sudo gravity-sync status --now\n"
     "  sudo gravity-sync status --exit-code --quiet     for a health check: 0 when all is well, else 1"},
    {Command::monitor, "monitor", "follow what the daemon does, line by line",
     "Shows each event of the running daemon as it happens: connections, changes, failures. Until Ctrl-C.",
     "Examples:\n"
     "  sudo gravity-sync monitor\n"
     "  sudo gravity-sync monitor --json | jq .text"},
    {Command::pause, "pause", "leave a peer alone until resume",
     "The daemon leaves a peer alone, also after a restart, until `resume`, and the peer cannot change anything here.\n"
     "Commands like `pull` on this Pi-hole do not look at this.",
     "Example:\n"
     "  sudo gravity-sync pause ph1"},
    {Command::resume, "resume", "go on with a peer that was paused",
     "The daemon goes on with a peer that was paused by `pause` or by `undo`, and syncs at once.",
     "Example:\n"
     "  sudo gravity-sync resume ph1"},
    {Command::version, "version", "print the version", "Prints the version of gravity-sync and of the protocol that it speaks with peers.",
     "Example:\n"
     "  gravity-sync version --json"},
    {Command::agent, "agent", "serve a peer on stdin and stdout (started by sshd)",
     "Serves one peer on stdin and stdout. People do not run this: sshd does, when a peer connects, because\n"
     "~/.ssh/authorized_keys of the account says so. The peer can read and set lists and records, and nothing else.",
     "Example, one line of authorized_keys:\n"
     "  restrict,command=\"/usr/bin/gravity-sync agent --peer ph1\" ssh-ed25519 AAAA... gravity-sync of ph1"},
}};

constexpr auto names = [] {
  std::array<std::string_view, commands.size()> all;
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = commands[i].name;
  return all;
}();

}  // namespace

const CommandHelp& help_of(Command command) {
  auto found = std::find_if(commands.begin(), commands.end(), [&](const CommandHelp& help) { return help.command == command; });
  GSYNC_ASSERT(found != commands.end());
  return *found;
}

std::span<const CommandHelp> all_commands() {
  return commands;
}

std::span<const std::string_view> command_names() {
  return names;
}

std::string_view program_description() {
  return "Keeps the lists and local DNS records of Pi-holes the same, over SSH, without interrupting DNS.";
}

std::string_view program_footer() {
  return "Begin with: gravity-sync doctor, then compare, then pull --dry-run. `gravity-sync COMMAND --help` has examples.\n"
         "Run as root, a command becomes the owner of the Pi-hole's database first.\n"
         "\n"
         "Exit codes:\n"
         "   0  done, or nothing to do\n"
         "   1  failed\n"
         "   2  the command line or the configuration is wrong\n"
         "   3  compare --exit-code found differences\n"
         "   4  refused by a safety check\n"
         "   5  the peer cannot be reached, or does not let us in\n"
         "  75  busy: try again later\n"
         "\n"
         "Environment: GRAVITY_SYNC_CONFIG names the configuration, NO_COLOR turns colours off.";
}

}  // namespace gsync::cli
