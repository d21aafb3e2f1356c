#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Readers who take more than their part: limits.py CASE MOUNT ARG..."""
import contextlib
import errno
import mmap
import os
import select
import signal
import statistics
import subprocess
import sys
import time

from hostile_world import ALICE, BOB, as_user, become, ends_well, error_of, fork, late, libc, slurp, until

CAROL, DAVE = 21003, 21004
LANE = 4  # reads of one user and view that have begun
STREAM = 65536  # of reads that are walked ahead of, further than the next one takes
PR_SET_CHILD_SUBREAPER = 36


def status(mnt):
    return dict(line.split("\t") for line in slurp(f"{mnt}/status").decode().splitlines())


def number(mnt, name):
    return int(status(mnt)[name])


def seconds(act, *args):
    start = time.monotonic()
    act(*args)
    return time.monotonic() - start


# --- open files ---


class User:
    """A process of a user's that opens files of one name until an error, and holds them."""

    def __init__(self, uid, path):
        self.told, w = os.pipe()
        hold, self.stay = os.pipe()
        os.set_inheritable(self.stay, False)
        self.pid = fork(self.act, uid, path, w, hold)
        os.close(w)
        os.close(hold)
        n, self.error = os.read(self.told, 100).decode().split()
        self.n = int(n)

    def act(self, uid, path, w, hold):
        os.close(self.stay)
        if uid:
            become(uid)
        held, error = [], None
        while not error and len(held) < 900:
            error = error_of(lambda: held.append(os.open(path, os.O_RDONLY)))
        os.write(w, f"{len(held)} {error}".encode())
        os.read(hold, 1)

    def end(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.stay)
        os.close(self.told)


def case_files(mnt):
    """max_files=64,max_user_files=16: three users fill their part, the fourth the rest, root its own."""
    alice = User(ALICE, f"{mnt}/task")
    assert (alice.n, alice.error) == (16, "EMFILE"), (alice.n, alice.error)
    assert as_user(ALICE, error_of, slurp, f"{mnt}/schema/task") == "EMFILE"
    # The others don't notice.
    for uid in (BOB, CAROL):
        assert as_user(uid, lambda: len(slurp(f"{mnt}/task"))) > 100
    users = [alice] + [User(uid, f"{mnt}/task_file") for uid in (BOB, CAROL)]
    assert [(u.n, u.error) for u in users] == [(16, "EMFILE")] * 3
    assert number(mnt, "open_files") == 48 + 1  # with that of this reading
    assert as_user(DAVE, error_of, slurp, f"{mnt}/task") == "ENFILE"
    assert len(slurp(f"{mnt}/task")) > 100
    root = User(0, f"{mnt}/task")
    assert (root.n, root.error) == (16, "ENFILE"), (root.n, root.error)
    for user in users + [root]:
        user.end()
    until(lambda: error_of(slurp, f"{mnt}/status") is None and number(mnt, "open_files") == 1)
    again = User(ALICE, f"{mnt}/json/task.json")
    assert (again.n, again.error) == (16, "EMFILE"), "what was closed is not free"
    again.end()


def case_listings(mnt):
    """Open listings of pid/ have a limit of the same size, of their own."""
    alice = User(ALICE, f"{mnt}/pid")
    assert (alice.n, alice.error) == (16, "EMFILE"), (alice.n, alice.error)
    assert number(mnt, "open_listings") == 16
    assert as_user(ALICE, lambda: len(slurp(f"{mnt}/task"))) > 100
    assert as_user(BOB, lambda: len(os.listdir(f"{mnt}/pid"))) > 1
    assert os.listdir(f"{mnt}/pid")
    alice.end()
    until(lambda: number(mnt, "open_listings") == 0)


# --- slow readers ---


def read_one_byte(uid, path, w):
    become(uid)
    fd = os.open(path, os.O_RDONLY)
    assert len(os.read(fd, 1)) == 1
    os.write(w, b"x")
    signal.pause()


def case_slow(mnt):
    """1,000 readers of 5 users open, read one byte and sleep: the others' `cat` takes its time."""
    names = ("task", "task_file", "task_vma", "json/task.json", "csv/task_vma.csv")
    r, w = os.pipe()
    slow = [fork(read_one_byte, 21010 + i % 5, f"{mnt}/{names[i // 5 % 5]}", w)
            for i in range(1000)]
    try:
        for _ in slow:
            os.read(r, 1)
        assert number(mnt, "open_files") >= 1000
        for user in ([], ["setpriv", f"--reuid={BOB}", f"--regid={BOB}", "--clear-groups"]):
            took = [seconds(cat, user, f"{mnt}/task") for _ in range(20)]
            print(f"# cat of {'a user' if user else 'root'} among 1,000 slow readers: "
                  f"median of 20 {statistics.median(took) * 1e3:.0f} ms, worst {max(took) * 1e3:.0f}")
            assert max(took) < 1.0 and statistics.median(took) < 0.5, took
        assert all(os.waitpid(p, os.WNOHANG) == (0, 0) for p in slow[:10])
    finally:
        for pid in slow:
            os.kill(pid, signal.SIGKILL)
        for pid in slow:
            os.waitpid(pid, 0)
    until(lambda: number(mnt, "open_files") == 1)


