"""A connection of a chosen speed: a relay on this machine that counts, delays and limits what passes.

It is a program and not a queueing discipline of the kernel because netem is not everywhere, and because it counts on the way.
"""
import collections
import socket
import threading
import time

# name: bits per second and round trip in seconds; None: as fast as the machine
LINKS = {"loopback": (None, 0), "100 Mbit/s, 1 ms": (100e6, 0.001), "10 Mbit/s, 30 ms": (10e6, 0.030)}
CHUNK = 16384


def chosen(words):
    """The links of --links: by the first word of their names."""
    return [name for name in LINKS if words == "all" or name.split()[0] in words.split(",")]


class Relay:
    """Counts bytes, and the turns from what the client says to what the server says: the round trips that somebody waited for."""

    def __init__(self, port, rate=None, round_trip=0):
        self.target, self.rate, self.delay = port, rate, round_trip / 2
        self.bytes = self.turns = 0
        self.last = None
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
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
