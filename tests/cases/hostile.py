#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Readers who pass descriptors on, and who become others: hostile.py CASE MOUNT ARG...

The rule that they try to break: what a descriptor shows is fixed as it is
opened, by the rights that the opening thread has then.
"""
import errno
import os
import signal
import subprocess
import sys
import threading
import time

from hostile_world import (
    ALICE, BOB, FORMATS, PR_SET_DUMPABLE, agrees, as_user, become, drain, ends_well, error_of,
    exes_in, fork, fresh,
    in_child, libc, nothing_leaks, opened_by, path_of, pids_in, thread_becomes, slurp,
    until, victims,
)
from views import OWN_VIEWS


def wide(mnt):
    """{name: path} of the files of all processes."""
    return {path_of(v, f): f"{mnt}/{path_of(v, f)}" for v in OWN_VIEWS for f in FORMATS}


def open_all(paths):
    return [os.open(path, os.O_RDONLY) for path in paths]


# --- passed on ---


def open_as(uid, paths):
    if uid:
        become(uid)
    return open_all(paths)


def read_twice(fds, pids, tid):
    """[[pids seen], [pids seen from offset 0 on]] of each, and of who opened it nothing."""
    out = []
    for fd in fds:
        first, again = pids_in(drain(fd)), pids_in(fresh(fd))
        out.append([sorted(first & pids), sorted(again & pids), tid in again])
    return out


def show_to(uid, fds, pids, tid):
    return as_user(uid, read_twice, fds, pids, tid) if uid else in_child(
        read_twice, fds, pids, tid)


def case_passed(mnt):
    """Whoever reads, the rows are those that the opener may see."""
    names = [n for n in wide(mnt) if "task_" in n]
    with victims(0, ALICE, BOB) as v:
        pids = set(v.values())
        for opener, reader in ((ALICE, BOB), (ALICE, 0), (0, ALICE), (BOB, BOB)):
            pid, sock, fds = opened_by(open_as, opener, [f"{mnt}/{n}" for n in names])
            want = sorted(pids) if opener == 0 else [v[opener]]
            for name, (first, again, own) in zip(names, show_to(reader, fds, pids, pid)):
                assert first == again == want, f"{opener} to {reader}: {name}: {first}, {again}"
                assert own, f"{opener} to {reader}: {name}: no row of the opener"
            sock.close()
            ends_well(pid)
            # Neither does it help that the opener is gone.
            for name, (first, again, own) in zip(names, show_to(reader, fds, pids, pid)):
                assert again == want and not own, f"gone, {name}: {again}, {own}"
            for fd in fds:
                os.close(fd)


def own_files(mnt, pid):
    return [f"{mnt}/{path_of(v, f, pid)}" for v in ("task_file", "task_vma") for f in FORMATS]


def errors(fds):
    return [[error_of(drain, fd), error_of(fresh, fd)] for fd in fds]


def case_passed_pid(mnt):
    """The same for the files of one process."""
    with victims(0, ALICE, BOB) as v:
        for opener, whose, reader, want in (
                (ALICE, BOB, BOB, "EACCES"), (ALICE, 0, 0, "EACCES"), (ALICE, BOB, 0, "EACCES"),
                (BOB, BOB, ALICE, None), (0, ALICE, BOB, None), (0, 0, BOB, None)):
            pid, sock, fds = opened_by(open_as, opener, own_files(mnt, v[whose]))
            got = as_user(reader, errors, fds) if reader else in_child(errors, fds)
            assert got == [[want, want]] * 6, f"{opener} {whose} {reader}: {got}"
            if want is None:
                for first, again, _ in show_to(reader, fds, {v[whose]}, 0):
                    assert again == [v[whose]], f"{opener} {whose} {reader}: {first} {again}"
            sock.close()
            ends_well(pid)
            for fd in fds:
                os.close(fd)


def case_reopened(mnt):
    """Opening what one was given once more is an open of one's own."""
    with victims(0, ALICE, BOB) as v:
        pid, sock, fds = opened_by(open_as, 0, [f"{mnt}/task_file", f"{mnt}/pid/{v[0]}/task_file"])

        def reopen():
            paths = [f"/proc/self/fd/{fd}" for fd in fds]
            seen = pids_in(slurp(paths[0])) & set(v.values())
            return [sorted(seen), error_of(slurp, paths[1])]

        got = as_user(ALICE, reopen)
        assert got == [[v[ALICE]], "EACCES"], got
        sock.close()
        ends_well(pid)


# --- rights that come and go ---