def cat(prefix, path):
    out = subprocess.run(prefix + ["cat", path], check=True, stdout=subprocess.PIPE, timeout=30)
    assert out.stdout.endswith(b"\n")


# --- stuck reads ---


@contextlib.contextmanager
def locked(program, file, at_most=60):
    """A process whose mmap_lock is kept. Ended in any case, and by itself in AT_MOST seconds."""
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # of the victim, when its parent has ended
    with open(file, "wb"):
        pass
    keeper = subprocess.Popen([program, file, str(at_most)], stdout=subprocess.PIPE)
    victim = int(keeper.stdout.readline())
    try:
        until(lambda: wants_lock(victim))
        yield victim
        assert wants_lock(victim), "the lock was let go too soon to test anything"
    finally:
        keeper.kill()
        keeper.wait()
        os.waitpid(victim, 0)


@contextlib.contextmanager
def many_mappings(n=4000):
    """A process whose rows come first and are more than one read takes: neighbours that differ."""
    r, w = os.pipe()

    def act():
        held = [mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS,
                          prot=mmap.PROT_READ | (mmap.PROT_WRITE if i % 2 else 0))
                for i in range(n)]
        os.write(w, b"x")
        signal.pause()
        del held

    pid = fork(act)
    os.read(r, 1)
    try:
        yield pid
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def wants_lock(pid):
    """Some thread of it waits where no signal helps."""
    states = []
    for tid in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(OSError):  # it may end meanwhile
            with open(f"/proc/{pid}/task/{tid}/stat", encoding="latin-1") as file:
                states.append(file.read().rpartition(")")[2].split()[0])
    return "D" in states


def read_as(uid, path):
    if uid:
        become(uid)
    slurp(path)


def killed_within(pid, sig, limit=1.0):
    """Sends it; how long the process took to end, by that signal."""
    limit += late()
    os.kill(pid, sig)
    start = time.monotonic()
    code = reap(pid, limit)
    assert code == sig, f"{pid} ended with {code:#x}"
    return time.monotonic() - start


def reap(pid, limit):
    end = time.monotonic() + limit
    while time.monotonic() < end:
        done, code = os.waitpid(pid, os.WNOHANG)
        if done:
            return code
        time.sleep(0.002)
    os.kill(pid, signal.SIGKILL)
    raise AssertionError(f"{pid} does not end within {limit} s")


def all_free(mnt):
    s = status(mnt)
    return s["reads_waiting"] == "0" and int(s["reads_running"]) == 1


def case_stuck(mnt, program, file):
    """kill -9, and SIGINT, of a reader whose read is stuck in the kernel."""
    errors = number(mnt, "task_vma.errors")
    # Streams that have begun: one that waits for its walk ahead has one turn as well.
    with many_mappings(), locked(program, file) as victim:
        paths = [f"{mnt}/task_vma", f"{mnt}/csv/task_vma.csv", f"{mnt}/pid/{victim}/task_vma"]
        readers = [fork(read_as, uid, p) for p in paths for uid in (0, 0)]
        until(lambda: number(mnt, "reads_running") == len(readers) + 1)
        time.sleep(0.3)
        assert number(mnt, "reads_running") == len(readers) + 1, "they are not stuck"
        took = [killed_within(p, signal.SIGKILL) for p in readers]
        print(f"# kill -9 of stuck readers: worst of {len(took)} {max(took) * 1e3:.0f} ms")
        assert seconds(slurp, f"{mnt}/task") < 1.0 + late()
        assert seconds(os.listdir, f"{mnt}/pid") < 1.0 + late()
    until(lambda: all_free(mnt))
    until(lambda: number(mnt, "open_files") == 1)
    assert number(mnt, "task_vma.errors") == errors, "an interrupted read is no error"
    assert slurp(f"{mnt}/task_vma").endswith(b"\n")


def read_when_told(path, go, told):
    fd = os.open(path, os.O_RDONLY)
    while os.read(go, 1):
        os.write(told, f"{len(os.read(fd, STREAM))}\n".encode())


def case_ahead(mnt, program, file):
    """A stream whose reader has all it asked for, and the walk ahead of it gets stuck."""
    assert len(os.sched_getaffinity(0)) > 1, "with one CPU no walk is far enough ahead"
    worker = number(mnt, "worker")
    hear, told = os.pipe()
    go, tell = os.pipe()
    with many_mappings(), locked(program, file):
        reader = fork(read_when_told, f"{mnt}/task_vma", go, told)
        for _ in range(400):  # other cases' processes come before it
            os.write(tell, b"x")
            assert select.select([hear], [], [], 5.0)[0], "the read got stuck, not the walk ahead"
            assert os.read(hear, 100) == b"%d\n" % STREAM, "the rows of the stuck one came"
            time.sleep(0.05)
            if wants_lock(worker):
                break
        assert wants_lock(worker), "nothing is stuck"
        assert number(mnt, "reads_running") == 2, "it is none of its user's reads"
        for act in (lambda: slurp(f"{mnt}/task_file"), lambda: os.listdir(f"{mnt}/pid")):
            assert seconds(act) < 1.0 + late()
        # What has been walked may be enough for one more.
        until(lambda: os.write(tell, b"x") and number(mnt, "reads_running") == 3)
        assert seconds(slurp, f"{mnt}/task") < 1.0 + late()
        took = killed_within(reader, signal.SIGKILL)
        print(f"# kill -9 of a reader that waits for a stuck walk: {took * 1e3:.0f} ms")
    until(lambda: all_free(mnt))
    until(lambda: number(mnt, "open_files") == 1)
    assert slurp(f"{mnt}/task_vma").endswith(b"\n")


