#!/usr/bin/env python3
"""gravity-sync beside rsync, sqlite3's backup with scp, and ssh: time, round trips, bytes on the wire and written, CPU and peak memory.

Both hosts are this machine, with an sshd between them. Every figure is a median of several runs. An edit is made once, then all programs carry it over in turn, so that a slow
moment of the machine meets all of them. What passes is counted by a relay. What is timed does not go through
it, but for the daemons' connection: the slow links are lines between two network namespaces, where one may make such.
"""
import argparse
import json
import os
import signal
import statistics
import sys

import daemons
import edits
import hosts
import hub
import instructions
import link


REAL_DOMAINS = os.path.normpath(os.path.dirname(os.path.abspath(__file__)) + "/../../../shared/fixtures/real-domains.txt.zst")


def medians(runs):
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]}


class Bench:
    def __init__(self, options, domains):
        self.options = options
        self.hosts = hosts.Hosts(options, domains)
        self.edits = edits.Edits(self.hosts)

    def one_shot(self, case, link_name, prepare, programs):
        relay = self.hosts.relays[link_name]
        timed_at = self.hosts.timed_at(link_name)
        results = {}
        # An edit serves all programs; a copy leaves nothing to be copied for the next one.
        for_each = prepare == self.edits.fresh_target
        for _ in range(self.options.runs):
            prepare()
            for label, command in programs.items():
                if for_each:
                    prepare()
                results.setdefault(label, []).append(self.hosts.run(command(timed_at), timed_at))
        prepare()
        for label, command in programs.items():
            if for_each:
                prepare()
            before = relay.counts()
            self.hosts.run(command(relay.address))
            wire, turns = (a - b for a, b in zip(relay.counts(), before))
            yield {"case": case, "link": link_name, "program": label} | medians(results[label]) | {"wire": wire, "turns": turns}
        self.in_step()

    def cases(self, link_name):
        h, e = self.hosts, self.edits
        gs, floor, rsync, rsync_z = h.gravity_sync, h.floor, h.rsync, lambda p: h.rsync(p, "-z")
        full, force = lambda p: gs(p, "--full", "--force"), lambda p: gs(p, "--force")
        few = {"ssh host true": floor, "gravity-sync": gs, "rsync -z": rsync_z}
        shaped = link.LINKS[link_name][0]
        weekly = {"gravity-sync": gs, "rsync -z": rsync_z} | ({} if shaped else {"table and index anew": h.anew})
        yield "nothing changed", e.nothing, few if shaped else few | {"rsync": rsync, ".backup + scp": h.backup_scp}
        yield "one domain", e.one_domain, few
        yield "500 domains", e.many_domains, few
        yield "one adlist disabled or enabled", e.adlist, few
        yield "pihole -g, 1% changed, one version behind", e.compile, weekly
        if not shaped:
            yield "the same, which the source has read", e.compile_seen, weekly
        yield "the same, three versions behind", e.three_compiles, weekly
        yield "first copy", e.fresh_target, {"gravity-sync": force, "rsync -z": rsync_z} if shaped else {
            "gravity-sync": force, "rsync -z": rsync_z, "rsync": rsync, ".backup + scp": h.backup_scp}
        if not shaped:
            yield "first copy, --full", e.fresh_target, {"gravity-sync": full, "rsync -z": rsync_z}

    def in_step(self):
        self.edits.tidy()
        self.hosts.run(self.hosts.gravity_sync(self.hosts.sshd.address, "--force"))

    def over_daemon(self, link_name):
        e = self.edits
        running = daemons.Daemons(self.hosts, self.hosts.relays[link_name])
        try:
            self.idle = {side: tree.resident() for side, tree in running.trees.items()}
            # Last what makes the lists longer.
            for case, edit in (("nothing changed", e.nothing), ("one domain", e.one_domain), ("one adlist disabled or enabled", e.adlist),
                               ("pihole -g, 1% changed, one version behind", e.compile), ("the same, three versions behind", running.asleep(e.three_compiles)),
                               ("first copy", e.uncompiled), ("500 domains", e.many_domains)):
                if self.wanted(case):
                    runs = [running.run(edit) for _ in range(self.options.runs)]
                    yield {"case": case, "link": link_name, "program": "daemon"} | medians(runs)
        finally:
            running.stop()

    def wanted(self, case):
        return not self.options.cases or any(word in case for word in self.options.cases.split(","))

    def measure(self):
        for program in (self.hosts.gravity_sync, self.hosts.rsync):
            self.hosts.run(program(self.hosts.sshd.address))
        for link_name in link.chosen(self.options.links):
            for case, prepare, programs in self.cases(link_name):
                if self.wanted(case) and not self.options.only_daemon:
                    yield from self.one_shot(case, link_name, prepare, programs)
            if not self.options.no_daemon:
                self.in_step()  # as daemons find it
                yield from self.over_daemon(link_name)


