#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Compares the view unix with /proc/net/unix and ss, for sockets that it makes itself.

  oracle_unix.py MNT COUNT
"""

import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys

TYPES = {1: "STREAM", 2: "DGRAM", 5: "SEQPACKET"}


def make(first, count, tag):
    """Pairs with bytes on their way, listeners with a connection that waits, bound ones."""
    socks = []
    while len(socks) < count:
        i = first + len(socks)
        kind = list(TYPES)[i % 3]
        a, b = socket.socketpair(socket.AF_UNIX, kind)
        a.send(b"x" * (i % 50 + 1))
        a.send(b"y" * 7)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(f"\0{tag}.{i}")
        listener.listen(5)
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        client.connect(f"\0{tag}.{i}")
        socks += [a, b, listener, client]
    return socks


def spawn(first, count, tag):
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        socks = make(first, count, tag)
        os.close(read)
        with os.fdopen(write, "w") as f:
            f.write(" ".join(str(os.fstat(s.fileno()).st_ino) for s in socks))
        signal.pause()
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as f:
        return pid, set(map(int, f.read().split()))


def proc():
    rows = {}
    with open("/proc/net/unix", errors="surrogateescape") as f:
        next(f)
        for line in f:
            w = line.split()
            if not re.match(r"[0-9a-f]{16}: ", line):
                continue  # the name of another's socket has a newline
            rows[int(w[6])] = (int(w[1], 16), w[3].lower(), int(w[4], 16))
    return rows


def ss():
    """Inode: state, receive queue, send queue, peer's inode."""
    rows = {}
    out = subprocess.run(["ss", "-Hxan"], stdout=subprocess.PIPE, check=True).stdout
    for line in out.decode(errors="replace").splitlines():
        w = line.split()
        if len(w) < 8 or not (w[5] + w[7]).isdigit():
            continue  # as above
        rows[int(w[5])] = (w[1], int(w[2]), int(w[3]), int(w[7]) or None)
    return rows


def main():
    mnt, count = sys.argv[1], int(sys.argv[2])
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    each, kids, mine = min(2000, hard - 100), [], set()
    try:
        for first in range(0, count, each):
            pid, inos = spawn(first, min(each, count - first), f"kvt{os.getpid()}")
            kids.append(pid)
            mine |= inos
        want, told = proc(), ss()
        with open(f"{mnt}/json/unix.json") as f:
            rows = [json.loads(line) for line in f]
    finally:
        for pid in kids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    got = [row for row in rows if row["ino"] in mine]
    assert len(mine) >= count and len(got) == len(mine), (len(mine), len(got))
    assert len({row["ino"] for row in got}) == len(got)
    # A connection that waits to be accepted has no inode, in no tool.
    assert sum(1 for row in rows if row["ino"] is None) >= count // 4
    for row in got:
        refs, flags, kind = want[row["ino"]]
        assert (row["refs"], row["flags"], row["type"]) == (refs, flags, TYPES[kind]), (row, refs)
        state, rxq, txq, peer = told[row["ino"]]
        assert (row["state"], row["rxq"], row["txq"]) == (state, rxq, txq), (row, told[row["ino"]])
        assert row["peer_ino"] == peer, (row, peer)
        assert row["netns"] == os.stat("/proc/self/ns/net").st_ino


if __name__ == "__main__":
    main()
