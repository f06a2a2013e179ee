#!/usr/bin/env python3
"""gravity-sync beside rsync and ssh: wall time, bytes on the wire, bytes written and peak memory, on one machine over loopback.

Every figure is a median of several runs; the programs take turns within a run, so that a slow moment of the machine meets all of them. Bytes on the wire are counted by a
relay between client and sshd in runs of their own, so that the relay does not slow down what is timed.
"""
import argparse
import json
import os
import pwd
import shutil
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
MEASURE = os.path.join(HERE, "measure.py")


class Relay:
    """Counts what passes between a client and a port of this machine."""

    def __init__(self, port):
        self.target = port
        self.bytes = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.target))
            for a, b in ((client, server), (server, client)):
                threading.Thread(target=self.pump, args=(a, b), daemon=True).start()

    def pump(self, source, sink):
        try:
            while data := source.recv(1 << 16):
                self.bytes += len(data)
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass


class Sshd:
    def __init__(self, root):
        self.root = root
        for name in ("host", "client"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{root}/{name}"], check=True)
        shutil.copy(f"{root}/client.pub", f"{root}/authorized_keys")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        if os.geteuid() == 0:
            os.makedirs("/run/sshd", exist_ok=True)
        with open(f"{root}/sshd_config", "w") as out:
            out.write(f"ListenAddress 127.0.0.1:{self.port}\nHostKey {root}/host\nAuthorizedKeysFile {root}/authorized_keys\n"
                      f"StrictModes no\nUsePAM no\nPidFile {root}/sshd.pid\nPasswordAuthentication no\nMaxStartups 100\n")
        self.process = subprocess.Popen(["/usr/sbin/sshd", "-D", "-e", "-f", f"{root}/sshd_config"], stderr=open(f"{root}/sshd.log", "w"))
        deadline = time.time() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                if time.time() > deadline:
                    raise
                time.sleep(0.05)

    def known_hosts(self, *ports):
        key = " ".join(open(f"{self.root}/host.pub").read().split()[:2])
        with open(f"{self.root}/known_hosts", "w") as out:
            for port in ports:
                out.write(f"[127.0.0.1]:{port} {key}\n")

    def stop(self):
        self.process.terminate()
        self.process.wait(10)


class Bench:
    def __init__(self, options):
        self.options = options
        self.root = tempfile.mkdtemp(prefix="gravity-sync-bench-", dir=options.directory)
        self.user = pwd.getpwuid(os.geteuid()).pw_name
        self.sshd = Sshd(self.root)
        self.relay = Relay(self.sshd.port)
        self.sshd.known_hosts(self.sshd.port, self.relay.port)
        self.binary = f"{options.build}/gravity-sync"
        self.local = f"{self.root}/local.jsonl"
        self.remote = f"{self.root}/remote.jsonl"
        # The household and its databases are the same on both ends, but for row ids, until a case changes something.
        for name, numbering in (("ph1", 3), ("ph2", 7)):
            self.make(name, options.domains, numbering)
        self.configure(self.sshd.port)

    def make(self, name, domains, numbering):
        shutil.rmtree(f"{self.root}/{name}", ignore_errors=True)
        subprocess.run([f"{self.options.build}/tests/make-pihole", "--directory", f"{self.root}/{name}", "--name", name, "--domains", str(domains), "--numbering", str(numbering),
                        "--seed", "1"], check=True, stdout=subprocess.DEVNULL)

    def config(self, name):
        return f"{self.root}/{name}/gravity-sync.toml"

    def gravity(self, name):
        return f"{self.root}/{name}/pihole/gravity.db"

    def configure(self, port):
        path = self.config("ph2")
        text = open(path).read().split("[[peer]]")[0]
        remote = f"{sys.executable} {MEASURE} {self.remote} {self.binary} --config {self.config('ph1')} agent --peer ph2"
        with open(path, "w") as out:
            out.write(text + f'[[peer]]\nname = "ph1"\nhost = "127.0.0.1"\nport = {port}\nuser = "{self.user}"\nidentity = "{self.root}/client"\n'
                             f'known_hosts = "{self.root}/known_hosts"\nremote_command = "{remote}"\n')

    def ssh(self, port):
        return ["ssh", "-F", "/dev/null", "-p", str(port), "-i", f"{self.root}/client", "-o", f"UserKnownHostsFile={self.root}/known_hosts", "-o", "IdentitiesOnly=yes",
                "-o", "BatchMode=yes"]

    # the programs

    def gravity_sync(self, port, *arguments):
        self.configure(port)
        return [self.binary, "--config", self.config("ph2"), "--quiet", "pull", *arguments]

    def floor(self, port):
        return [*self.ssh(port), f"{self.user}@127.0.0.1", f"{sys.executable} {MEASURE} {self.remote} true"]

    def rsync(self, port, *flags):
        return ["rsync", "-t", *flags, "-e", " ".join(self.ssh(port)), f"--rsync-path={sys.executable} {MEASURE} {self.remote} rsync",
                f"{self.user}@127.0.0.1:{self.gravity('ph1')}", f"{self.root}/rsync.db"]

    def run(self, command):
        for path in (self.local, self.remote):
            open(path, "w").close()
        start = time.monotonic()
        done = subprocess.run([sys.executable, MEASURE, self.local, *command], capture_output=True, text=True, timeout=600)
        wall = time.monotonic() - start
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(command)} exited {done.returncode}:\n{done.stdout}{done.stderr}")
        local, remote = ([json.loads(line) for line in open(path)] for path in (self.local, self.remote))
        return {"wall": wall, "written": sum(x["written"] for x in local), "written_remote": sum(x["written"] for x in remote),
                "peak": max(x["peak_kib"] for x in local) * 1024, "peak_remote": max([x["peak_kib"] for x in remote] or [0]) * 1024}

    def wire(self, command):
        before = self.relay.bytes
        self.run(command)
        return self.relay.bytes - before

    # the cases

    def nothing(self):
        subprocess.run([*self.gravity_sync(self.sshd.port)], check=True)
        shutil.copy2(self.gravity("ph1"), f"{self.root}/rsync.db")

    def one_domain(self):
        self.counter = getattr(self, "counter", 0) + 1
        with sqlite3.connect(self.gravity("ph1")) as db:
            db.execute("INSERT INTO domainlist (type, domain) VALUES (1, ?)", (f"bench-{self.counter}.example.com",))
        db.close()

    def fresh_target(self):
        # The same household, whose blocklist was never compiled.
        self.make("ph2", 0, 7)
        if os.path.exists(f"{self.root}/rsync.db"):
            os.unlink(f"{self.root}/rsync.db")

    def compile(self):
        """What a weekly `pihole -g` does to a percent of the domains: a new file whose pages are all new."""
        self.counter = getattr(self, "counter", 0) + 1
        path = self.gravity("ph1")
        shutil.copy2(path, path + "_temp")
        db = sqlite3.connect(path + "_temp")
        db.execute("DELETE FROM gravity WHERE rowid IN (SELECT rowid FROM gravity WHERE abs(random()) % 200 = 0)")
        db.execute(f"INSERT INTO gravity SELECT 'c{self.counter}-' || domain, adlist_id FROM gravity WHERE abs(random()) % 200 = 0")
        db.execute("CREATE TABLE shuffled AS SELECT * FROM gravity ORDER BY adlist_id, random()")
        db.execute("DELETE FROM gravity")
        db.execute("INSERT INTO gravity SELECT * FROM shuffled")
        db.execute("DROP TABLE shuffled")
        db.execute("UPDATE info SET value = value + 60 WHERE property = 'updated'")
        db.commit()
        db.execute("VACUUM")
        db.close()
        os.rename(path + "_temp", path)

    def case(self, name, prepare, programs):
        results = {}
        for _ in range(self.options.runs):
            for label, command in programs.items():
                prepare()
                results.setdefault(label, []).append(self.run(command(self.sshd.port)))
        table = {}
        for label, command in programs.items():
            prepare()
            wire = self.wire(command(self.relay.port))
            runs = results[label]
            table[label] = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
            table[label]["wire"] = wire
        return {"case": name, "programs": table}

    def measure(self):
        gs, full, floor = self.gravity_sync, lambda p: self.gravity_sync(p, "--full"), self.floor
        rsync, rsync_z = self.rsync, lambda p: self.rsync(p, "-z")
        self.nothing()
        yield self.case("nothing changed", lambda: None, {"ssh host true": floor, "gravity-sync": gs, "rsync": rsync, "rsync -z": rsync_z})
        yield self.case("one domain added", self.one_domain, {"ssh host true": floor, "gravity-sync": gs, "rsync -z": rsync_z})
        yield self.case("`pihole -g`, 1% changed", self.compile, {"gravity-sync": gs, "rsync -z": rsync_z})
        yield self.case("first copy, rows", self.fresh_target, {"gravity-sync": lambda p: self.gravity_sync(p, "--force"), "rsync": rsync, "rsync -z": rsync_z})
        yield self.case("first copy, --full", self.fresh_target, {"gravity-sync": lambda p: self.gravity_sync(p, "--full", "--force"), "rsync -z": rsync_z})

    def close(self):
        self.sshd.stop()
        shutil.rmtree(self.root, ignore_errors=True)


