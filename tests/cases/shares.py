#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""What a user's reads may cost others, and what signals do to them: shares.py CASE MOUNT ARG..."""
import contextlib
import ctypes
import errno
import os
import resource
import signal
import sys
import time

from hostile_world import (
    ALICE,
    BOB,
    CLONE_NEWUSER,
    become,
    drain,
    ends_well,
    fork,
    in_child,
    late,
    libc,
    slurp,
    unshare,
    until,
)
from limits import killed_within, locked, number, reap, seconds, status
from trust import (
    children,
    large_processes,
    processes_of_many_mappings,
    set_alarm,
    walk,
)
from views import COLLECT_VIEWS


def open_many():
    """As many descriptors as there may be."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    with contextlib.suppress(OSError):
        while os.dup(0) < 100000:
            pass


def latencies(mounts, uid, n):
    """By mount, of opens and of a small file from open to close, each in seconds; in turn."""
    def once(mnt):
        start = time.monotonic()
        fd = os.open(f"{mnt}/pid/{os.getpid()}/task_file", os.O_RDONLY)
        opened = time.monotonic() - start
        assert drain(fd)
        os.close(fd)
        return opened, time.monotonic() - start

    def act():
        become(uid)
        took = [[] for _ in mounts]
        for _ in range(n):
            for mnt, times in zip(mounts, took):
                times.append(once(mnt))
                time.sleep(0.005)
        return took

    return [[worst_of(x) for x in zip(*times)] for times in in_child(act)]


def worst_of(times):
    """The 95th of 100."""
    return sorted(times)[len(times) * 95 // 100]


def keep(mnt, uid):
    """A user's readers: stuck ones and long ones, as many as there may be and more."""
    become(uid)
    set_alarm(100)
    for view in ("task_vma", "task_vma", "task_file", "task_file"):
        if not os.fork():
            walk(mnt, 0, view)
    walk(mnt, 0, "task_file")


def case_fair(mnt, program, file, quiet):
    """
    Fifty users keep walks that are stuck and walks that are long; another one reads a little.
    What a busy machine adds is seen at a second mount, which nobody else uses.
    """
    uids = range(22000, 22050)
    with large_processes(10, open_many), locked(program, file, 100):
        leaders = []
        try:
            for uid in uids:
                pid = os.fork()
                if not pid:
                    os.setpgid(0, 0)
                    keep(mnt, uid)
                leaders.append(pid)
            until(lambda: number(mnt, "reads_stuck") >= len(uids), 80.0)
            (opens, wholes), (open_alone, whole_alone) = latencies((mnt, quiet), BOB, 200)
            now = status(mnt)
        finally:
            for pid in leaders:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(pid, signal.SIGKILL)
            for pid in leaders:
                os.waitpid(pid, 0)
    print(f"# running {now['reads_running']}, stuck {now['reads_stuck']}, waiting "
          f"{now['reads_waiting']}: 95 % of opens within {opens * 1e3:.1f} ms (alone "
          f"{open_alone * 1e3:.1f}), of reads within {wholes * 1e3:.1f} (alone "
          f"{whole_alone * 1e3:.1f})")
    assert int(now["reads_stuck"]) >= len(uids), "they are not stuck"
    assert opens < 0.02 + 3 * open_alone + late()
    assert wholes < 0.1 + 3 * whole_alone + late()
    until(lambda: number(mnt, "reads_running") == 1, 30.0)


def cpu_of(pid):
    """Seconds on a CPU, of all its threads; those of ended ones are in the sum of the process."""
    with open(f"/proc/{pid}/stat", encoding="latin-1") as f:
        words = f.read().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def worker_cpu(mnt, for_seconds):
    """Share of one CPU that the worker takes, from now on."""
    worker = number(mnt, "worker")
    start, used = time.monotonic(), cpu_of(worker)
    time.sleep(for_seconds)
    return (cpu_of(worker) - used) / (time.monotonic() - start)


def case_cpu(mnt, percent, procs):
    """A throttled user whose reads cost much; the mount has cpu=PERCENT."""
    limit = int(percent) / 100
    with processes_of_many_mappings(4), children([fork(walk, mnt, BOB)]) as (reader,):
        with open(procs, "w", encoding="ascii") as f:
            f.write(str(reader))
        until(lambda: worker_cpu(mnt, 1.0) < limit * 1.2 + 0.02)  # behind the burst
        took = worker_cpu(mnt, 5.0)
        print(f"# a user with 5 % of a CPU has the worker use {took * 100:.0f} %, of {percent}")
        assert limit / 4 < took < limit * 1.2 + 0.02
        # The limit is each user's own, and not the one's who mounted.
        with children([fork(walk, mnt, 0)]):
            until(lambda: worker_cpu(mnt, 1.0) > 1.5 * limit)


