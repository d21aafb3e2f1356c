#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The column detail of task_file against /proc/PID/fdinfo and fcntl(2): details.py CASE MNT [ARG...]

  kinds MNT [KIND...]   a descriptor of every kind, but for these if this kernel does not make them
  watched MNT DIR       from no target to 10,000, and from no watch to 4,000
  turns MNT DIR SECONDS     targets and watches that change while they are read
  storm MNT DIR SECONDS     epolls and inotifies that come and go, and memory with them
  fakes MNT DIR         files that are named like others
  pids MNT PID FD...    these descriptors of another process
  lsfd MNT              lsfd's word, where it has one
"""

import contextlib
import json
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time

from detail_fdinfo import WATCH_MAX, expected
from detail_kinds import LIBC, an_inotify, epoll_ctl, make_all, must, sealed

UNREADABLE = "(unreadable)"


def rows(mnt, pid="self", view="task_file"):
    with open(f"{mnt}/pid/{pid}/json/{view}.json", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def details(mnt, pid="self"):
    return {row["fd"]: row["detail"] for row in rows(mnt, pid)}


def words(detail):
    """The keys with their values, in their order; None: there are none."""
    return None if detail is None else dict(word.split("=", 1) for word in detail.split(" "))


def of_view(mnt, view, number):
    with open(f"{mnt}/json/{view}.json", encoding="utf-8") as file:
        return next(r["type"] for r in map(json.loads, file) if r["id"] == int(number))


def is_between(got, before, after):
    """A timer's time goes down meanwhile."""
    return got is not None and float(after) <= float(got) <= float(before)


def is_right(mnt, detail, before, after):
    got = words(detail)
    if before is None or got is None:
        return before is None and got is None
    if list(got) != list(before):
        return False
    for key, want in before.items():
        if isinstance(want, tuple):
            want = of_view(mnt, *want)
        if key == "remaining" and is_between(got[key], want, after[key]):
            continue
        if want is not None and got[key] != want:
            return False
    return True


def check(mnt, pid, fds, names=None):
    """These descriptors of a process, which does not change them."""
    before = {fd: expected(pid, fd) for fd in fds}
    got = details(mnt, pid)
    after = {fd: expected(pid, fd) for fd in fds}
    for fd in fds:
        name = names[fd] if names else fd
        assert is_right(mnt, got[fd], before[fd], after[fd]), (name, got[fd], before[fd], after[fd])
    return got


# --- kinds ---


def kinds(mnt, *allowed):
    made, missing = make_all()
    print(f"{len(made)} made, not made: {missing}")
    assert set(missing) <= set(allowed), missing
    got = check(mnt, "self", made, made)
    for fd, name in made.items():
        print(f"{name}: {got[fd]}")
        assert (got[fd] is None) == name.startswith("none-"), name
    # Blanks do not make fields.
    with open(f"{mnt}/pid/self/task_file", "rb") as file:
        lines = file.read().split(b"\n")[:-1]
    assert len({len(line.split()) for line in lines}) == 1


def pids(mnt, pid, *fds):
    for fd, detail in check(mnt, pid, [int(fd) for fd in fds]).items():
        if str(fd) in fds:
            print(f"{fd}: {detail}")


def bare(path):
    """Later lsfd leave out the word, and not the space."""
    return path.removesuffix("(deleted)").removesuffix(" ")


