"""What each case takes in instructions, which do not depend on who else uses the machine, and what that is on a small one."""
import glob
import os
import re
import subprocess
import time

import edits
import hosts

# Instructions per second of one core, for code like this (B-trees, hashing, deflating): clock times what a cycle does.
MACHINES = {"Pi 4": 1.5e9 * 1.0, "Pi Zero 2 W": 1.0e9 * 0.6}


class Counter:
    def __init__(self, options, domains):
        self.hosts = hosts.Hosts(options, domains)

    def run(self, *arguments):
        h = self.hosts
        for log in glob.glob(f"{h.root}/*.instructions"):
            os.unlink(log)
        count = "valgrind --tool=cachegrind --cache-sim=no --cachegrind-out-file=/dev/null --log-file={}/{}-%p.instructions"
        h.configure("ph2", h.sshd.address, count.format(h.root, "there"))
        subprocess.run([*count.format(h.root, "here").split(), h.binary, "--config", h.config("ph2"), "--quiet", "pull", *arguments], check=True, timeout=3600)
        return {side: self.counted(side) for side in ("here", "there")}

    def counted(self, side):
        deadline = time.monotonic() + 60  # the agent may end after the client
        while True:
            logs = [open(log).read() for log in glob.glob(f"{self.hosts.root}/{side}-*.instructions")]
            numbers = [re.search(r"I +refs: +([\d,]+)", text) for text in logs]
            if numbers and all(numbers):
                return sum(int(number[1].replace(",", "")) for number in numbers)
            if time.monotonic() > deadline:
                raise SystemExit(f"valgrind counted nothing {side}: {logs}")
            time.sleep(0.05)


def measure(options, domains):
    counter = Counter(options, domains)
    e = edits.Edits(counter.hosts)
    results = []
    try:
        print(f"\n{domains:,} rows in gravity; millions of instructions outside of the kernel, one-shot, one run each; seconds are instructions / "
              f"({', '.join(f'{speed / 1e9:.1f}e9 on a {name}' for name, speed in MACHINES.items())})\n")
        print("| case | here | there | " + " | ".join(f"{name}, here / there" for name in MACHINES) + " |")
        print("| --- | --- | --- | " + " | ".join("---" for _ in MACHINES) + " |")
        cases = (("first copy", e.fresh_target, ["--force"]), ("nothing changed", e.nothing, []), ("one domain", e.one_domain, []), ("the next domain", e.one_domain, []),
                 ("500 domains", e.many_domains, []), ("one adlist disabled or enabled", e.adlist, []), ("pihole -g, 1% changed, one version behind", e.compile, []),
                 ("the same, three versions behind", e.three_compiles, []))
        for case, prepare, arguments in cases:
            prepare()
            sides = counter.run(*arguments)
            results.append({"domains": domains, "case": case, "program": "instructions"} | sides)
            times = [f"{sides['here'] / speed:.2f} s / {sides['there'] / speed:.2f} s" for speed in MACHINES.values()]
            print(f"| {case} | {sides['here'] / 1e6:,.0f} | {sides['there'] / 1e6:,.0f} | " + " | ".join(times) + " |", flush=True)
    finally:
        counter.hosts.close()
    return results