def size(n):
    return f"{n:,.0f} B" if n < 10_000 else f"{n / 1e3:,.0f} KB" if n < 10e6 else f"{n / 1e6:,.1f} MB"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True, help="build directory with gravity-sync and tests/make-pihole")
    parser.add_argument("--domains", type=int, default=575_000)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--directory", help="where to work; must be a disk, not a tmpfs, for bytes written to mean anything")
    parser.add_argument("--json", help="also write the figures there")
    options = parser.parse_args()
    options.build = os.path.abspath(options.build)
    bench = Bench(options)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    results = []
    try:
        print(f"{options.domains:,} rows in gravity, {size(os.path.getsize(bench.gravity('ph1')))}; medians of {options.runs} runs\n")
        print("| case | program | wall | on the wire | written here | written there | peak memory here / there |")
        print("| --- | --- | --- | --- | --- | --- | --- |")
        for result in bench.measure():
            results.append(result)
            for label, r in result["programs"].items():
                print(f"| {result['case']} | {label} | {r['wall']:.2f} s | {size(r['wire'])} | {size(r['written'])} | {size(r['written_remote'])} | "
                      f"{size(r['peak'])} / {size(r['peak_remote'])} |", flush=True)
    finally:
        bench.close()
    if options.json:
        with open(options.json, "w") as out:
            json.dump(results, out, indent=2)


if __name__ == "__main__":
    main()
