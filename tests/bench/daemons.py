"""The daemons of both hosts with a connection that stays open: from an edit on ph1 to pihole-FTL (a stand-in) on ph2 serving it."""
import json
import os
import signal
import socket
import struct
import subprocess
import time


class Tree:
    """A process and all below it, as /proc shows them."""

    def __init__(self, pid):
        self.pid = pid

    def pids(self):
        found, at = [self.pid], 0
        while at < len(found):
            try:
                found += [int(p) for p in open(f"/proc/{found[at]}/task/{found[at]}/children").read().split()]
            except OSError:
                pass
            at += 1
        return found

    def each(self, read):
        for pid in self.pids():
            try:
                yield read(pid)
            except OSError:
                pass

    def cpu(self):
        def ticks(pid):
            words = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
            return sum(map(int, words[11:15]))
        return sum(self.each(ticks)) / os.sysconf("SC_CLK_TCK")

    def written(self):
        return sum(self.each(lambda pid: int(open(f"/proc/{pid}/io").read().split("\nwrite_bytes: ")[1].split()[0])))

    def forget_peak(self):
        for _ in self.each(lambda pid: open(f"/proc/{pid}/clear_refs", "w").write("5")):
            pass

    def peak(self):
        return 1024 * max(self.each(lambda pid: int(open(f"/proc/{pid}/status").read().split("VmHWM:")[1].split()[0])))

    def resident(self):
        """Of each process its resident memory, its share of what several have, and its own."""
        def one(pid):
            text = open(f"/proc/{pid}/smaps_rollup").read()
            value = lambda key: int(text.split(f"\n{key}:")[1].split()[0]) * 1024
            return {"rss": value("Rss"), "pss": value("Pss"), "own": value("Private_Clean") + value("Private_Dirty")}
        return list(self.each(one))


def blocked(port, name):
    question = b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0" + struct.pack(">HH", 1, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(0.5)
        udp.sendto(struct.pack(">HHHHHH", 7, 0x100, 1, 0, 0, 0) + question, ("127.0.0.1", port))
        try:
            return udp.recv(4096).endswith(b"\0\0\0\0")
        except TimeoutError:
            return False


class Running:
    """Daemons and stand-ins for pihole-FTL that this process has started; stop() ends them."""

    def __init__(self, hosts):
        self.hosts, self.children = hosts, []

    def start_ftl(self, name):
        root = f"{self.hosts.root}/{name}"
        os.makedirs(f"{root}/run", exist_ok=True)
        port_file = f"{root}/dns-port"
        if os.path.exists(port_file):
            os.unlink(port_file)
        ftl = subprocess.Popen([f"{self.hosts.options.build}/tests/ftl-stand-in", "--daemon", "--directory", f"{root}/pihole", "--dns-port-file", port_file,
                                "--port", "0", "--end-with-stdin"], stdin=subprocess.PIPE, stdout=open(f"{root}/ftl.log", "a"), stderr=subprocess.STDOUT)
        self.children.append(ftl)
        deadline = time.monotonic() + 30
        while not os.path.exists(port_file) or not open(port_file).read().strip():
            if time.monotonic() > deadline:
                raise SystemExit("the stand-in for pihole-FTL did not start: " + open(f"{root}/ftl.log").read())
            time.sleep(0.02)
        port = int(open(port_file).read())
        with open(f"{root}/run/pihole-FTL.pid", "w") as out:
            out.write(f"{ftl.pid}\n")
        config = open(self.hosts.config(name)).read().splitlines()
        config = [f"dns_port = {port}" if line.startswith("dns_port") else line for line in config if not line.startswith("debounce_ms")]
        # The wait for quiet is not what is measured.
        config.insert(config.index("[daemon]") + 1, "debounce_ms = 0")
        open(self.hosts.config(name), "w").write("\n".join(config) + "\n")
        return port

    def start(self, name):
        daemon = subprocess.Popen([self.hosts.binary, "--config", self.hosts.config(name), "daemon"], stdin=subprocess.DEVNULL,
                                  stdout=open(f"{self.hosts.root}/{name}/daemon.log", "w"), stderr=subprocess.STDOUT)
        self.children.append(daemon)
        deadline = time.monotonic() + 30
        while True:
            try:
                self.ask("status", name)
                return Tree(daemon.pid)
            except OSError:
                if time.monotonic() > deadline:
                    raise SystemExit(f"the daemon of {name} did not start: " + open(f"{self.hosts.root}/{name}/daemon.log").read())
                time.sleep(0.05)

    def ask(self, command, name="ph2"):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(90)
            s.connect(f"{self.hosts.root}/{name}/run/status.sock")
            s.sendall(json.dumps({"command": command, "peer": "", "why": ""}).encode() + b"\n")
            text = b""
            while not text.endswith(b"\n"):
                part = s.recv(65536)
                if not part:
                    break
                text += part
            return json.loads(text)

    def peer(self, name="ph2"):
        return self.ask("status", name)["peers"][0]

    def wait(self, condition, pause=0.02, name="ph2"):
        deadline = time.monotonic() + 300
        while not condition(self.peer(name)):
            if time.monotonic() > deadline:
                raise SystemExit(f"waited in vain: {self.peer(name)}\n" + open(f"{self.hosts.root}/{name}/daemon.log").read())
            time.sleep(pause)

    def wait_in_step(self, name="ph2"):
        self.wait(lambda peer: peer["phase"] == "idle" and peer["in_step"], name=name)

    def stop(self):
        for child in reversed(self.children):
            child.terminate()
        for child in self.children:
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


