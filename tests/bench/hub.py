"""One Pi-hole with many replicas, all on this machine: from one edit there to pihole-FTL (stand-ins) on all of them serving it."""
import statistics
import time

import daemons
import edits
import hosts


class Hub(daemons.Running):
    def __init__(self, options, domains):
        super().__init__(hosts.Hosts(options, domains))
        self.edits = edits.Edits(self.hosts)
        self.dns, self.replicas = {}, {}
        self.start_ftl("ph1")
        self.hub = self.start("ph1")
        self.sshd = daemons.Tree(self.hosts.sshd.process.pid)

    def grow(self, number):
        """Until there are so many replicas, all in step."""
        for i in range(len(self.replicas), number):
            name = f"r{i + 1}"
            self.hosts.make(name, self.hosts.domains, 7)
            self.hosts.configure(name, self.hosts.sshd.address)
            self.dns[name] = self.start_ftl(name)
            self.replicas[name] = self.start(name)
        for name in self.replicas:
            self.wait_in_step(name)

    def cpu(self):
        return {"hub": self.hub.cpu(), "ssh": self.sshd.cpu(), "replicas": sum(tree.cpu() for tree in self.replicas.values())}

    def run(self):
        before = self.cpu()
        name = self.edits.one_domain()
        start, served = time.monotonic(), []
        waiting = set(self.replicas)
        while waiting:
            for replica in sorted(waiting):
                if daemons.blocked(self.dns[replica], name):
                    waiting.remove(replica)
                    served.append(time.monotonic() - start)
            if time.monotonic() - start > 300:
                raise SystemExit(f"{name} was never served by {sorted(waiting)}")
            time.sleep(0.005)
        for replica in self.replicas:
            self.wait_in_step(replica)
        time.sleep(0.5)  # what daemons do after that they are in step is theirs, too
        cpu = {f"cpu_{key}": value - before[key] for key, value in self.cpu().items()}
        return {"first": served[0], "middle": statistics.median(served), "last": served[-1]} | cpu

    def measure(self, number, runs):
        self.grow(number)
        self.run()
        many = [self.run() for _ in range(runs)]
        servers = self.hub.resident()[1:]
        result = {key: statistics.median(run[key] for run in many) for key in many[0]}
        # The clocks of processes tick a hundred times a second: of CPU only the sum over all runs says something.
        result |= {key: sum(run[key] for run in many) / runs for key in result if key.startswith("cpu")}
        return {"replicas": number} | result | {"hub_memory": sum(p["pss"] for p in self.hub.resident()), "server_own": statistics.median(p["own"] for p in servers),
                                                "ssh_memory": sum(p["pss"] for p in self.sshd.resident())}

    def close(self):
        self.stop()
        self.hosts.close()


def measure(options, domains):
    """Prints a line for each number of replicas, and gives the figures."""
    numbers = [int(n) for n in options.hub.split(",")]
    results = []
    hub = Hub(options, domains)
    try:
        print(f"\nA hub and its replicas, {domains:,} rows in gravity; medians of {options.runs} runs; one domain\n")
        print("| replicas | served by half | served by all | per replica | CPU of a replica | CPU of the hub for each | its sshd for each | memory of the hub | its sshd |")
        print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
        for n in sorted(numbers):
            r = hub.measure(n, options.runs)
            results.append({"domains": domains, "case": "hub"} | r)
            ms = lambda seconds: f"{seconds * 1e3:.0f} ms"
            print(f"| {n} | {r['middle']:.2f} s | {r['last']:.2f} s | {ms(r['last'] / n)} | {ms(r['cpu_replicas'] / n)} | {r['cpu_hub'] / n * 1e3:.1f} ms | "
                  f"{r['cpu_ssh'] / n * 1e3:.1f} ms | {r['hub_memory'] / 1e6:.0f} MB | {r['ssh_memory'] / 1e6:.0f} MB |", flush=True)
    finally:
        hub.close()
    return results
