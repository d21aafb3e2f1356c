#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Readers that cost the worker as many descriptors as there may be: descriptors.py CASE MOUNT ARG..."""
import os
import signal
import sys

from hostile_world import (CLONE_NEWCGROUP, CLONE_NEWPID, CLONE_NEWUSER, PR_SET_DUMPABLE, as_user,
                           error_of, fork, kill_and_reap, libc, slurp, unshare, until)

CLONE_NEWNS = 0x20000
CLONE_NEWNET = 0x40000000
FIRST = 24001
# A reader's pid, user and cgroup namespaces and its root directory; its network namespace and an
# iterator for a file that shows that, or two iterators for arguments.
OF_LISTING, OF_FILE = 4, 6


def number(mnt, name):
    status = dict(line.split("\t") for line in slurp(f"{mnt}/status").decode().splitlines())
    return int(status[name])


def put(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


class Reader:
    """
    A user's process that shares nothing with kview, and holds what it has opened:
    `opened` files and listings, and the errors at which it stopped.
    """

    def __init__(self, mnt, uid, most=1 << 16, name="tcp"):
        self.name = name
        self.hear, tell = os.pipe()
        hold, self.stay = os.pipe()
        os.set_inheritable(self.stay, False)
        self.pid = fork(self.enter, mnt, uid, most, tell, hold)
        os.close(tell)
        os.close(hold)
        files, error, listings, other = os.read(self.hear, 200).decode().split()
        self.opened = (int(files), int(listings))
        self.errors = (error, other)

    def enter(self, mnt, uid, most, tell, hold):
        os.close(self.stay)
        root = os.open(mnt, os.O_RDONLY)
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
        unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWPID | CLONE_NEWNET)
        put("/proc/self/setgroups", "deny")
        put("/proc/self/uid_map", f"0 {uid} 1")
        put("/proc/self/gid_map", f"0 {uid} 1")
        _, status = os.waitpid(fork(self.act, root, most, tell, hold), 0)
        assert status == 0

    def act(self, root, most, tell, hold):
        os.chroot("/usr")
        held = []

        def take(name, size):
            held.append(os.open(name, os.O_RDONLY, dir_fd=root))
            assert not size or len(os.read(held[-1], size)) == size

        told = []
        for name, size in ((self.name, 40), ("pid", 0)):
            error, before = None, len(held)
            while not error and len(held) - before < most:
                error = error_of(take, name, size)
            told += [str(len(held) - before), str(error)]
        os.write(tell, " ".join(told).encode())
        os.read(hold, 1)

    def end(self):
        kill_and_reap(self.pid)  # the process below dies with it
        os.close(self.stay)
        os.close(self.hear)


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def uses_all(mnt, pid):
    """What somebody does who does nothing unusual."""
    assert len(slurp(f"{mnt}/task")) > 100
    assert len(slurp(f"{mnt}/json/task.json")) > 100
    assert len(slurp(f"{mnt}/pid/self/task_file")) > 100
    assert str(pid) in os.listdir(f"{mnt}/pid")
    return True


def serves(mnt):
    """Root, and a user who has nothing open."""
    uses_all(mnt, os.getpid())
    assert as_user(FIRST - 1, uses_all, mnt, os.getpid())


def case_users(mnt, name="tcp"):
    """Ten users have all that one may have; then all users together; then root has its part."""
    every, each = number(mnt, "max_files"), number(mnt, "max_user_files")
    worker = number(mnt, "worker")
    before = descriptors(worker)
    readers = []

    def add(uid, n, error, most=1 << 16):
        reader = Reader(mnt, uid, most, name)
        readers.append(reader)
        assert reader.opened == (n, n), (uid, reader.opened, reader.errors)
        assert reader.errors == (error, error), (uid, reader.errors)

    def taken():
        return descriptors(worker) - before

    try:
        for uid in range(FIRST, FIRST + 10):
            add(uid, each, "EMFILE")
        assert taken() >= 10 * each * (OF_FILE + OF_LISTING), "they cost less than they could"
        serves(mnt)
        # As many as one may have are kept for root.
        left = every - 11 * each
        for uid in range(FIRST + 10, FIRST + 10 + left // each):
            add(uid, each, "EMFILE")
        add(FIRST + 10 + left // each, left % each, "ENFILE")
        uses_all(mnt, os.getpid())
        add(0, each, "None", each)
        print(f"# {every} files and listings of {len(readers)} users: {taken()} descriptors")
        assert taken() >= every * (OF_FILE + OF_LISTING), "they cost less than they could"
        assert error_of(slurp, f"{mnt}/task") == "ENFILE"
    finally:
        for reader in readers:
            reader.end()
    until(lambda: error_of(slurp, f"{mnt}/status") is None and number(mnt, "open_files") == 1)
    until(lambda: descriptors(worker) <= before + 8)
    serves(mnt)
    assert number(mnt, "worker") == worker


def case_root(mnt):
    """As many files and listings as there may be are all root's, and it has them."""
    n = number(mnt, "max_files")
    reader = Reader(mnt, 0)
    try:
        assert reader.opened == (n, n) and reader.errors == ("ENFILE", "ENFILE"), (
            n, reader.opened, reader.errors)
    finally:
        reader.end()


if __name__ == "__main__":
    signal.alarm(100)
    globals()["case_" + sys.argv[1]](*sys.argv[2:])