def lsfd(mnt):
    made, _ = make_all()
    said = subprocess.run(["lsfd", "-J", "-p", str(os.getpid()), "-o", "FD,NAME"], stdout=subprocess.PIPE,
                          check=True, timeout=60).stdout
    got, compared = details(mnt), 0
    paths = {row["fd"]: row["path"] for row in rows(mnt)}
    names = {int(row["fd"]): row["name"] for row in json.loads(said)["lsfd"] if row["fd"] is not None}
    for fd, name in made.items():
        if "=" not in names[fd]:  # it has no details of this kind; before 2.40 of any
            assert bare(names[fd]) == bare(paths[fd]), (name, names[fd], paths[fd])
            compared += 1
            continue
        if name.startswith(("none", "memfd", "timer")):
            continue
        mine = words(got[fd])
        for key, value in words(names[fd]).items():
            if key in ("comm", "name") or (key == "type" and name.startswith("bpf")):
                continue
            if (name, key, value) == ("pidfd-ended", "pid", "0"):  # fdinfo has -1, as kinds() holds
                continue
            if key == "inodes":
                assert [w.split("@")[0] for w in value.split(",")] == [w.split("@")[0] for w in mine[key].split(",")]
            else:
                assert sorted(re.split(r"[,\s]+", value)) == sorted(mine[key].split(",")), (name, names[fd], got[fd])
            compared += 1
    print(f"{compared} values of lsfd compared")
    assert compared >= 40


# --- what is watched ---


WATCHES_MAX = 4000  # more than that some machines refuse to a user


def watched(mnt, where):
    resource.setrlimit(resource.RLIMIT_NOFILE, (20000, 20000))
    event = os.eventfd(0)
    epoll = must(LIBC.epoll_create1(0))
    inotify = an_inotify()
    have = 0
    for count in (1, 2, 3, 10, 127, 128, 129, 4000, 10000):
        for n in range(have, count):
            epoll_ctl(epoll, 1, os.dup(event))
            path = f"{where}/{n}"
            if n < WATCHES_MAX:
                with open(path, "x", encoding="ascii"):
                    must(LIBC.inotify_add_watch(inotify, os.fsencode(path), 0x100))
        have = count
        got = check(mnt, "self", [epoll, inotify])
        for fd in (epoll, inotify):
            print(f"{count}: {len(got[fd])} bytes, {got[fd][-20:]}")
            assert got[fd].endswith(",...") == (count > WATCH_MAX), got[fd]


def forked(work):
    """A process that repeats @work until it is killed."""
    pid = os.fork()
    if pid:
        return pid
    try:
        work()
    finally:
        os._exit(1)


@contextlib.contextmanager
def meanwhile(work):
    pid = forked(work)
    try:
        yield pid
    finally:
        assert os.waitpid(pid, os.WNOHANG) == (0, 0), "it has ended before"
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


TURNS = 64


def turns(mnt, where, duration):
    """Of some elements one is there, or two that follow each other; others always are."""
    event = os.eventfd(0)
    fixed = [os.dup(event) for _ in range(30)]
    moving = [os.dup(event) for _ in range(TURNS)]
    epoll = must(LIBC.epoll_create1(0))
    paths = [f"{where}/{n}" for n in range(TURNS + 30)]
    for path in paths:
        with open(path, "x", encoding="ascii"):
            pass
    inotify = an_inotify(*paths[TURNS:])
    inodes = [os.stat(path).st_ino for path in paths]
    for fd in fixed + moving[:1]:
        epoll_ctl(epoll, 1, fd)
    first = must(LIBC.inotify_add_watch(inotify, os.fsencode(paths[0]), 0x100))

    # In bursts: how much a walk meets while all changes at once depends on the machine's processors.
    def turn():
        last, n = first, 0
        while True:
            to = (n + 1) % TURNS
            if to % 16 == 0:
                time.sleep(0.002)
            epoll_ctl(epoll, 1, moving[to])
            epoll_ctl(epoll, 2, moving[n])
            wd = must(LIBC.inotify_add_watch(inotify, os.fsencode(paths[to]), 0x100))
            must(LIBC.inotify_rm_watch(inotify, last))
            last, n = wd, to
            with contextlib.suppress(BlockingIOError):
                os.read(inotify, 65536)

    sets = {epoll: (fixed, moving, "tfds="), inotify: (inodes[TURNS:], inodes[:TURNS], "inodes=")}
    seen, lost = {epoll: set(), inotify: set()}, {epoll: 0, inotify: 0}
    reads, end = 0, time.monotonic() + float(duration)
    with meanwhile(turn) as pid:
        while time.monotonic() < end:
            got = details(mnt, pid)
            reads += 1
            for fd, (always, some, prefix) in sets.items():
                if got[fd] == UNREADABLE:
                    lost[fd] += 1
                    continue
                numbers = [int(w.split("@")[0]) for w in got[fd].removeprefix(prefix).split(",")]
                others = [some.index(n) for n in numbers if n in some]
                assert len(set(numbers)) == len(numbers), got[fd]
                assert set(numbers) - set(some) == set(always), got[fd]
                assert len(others) == 1 or len(others) == 2 and \
                    (others[0] - others[1]) % TURNS in (1, TURNS - 1), (others, got[fd])
                seen[fd].update(others)
    print(f"{reads} reads, unreadable: {list(lost.values())}, met: {[len(s) for s in seen.values()]} of {TURNS}")
    assert reads > 20 and all(n <= reads / 10 for n in lost.values()), "too many are unreadable"
    assert all(len(s) > TURNS / 8 for s in seen.values())