def case_monitor(mnt):
    """A user who dumps every view once a second does not notice the limit: it never waits for it."""
    names = [n for n in os.listdir(f"{mnt}/csv")
             if os.stat(f"{mnt}/csv/{n}").st_mode & 4 and n.removesuffix(".csv") not in COLLECT_VIEWS]

    def dump():
        return sum(seconds(slurp, f"{mnt}/csv/{n}") for n in names)

    def act():
        become(BOB)
        took = []
        for _ in range(8):
            took.append(dump())
            time.sleep(1)
        return took

    root = [dump() for _ in range(4)]
    took = in_child(act)
    print(f"# dumps, once a second: worst {max(took) * 1e3:.0f} ms; root's {max(root) * 1e3:.0f}")
    assert max(took) < 0.5 + 3 * max(root)


def subordinate(mnt, maker, ids):
    """Act in turn as each of some ids of one user's, in a user namespace of that one."""
    ready, told = os.pipe()
    go, tell = os.pipe()

    def act():
        become(maker)
        unshare(CLONE_NEWUSER)
        os.write(told, b"x")
        os.read(go, 1)
        held = []
        for inner in range(1, ids):
            for _ in range(100):
                os.setegid(0)
                os.seteuid(0)
                os.setegid(inner)
                os.seteuid(inner)
                try:
                    held.append(os.open(f"{mnt}/task", os.O_RDONLY))
                except OSError as e:
                    return len(held), errno.errorcode[e.errno]
        return len(held), None

    def map_ids(pid):
        os.read(ready, 1)
        for name in ("uid_map", "gid_map"):
            with open(f"/proc/{pid}/{name}", "w", encoding="ascii") as f:
                f.write(f"0 {maker} 1\n1 300000 {ids}\n")
        os.write(tell, b"x")

    return act, map_ids


def case_subuids(mnt):
    """max_user_files counts all ids of a user's range together."""
    limit = number(mnt, "max_user_files")
    act, map_ids = subordinate(mnt, ALICE, 10)
    r, w = os.pipe()
    pid = fork(lambda: os.write(w, repr(act()).encode()))
    map_ids(pid)
    os.close(w)
    n, error = eval(os.read(r, 100).decode())  # pylint: disable=eval-used
    ends_well(pid)
    assert (n, error) == (limit, "EMFILE"), f"{n} files of one user's ids, limit {limit}: {error}"


# --- signals ---


def case_restart(mnt):
    """A reader with a signal every millisecond reads as from /proc: no EINTR."""
    def act():
        become(BOB)
        signal.signal(signal.SIGALRM, lambda *_: None)
        signal.siginterrupt(signal.SIGALRM, False)
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
        failed = whole = 0
        end = time.monotonic() + 20
        while whole + failed < 400 and time.monotonic() < end:
            # By hand: Python itself begins again after EINTR.
            fd = os.open(f"{mnt}/task", os.O_RDONLY)
            buf = ctypes.create_string_buffer(4096)
            while (got := libc.read(fd, buf, 4096)) > 0:
                pass
            failed += got < 0
            whole += got == 0
            os.close(fd)
        signal.setitimer(signal.ITIMER_REAL, 0)
        return whole, failed

    whole, failed = in_child(act)
    print(f"# {whole} readings under a signal every millisecond, {failed} failed")
    assert whole > 50 and failed == 0


def read_with_handler(path):
    signal.signal(signal.SIGUSR1, lambda *_: None)
    fd = os.open(path, os.O_RDONLY)
    buf = ctypes.create_string_buffer(4096)
    while libc.read(fd, buf, 4096) > 0:
        pass
    os._exit(ctypes.get_errno() & 0x7f)


def case_signals(mnt, program, file):
    """Of a stuck read a signal is an end, if not at once; kill -9 is, also behind another signal."""
    with locked(program, file, 100):
        first, second, third = (fork(read_with_handler, f"{mnt}/task_vma") for _ in range(3))
        until(lambda: number(mnt, "reads_running") == 4)
        time.sleep(0.3)
        os.kill(first, signal.SIGUSR1)
        start = time.monotonic()
        assert os.waitstatus_to_exitcode(reap(first, 5.0)) == errno.EINTR
        print(f"# a signal to a stuck read: EINTR after {(time.monotonic() - start) * 1e3:.0f} ms")
        os.kill(second, signal.SIGUSR1)
        time.sleep(0.05)
        took = killed_within(second, signal.SIGKILL)
        print(f"# kill -9 just behind another signal: {took * 1e3:.0f} ms")
        took = killed_within(third, signal.SIGTERM)
        print(f"# SIGTERM: {took * 1e3:.0f} ms")
    until(lambda: number(mnt, "reads_running") == 1)


if __name__ == "__main__":
    globals()["case_" + sys.argv[1]](*sys.argv[2:])