def case_gained(mnt):
    """Rights that a process had in store as it opened, and takes up later."""
    with victims(0, ALICE, BOB) as v:
        pids = set(v.values())

        def act():
            os.setgroups([])
            os.setresgid(ALICE, ALICE, ALICE)
            os.setresuid(ALICE, ALICE, 0)
            fds = open_all([f"{mnt}/task_file", f"{mnt}/json/task_vma.json",
                            f"{mnt}/pid/{v[0]}/task_file"])
            os.setresuid(0, 0, 0)
            assert pids_in(slurp(f"{mnt}/task_file")) >= pids
            seen = [sorted(pids_in(drain(fd)) & pids) for fd in fds[:2]]
            return seen + [error_of(drain, fds[2]), error_of(fresh, fds[2])]

        # Its saved id is another's, but that is no matter to what it looks into.
        got = in_child(act)
        assert got == [[v[ALICE]], [v[ALICE]], "EACCES", "EACCES"], got


def case_dropped(mnt):
    """And those that it gave up: the descriptor is as it was."""
    with victims(0, ALICE, BOB) as v:
        pids = set(v.values())

        def act():
            fds = open_all([f"{mnt}/task_file", f"{mnt}/json/task_vma.json",
                            f"{mnt}/pid/{v[0]}/task_file"])
            become(ALICE)
            late = pids_in(slurp(f"{mnt}/task_file")) & pids
            return [sorted(pids_in(fresh(fd)) & pids) for fd in fds] + [sorted(late)]

        got = in_child(act)
        assert got == [sorted(pids), sorted(pids), [v[0]], [v[ALICE]]], got


def execute(program):
    """Becomes the program, which copies the descriptors to the socket."""

    def then(sock, fds):
        for fd in fds:
            os.set_inheritable(fd, True)
        os.dup2(sock.fileno(), 0)
        os.dup2(sock.fileno(), 1)
        os.execv(program, [program] + [str(fd) for fd in fds])

    return then


def copies(sock, n):
    """What the program read: [(errno, bytes)]."""
    with sock.makefile("rb") as file:
        out = []
        for _ in range(n):
            error, size = map(int, file.readline().split())
            out.append((error, file.read(size)))
        assert file.readline() == b"end\n"
    return out


def look_once(fd):
    """[error], or [None, [pids]]."""
    error = error_of(fresh, fd)
    return [error] if error else [None, sorted(pids_in(fresh(fd)))]


def look_at_program(mnt, program):
    """
    A process of ALICE's opens files and executes a program. Its pid, then what
    the copies of the files in another process of hers show, and those that the
    program has itself: [errno], [pids], [pids that have an exe].
    """
    names = [n for n in wide(mnt) if "task_" in n] + ["json/task.json"]

    def open_own():
        become(ALICE)
        return open_all([f"{mnt}/{n}" for n in names] + own_files(mnt, os.getpid()))

    pid, sock, fds = opened_by(open_own, then=execute(program))
    for fd in fds:
        assert pid in pids_in(drain(fd)), "not even before"
    sock.send(b"x")
    mine = copies(sock, len(fds))
    late = as_user(ALICE, lambda: [look_once(fd) for fd in fds])
    exe = [exes_in(mine[6][1]), set(as_user(ALICE, lambda: sorted(exes_in(fresh(fds[6])))))]
    sock.close()
    ends_well(pid)
    for fd in fds:
        os.close(fd)
    return pid, mine, late, exe


def case_executed(mnt, plain, *privileged):
    """
    Descriptors opened before: a program that ALICE may not look into is hidden
    from her, though it is her own process; one that she may is not.
    """
    pid, mine, late, exe = look_at_program(mnt, plain)
    for (error, data), other in zip(mine, late):
        assert not error and pid in pids_in(data) and pid in other[1], (plain, error, other)
    assert all(pid in e for e in exe), plain
    for program in privileged:
        pid, mine, late, exe = look_at_program(mnt, program)
        for i, ((error, data), other) in enumerate(zip(mine, late)):
            if i == 6:  # the task itself is no secret
                assert pid in pids_in(data) and pid in other[1]
                continue
            assert pid not in pids_in(data), f"{program}: {i}: {data}"
            assert len(other) == 1 or pid not in other[1], f"{program}: {i}: {other}"
            if i > 6:
                got = error, other[0]
                assert got == (errno.EACCES, "EACCES"), f"{program}: {i}: {got}"
        assert not any(pid in e for e in exe), program


# --- threads ---


def in_thread(act):
    """What it returned or raised, in a thread of its own."""
    out = []

    def run():
        try:
            out.append(act())
        except BaseException as e:
            out.append(e)

    t = threading.Thread(target=run)
    t.start()
    t.join()
    if isinstance(out[0], BaseException):
        raise out[0]
    return out[0]


