#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""What users can't do to a mount or to each other: trust.py CASE MOUNT ARG...

Each is tried by ordinary users. Times are compared with those of the same act in the
same run without the attack, since the machine may be busy with something else.
"""
import contextlib
import ctypes
import os
import random
import signal
import subprocess
import sys
import time

from hostile_world import (
    ALICE,
    BOB,
    become,
    drain,
    ends_well,
    error_of,
    fork,
    late,
    libc,
    slurp,
    until,
)
from limits import number, seconds, status

PAGE = 4096
MAPPINGS = 60000
FAR = 1 << 40  # an offset behind all rows: what is before it is walked, and dropped


# --- walks that take long ---


def set_alarm(seconds_):
    """Whatever becomes of us, it ends."""
    signal.setitimer(signal.ITIMER_REAL, seconds_)


def map_many(n=MAPPINGS):
    libc.mmap.restype = ctypes.c_void_p
    start = libc.mmap(None, ctypes.c_size_t(n * PAGE), 1, 0x4022, -1, 0)  # NORESERVE
    for i in range(0, n, 2):
        libc.mprotect(ctypes.c_void_p(start + i * PAGE), ctypes.c_size_t(PAGE), 0)


def processes_of_many_mappings(n):
    return large_processes(n, map_many)


@contextlib.contextmanager
def large_processes(n, grow):
    """Some of a user's that another user has no right to look into."""
    def act():
        become(ALICE)
        set_alarm(100)
        grow()
        os.write(w, b"x")
        signal.pause()

    r, w = os.pipe()
    pids = [fork(act) for _ in range(n)]
    try:
        for _ in pids:
            assert os.read(r, 1) == b"x"
        yield pids
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        for pid in pids:
            os.waitpid(pid, 0)
        os.close(r)
        os.close(w)


def walk(mnt, uid, view="task_vma"):
    """Again and again, through all mappings: others' too, without a row of them."""
    if uid:
        become(uid)
    set_alarm(100)
    while True:
        try:
            fd = os.open(f"{mnt}/{view}", os.O_RDONLY)
            os.pread(fd, 1, FAR)
            os.close(fd)
        except OSError:  # the worker is killed under it
            time.sleep(0.02)


def open_without_failure(mnt):
    """Ends at the first open that fails."""
    become(BOB)
    set_alarm(100)
    while True:
        os.close(os.open(f"{mnt}/schema/task", os.O_RDONLY))
        time.sleep(0.001)


@contextlib.contextmanager
def children(pids):
    """Ended with the block, killed if they must be."""
    try:
        yield pids
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        for pid in pids:
            os.waitpid(pid, 0)


def walkers(mnt, n, uids):
    return children([fork(walk, mnt, uids[i % len(uids)]) for i in range(n)])


# --- workers that are killed ---


def served_after_kill(mnt, path="schema/task"):
    """Seconds from kill -9 of the worker until a following open and read is answered."""
    worker = number(mnt, "worker")
    start = time.monotonic()
    os.kill(worker, signal.SIGKILL)
    slurp(f"{mnt}/{path}")
    took = time.monotonic() - start
    assert number(mnt, "worker") != worker
    return took


def case_walks(mnt):
    """Forty walks through 60,000 mappings each are under way as the worker is killed."""
    control = served_after_kill(mnt)
    with processes_of_many_mappings(4), walkers(mnt, 40, (BOB, 21003, 21004, 21005)):
        until(lambda: number(mnt, "reads_running") + number(mnt, "reads_waiting") > 40)
        took = served_after_kill(mnt)
    print(f"# served after kill -9: {control * 1e3:.0f} ms; under 40 walks {took * 1e3:.0f} ms")
    assert took < 0.2 + 3 * control + late()
    until(lambda: status(mnt)["dying_workers"] == "0")


