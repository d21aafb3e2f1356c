#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""What users can't do to a mount or to each other: trust.py CASE MOUNT ARG...

Each is tried by ordinary users. Times are compared with those of the same act in the
same run without the attack, since the machine may be busy with something else.
"""
import contextlib
import ctypes
import errno
import os
import random
import resource
import signal
import subprocess
import sys
import time

from hostile_world import (
    ALICE,
    BOB,
    CLONE_NEWUSER,
    become,
    drain,
    ends_well,
    error_of,
    fork,
    in_child,
    libc,
    slurp,
    unshare,
    until,
)
from limits import killed_within, locked, number, reap, seconds, status

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


def open_many():
    """As many descriptors as there may be."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    with contextlib.suppress(OSError):
        while os.dup(0) < 100000:
            pass


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
    assert took < 0.2 + 3 * control
    until(lambda: status(mnt)["dying_workers"] == "0")


@contextlib.contextmanager
def hang(program, file, device):
    """hang.c's victim, and how to kill it."""
    with open(file, "wb"):
        os.chmod(file, 0o666)
    server = subprocess.Popen([program, file, "60", device], user=ALICE, group=ALICE,
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
    return all("D" in states(worker) or time.sleep(0.02) for _ in range(20))


@contextlib.contextmanager
def worker_that_hangs(mnt, program, file, device):
    """A victim is killed amid a walk through it, until a thread of the worker hangs for ever."""
    for _ in range(40):
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
        assert seconds(slurp, f"{mnt}/task") < 1.0
        took = served_after_kill(mnt)
        print(f"# served after kill -9: {control * 1e3:.0f} ms; "
              f"with a thread that hangs {took * 1e3:.0f} ms")
        assert took < 0.2 + 3 * control
        assert status(mnt)["dying_workers"] == "1"
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
    with contextlib.ExitStack() as stack:
        for n in range(8):
            stack.enter_context(worker_that_hangs(mnt, program, f"{file}.{n}", device))
            before = time.monotonic()
            served_after_kill(mnt)
            assert number(mnt, "dying_workers") == n + 1
            time.sleep(max(0, 2.6 - (time.monotonic() - before)))  # not five in ten seconds
        stack.enter_context(worker_that_hangs(mnt, program, f"{file}.8", device))
        os.kill(number(mnt, "worker"), signal.SIGKILL)
        until(lambda: error_of(slurp, f"{mnt}/task") is not None)


def case_takeover(mnt, kview):
    """A takeover under 42 long walks goes through, and no open fails."""
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


# --- fairness ---


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
    """The 99th of 100."""
    return sorted(times)[len(times) * 99 // 100]


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
            (opens, wholes), (open_alone, whole_alone) = latencies((mnt, quiet), BOB, 400)
            now = status(mnt)
        finally:
            for pid in leaders:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(pid, signal.SIGKILL)
            for pid in leaders:
                os.waitpid(pid, 0)
    print(f"# running {now['reads_running']}, stuck {now['reads_stuck']}, waiting "
          f"{now['reads_waiting']}: 99 % of opens within {opens * 1e3:.1f} ms (alone "
          f"{open_alone * 1e3:.1f}), of reads within {wholes * 1e3:.1f} (alone "
          f"{whole_alone * 1e3:.1f})")
    assert int(now["reads_stuck"]) >= len(uids), "they are not stuck"
    assert opens < 0.02 + 2 * open_alone
    assert wholes < 0.1 + 2 * whole_alone
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
        time.sleep(1.0 / (1 - limit) + 1.0)  # the burst
        took = worker_cpu(mnt, 5.0)
        print(f"# a user with 5 % of a CPU has the worker use {took * 100:.0f} %, of {percent}")
        assert limit / 4 < took < limit * 1.2 + 0.02
        # The limit is each user's own, and not the one's who mounted.
        with children([fork(walk, mnt, 0)]):
            took = worker_cpu(mnt, 2.0)
        assert took > 2 * limit, f"root's walks use {took * 100:.0f} % of a CPU"


def case_monitor(mnt):
    """A user who dumps every view once a second does not notice the limit: it never waits for it."""
    names = [n for n in os.listdir(f"{mnt}/csv") if not n.startswith("kmem_cache")]

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