def case_thread(mnt):
    """A thread that has given up what its leader has, and the other way round."""
    with victims(0, ALICE, BOB) as v:

        def low_thread():
            def act():
                thread_becomes(ALICE)
                fd = os.open(f"{mnt}/task_file", os.O_RDONLY)
                return agrees(mnt, v.values(), "low thread"), fd

            seen, fd = in_thread(act)
            high = agrees(mnt, v.values(), "high leader")
            return seen["task_vma"], sorted(pids_in(drain(fd)) & set(v.values())), high["task_vma"]

        def high_thread():
            go = threading.Event()
            out = []

            def act():
                go.wait()
                out.append(agrees(mnt, v.values(), "high thread")["task_vma"])

            t = threading.Thread(target=act)
            t.start()
            thread_becomes(BOB)
            low = agrees(mnt, v.values(), "low leader")["task_vma"]
            go.set()
            t.join()
            return low, out[0]

        assert in_child(low_thread) == [[v[ALICE]], [v[ALICE]], sorted(v.values())]
        assert in_child(high_thread) == [[v[BOB]], sorted(v.values())]


def case_setfsuid(mnt):
    """Who acts on files as another keeps the right to look, but not into others' directories."""
    with victims(0, ALICE, BOB) as v:

        def act():
            libc.setfsgid(ALICE)
            libc.setfsuid(ALICE)
            return agrees(mnt, v.values(), "setfsuid")

        got = in_child(act)
        assert got["task_vma"] == sorted(v.values()) and got["task_file"] == [v[ALICE]], got

        def reverse():
            os.setgroups([])
            os.setresgid(ALICE, ALICE, 0)
            os.setresuid(ALICE, ALICE, 0)
            libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
            return agrees(mnt, v.values(), "saved ids")

        assert in_child(reverse)["task_vma"] == [v[ALICE]]


def case_uring(mnt, program):
    """
    An open that the kernel does for a thread, with the rights that the ring was
    told: `low` and `high` say whose they are, not who waits for it.
    """
    with victims(0, ALICE, BOB) as v:
        pids = set(v.values())
        for mode in ("plain", "async", "sqpoll"):
            for whose, want in (("low", [v[ALICE]]), ("high", sorted(pids))):
                data = subprocess.run([program, mode, whose, f"{mnt}/task_file", str(ALICE)],
                                      check=True, stdout=subprocess.PIPE, timeout=30).stdout
                got = sorted(pids_in(data) & pids)
                assert got == want, f"{mode} {whose}: {got} instead of {want}"


# --- opens that come to nothing ---


def case_pending(mnt, daemon):
    """Readers killed while their open waits for a daemon that does not answer."""
    with nothing_leaks(mnt, daemon):
        os.kill(daemon, signal.SIGSTOP)
        until(lambda: is_stopped(daemon))
        names = ("task", "json/task_file.json", f"pid/{os.getpid()}/task_vma", "pid")
        try:
            pids = []
            for i in range(60):
                act = os.listdir if i % 4 == 3 else slurp
                pids.append(fork(lambda a, p: (become(ALICE), a(p)), act, f"{mnt}/{names[i % 4]}"))
            until(lambda: all(map(waits_in_mount, pids)))
            for i, pid in enumerate(pids):
                os.kill(pid, signal.SIGKILL if i % 3 else signal.SIGTERM)
            for pid in pids:
                assert os.waitpid(pid, 0)[1] in (signal.SIGKILL, signal.SIGTERM)
        finally:
            os.kill(daemon, signal.SIGCONT)
        assert as_user(ALICE, lambda: len(slurp(f"{mnt}/task"))) > 100


def is_stopped(pid):
    """Every thread: one that still takes a request would not answer it, and nobody else could."""
    states = set()
    for tid in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{tid}/stat", encoding="ascii") as file:
            states.add(file.read().rpartition(")")[2].split()[0])
    return states == {"T"}


def waits_in_mount(pid):
    """For an answer, or for another who looks up the same name."""
    with open(f"/proc/{pid}/wchan", encoding="ascii") as file:
        return file.read() in ("request_wait_answer", "d_alloc_parallel", "fuse_lock_inode")


def case_killed(mnt, daemon):
    """Readers killed at any time of opening, reading and closing."""

    def act():
        become(ALICE)
        while True:
            slurp(f"{mnt}/task_file")
            os.listdir(f"{mnt}/pid")
            slurp(f"{mnt}/pid/self/json/task.json")

    with nothing_leaks(mnt, daemon):
        for _ in range(10):
            pids = [fork(act) for _ in range(16)]
            for i, pid in enumerate(pids):
                time.sleep(0.0003 * i)
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
        assert as_user(ALICE, lambda: len(slurp(f"{mnt}/task"))) > 100


if __name__ == "__main__":
    globals()["case_" + sys.argv[1]](
        *(int(a) if a.isdigit() else a for a in sys.argv[2:]))
