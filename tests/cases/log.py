#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Logs that take nothing, and mounts that go on: log.py CASE ARG..."""
import contextlib
import os
import signal
import socket
import sys
import time

from hostile_world import ALICE, error_of, in_child, until

OPENS = 100  # of a round, each of which the worker complains about
ROUNDS = 3  # each ends a worker: five within ten seconds end the mount
PATIENCE = 20  # s, for what never comes


def case_listen(path, file, times="0"):
    """A log daemon; after that many messages it is restarted, and its socket is another one."""
    times = int(times)
    while True:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        sock.bind(path)
        os.chmod(path, 0o666)
        n = 0
        while not times or n < times:
            with open(file, "ab") as out:
                out.write(sock.recv(65536) + b"\n")
            n += 1
        os.unlink(path)
        sock.close()


def case_fill_socket(path):
    """As a user, until a sender that has sent nothing yet is refused."""
    os.setresgid(ALICE, ALICE, ALICE)
    os.setresuid(ALICE, ALICE, ALICE)
    sent = 0
    while True:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        sock.setblocking(False)
        sock.connect(path)
        before = sent
        try:
            while True:
                sock.send(b"<13>x")
                sent += 1
        except BlockingIOError:
            if sent == before:
                print(f"# a user has filled the queue of the log with {sent} messages")
                return


def case_fill_pipe(path):
    """Whatever room it has left, through a description of our own."""
    fd = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    for size in (4096, 1):
        while error_of(os.write, fd, b"x" * size) is None:
            pass


def children(pid, of_state="RSDT", name="kview"):
    """What a killed worker leaves behind is a child of the first process, too, for a moment."""
    found = []
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        for child in file.read().split():
            with contextlib.suppress(OSError), open(f"/proc/{child}/stat", encoding="ascii") as stat:
                comm, _, rest = stat.read().partition("(")[2].rpartition(") ")
                if rest[0] in of_state and name in (comm, None):
                    found.append(child)
    return found


def is_refused(path):
    """By a worker: the reader is outside of its pid namespace."""
    return error_of(os.open, path, os.O_RDONLY) == "EACCES"


def stuck(*_):
    raise TimeoutError


def time_round(holder, path):
    """Opens, and one behind kill -9 of the worker: seconds of both."""
    signal.signal(signal.SIGALRM, stuck)
    signal.alarm(PATIENCE)
    start = time.monotonic()
    assert all(is_refused(path) for _ in range(OPENS))
    middle = time.monotonic()
    worker = until(lambda: children(holder))
    os.kill(int(worker[0]), signal.SIGKILL)
    until(lambda: children(holder) not in ([], worker))
    until(lambda: is_refused(path))
    end = time.monotonic()
    until(lambda: not children(holder, "Z", None))
    return middle - start, end - middle


def case_compare(free, full, path):
    """Two holders, the log of the second of which takes nothing, and a file of both."""
    times = {free: [], full: []}
    for _ in range(ROUNDS):
        for holder, rounds in times.items():
            rounds.append(in_child(time_round, holder, f"/proc/{holder}/root{path}"))
    for i, what in enumerate((f"{OPENS} opens that fail", "kill -9 to the next answer")):
        best = {holder: min(r[i] for r in rounds) for holder, rounds in times.items()}
        worst = max(r[i] for r in times[free])
        print(f"# {what}: {best[free] * 1e3:.1f} ms, with a log that takes nothing "
              f"{best[full] * 1e3:.1f} ms")
        assert best[full] < 2 * worst + 0.02, times
    print("dropped", ROUNDS * (OPENS + 2))  # each refusal, and the end of each worker


def case_flood(path, times, want):
    """So many opens and reads of a file, each with the same failure."""
    def act():
        fd = os.open(path, os.O_RDONLY)
        try:
            os.read(fd, 4096)
        finally:
            os.close(fd)

    for _ in range(int(times)):
        assert error_of(act) == want


if __name__ == "__main__":
    globals()["case_" + sys.argv[1]](*sys.argv[2:])
