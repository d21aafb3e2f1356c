#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Numbers that mean another process: those of other pid namespaces, and those
used again. hostile_pids.py CASE MOUNT ARG...
"""
import contextlib
import ctypes
import os
import signal
import socket
import sys
import threading

from hostile_world import (
    ALICE, CLONE_NEWCGROUP, CLONE_NEWPID, CLONE_NEWUSER, FORMATS, PR_SET_NAME, PR_SET_PDEATHSIG,
    SYS_CLONE3, become,
    check, drain, ends_well, error_of, fork, fresh, holdings, in_child, kill_and_reap, libc,
    nothing_leaks, path_of, pids_in, receive_fds, send_fds, slurp, unshare, until,
    victims,
)
from views import OWN_VIEWS

NAMES = [path_of(view, form) for view in OWN_VIEWS for form in FORMATS]


class CloneArgs(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in (
        "flags", "pidfd", "child_tid", "parent_tid", "exit_signal", "stack", "stack_size", "tls",
        "set_tid", "set_tid_size", "cgroup")]


LATER = "later-process"  # in every row of fork_as()'s children


def fork_as(nr):
    """A sleeping child of that number in the caller's pid namespace, with a name of its own."""
    tids = (ctypes.c_int * 1)(nr)
    args = CloneArgs(exit_signal=signal.SIGCHLD, set_tid=ctypes.addressof(tids), set_tid_size=1)
    pid = libc.syscall(SYS_CLONE3, ctypes.byref(args), ctypes.sizeof(args))
    if pid == 0:
        libc.prctl(PR_SET_NAME, LATER.encode(), 0, 0, 0)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        while True:
            signal.pause()
    return check(pid, f"clone3 of {nr}")


def is_there(mnt, pid):
    """The path leads to the later process."""
    return LATER.encode() in slurp(f"{mnt}/pid/{pid}/task_file")


def sleeper():
    return fork(signal.pause)


# --- used again ---


def held(mnt, pid):
    """Descriptors of all that pid/PID has, none read; the same, begun; its directories."""
    paths = [f"{mnt}/pid/{pid}/{name}" for name in NAMES]
    unread = [os.open(path, os.O_RDONLY) for path in paths]
    begun = [os.open(path, os.O_RDONLY) for path in paths]
    for fd in begun:
        assert str(pid).encode() in os.read(fd, 4096)
    dirs = [os.open(f"{mnt}/pid/{pid}{sub}", os.O_RDONLY) for sub in ("", "/json", "/csv")]
    refs = [os.open(path, os.O_PATH) for path in paths]
    return unread, begun, dirs, refs


def shows_nothing(read, fd, pid):
    """ENOENT, or no row."""
    try:
        data = read(fd)
    except OSError as e:
        assert e.errno == 2, e
        return
    assert pid not in pids_in(data), data


def finds_nothing(directory):
    for name in ("task", "task_file", "json/task.json", "csv/task_vma.csv", "task.json",
                 "task.csv"):
        with contextlib.suppress(FileNotFoundError):
            os.close(os.open(name, os.O_RDONLY, dir_fd=directory))
            raise AssertionError(f"{name} of a directory that is another's")


def case_reused(mnt):
    """A number that is another's at once: what was opened stays the old one's, who is dead."""
    for _ in range(10):
        old = sleeper()
        unread, begun, dirs, refs = held(mnt, old)
        kill_and_reap(old)
        new = fork_as(old)
        try:
            assert new == old
            until(lambda new=new: is_there(mnt, new))
            for fd in begun:  # rows of before may be on their way
                assert LATER.encode() not in drain(fd)
            for fd in unread:
                shows_nothing(drain, fd, new)
            for fd in unread + begun:
                shows_nothing(fresh, fd, new)
            for fd in dirs:
                finds_nothing(fd)
                assert error_of(os.listdir, f"/proc/self/fd/{fd}") == "ENOENT"
            for fd in refs:
                assert error_of(slurp, f"/proc/self/fd/{fd}") == "ENOENT"
        finally:
            kill_and_reap(new)
            for fd in unread + begun + dirs + refs:
                os.close(fd)


def case_storm(mnt, daemon):
    """The same while somebody reads all the time, and for many processes in turn."""
    with nothing_leaks(mnt, daemon):
        pid = sleeper()
        for i in range(150):
            fds = [os.open(f"{mnt}/pid/{pid}/{name}", os.O_RDONLY) for name in NAMES]
            stop = threading.Event()
            found = []
            t = threading.Thread(target=keep_reading, args=(fds, stop, found))
            t.start()
            kill_and_reap(pid)
            pid = fork_as(pid)
            until(lambda pid=pid: is_there(mnt, pid))
            stop.set()
            t.join()
            for fd in fds:
                shows_nothing(fresh, fd, pid)
                os.close(fd)
            assert not found, f"round {i}: {found[0]}"
            kill_and_reap(pid)
            pid = sleeper()
        kill_and_reap(pid)


def keep_reading(fds, stop, found):
    while not stop.is_set():
        for fd in fds:
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                data = fresh(fd)
                if LATER.encode() in data:
                    found.append(data)


# --- other pid namespaces ---


def in_container(act, *args, flags=CLONE_NEWPID | CLONE_NEWCGROUP):
    """What a first process of new namespaces returned; its /proc is still the host's."""

    def enter():
        unshare(flags)
        return in_child(act, *args)

    return in_child(enter)