def storm(mnt, where, duration):
    paths = [f"{where}/{n}" for n in range(40)]
    for path in paths:
        with open(path, "x", encoding="ascii"):
            pass
    inodes = {str(os.stat(path).st_ino) for path in paths}
    event = os.eventfd(0)
    targets = [os.dup(event) for _ in range(200)]
    known = {str(fd) for fd in targets}

    def come_and_go():
        while True:
            fds = [an_inotify(*paths), must(LIBC.epoll_create1(0)), os.eventfd(3), an_inotify(*paths)]
            for fd in targets:
                epoll_ctl(fds[1], 1, fd)
            fds += [sealed("x", os.MFD_ALLOW_SEALING, 2), must(LIBC.timerfd_create(1, 0))]
            for fd in fds:
                os.close(fd)

    rests = {"count": {"3", "0"}, "semaphore": {"0"}, "seals": {"", "shrink"}, "clockid": {"monotonic"},
             "ticks": {"0"}, "settime-flags": {"00"}}
    met, reads, end = {}, 0, time.monotonic() + float(duration)
    with meanwhile(come_and_go) as pid:
        while time.monotonic() < end:
            reads += 1
            for detail in details(mnt, pid).values():
                for key, value in {} if detail in (None, UNREADABLE) else words(detail).items():
                    met[key] = met.get(key, 0) + 1
                    if key == "inodes":
                        assert {w.split("@")[0] for w in value.split(",")} <= inodes | {"", "..."}, detail
                    elif key == "tfds":
                        assert set(value.split(",")) <= known | {"", "..."}, detail
                    elif key != "id":
                        assert value in rests[key], detail
    print(f"{reads} reads, met {met}")
    assert reads > 20 and set(met) >= {"tfds", "inodes"}


def fakes(mnt, where):
    names = ["[eventfd]", "anon_inode:[eventfd]", "[eventpoll]", "inotify", "[pidfd]", "memfd:x", "bpf-map"]
    fds = []
    for base in (where, tempfile.mkdtemp(dir="/dev/shm")):
        for name in names:
            fds.append(os.open(f"{base}/{name}", os.O_RDWR | os.O_CREAT))
            os.unlink(f"{base}/{name}")
            os.symlink("/etc/passwd", f"{base}/{name}")
            fds.append(os.open(f"{base}/{name}", os.O_RDONLY))
            os.unlink(f"{base}/{name}")
            os.mkfifo(f"{base}/{name}")
            fds.append(os.open(f"{base}/{name}", os.O_RDWR))
            os.unlink(f"{base}/{name}")
        os.rmdir(base) if base != where else None
    got = details(mnt)
    wrong = {fd: got[fd] for fd in fds if got[fd] is not None}
    assert not wrong, wrong
    print(f"{len(fds)} files have no detail")


CASES = {"kinds": kinds, "pids": pids, "lsfd": lsfd, "watched": watched, "turns": turns, "storm": storm,
         "fakes": fakes}

if __name__ == "__main__":
    CASES[sys.argv[1]](*sys.argv[2:])
