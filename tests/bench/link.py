"""Connections of a chosen speed.

Wire: a slow line between two network namespaces, with the kernel's own TCP over it; what is timed goes over it, where one may make namespaces.
Relay: a program in between that delays and limits, and counts on the way; acknowledgements are its own, and so it costs what no line does.
"""
import collections
import ctypes
import os
import socket
import subprocess
import sys
import threading
import time
import typing

# name: bits per second and round trip in seconds; None: as fast as the machine
LINKS = {"loopback": (None, 0), "100 Mbit/s, 1 ms": (100e6, 0.001), "10 Mbit/s, 30 ms": (10e6, 0.030)}
CHUNK = 16384


def chosen(words):
    """The links of --links: by the first word of their names."""
    return [name for name in LINKS if words == "all" or name.split()[0] in words.split(",")]


class Address(typing.NamedTuple):
    host: str
    port: int
    name_space: str | None = None  # from which it can be reached, if not from everywhere


def enter(name_space):
    """What a child is to do before it starts a program in a network namespace."""
    if name_space is None:
        return None
    library = ctypes.CDLL(None, use_errno=True)

    def in_child():
        fd = os.open(name_space, os.O_RDONLY)
        if library.setns(fd, 0) != 0:
            raise OSError(ctypes.get_errno(), name_space)
        os.close(fd)
    return in_child


class Wire:
    far_host = "192.0.2.2"

    def __init__(self, program, rate, round_trip):
        self.process = subprocess.Popen([program, str(rate), str(1000 * round_trip)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.near, self.far = self.process.stdout.readline().split() or (None, None)
        self.permitted = self.near is not None
        if not self.permitted:
            print(f"no network namespaces here ({self.process.stderr.read().strip()}): slow links are a relay's", file=sys.stderr)

    def stop(self):
        self.process.stdin.close()
        self.process.wait(10)


class Relay:
    """Counts bytes, and the turns from what the client says to what the server says: the round trips that somebody waited for."""

    def __init__(self, port, rate=None, round_trip=0):
        self.target, self.rate, self.delay = port, rate, round_trip / 2
        self.bytes = self.turns = 0
        self.last = None
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = Address("127.0.0.1", self.listener.getsockname()[1])
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.connect, args=(client,), daemon=True).start()

    def connect(self, client):
        time.sleep(2 * self.delay)  # the handshake of TCP
        server = socket.create_connection(("127.0.0.1", self.target))
        for a, b, way in ((client, server, "up"), (server, client, "down")):
            for s in (a, b):
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            (self.direct if not self.rate else self.shaped)(a, b, way)

    def direct(self, source, sink, way):
        threading.Thread(target=self.pump, args=(source, way, sink.sendall, lambda: sink.shutdown(socket.SHUT_WR)), daemon=True).start()

    def shaped(self, source, sink, way):
        queue, ready = collections.deque(), threading.Semaphore(0)
        free = 0.0  # when the line has sent what is queued
        room = threading.Semaphore(max(8, int(self.rate * self.delay * 4 / 8 / CHUNK)))  # chunks under way, as a window would allow

        def put(data):
            nonlocal free
            room.acquire()
            free = max(free, time.monotonic()) + len(data) * 8 / self.rate
            queue.append((free + self.delay, data))
            ready.release()

        def end():
            queue.append((time.monotonic() + self.delay, None))
            ready.release()

        def deliver():
            try:
                while True:
                    ready.acquire()
                    due, data = queue.popleft()
                    time.sleep(max(0, due - time.monotonic()))
                    room.release()
                    if data is None:
                        return sink.shutdown(socket.SHUT_WR)
                    sink.sendall(data)
            except OSError:
                source.close()

        threading.Thread(target=self.pump, args=(source, way, put, end), daemon=True).start()
        threading.Thread(target=deliver, daemon=True).start()

    def pump(self, source, way, put, end):
        try:
            while data := source.recv(CHUNK):
                with self.lock:
                    self.bytes += len(data)
                    self.turns += self.last == "up" and way == "down"
                    self.last = way
                put(data)
            end()
        except OSError:
            pass

    def counts(self):
        with self.lock:
            return self.bytes, self.turns