def case_directories(mnt):
    """Directories of the host's pid/N in a container: never its own process of that number."""
    host = sleeper()
    dirs = [os.open(f"{mnt}/pid/{host}{sub}", os.O_RDONLY) for sub in ("", "/json", "/csv")]

    def inside():
        twin = fork_as(host)
        assert twin == host
        until(lambda: is_there(mnt, twin))
        for fd in dirs:
            finds_nothing(fd)
        # What is below the container is itself by its own number, whatever the host's is.
        seen = pids_in(slurp(f"{mnt}/task"))
        assert seen == {1, twin}, seen
        kill_and_reap(twin)
        return True

    try:
        assert in_container(inside)
    finally:
        kill_and_reap(host)
        for fd in dirs:
            os.close(fd)


def container_with_socket(act):
    """A container whose first process acts with a socket to us: (pid, socket)."""
    ours, theirs = socket.socketpair()

    def enter():
        ours.close()
        unshare(CLONE_NEWPID)
        ends_well(fork(act, theirs))

    pid = fork(enter)
    theirs.close()
    return pid, ours


def case_own_directory(mnt):
    """A directory that the host opened for the container's own process is that process there."""

    def inside(sock):
        sock.send(b"x")
        (fd,) = receive_fds(sock)
        file = os.open("task_file", os.O_RDONLY, dir_fd=fd)
        assert pids_in(drain(file)) == {1}
        file = os.open("json/task.json", os.O_RDONLY, dir_fd=fd)
        assert pids_in(drain(file)) == {1}
        assert os.readlink(f"{mnt}/pid/self") == "1"
        # And the other way: what the container opens is for the host what it was there.
        send_fds(sock, [file, os.open(f"{mnt}/pid/1", os.O_RDONLY)])
        sock.recv(1)

    pid, sock = container_with_socket(inside)
    sock.recv(1)
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        first = int(file.read())
    fd = os.open(f"{mnt}/pid/{first}", os.O_RDONLY)
    send_fds(sock, [fd])
    file, directory = receive_fds(sock)
    assert pids_in(fresh(file)) == {1}
    mine = os.open("task", os.O_RDONLY, dir_fd=directory)
    assert pids_in(drain(mine)) == {first}
    sock.close()
    ends_well(pid)
    finds_nothing(directory)
    finds_nothing(fd)


def case_user_namespace(mnt):
    """A user's own namespaces: a directory of pid/N passed into them opens nothing of it."""
    with victims(0, ALICE) as v:
        dirs = [os.open(f"{mnt}/pid/{pid}", os.O_RDONLY) for pid in v.values()]

        def inside():
            errors = [error_of(lambda d=d: os.open("task_file", os.O_RDONLY, dir_fd=d))
                      for d in dirs]
            seen = [sorted(pids_in(slurp(f"{mnt}/{name}"))) for name in NAMES]
            return [errors, seen, error_of(slurp, f"{mnt}/kmem_cache")]

        def outside():
            become(ALICE)
            return in_container(inside, flags=CLONE_NEWUSER | CLONE_NEWPID)

        errors, seen, slab = in_child(outside)
        assert errors == ["ENOENT"] * 2, errors
        assert seen == [[1]] * len(NAMES), seen
        assert slab == "EACCES", slab


def namespaces_held(daemon):
    return sum(n for name, n in holdings(daemon).items() if name.split(":")[0] in (
        "pid", "user", "cgroup"))


def case_held(mnt, daemon, root):
    """Files of a container's readers hold its namespaces and root, and let go of them."""

    def inside():
        os.chroot(root)
        return [os.open(f"/mnt/{name}", os.O_RDONLY) for name in NAMES * 5]

    def enter(sock):
        unshare(CLONE_NEWUSER | CLONE_NEWCGROUP)
        send_fds(sock, inside())
        sock.recv(1)

    with nothing_leaks(mnt, daemon) as before:
        pid, sock = container_with_socket(enter)
        fds = receive_fds(sock)
        assert namespaces_held(daemon) >= 3 * len(fds), holdings(daemon)
        assert holdings(daemon) != before
        for fd in fds:
            drain(fd)
        sock.close()
        ends_well(pid)
        for fd in fds:
            fresh(fd)
            os.close(fd)


def case_failing(mnt, daemon):
    """Opens that fail after the reader was identified."""
    dead = sleeper()
    refs = held(mnt, dead)[3]
    kill_and_reap(dead)

    def inside():
        unshare(CLONE_NEWUSER)
        for i in range(1000):
            assert error_of(os.open, f"/proc/self/fd/{refs[i % 9]}", os.O_RDONLY) == "ENOENT"
            assert error_of(os.listdir, f"{mnt}/pid/{dead}") == "ENOENT"
        return True

    slurp(f"{mnt}/task")
    with nothing_leaks(mnt, daemon):
        assert in_container(inside)


def case_unseen(mnt):
    """
    Readers whom kview can't see, since its pid namespace is below theirs: no
    thread number stands for them, so nothing is opened for them.
    """
    assert os.listdir(mnt)  # names are no secret
    for i in range(1000):
        path = f"{mnt}/{NAMES[i % len(NAMES)]}"
        assert error_of(os.open, path, os.O_RDONLY) == "EACCES", path
        for name in ("1", "2", str(os.getpid())):
            assert error_of(os.stat, f"{mnt}/pid/{name}") == "EACCES", name
    assert error_of(os.open, f"{mnt}/kmem_cache", os.O_RDONLY) == "EACCES"
    assert error_of(os.listdir, f"{mnt}/pid") == "EACCES"
    assert error_of(os.readlink, f"{mnt}/pid/self") == "EACCES"
    assert error_of(os.listdir, f"{mnt}/pid/self") == "EACCES"


if __name__ == "__main__":
    globals()["case_" + sys.argv[1]](
        *(int(a) if a.isdigit() else a for a in sys.argv[2:]))