def case_lanes(mnt, program, file):
    """More stuck reads of one user than may have begun: its other files and others' are served."""
    with locked(program, file):
        stuck = [fork(read_as, ALICE, f"{mnt}/task_vma") for _ in range(LANE)]
        until(lambda: number(mnt, "reads_running") == LANE + 1)
        waiting = [fork(read_as, ALICE, f"{mnt}/{n}") for n in (
            "task_vma", "json/task_vma.json", "csv/task_vma.csv")]
        until(lambda: number(mnt, "reads_waiting") == len(waiting))
        for uid in (0, ALICE, BOB):
            for name in ("task", "json/task_file.json", f"pid/{os.getpid()}/task"):
                took = seconds(ends_well, fork(read_as, uid, f"{mnt}/{name}"))
                assert took < 1.0 + late(), f"{uid}: {name} took {took} s"
        # Those that wait may be interrupted, and nobody's place is lost.
        took = [killed_within(p, s) for p, s in zip(
            waiting, (signal.SIGTERM, signal.SIGKILL, signal.SIGUSR1))]
        print(f"# signals to waiting reads: worst {max(took) * 1e3:.0f} ms")
        until(lambda: number(mnt, "reads_waiting") == 0)
        last = fork(read_as, ALICE, f"{mnt}/task_vma")
        until(lambda: number(mnt, "reads_waiting") == 1)
    # And whoever waited on is served: nothing has failed.
    for pid in stuck + [last]:
        assert reap(pid, 20.0) == 0
    until(lambda: all_free(mnt))


def case_many(mnt, program, file):
    """Stuck reads of many users: each has what one may have, and no more."""
    users = (ALICE, BOB, CAROL, DAVE)
    begun = len(users) * LANE
    with locked(program, file):
        readers = [fork(read_as, users[i % 4], f"{mnt}/task_vma") for i in range(60)]
        until(lambda: number(mnt, "reads_running") == begun + 1)
        until(lambda: number(mnt, "reads_waiting") == 60 - begun)
        until(lambda: number(mnt, "reads_stuck") == begun)
        for _ in range(5):
            assert seconds(slurp, f"{mnt}/json/task.json") < 1.0 + late()
        assert as_user(21005, seconds, os.listdir, f"{mnt}/pid") < 1.0 + late()
        took = [killed_within(p, signal.SIGKILL) for p in readers]
        print(f"# kill -9 of 60 stuck or waiting readers: worst {max(took) * 1e3:.0f} ms")
    until(lambda: all_free(mnt))
    assert as_user(ALICE, lambda: len(slurp(f"{mnt}/task_vma"))) > 100


def case_worker(mnt, program, file):
    """kill -9 of the worker while its reads are stuck: they fail, the next serves."""
    with locked(program, file):
        readers = [fork(lambda: expect_abort(mnt)) for _ in range(4)]
        until(lambda: number(mnt, "reads_running") == 5)
        old = number(mnt, "worker")
        os.kill(old, signal.SIGKILL)
        for pid in readers:
            assert reap(pid, 1.0 + late()) == 0
        until(lambda: error_of(slurp, f"{mnt}/status") is None)
        s = status(mnt)
        assert int(s["worker"]) != old and s["restarts"] == "1", s
        until(lambda: number(mnt, "reads_running") == 1)  # a turn passes after the reply


def case_unread(mnt, program, file, rules):
    """A request can't be read while a read is stuck: a failure of the worker, not its end."""
    with locked(program, file) as victim:
        reader = fork(lambda: expect_abort(mnt, f"pid/{victim}/task_vma"))
        until(lambda: number(mnt, "reads_stuck") == 1)
        with open(f"{rules}.new", "w", encoding="ascii") as out:
            out.write(f"request {errno.EIO} 1 1\n")
        os.rename(f"{rules}.new", rules)
        until(lambda: error_of(slurp, f"{mnt}/status") is None and number(mnt, "restarts") == 1)
        assert reap(reader, 1.0) == 0


def expect_abort(mnt, name="task_vma"):
    """Of the dead worker's reads the next one knows nothing, if it is asked at all."""
    assert error_of(slurp, f"{mnt}/{name}") in ("ESTALE", "ECONNABORTED")


if __name__ == "__main__":
    globals()["case_" + sys.argv[1]](*sys.argv[2:])