def size(n):
    return f"{n:,.0f} B" if n < 10_000 else f"{n / 1e3:,.0f} KB" if n < 10e6 else f"{n / 1e6:,.1f} MB"


def line(r):
    pair = lambda key, show: f"{show(r[key + '_here'])} / {show(r[key + '_there'])}"
    return (f"| {r['link']} | {r['case']} | {r['program']} | {r['wall']:.3f} s | {size(r['wire'])} | {r['turns']:.0f} | {pair('written', size)} | "
            f"{pair('cpu', lambda s: f'{s:.2f} s')} | {pair('peak', size)} |")


def write(path, results):
    if path:
        with open(path, "w") as out:
            json.dump(results, out, indent=2)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True, help="build directory with gravity-sync and what tests/bench/run.sh builds beside it")
    parser.add_argument("--domains", default="575000", help="sizes of the blocklist, separated by commas; the three that count are 30000,575000,5000000")
    parser.add_argument("--domains-file", default=REAL_DOMAINS if os.path.exists(REAL_DOMAINS) else None,
                        help="names for the blocklist, one a line, .zst or not; where it has not enough they are generated; '' for none")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--links", default="loopback", help="all, or some of loopback,100,10: as fast as the machine; 100 Mbit/s with 1 ms of round trip; 10 Mbit/s with 30 ms")
    parser.add_argument("--cases", help="words, separated by commas, one of which must be in a case's name")
    parser.add_argument("--no-daemon", action="store_true")
    parser.add_argument("--only-daemon", action="store_true")
    parser.add_argument("--hub", metavar="5,10,25,50", help="measure nothing but one edit that so many replicas get from one hub; each has as many --domains as the hub")
    parser.add_argument("--instructions", action="store_true", help="measure nothing but the instructions that each case takes, by valgrind")
    parser.add_argument("--directory", help="where to work; must be a disk, not a tmpfs, for bytes written to mean anything")
    parser.add_argument("--keep", action="store_true", help="leave the databases and logs there")
    parser.add_argument("--json", help="also write the figures there")
    options = parser.parse_args()
    options.build = os.path.abspath(options.build)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    results = []
    for domains in map(int, options.domains.split(",")):
        if options.hub or options.instructions:
            results += (hub if options.hub else instructions).measure(options, domains)
            continue
        bench = Bench(options, domains)
        try:
            print(f"\n{domains:,} rows in gravity, {size(os.path.getsize(bench.hosts.gravity('ph1')))}; medians of {options.runs} runs; 'here' pulls from 'there'\n")
            print("| link | case | program | wall | on the wire | turns | written here / there | CPU here / there | peak memory here / there |")
            print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
            for result in bench.measure():
                results.append({"domains": domains} | result)
                print(line(result), flush=True)
            for side, processes in getattr(bench, "idle", {}).items():
                results.append({"domains": domains, "case": "idle", "program": "daemon", "side": side, "processes": processes})
                print(f"\ndaemon {side}, idle, each process resident / its share / its own: " +
                      ", ".join(" / ".join(size(p[key]) for key in ("rss", "pss", "own")) for p in processes))
        finally:
            bench.hosts.close()
            write(options.json, results)
    write(options.json, results)


if __name__ == "__main__":
    main()
