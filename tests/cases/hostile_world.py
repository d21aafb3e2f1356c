# SPDX-License-Identifier: GPL-2.0-only
"""What the hostile readers share: processes of several users to look at, ways
to become somebody else, and what a descriptor of the mount shows.

What a reader ought to see is never written down: /proc says it, asked by the
same thread with the same rights.
"""
import array
import contextlib
import ctypes
import errno
import json
import os
import signal
import socket
import subprocess
import sys
import time
import traceback

ALICE, BOB = 21001, 21002  # users that nobody else is
FORMATS = {"text": "%s", "json": "json/%s.json", "csv": "csv/%s.csv"}
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_NAME = 1, 4, 15
CLONE_NEWCGROUP, CLONE_NEWUSER, CLONE_NEWPID = 0x2000000, 0x10000000, 0x20000000
IS_X86 = os.uname().machine == "x86_64"
SYS_CLONE3, SYS_SETRESUID, SYS_SETRESGID = 435, *((117, 119) if IS_X86 else (147, 149))

libc = ctypes.PyDLL(None, use_errno=True)  # keeps the interpreter's lock: forks by hand


def check(rc, what):
    if rc < 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")
    return rc


def unshare(flags):
    check(libc.unshare(flags), "unshare")


def thread_becomes(uid):
    """The calling thread alone, as the C library never does it."""
    check(libc.syscall(SYS_SETRESGID, uid, uid, uid), "setresgid")
    check(libc.syscall(SYS_SETRESUID, uid, uid, uid), "setresuid")
    libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)


def become(uid, dumpable=True):
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # forgotten with the old ids
    if dumpable:
        libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)


# --- processes ---


