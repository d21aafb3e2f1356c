# SPDX-License-Identifier: GPL-2.0-only
"""Whose rows of processes a reader has: as /proc/PID/io, or all if the operator or the kernel gives all."""
import contextlib
import ctypes
import json
import os
import signal
import struct
import subprocess
import sys

from collect import LIBC, child, rows, tell
from counted import ALICE, is_all


def seen_by(mnt, view, uid, groups=(), prepare=lambda: None):
    """The rows that a user reads, and the pids whose io he may read."""
    r, w = os.pipe()

    def act():
        prepare()
        os.setgroups(groups)
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        found = rows(mnt, view)
        readable = []
        for pid in {row["pid"] for row in found} | {int(name) for name in os.listdir("/proc") if name.isdigit()}:
            with contextlib.suppress(OSError, TypeError):
                with open(f"/proc/{pid}/io", "rb") as file:
                    file.read()
                readable.append(pid)
        with os.fdopen(w, "w") as file:
            json.dump([found, readable], file)

    with os.fdopen(r) as file:
        pid, go = child(act)
        os.close(w)
        tell(go)
        found = json.load(file)
    assert os.waitpid(pid, 0)[1] == 0
    return found


def as_user(uid, act=lambda: None):
    """A process of that user, which waits behind its calls: its pid."""
    said, say = os.pipe()

    def some():
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        LIBC.prctl(4, 1, 0, 0, 0)  # PR_SET_DUMPABLE, which another id has taken away
        act()
        for _ in range(11):
            os.getppid()
        os.write(say, b"x")
        signal.pause()

    pid, go = child(some)
    tell(go)
    os.read(said, 1)
    return pid


def own(mnt):
    """A user has the rows of his own processes that run, as of /proc/PID/io; who has the whole has all."""
    bob = ALICE + 1
    hers, his, roots = as_user(ALICE), as_user(bob), as_user(0)
    hidden = as_user(ALICE, lambda: LIBC.prctl(4, 0, 0, 0, 0))
    ended = as_user(ALICE)
    os.kill(ended, signal.SIGKILL)
    os.waitpid(ended, 0)
    try:
        mine = {hers, his, roots, hidden, ended}
        for uid in ALICE, bob:
            found, readable = seen_by(mnt, "syscalls", uid)
            pids = {row["pid"] for row in found}
            assert pids <= set(readable), (pids, readable)
            assert pids & mine == ({hers} if uid == ALICE else {his}), (uid, pids & mine, mine)
            [row] = [row for row in found if row["pid"] in mine and row["call"] == "getppid"]
            assert is_all(mnt, "syscalls", 11, row["count"]) and row["uid"] == uid and row["end"] is None, row
        found, _ = seen_by(mnt, "syscalls", 0)
        assert mine <= {row["pid"] for row in found}
        # Root that the kernel tells less than all, as in a container: CAP_SYS_ADMIN is 21.
        found, _ = seen_by(mnt, "syscalls", 0, prepare=lambda: drop_capability(21))
        assert {row["pid"] for row in found} & mine == mine - {ended}, found
    finally:
        for pid in mine - {ended}:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def drop_capability(number):
    """From the effective ones of this process, which stays root."""
    header = struct.pack("=Ii", 0x20080522, 0)
    data = ctypes.create_string_buffer(24)
    assert LIBC.capget(header, data) == 0
    words = list(struct.unpack("=6I", data.raw))
    for i in range(3):
        words[i] &= ~(1 << number)
    assert LIBC.capset(header, struct.pack("=6I", *words)) == 0


def given(mnt, group):
    """The operator gives the whole to a group."""
    pid, ended = as_user(ALICE), as_user(ALICE)
    os.kill(ended, signal.SIGKILL)
    os.waitpid(ended, 0)
    try:
        found, _ = seen_by(mnt, "syscalls", ALICE + 1, groups=(int(group),))
        assert {pid, ended} <= {row["pid"] for row in found}
        found, _ = seen_by(mnt, "syscalls", ALICE + 1)
        assert not {pid, ended} & {row["pid"] for row in found}
        found, _ = seen_by(mnt, "syscalls", ALICE)
        assert {pid, ended} & {row["pid"] for row in found} == {pid}
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def host(mnt):
    """With view=host everybody has the rows of all that run, and root those of the others as well."""
    hers, roots, ended = as_user(ALICE), as_user(0), as_user(ALICE)
    os.kill(ended, signal.SIGKILL)
    os.waitpid(ended, 0)
    try:
        found, _ = seen_by(mnt, "syscalls", ALICE + 1)
        assert {row["pid"] for row in found} & {hers, roots, ended} == {hers, roots}
        found, _ = seen_by(mnt, "syscalls", 0, prepare=lambda: drop_capability(21))
        assert {hers, roots, ended} <= {row["pid"] for row in found}
    finally:
        for pid in hers, roots:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def nested(mnt):
    """In a pid namespace the numbers are its own, and processes outside have no rows."""
    outside = as_user(ALICE)
    try:
        out = subprocess.run(
            ["setpriv", "--reuid", str(ALICE), "--regid", str(ALICE), "--clear-groups", "unshare", "--user",
             "--map-root-user", "--pid", "--fork", "cat", f"{mnt}/json/syscalls.json"],
            capture_output=True, check=True, timeout=60).stdout
    finally:
        os.kill(outside, signal.SIGKILL)
        os.waitpid(outside, 0)
    found = [json.loads(line) for line in out.splitlines()]
    assert {row["pid"] for row in found} == {1} and {row["uid"] for row in found} == {0}, found
    assert {row["comm"] for row in found} == {"cat"} and "execve" in {row["call"] for row in found}, found


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
