"""Two Pi-holes of one household on this machine with an sshd between them, and the programs that bring ph1's database to ph2."""
import json
import os
import pwd
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time

import link


class Sshd:
    def __init__(self, root, host="127.0.0.1", port=None, name_space=None, reached_from=None):
        """At `host` in network namespace `name_space`, which is reached from another one."""
        if port is None:
            with socket.create_server((host, 0)) as free:
                port = free.getsockname()[1]
        self.address = link.Address(host, port, reached_from)
        if os.geteuid() == 0:
            os.makedirs("/run/sshd", exist_ok=True)
        config, log = f"{root}/sshd_config-{host}-{port}", f"{root}/sshd-{host}-{port}.log"
        with open(config, "w") as out:
            out.write(f"ListenAddress {host}:{port}\nHostKey {root}/host\nAuthorizedKeysFile {root}/authorized_keys\n"
                      f"StrictModes no\nUsePAM no\nPidFile none\nPasswordAuthentication no\nMaxStartups 100\n"
                      "Subsystem sftp internal-sftp\n"
                      # bash reads ~/.bashrc when sshd starts it: what stands there would be measured as well, with each program.
                      f"SetEnv HOME={root}\n")
        self.process = subprocess.Popen(["/usr/sbin/sshd", "-D", "-e", "-f", config], stderr=open(log, "w"), preexec_fn=link.enter(name_space))
        deadline = time.time() + 20
        while "Server listening on" not in open(log).read():
            if self.process.poll() is not None or time.time() > deadline:
                raise SystemExit(f"sshd does not start:\n{open(log).read()}")
            time.sleep(0.01)

    def stop(self):
        self.process.terminate()
        self.process.wait(10)