class Daemons(Running):
    def __init__(self, hosts, relay):
        super().__init__(hosts)
        self.relay = relay
        hosts.configure("ph2", relay.address)
        self.dns = {name: self.start_ftl(name) for name in ("ph1", "ph2")}
        self.trees = {"there": self.start("ph1"), "here": self.start("ph2")}
        self.wait_in_step()

    def run(self, edit):
        """`edit` gives the name that is blocked by it, or nothing where it is enough that both are in step."""
        self.settle()
        before = self.figures()
        syncs = self.peer()["syncs"]
        for tree in self.trees.values():
            tree.forget_peak()
        name = edit()
        start = time.monotonic()
        if edit.__name__ == "nothing":
            self.ask("now")
        elif name:
            deadline = start + 300
            while not blocked(self.dns["ph2"], name):
                if time.monotonic() > deadline:
                    raise SystemExit(f"{name} was never served:\n" + open(f"{self.hosts.root}/ph2/daemon.log").read())
                time.sleep(0.001)
        else:
            self.wait(lambda peer: peer["syncs"] > syncs and peer["in_step"])
        wall = time.monotonic() - start
        turns_till_then = self.relay.counts()[1] - before["turns"]
        self.settle()
        after = self.figures()
        peaks = {f"peak_{side}": tree.peak() for side, tree in self.trees.items()}
        return {"wall": wall, "turns_till_then": turns_till_then} | {key: after[key] - before[key] for key in before} | peaks

    def asleep(self, edit):
        """`edit` while the daemon of ph2 sleeps, and keeps its connection."""
        def meanwhile():
            pids = self.trees["here"].pids()
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            try:
                edit()
            finally:
                for pid in pids:
                    os.kill(pid, signal.SIGCONT)
        return meanwhile

    def figures(self):
        bytes_, turns = self.relay.counts()
        result = {"wire": bytes_, "turns": turns}
        for side, tree in self.trees.items():
            result |= {f"cpu_{side}": tree.cpu(), f"written_{side}": tree.written()}
        return result

    def settle(self):
        """Until nothing passes any more."""
        last, since = self.relay.counts(), time.monotonic()
        while time.monotonic() - since < 0.4:
            time.sleep(0.05)
            if self.relay.counts() != last:
                last, since = self.relay.counts(), time.monotonic()