@contextlib.contextmanager
def hang(program, file, device):
    """hang.c's victim, and how to kill it."""
    with open(file, "wb"):
        os.chmod(file, 0o666)
    server = subprocess.Popen([program, file, "600", device], user=ALICE, group=ALICE,
                              extra_groups=[], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        victim = server.stdout.readline()
        assert victim.strip().isdigit(), "the file server did not start"
        yield lambda: (server.stdin.write(b"x"), server.stdin.flush())
    finally:
        server.kill()
        server.wait()


def states(pid):
    found = []
    for tid in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(OSError):
            with open(f"/proc/{pid}/task/{tid}/stat", encoding="latin-1") as f:
                found.append(f.read().rpartition(")")[2].split()[0])
    return found


def is_hung(worker):
    """A thread of it is in a sleep that nothing ends, and not for a moment."""
    return all("D" in states(worker) and not time.sleep(0.02) for _ in range(100))


@contextlib.contextmanager
def worker_that_hangs(mnt, program, file, device):
    """A victim is killed amid a walk through it, until a thread of the worker hangs for ever."""
    for _ in range(200):
        with hang(program, file, device) as kill_victim:
            with children([fork(walk, mnt, BOB)]):
                until(lambda: number(mnt, "reads_running") > 1)
                time.sleep(random.uniform(0.002, 0.02))
                kill_victim()
                time.sleep(0.1)
            if is_hung(number(mnt, "worker")):
                yield
                return
    raise AssertionError("no walk got stuck")


def case_hang(mnt, program, file, device):
    """A thread of the worker is in an unkillable sleep as the worker is killed."""
    control = served_after_kill(mnt)
    with worker_that_hangs(mnt, program, file, device):
        until(lambda: status(mnt)["reads_stuck"] == "1")
        assert seconds(slurp, f"{mnt}/task") < 1.0 + late()
        took = served_after_kill(mnt)
        print(f"# served after kill -9: {control * 1e3:.0f} ms; "
              f"with a thread that hangs {took * 1e3:.0f} ms")
        assert took < 0.2 + 3 * control + late()
        until(lambda: status(mnt)["dying_workers"] == "1")
        assert slurp(f"{mnt}/task").endswith(b"\n")
    until(lambda: status(mnt)["dying_workers"] == "0")


def case_ended(mnt, program, file, device, sig):
    """The parent of a worker that hangs is ended: nobody waits for an answer that can't come."""
    with worker_that_hangs(mnt, program, file, device):
        fd = os.open(f"{mnt}/task", os.O_RDONLY)
        reader = fork(lambda: error_of(slurp, f"{mnt}/pid/{os.getpid()}/task"))
        ends_well(reader)
        os.kill(number(mnt, "holder"), int(sig))
        start = time.monotonic()
        until(lambda: error_of(slurp, f"{mnt}/task") is not None, 5.0)
        assert error_of(os.read, fd, 1) is not None
        print(f"# gone {(time.monotonic() - start) * 1e3:.0f} ms after signal {sig} of the parent")
        os.close(fd)


def case_bounded(mnt, program, file, device):
    """Eight workers that hang after their death, and one more: the mount is given up."""
    killed = 0.0
    with contextlib.ExitStack() as stack:
        for n in range(8):
            stack.enter_context(worker_that_hangs(mnt, program, f"{file}.{n}", device))
            time.sleep(max(0, killed + 2.6 - time.monotonic()))  # not five in ten seconds
            killed = time.monotonic()
            served_after_kill(mnt)
            until(lambda n=n: number(mnt, "dying_workers") == n + 1)
        stack.enter_context(worker_that_hangs(mnt, program, f"{file}.8", device))
        os.kill(number(mnt, "worker"), signal.SIGKILL)
        until(lambda: error_of(slurp, f"{mnt}/task") is not None)


def case_takeover(mnt, kview):
    """A takeover under 42 long walks goes through, and no open fails."""
    opener = fork(open_without_failure, mnt)
    with processes_of_many_mappings(12), walkers(mnt, 42, (BOB, 21003, 21004)):
        until(lambda: number(mnt, "reads_running") + number(mnt, "reads_waiting") > 40)
        before = status(mnt)
        start = time.monotonic()
        done = subprocess.run([kview, "mount", "--takeover", "-o", "allow_other", mnt],
                              timeout=60, check=False)
        took = time.monotonic() - start
        assert done.returncode == 0
        after = status(mnt)
        assert after["holder"] != before["holder"]
        print(f"# a takeover under 42 long walks: {took * 1e3:.0f} ms")
        assert os.waitpid(opener, os.WNOHANG) == (0, 0), "an open failed"
        os.kill(opener, signal.SIGKILL)
        os.waitpid(opener, 0)
    assert slurp(f"{mnt}/task").endswith(b"\n")


def case_failed(mnt, *command):
    """A takeover that fails: the daemon and its worker serve on, open files too."""
    fd = os.open(f"{mnt}/task_vma", os.O_RDONLY)
    begun = os.read(fd, 4096)
    before = status(mnt)
    done = subprocess.run(command, timeout=60, check=False, stderr=subprocess.PIPE, text=True)
    assert done.returncode != 0 and "kview: can't" in done.stderr, done
    print(f"# {done.stderr.splitlines()[0]}")
    after = status(mnt)
    for name in ("holder", "worker", "restarts"):
        assert after[name] == before[name], f"{name}: {before[name]}, now {after[name]}"
    rest = drain(fd)
    assert (begun + rest).endswith(b"\n") and len(rest) > 0
    os.close(fd)


def case_dated(mnt, program, file, device):
    """Five deaths of which the first is over ten seconds old are not five within ten."""
    with worker_that_hangs(mnt, program, file, device):
        served_after_kill(mnt)  # it hangs: it has not ended yet when the fifth dies
        start = time.monotonic()
        for at in (6.5, 7.8, 9.1, 10.5):  # what a worker had that lived for less may be at fault
            time.sleep(max(0, start + at - time.monotonic()))
            served_after_kill(mnt)
        assert number(mnt, "restarts") == 5
        assert status(mnt)["dying_workers"] == "1"


if __name__ == "__main__":
    globals()["case_" + sys.argv[1]](*sys.argv[2:])
