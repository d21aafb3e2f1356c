#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The view socket while sockets change, in a network namespace of its own.

    sockets.py traffic MNT         counters and queues move as ss says that they do
    sockets.py ends MNT SECONDS    no end is made of two, of sockets that are connected elsewhere
    sockets.py unix MNT SECONDS    no name and no peer is another's, of sockets that come and go
"""
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time

A, B = ("2001:db8:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa", 1111), ("2001:db8:bbbb:bbbb:bbbb:bbbb:bbbb:bbbb", 2222)


def rows(mnt, pid="self"):
    with open(f"{mnt}/pid/{pid}/json/socket.json", encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def ino(s):
    return os.fstat(s.fileno()).st_ino


def run(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=60).stdout.decode()


# --- traffic ---

COLUMNS = ("rxq", "txq", "sent", "received", "retrans", "rtt")


def ss():
    def number(pattern, line):
        m = re.search(pattern, line)
        return int(m.group(1)) if m else 0
    for line in run("ss", "-taneiOH").splitlines():
        w, rtt = line.split(), re.search(r"\brtt:([\d.]+)/", line)
        yield number(r"\bino:(\d+)", line), (
            int(w[1]), int(w[2]), number(r"\bbytes_sent:(\d+)", line),
            number(r"\bbytes_received:(\d+)", line), number(r"\bretrans:\d+/(\d+)", line),
            round(float(rtt.group(1)) / 1000, 9) if rtt else None)


def agree(mnt, *sockets):
    """What both say of them, once they say the same."""
    for _ in range(50):
        told = dict(ss())
        ours = {r["ino"]: tuple(r[c] for c in COLUMNS) for r in rows(mnt)}
        if all(told[ino(s)] == ours[ino(s)] for s in sockets):
            return [dict(zip(COLUMNS, ours[ino(s)])) for s in sockets]
        time.sleep(0.05)
    raise AssertionError([(told[ino(s)], ours[ino(s)]) for s in sockets])


def read_all(s, n):
    while n > 0:
        n -= len(s.recv(n))


def traffic(mnt):
    listener = socket.create_server(("127.0.0.1", 0), backlog=7)
    client = socket.create_connection(listener.getsockname())
    server = listener.accept()[0]
    sent = 0
    for n in (1, 1000, 100_000, 3_000_000):
        pid = os.fork()
        if not pid:
            read_all(server, n)
            os._exit(0)
        client.sendall(b"x" * n)
        os.waitpid(pid, 0)
        sent += n
        c, s = agree(mnt, client, server)
        assert c["sent"] == sent or c["retrans"] and c["sent"] > sent, (c, sent)
        assert s["received"] == sent, (s, sent)
        assert s["sent"] == c["received"] == 0 and c["rtt"] > 0, (c, s)
    client.setblocking(False)
    while select.select([], [client], [], 1)[1]:  # until what waits at both ends stays there
        client.send(b"y" * 65536)
    c, s = agree(mnt, client, server)
    assert c["txq"] > 100_000 and s["rxq"] > 100_000, (c, s)
    waiting = [socket.create_connection(listener.getsockname()) for _ in range(3)]
    told = [r for r in rows(mnt) if r["ino"] == ino(listener)]
    assert [(r["state"], r["rxq"], r["txq"], r["sent"]) for r in told] == [("LISTEN", 3, 7, None)], told
    port = listener.getsockname()[1]
    run("iptables", "-A", "INPUT", "-p", "tcp", "--sport", str(port), "-j", "DROP")
    waiting[0].send(b"never acknowledged")
    for _ in range(100):
        time.sleep(0.1)
        w, = agree(mnt, waiting[0])
        if w["retrans"] >= 2:
            break
    else:
        raise AssertionError(w)
    assert w["txq"] == 18 and w["sent"] == 18 * (1 + w["retrans"]), w
    print("as ss:", c, s, w)


# --- what must not be torn ---


def while_running(seconds, child, look):
    """Looks again and again at what a child does."""
    parent = os.getpid()
    pid = os.fork()
    if not pid:
        signal.alarm(int(seconds) + 60)
        while os.getppid() == parent:
            child()
        os._exit(0)
    end, n = time.monotonic() + float(seconds), 0
    try:
        while time.monotonic() < end:
            n += look(pid)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return n


def wait_until_reached(*ends_):
    end = time.monotonic() + 10
    for e in ends_:
        while True:
            with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as s:
                try:
                    s.connect(e)
                    break
                except OSError:
                    assert time.monotonic() < end, e
            time.sleep(0.01)


def ends(mnt, seconds):
    for address, _ in (A, B):
        run("ip", "-6", "addr", "add", address + "/128", "dev", "lo", "nodad")
    # A new namespace may have no route there for a moment.
    wait_until_reached(A, B)
    listeners = [socket.create_server(e, family=socket.AF_INET6, backlog=1000) for e in (A, B)]
    datagram = [socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) for _ in range(4)]
    stream = [socket.socket(socket.AF_INET6, socket.SOCK_STREAM)]
    seen, unreadable = {}, 0

    def child():
        for e in (A, B) * 20:
            for s in datagram:
                s.connect(e)
        for e in A, B:
            stream[0].close()
            stream[0] = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
            stream[0].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            stream[0].connect(e)

    def look(pid):
        nonlocal unreadable
        found = [r for r in rows(mnt, pid) if r["type"] in ("tcp", "udp") and r["state"] != "LISTEN"]
        for r in found:
            end = r["raddr"], r["rport"]
            unreadable += end == ("(unreadable)", None)
            seen[end] = seen.get(end, 0) + 1
            assert end in (A, B, ("::", None), ("(unreadable)", None)), r
            assert end[0] != "(unreadable)" or r["laddr"] == end[0] and r["lport"] is None, r
        return len(found)

    n = while_running(seconds, child, look)
    assert seen[A] > 100 and seen[B] > 100 and unreadable < n / 10, (n, seen)
    print(n, "rows,", seen)
    del listeners


def unix(mnt, seconds):
    # Which sockets were pairs, as the child knows it before anybody can see it.
    log = os.memfd_create("pairs")
    kept, seen = [], []

    def note(a, b):
        os.write(log, b"%d %d\n" % (ino(a), ino(b)))

    def child():
        for s in kept:
            s.close()
        kept.clear()
        for i in range(10):
            s = socket.socket(socket.AF_UNIX, (socket.SOCK_STREAM, socket.SOCK_DGRAM)[i % 2])
            s.bind(b"\0kvs.%d" % ino(s))
            kept.append(s)
            a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
            note(a, b)
            note(b, a)
            a.send(b"x" * 100)
            kept.extend((a, b))
        # A peer that goes, and another one in its place.
        client = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        kept.append(client)
        for _ in range(10):
            server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            server.bind(b"\0kvs.%d" % ino(server))
            note(client, server)
            client.connect(server.getsockname())
            server.close()

    def look(pid):
        found = [r for r in rows(mnt, pid) if r["family"] == "unix"]
        for r in found:
            assert r["path"] in (None, f"@kvs.{r['ino']}"), r
            assert r["rxq"] in (0, 100, None), r
        seen.extend((r["ino"], r["peer_ino"]) for r in found if r["peer_ino"])
        return len(found)

    n = while_running(seconds, child, look)
    os.lseek(log, 0, 0)
    with os.fdopen(log, "rb") as f:
        pairs = {tuple(map(int, line.split())) for line in f}
    others = set(seen) - pairs
    # A pair that was seen between its making and its note; the child was killed there at most once.
    assert len(seen) > 200 and len(others) <= 2, (len(seen), others)
    print(n, "rows,", len(seen), "with a peer,", len(pairs), "pairs")


def main():
    run("ip", "link", "set", "lo", "up")
    {"traffic": traffic, "ends": ends, "unix": unix}[sys.argv[1]](*sys.argv[2:])


main()
