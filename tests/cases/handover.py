#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A mount changes hands while somebody reads: handover.py CASE KVIEW MOUNT ARG..."""
import collections
import contextlib
import errno
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time

from hostile_world import ALICE, become, drain, ends_well, fork, slurp, until

ME = os.getpid()


def take_over(kview, mnt, *options, env=None):
    """Seconds until the next daemon serves."""
    start = time.monotonic()
    subprocess.run([kview, "mount", "--takeover", *options, mnt], check=True, timeout=60, env=env)
    return time.monotonic() - start


# --- readers that go on ---


def read_file(path):
    """Whole, or stale: opened before the mount changed hands."""
    fd = os.open(path, os.O_RDONLY)
    try:
        data = drain(fd, 16384)
    except OSError as error:
        assert error.errno == errno.ESTALE, f"{path}: {error}"
        return "stale"
    finally:
        os.close(fd)
    assert data.endswith(b"\n"), f"{path}: the last line has no end"
    return "whole"


def list_dir(path):
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        names = os.listdir(fd)
    except OSError as error:
        assert error.errno == errno.ESTALE, f"{path}: {error}"
        return "stale"
    finally:
        os.close(fd)
    assert not path.endswith("/pid") or str(ME) in names, f"{len(names)} in {path}"
    return "whole"


def stat_all(mnt):
    for name in ("task", "json/task_vma.json", "pid", f"pid/{ME}", f"pid/{ME}/csv/task.csv"):
        os.stat(f"{mnt}/{name}")
    assert os.readlink(f"{mnt}/pid/self") == str(os.getpid())
    os.statvfs(mnt)
    return "whole"


def go_on(act, path, uid, out, stop):
    if uid:
        become(uid)
    seen = collections.Counter()
    worst = 0.0
    while not select.select([stop], [], [], 0)[0]:
        start = time.monotonic()
        seen[act(path)] += 1
        worst = max(worst, time.monotonic() - start)
    os.write(out, (json.dumps([seen, worst]) + "\n").encode())


def case_running(kview, mnt, times):
    out, stop = os.pipe(), os.pipe()
    files = ("task", "json/task_file.json", "schema/task", f"pid/{ME}/task", "pid/self/task_file")
    kinds = [(read_file, f"{mnt}/{name}", uid) for name in files for uid in (0, ALICE)]
    kinds += [(read_file, f"{mnt}/status", 0), (list_dir, f"{mnt}/pid", ALICE)]
    kinds += [(list_dir, mnt, 0), (list_dir, f"{mnt}/pid/{ME}", 0), (stat_all, mnt, ALICE)]
    readers = [fork(go_on, *kind, out[1], stop[0]) for kind in kinds]
    took = [take_over(kview, mnt, "-o", "allow_other") for _ in range(int(times))]
    os.write(stop[1], b"x")  # nobody takes it out
    os.close(out[1])
    seen, worst = collections.Counter(), 0.0
    with os.fdopen(out[0]) as file:
        for line in file:
            counts, longest = json.loads(line)
            seen.update(counts)
            worst = max(worst, longest)
    for pid in readers:
        ends_well(pid)
    print(f"# {len(took)} takeovers, {dict(seen)}, the longest operation {worst * 1e3:.0f} ms")
    assert seen["whole"] > 10 * len(readers), seen
    assert worst < 5.0, worst


# --- what is held open ---


def error_of(act, *args):
    try:
        act(*args)
    except OSError as error:
        return errno.errorcode[error.errno]
    return None


def case_held(kview, mnt):
    root, pids = (os.open(f"{mnt}/{n}", os.O_RDONLY | os.O_DIRECTORY) for n in ("", "pid"))
    path = os.open(f"{mnt}/task", os.O_PATH)
    names = ("task", "json/task_vma.json", f"pid/{ME}/task_file")
    fresh = [os.open(f"{mnt}/{n}", os.O_RDONLY) for n in names]
    begun = [os.open(f"{mnt}/{n}", os.O_RDONLY) for n in names]
    for fd in begun:
        assert os.read(fd, 100)
    for _ in range(2):
        take_over(kview, mnt)
        for fd in fresh + begun:
            assert error_of(os.read, fd, 100) == "ESTALE", fd
        assert error_of(os.listdir, pids) == "ESTALE"
        # Directories and O_PATH descriptors hold a name, and no open file of the daemon's.
        for name in ("task", f"pid/{ME}/task"):
            fd = os.open(name, os.O_RDONLY, dir_fd=root)
            assert drain(fd).endswith(b"\n")
            os.close(fd)
        fd = os.open(f"/proc/self/fd/{path}", os.O_RDONLY)
        assert drain(fd).endswith(b"\n")
        os.close(fd)
        fd = os.open(f"{ME}/task", os.O_RDONLY, dir_fd=pids)
        assert drain(fd).endswith(b"\n")
        os.close(fd)
    for fd in [root, pids, path, *fresh, *begun]:
        os.close(fd)


def case_stuck(kview, mnt, program, file):
    """A read that waits in the kernel for a process which keeps its mmap_lock."""
    from limits import locked  # after the arguments: it has none of its own

    with locked(program, file):
        reader = fork(lambda: error_of(slurp, f"{mnt}/task_vma"))
        until(lambda: b"reads_stuck\t0\n" not in slurp(f"{mnt}/status"))
        took = take_over(kview, mnt)
        assert slurp(f"{mnt}/task").endswith(b"\n")
        ends_well(reader)
    print(f"# a takeover over a stuck read took {took * 1e3:.0f} ms")


# --- service managers ---


def case_notify(kview, mnt, old):
    with tempfile.TemporaryDirectory() as directory, contextlib.closing(
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as manager:
        manager.bind(f"{directory}/notify")
        manager.settimeout(60)
        os.kill(int(old), signal.SIGSTOP)  # it can't have ended before the message
        act = fork(lambda: take_over(kview, mnt, env=dict(os.environ,
                                                         NOTIFY_SOCKET=f"{directory}/notify")))
        message = manager.recv(100).decode()
        os.kill(int(old), signal.SIGCONT)
        ends_well(act)
        key, _, pid = message.partition("=")
        assert key == "MAINPID", message
        assert f"holder\t{pid}\n".encode() in slurp(f"{mnt}/status"), message


if __name__ == "__main__":
    globals()["case_" + sys.argv[1]](*sys.argv[2:])