class Hosts:
    def __init__(self, options, domains):
        self.options, self.domains = options, domains
        self.root = tempfile.mkdtemp(prefix="gravity-sync-bench-", dir=options.directory)
        self.user = pwd.getpwuid(os.geteuid()).pw_name
        for name in ("host", "client"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{self.root}/{name}"], check=True)
        shutil.copy(f"{self.root}/client.pub", f"{self.root}/authorized_keys")
        self.sshd = Sshd(self.root)
        self.relays = {name: link.Relay(self.sshd.address.port, *speed) for name, speed in link.LINKS.items()}
        self.lines = {}  # by the link's name: the wire, and the sshd at its far end
        self.know_hosts()
        self.binary = f"{options.build}/gravity-sync"
        self.probe = f"{options.build}/tests/bench-measure"
        self.local, self.remote = f"{self.root}/local.jsonl", f"{self.root}/remote.jsonl"
        # The household and its databases are the same on both ends, but for row ids, until a case changes something.
        self.make("ph1", domains, 3)
        self.make("ph2", domains, 7)

    def make(self, name, domains, numbering):
        shutil.rmtree(f"{self.root}/{name}", ignore_errors=True)
        subprocess.run([f"{self.options.build}/tests/make-pihole", "--directory", f"{self.root}/{name}", "--name", name, "--domains", str(domains),
                        "--numbering", str(numbering), "--seed", "1"], check=True, stdout=subprocess.DEVNULL)
        if self.options.domains_file and domains:
            self.take_names(self.gravity(name), domains)

    def take_names(self, path, domains):
        """The blocklist's names from a file, if it has enough; each adlist keeps as many as it had."""
        text = self.options.domains_file
        reader = subprocess.Popen(["zstd", "-dc", text] if text.endswith(".zst") else ["cat", text], stdout=subprocess.PIPE, text=True)
        names = [line for line, _ in zip((line.strip() for line in reader.stdout), range(domains)) if line]
        reader.stdout.close()
        reader.wait()
        if len(names) < domains:
            return
        with sqlite3.connect(path) as db:
            parts = db.execute("SELECT id, count(*) FROM gravity JOIN adlist ON id = adlist_id GROUP BY id ORDER BY address").fetchall()
            db.execute("DELETE FROM gravity")
            ids = (number for number, count in parts for _ in range(count))
            db.executemany("INSERT INTO gravity VALUES (?, ?)", zip(names, ids))
            db.execute("UPDATE info SET value = (SELECT count(DISTINCT domain) FROM gravity) WHERE property = 'gravity_count'")
            db.execute("UPDATE adlist SET number = (SELECT count(*) FROM gravity WHERE adlist_id = id) WHERE id IN (SELECT adlist_id FROM gravity)")
        db.close()

    def know_hosts(self):
        key = " ".join(open(f"{self.root}/host.pub").read().split()[:2])
        addresses = [self.sshd.address, *(relay.address for relay in self.relays.values()), *(sshd.address for _, sshd in self.lines.values())]
        with open(f"{self.root}/known_hosts", "w") as out:
            out.writelines(f"[{at.host}]:{at.port} {key}\n" for at in addresses)

    def timed_at(self, link_name):
        """Where ph1 is reached over that link with nobody in between who counts, if there is such a way."""
        relay = self.relays[link_name]
        if relay.rate is None:
            return self.sshd.address
        if link_name not in self.lines:
            wire = link.Wire(f"{self.options.build}/tests/bench-wire", *link.LINKS[link_name])
            if not wire.permitted:
                return relay.address
            self.lines[link_name] = wire, Sshd(self.root, wire.far_host, self.sshd.address.port, wire.far, wire.near)
            self.know_hosts()
        return self.lines[link_name][1].address

    def config(self, name):
        return f"{self.root}/{name}/gravity-sync.toml"

    def gravity(self, name):
        return f"{self.root}/{name}/pihole/gravity.db"

    def configure(self, name, at, wrapper=""):
        """`name` gets ph1 as its peer, where `wrapper` starts the agent."""
        path = self.config(name)
        text = open(path).read().split("[[peer]]")[0]
        remote = f"{wrapper} {self.binary} --config {self.config('ph1')} agent --peer {name}"
        with open(path, "w") as out:
            out.write(text + f'[[peer]]\nname = "ph1"\nhost = "{at.host}"\nport = {at.port}\nuser = "{self.user}"\nidentity = "{self.root}/client"\n'
                             f'known_hosts = "{self.root}/known_hosts"\nremote_command = "{remote}"\nconnect_timeout_seconds = 60\n')

    # the programs

    def ssh(self, at, program="ssh"):
        return [program, "-F", "/dev/null", "-P" if program == "scp" else "-p", str(at.port), "-i", f"{self.root}/client", "-o",
                f"UserKnownHostsFile={self.root}/known_hosts", "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes"]

    def gravity_sync(self, at, *arguments):
        self.configure("ph2", at, f"{self.probe} {self.remote}")
        return [self.binary, "--config", self.config("ph2"), "--quiet", "pull", *arguments]

    def floor(self, at):
        return [*self.ssh(at), f"{self.user}@{at.host}", f"{self.probe} {self.remote} true"]

    def rsync(self, at, *flags):
        return ["rsync", "-t", *flags, "-e", " ".join(self.ssh(at)), f"--rsync-path={self.probe} {self.remote} rsync",
                f"{self.user}@{at.host}:{self.gravity('ph1')}", f"{self.root}/rsync.db"]

    def backup_scp(self, at):
        copy = f"{self.root}/backup.db"
        backup = " ".join(self.ssh(at)) + f" {self.user}@{at.host} \"{self.probe} {self.remote} sqlite3 {self.gravity('ph1')} '.backup {copy}'\""
        return ["sh", "-c", f"{backup} && {' '.join(self.ssh(at, 'scp'))} -q {self.user}@{at.host}:{copy} {self.root}/scp.db"]

    def anew(self, _):
        """What a target would have to do at least that gets all of gravity and makes table and index of it."""
        return ["sh", "-c", f"rm -f {self.root}/anew.db && sqlite3 {self.root}/anew.db \"ATTACH '{self.gravity('ph1')}' AS theirs; BEGIN; "
                "CREATE TABLE gravity (domain TEXT NOT NULL, adlist_id INTEGER NOT NULL); INSERT INTO gravity SELECT domain, adlist_id FROM theirs.gravity; "
                "CREATE INDEX idx_gravity ON gravity (domain, adlist_id); COMMIT\""]

    def run(self, command, at=None):
        """`at`: where it will connect to."""
        for path in (self.local, self.remote):
            open(path, "w").close()
        start = time.monotonic()
        done = subprocess.run([self.probe, self.local, *command], capture_output=True, text=True, timeout=600,
                              preexec_fn=link.enter(at.name_space if at else None))
        wall = time.monotonic() - start
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(command)} exited {done.returncode}:\n{done.stdout}{done.stderr}")
        # The agent may end a moment after the client.
        deadline = time.monotonic() + 5
        while not os.path.getsize(self.remote) and time.monotonic() < deadline:
            time.sleep(0.01)
        result = {"wall": wall}
        for side, path in (("here", self.local), ("there", self.remote)):
            lines = [json.loads(line) for line in open(path)]
            result |= {f"written_{side}": sum(x["written"] for x in lines), f"cpu_{side}": sum(x["cpu"] for x in lines),
                       f"peak_{side}": max([x["peak_kib"] for x in lines] or [0]) * 1024}
        return result

    def close(self):
        for wire, sshd in self.lines.values():
            sshd.stop()
            wire.stop()
        self.sshd.stop()
        if self.options.keep:
            print(f"kept: {self.root}", file=sys.stderr)
        else:
            shutil.rmtree(self.root, ignore_errors=True)
