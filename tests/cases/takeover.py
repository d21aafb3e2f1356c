#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Workers that are killed while somebody reads: takeover.py CASE ARG...

What readers may see of it: an error, within a second, or nothing at all. Never
a wait without end, never an end of file where there is more.
"""
import collections
import contextlib
import ctypes
import errno
import os
import signal
import statistics
import sys
import time

from hostile_pids import container_with_socket
from hostile_world import drain, ends_well, error_of, fork, fresh, late, pids_in, slurp, until
from readers import crowd_pids
from stress import has_ended

GONE = {"ECONNABORTED", "ESTALE", "ENOTCONN", "ENODEV"}
MAX_CRASHES = 5  # as many within 10 s are the last
libc = ctypes.CDLL(None, use_errno=True)


# --- holder and worker ---


def worker_of(holder):
    with open(f"/proc/{holder}/task/{holder}/children", encoding="ascii") as file:
        children = file.read().split()
    return int(children[0]) if len(children) == 1 else None


def kill_worker(holder):
    """kill -9, and wait for nothing."""
    worker = until(lambda: worker_of(holder))
    os.kill(worker, signal.SIGKILL)
    return worker


def next_worker(holder, old):
    return until(lambda: worker_of(holder) not in (None, old))


def stop(pid):
    """Until no thread of it runs: one that still took a request would keep it."""
    os.kill(pid, signal.SIGSTOP)
    until(lambda: threads_are(pid, "T"))


def threads_are(pid, state):
    for tid in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{tid}/stat", encoding="latin-1") as file:
            if file.read().rpartition(")")[2].split()[0] != state:
                return False
    return True


# --- what a file must have ---


class Crowd:
    """Processes that hold still: their rows are the same in every reading."""

    def __init__(self, mnt, path):
        self.pids = {str(p).encode() for p in crowd_pids(path)}
        self.rows = self.rows_in(slurp(f"{mnt}/task_vma"))
        assert len(self.rows) > 5000, len(self.rows)

    def rows_in(self, data):
        return [x for x in data.splitlines() if x.split(None, 1)[0] in self.pids]

    def check(self, data):
        assert data.endswith(b"\n"), "the last line has no end"
        assert self.rows_in(data) == self.rows, "short, and no error"


def check_dir(mnt, crowd):
    """A listing without an error is whole."""
    names = {n.encode() for n in os.listdir(f"{mnt}/pid")}
    assert crowd.pids <= names, f"{len(crowd.pids - names)} processes are missing"


# --- how long ---


# From Linux 6.9 on requests are given to the next worker, before some are lost.
RESENDS = tuple(int(n) for n in os.uname().release.split(".")[:2]) >= (6, 9)


def open_now(path):
    """Opened, and how often it failed because a worker that died still took the request."""
    for tries in range(20):
        try:
            return os.open(path, os.O_RDONLY), tries
        except ConnectionAbortedError:
            assert not RESENDS, "an open was lost"
    raise AssertionError("20 times ECONNABORTED")


def read_whole(path):
    """A file that a worker opened as it died is stale for the next one."""
    for _ in range(20):
        fd, lost = open_now(path)
        try:
            return drain(fd, 65536), lost
        except OSError as error:
            assert error.errno in (errno.ESTALE, errno.ECONNABORTED), error
        finally:
            os.close(fd)
    raise AssertionError("stale 20 times")


def case_latency(crowd, *mounts):
    """Opens behind kills. A holder takes three at a time, so there are many: MOUNT=HOLDER..."""
    took, aborted = [], 0
    for _ in range(MAX_CRASHES - 2):  # the next is doubtful: what it had begun fails
        for mnt, holder in (m.rsplit("=", 1) for m in mounts):
            kill_worker(holder)
            start = time.monotonic()
            data, tries = read_whole(f"{mnt}/schema/task")
            took.append(time.monotonic() - start)
            aborted += tries
            assert data == slurp(f"{mnt}/schema/task")
    assert len(took) >= 100, len(took)
    print(f"# {len(took)} kills: median {statistics.median(took) * 1e3:.1f} ms, "
          f"worst {max(took) * 1e3:.1f} ms until a following open is served, {aborted} aborted")
    assert max(took) < 1.0 + late(), max(took)
    whole = Crowd(mounts[0].rsplit("=", 1)[0], crowd)
    whole.check(slurp(f"{mounts[-1].rsplit('=', 1)[0]}/task_vma"))


# --- readers in flight ---


def read_on(mnt, crowd, out, kind):
    """Whole files or errors, all the time; tells when each ended."""
    act = {
        "file": lambda: crowd.check(slurp_slowly(f"{mnt}/task_vma", 16384)),
        "big": lambda: crowd.check(slurp_slowly(f"{mnt}/task_vma", 1 << 20)),
        "pid": lambda: check_dir(mnt, crowd),
    }[kind]
    while True:
        error = error_of(act)
        os.write(out, f"{time.monotonic()} {os.getpid()} {error}\n".encode())


def slurp_slowly(path, size):
    fd = os.open(path, os.O_RDONLY)
    try:
        return drain(fd, size)
    finally:
        os.close(fd)


def reports(file):
    """[(when, who, errno)] since the last time."""
    return [(float(when), int(who), None if e == "None" else e)
            for when, who, e in (line.split() for line in file.readlines())]


def case_flight(mnt, holder, path, rounds):
    """20 readers all the time, while the worker is killed; `rounds` kills."""
    crowd = Crowd(mnt, path)
    out = os.open(f"{path}.reports", os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_APPEND)
    kinds = ["file"] * 12 + ["big"] * 4 + ["pid"] * 4
    readers = [fork(read_on, mnt, crowd, out, kind) for kind in kinds]
    with open(f"{path}.reports", encoding="ascii") as told:
        try:
            all_tell(told, readers, time.monotonic())
            errors = [kill_amid(holder, told, readers) for _ in range(int(rounds))]
            assert all(os.waitpid(r, os.WNOHANG) == (0, 0) for r in readers), "a reader failed"
        finally:
            for r in readers:
                os.kill(r, signal.SIGKILL)
                os.waitpid(r, 0)
    print("# errors of 20 readers per kill:", errors)
    assert all(0 < e <= 20 for e in errors), errors
    crowd.check(slurp(f"{mnt}/task_vma"))
    check_dir(mnt, crowd)


def all_tell(told, readers, since):
    """
    What they tell until each has told of something that ended later than then. And for how
    long, at most, who needs 10 ms of a CPU had to wait for them.
    """
    found, late = [], 0.0
    end = time.monotonic() + 300
    while min(collections.Counter(readers + [x[1] for x in found if x[0] > since]).values()) < 2:
        assert time.monotonic() < end, "a reader hangs"
        now, own = time.monotonic(), time.process_time()
        while time.process_time() - own < 0.01:
            pass
        late = max(late, time.monotonic() - now - 0.01)
        time.sleep(0.05)
        found += reports(told)
    return found, late


def kill_amid(holder, told, readers):
    """How many readers were told. All errors come within a second of the kill."""
    old = kill_worker(holder)
    killed = time.monotonic()
    next_worker(holder, old)
    found, late = all_tell(told, readers, killed)
    errors = [(when - killed, who, e) for when, who, e in found if e]
    assert not [x for x in errors if x[0] > 1.0 + 3 * late], (late, errors)
    assert {e for _, _, e in errors} <= {"ECONNABORTED", "ESTALE"}, errors
    assert [x for x in found if not x[2]], "nobody goes on"
    return len(errors)


def case_blocked(mnt, holder):
    """A read that the worker has taken, and will never answer: ECONNABORTED."""
    worker = until(lambda: worker_of(holder))
    took = []

    def read():
        fd = os.open(f"{mnt}/task_vma", os.O_RDONLY)
        os.write(w, b"x")
        while True:
            error = error_of(os.pread, fd, 4096, 1 << 40)
            if error:
                os.write(w, f"{error}\n".encode())
                return

    r, w = os.pipe()
    pids = [fork(read) for _ in range(8)]
    for _ in pids:
        os.read(r, 1)
    time.sleep(0.2)
    os.kill(worker, signal.SIGKILL)
    start = time.monotonic()
    for pid in pids:
        ends_well(pid)
        took.append(time.monotonic() - start)
    told = os.read(r, 4096).decode().split()
    print("# reads in flight:", told, f"within {max(took) * 1e3:.0f} ms")
    assert max(took) < 1.0 + late(), took
    # The next worker knows no file of theirs; without one it is the kernel that tells.
    assert set(told) <= ({"ESTALE"} if RESENDS else {"ECONNABORTED", "ESTALE"}), told


def case_idle(mnt, holder):
    """Files and listings that were open: ESTALE, or a fresh start; closing them is no harm."""
    names = ("task", "json/task_vma.json", f"pid/{os.getpid()}/task_file", "schema/task")
    fds = [os.open(f"{mnt}/{n}", os.O_RDONLY) for n in names for _ in range(2)]
    for fd in fds[1::2]:
        assert os.read(fd, 512)
    listing = os.open(f"{mnt}/pid", os.O_RDONLY | os.O_DIRECTORY)
    next_worker(holder, kill_worker(holder))
    # Whose files are not taken for the old ones.
    later = [open_now(f"{mnt}/csv/kmem_cache.csv")[0] for _ in range(20)]
    later += [os.open(f"{mnt}/pid", os.O_RDONLY | os.O_DIRECTORY) for _ in range(4)]
    for i, fd in enumerate(fds):
        for act in (os.read, lambda fd, n: (os.lseek(fd, 0, os.SEEK_SET), os.read(fd, n))[1]):
            error = error_of(act, fd, 4096)
            assert error in ("ESTALE", None), error
            if error is None and (i % 2 or act is os.read):
                raise AssertionError(f"{names[i // 2]} went on in the middle")
    assert error_of(os.listdir, f"/proc/self/fd/{listing}") is None  # opened anew
    assert error_of(entries, listing) == "ESTALE"
    for fd in fds + later + [listing]:
        os.close(fd)
    for name in names:
        assert slurp(f"{mnt}/{name}")


def entries(fd):
    """One getdents64(2), of few entries."""
    buf = ctypes.create_string_buffer(512)
    n = libc.syscall(217 if os.uname().machine == "x86_64" else 61, fd, buf, 512)
    if n < 0:
        raise OSError(ctypes.get_errno(), "getdents64")
    return n


def case_listing(mnt, holder, path):
    """A listing half read as the worker dies is an error, not a short one."""
    crowd = Crowd(mnt, path)
    listing = os.open(f"{mnt}/pid", os.O_RDONLY | os.O_DIRECTORY)
    assert entries(listing) > 0
    next_worker(holder, kill_worker(holder))
    assert error_of(read_all_entries, listing) == "ESTALE"
    os.close(listing)
    check_dir(mnt, crowd)


def read_all_entries(fd):
    while entries(fd):
        pass


# --- opens that nobody serves at first ---


def case_unserved(mnt, holder, path):
    """Opens while the worker is stopped and then killed, or dead and not yet replaced."""
    crowd = Crowd(mnt, path)
    worker = until(lambda: worker_of(holder))
    stop(worker)
    answered_after(mnt, crowd, lambda: os.kill(worker, signal.SIGKILL))
    worker = next_worker(holder, worker)
    assert slurp(f"{mnt}/schema/task")
    stop(int(holder))
    kill_worker(holder)
    time.sleep(0.1)  # it dies: until then it could take a request along
    answered_after(mnt, crowd, lambda: os.kill(int(holder), signal.SIGCONT))


def answered_after(mnt, crowd, act):
    readers = [fork(lambda: crowd.check(slurp(f"{mnt}/task_vma"))) for _ in range(10)]
    readers += [fork(check_dir, mnt, crowd) for _ in range(10)]
    time.sleep(0.3)
    assert all(os.waitpid(r, os.WNOHANG) == (0, 0) for r in readers), "who answered?"
    act()
    start = time.monotonic()
    for r in readers:
        ends_well(r)
    assert time.monotonic() - start < 5.0 + late()


# --- elsewhere, and the end ---


def case_container(mnt, holder, directory):
    """A bind mount in another mount namespace is served by the next worker."""
    os.makedirs(f"{directory}/bound", exist_ok=True)

    def inside(sock):
        libc.unshare(0x00020000)
        assert libc.mount(b"none", b"/", None, 0x4000 | (1 << 18), None) == 0
        bound = f"{directory}/bound"
        assert libc.mount(mnt.encode(), bound.encode(), None, 4096, None) == 0
        assert pids_in(slurp(f"{bound}/task")) == {1}
        for _ in range(3):
            sock.send(b"x")
            sock.recv(1)
            assert pids_in(read_whole(f"{bound}/task")[0]) == {1}
            assert set(os.listdir(f"{bound}/pid")) == {"self", "1"}

    pid, sock = container_with_socket(inside)
    for _ in range(3):
        assert sock.recv(1), "it failed inside"
        time.sleep(0.05)  # two in a row that end within 20 ms may do so because of a request
        kill_worker(holder)
        sock.send(b"x")
    ends_well(pid)


def readers_until_gone(mnt, w):
    """Reads until the mount is no more; what comes before is one of GONE."""
    fd = os.open(f"{mnt}/task_vma", os.O_RDONLY)
    os.write(w, b"x")
    while True:
        error = error_of(fresh, fd)
        assert error is None or error in GONE, error
        if error in ("ENOTCONN", "ENODEV"):
            return
        if error:  # of an earlier worker
            with contextlib.suppress(OSError):
                os.close(fd)
            try:
                fd = os.open(f"{mnt}/task_vma", os.O_RDONLY)
            except OSError as e:
                assert e.errno in (errno.ENOTCONN, errno.ENOENT, errno.ECONNABORTED), e
                return


def start_readers(mnt, n=20):
    r, w = os.pipe()
    readers = [fork(readers_until_gone, mnt, w) for _ in range(n)]
    for _ in readers:
        os.read(r, 1)
    return readers


def all_end(readers, seconds):
    start = time.monotonic()
    while readers and time.monotonic() < start + seconds:
        for r in list(readers):
            pid, status = os.waitpid(r, os.WNOHANG)
            if pid:
                assert status == 0, f"a reader ended with {status:#x}"
                readers.remove(r)
        time.sleep(0.005)
    for r in readers:
        os.kill(r, signal.SIGKILL)
    assert not readers, f"{len(readers)} readers hang"


def case_crashes(mnt, holder):
    """Five in a row: the holder gives up. Who has a file open gets ENOTCONN."""
    held = os.open(f"{mnt}/task", os.O_RDONLY)
    readers = start_readers(mnt)
    workers = set()
    for _ in range(MAX_CRASHES):
        until(lambda: worker_of(holder) not in workers | {None})
        workers.add(kill_worker(holder))
        time.sleep(0.2)
    all_end(readers, 5)
    until(lambda: has_ended(int(holder)))
    assert error_of(os.read, held, 10) in ("ENOTCONN", "ECONNABORTED"), error_of(os.read, held, 10)
    assert error_of(os.open, f"{mnt}/task", os.O_RDONLY) == "ENOENT"
    assert all(has_ended(w) for w in workers)


def case_holder(mnt, holder, name):
    """The holder ends, by a signal of that name, with readers at work and after a takeover."""
    old = kill_worker(holder)
    worker = next_worker(holder, old) and until(lambda: worker_of(holder))
    readers = start_readers(mnt)
    os.kill(int(holder), signal.Signals[name])
    start = time.monotonic()
    all_end(readers, 5)
    until(lambda: has_ended(int(holder)) and has_ended(worker))
    error = error_of(os.open, f"{mnt}/task", os.O_RDONLY)
    assert error in ("ENOTCONN", "ECONNABORTED", "ENOENT"), error
    print(f"# {name}: all over within {(time.monotonic() - start) * 1e3:.0f} ms")


if __name__ == "__main__":
    globals()["case_" + sys.argv[1]](*sys.argv[2:])