def fork(act, *args):
    """A child that does it and exits: 0, or 1 with its traceback shown."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    try:
        act(*args)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def ends_well(pid):
    _, status = os.waitpid(pid, 0)
    assert status == 0, f"child {pid} ended with status {status:#x}"


def in_child(act, *args):
    """What a child of ours returned, through JSON."""
    r, w = os.pipe()

    def tell():
        with os.fdopen(w, "w") as out:
            json.dump(act(*args), out)

    pid = fork(tell)
    os.close(w)
    with os.fdopen(r) as file:
        text = file.read()
    ends_well(pid)
    return json.loads(text)


def as_user(uid, act, *args):
    def tell():
        become(uid)
        return act(*args)

    return in_child(tell)


@contextlib.contextmanager
def victims(*uids):
    """A sleeping process per user that has executed, so that its user may look into it."""
    procs = {}
    try:
        for uid in uids:
            procs[uid] = subprocess.Popen(["sleep", "300"], user=uid, group=uid, extra_groups=[])
        for p in procs.values():
            until(lambda p=p: os.readlink(f"/proc/{p.pid}/exe").endswith(("sleep", "coreutils")))
        yield {uid: p.pid for uid, p in procs.items()}
    finally:
        for p in procs.values():
            p.kill()
            p.wait()


def late():
    """What a limit of seconds is wider by on a busy machine: ten processes that do nothing."""
    start = time.monotonic()
    ends_well(fork(lambda: None))
    return 10 * (time.monotonic() - start)


def until(what, seconds=30.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := what():
            return value
        time.sleep(0.01)
    raise AssertionError("it never came true")


# --- descriptors ---


def send_fds(sock, fds):
    data = array.array("i", fds)
    sock.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, data)])


def receive_fds(sock, n=64):
    room = socket.CMSG_LEN(n * 4)
    fds = array.array("i")
    _, ancillary, _, _ = sock.recvmsg(1, room)
    for _, _, data in ancillary:
        fds.frombytes(data[: len(data) - len(data) % 4])
    return list(fds)


def opened_by(act, *args, then=None):
    """
    A child that opens files and passes them on: (pid, socket, fds). When the
    socket is written to or closed it does the rest and ends.
    """
    ours, theirs = socket.socketpair()

    def give():
        ours.close()
        fds = act(*args)
        send_fds(theirs, fds)
        theirs.recv(1)
        if then:
            then(theirs, fds)

    pid = fork(give)
    theirs.close()
    return pid, ours, receive_fds(ours)


def drain(fd, size=1 << 20):
    parts = []
    while part := os.read(fd, size):
        parts.append(part)
    return b"".join(parts)


def slurp(path):
    fd = os.open(path, os.O_RDONLY)
    try:
        return drain(fd)
    finally:
        os.close(fd)


def path_of(view, form, pid=None):
    return (f"pid/{pid}/" if pid else "") + FORMATS[form] % view


def pids_in(data):
    """The first column of any format."""
    found = set()
    for line in data.splitlines():
        if line.startswith(b"{"):
            found.add(json.loads(line)["pid"])
        else:
            words = line.replace(b",", b" ").split(None, 1)
            if words and words[0].isdigit():
                found.add(int(words[0]))
    return found


def fresh(fd):
    os.lseek(fd, 0, os.SEEK_SET)
    return drain(fd)


def error_of(act, *args):
    """Name of the errno it fails with, None if it does not."""
    try:
        act(*args)
    except OSError as e:
        return errno.errorcode[e.errno]
    return None


# --- /proc as the judge ---


def can(act, *args):
    return error_of(act, *args) is None


def proc_shows(view, pids):
    """Those of them whose rows of a view /proc would show the calling thread."""
    act = {
        "task_file": lambda p: [os.readlink(f"/proc/{p}/fd/{n}")
                                for n in os.listdir(f"/proc/{p}/fd")],
        "task_vma": lambda p: slurp(f"/proc/{p}/maps"),
        "task": lambda p: os.stat(f"/proc/{p}"),
        "exe": lambda p: os.readlink(f"/proc/{p}/exe"),
    }[view]
    return {p for p in pids if can(act, p)}


def exes_in(data):
    """Of json/task.json: who has an exe."""
    rows = map(json.loads, data.splitlines())
    return {row["pid"] for row in rows if row["exe"] is not None}


def agrees(mnt, pids, what=""):
    """Every view in every format shows the calling thread what /proc does."""
    pids = set(pids)
    seen = {}
    for view in ("task", "task_file", "task_vma"):
        want = proc_shows(view, pids)
        for form in FORMATS:
            got = pids_in(slurp(f"{mnt}/{path_of(view, form)}")) & pids
            assert got == want, f"{what}: {view} in {form}: {got}, /proc: {want}"
        seen[view] = sorted(want)
    want = proc_shows("exe", pids)
    got = exes_in(slurp(f"{mnt}/json/task.json")) & pids
    assert got == want, f"{what}: exe: {got}, /proc: {want}"
    return seen


# --- the daemon ---


def holdings(daemon):
    """What its descriptors are, without /dev/fuse: one each of its threads has."""
    held = {}
    for fd in os.listdir(f"/proc/{daemon}/fd"):
        with contextlib.suppress(FileNotFoundError):
            name = os.readlink(f"/proc/{daemon}/fd/{fd}")
            if name != "/dev/fuse":
                held[name] = held.get(name, 0) + 1
    return held


@contextlib.contextmanager
def nothing_leaks(mnt, daemon):
    """Release is told to the daemon after close returned: wait a little."""
    slurp(f"{mnt}/task_file")
    os.listdir(f"{mnt}/pid")
    time.sleep(0.2)
    before = holdings(daemon)
    yield before
    with contextlib.suppress(AssertionError):
        until(lambda: holdings(daemon) == before)
    after = holdings(daemon)
    assert after == before, f"it held {before}, and now {after}"
    assert not is_zombie(daemon)


def is_zombie(pid):
    with open(f"/proc/{pid}/stat", encoding="latin-1") as file:
        return file.read().rpartition(")")[2].split()[0] == "Z"


def kill_and_reap(pid):
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
