#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Many readers, and readers that end badly: stress.py CASE MOUNT ARG..."""
import collections
import os
import random
import signal
import threading
import time

from hostile_world import PR_SET_PDEATHSIG, libc
from readers import *


def case_opens(mnt, crowd):
    """100 files open at once, read in turns, a little each."""
    names = ("task_vma", "csv/task_file.csv", "json/task_vma.json", "json/task_file.json")
    paths = [f"{mnt}/pid/{pid}/{name}" for pid in crowd_pids(crowd) for name in names]
    moving = [(v, k) for v in VIEWS for k in FORMATS]
    files = [(os.open(p, os.O_RDONLY), p, []) for p in paths[:100 - len(moving)]]
    files += [(os.open(f"{mnt}/{FORMATS[k] % v}", os.O_RDONLY), (v, k), []) for v, k in moving]
    assert len(files) == 100
    alive, dice = list(files), random.Random(3)
    while alive:
        at = dice.randrange(len(alive))
        part = os.read(alive[at][0], dice.choice((700, 4096, 20000, 131072)))
        alive[at][2].append(part)
        if not part:
            alive.pop(at)
    for fd, what, parts in files:
        if isinstance(what, str):
            assert b"".join(parts) == slurp(what), what
        else:
            parse(mnt, *what, b"".join(parts))
        os.close(fd)


def status(pid, field):
    with open(f"/proc/{pid}/status") as f:
        return next(int(x.split()[1]) for x in f if x.startswith(field + ":"))


def other_fds(worker):
    """Descriptors but those of /dev/fuse, of which every thread has one."""
    links = []
    for fd in os.listdir(f"/proc/{worker}/fd"):
        try:
            links.append(os.readlink(f"/proc/{worker}/fd/{fd}"))
        except FileNotFoundError:
            pass
    return sorted(x for x in links if x != "/dev/fuse")


def settle(mnt, worker, fds):
    """As before, and no more threads than may be idle (8), main and one to come.

    One that has nothing to do ends after 5 s: the readers have just ended.
    """

    def is_settled():
        slurp(f"{mnt}/schema/task")
        return other_fds(worker) == fds and status(worker, "Threads") <= 8 + 2

    left = None if wait_for(is_settled, 10) else other_fds(worker)
    assert left is None, (left, fds, status(worker, "Threads"))


def reset_peak(pid):
    with open(f"/proc/{pid}/clear_refs", "w") as f:
        f.write("5")


def case_memory(mnt, worker, crowd):
    """Big reads do not stay in memory; 64 at once take less than 16 MiB."""
    pids = crowd_pids(crowd)
    paths = [f"{mnt}/{FORMATS[k] % v}" for v in ("task_file", "task_vma") for k in FORMATS]
    for path in paths:
        slurp(path)
    fds, before = other_fds(worker), status(worker, "VmRSS")
    for _ in range(3):
        for path in paths:
            assert len(slurp(path)) > 1 << 20
    grown = status(worker, "VmRSS") - before
    print("grown", grown, "KiB")
    assert grown < 1024, f"{grown} KiB more after big reads"
    reset_peak(worker)
    sixty_four(mnt, pids)
    peak = status(worker, "VmHWM")
    print("peak", peak, "KiB")
    assert peak < 16384, f"{peak} KiB with 64 files being read"
    settle(mnt, worker, fds)
    after = status(worker, "VmRSS")
    print("after", after, "before", before, "threads", status(worker, "Threads"))
    assert after - before < 4096, "the memory of 64 files does not come back"


def sixty_four(mnt, pids):
    """All are open and half read before any goes on to its end."""
    middle = threading.Barrier(64)
    done = []

    def reader(i):
        view = ("task_file", "task_vma")[i % 2]
        kind = list(FORMATS)[i % 3]
        with open(f"{mnt}/{FORMATS[kind] % view}", "rb", buffering=0) as f:
            data = f.read(131072) + f.read(131072) + f.read(131072)
            middle.wait(30)
            while part := f.read(131072):
                data = part
            done.append(data.endswith(b"\n"))

    assert pids
    run_all([threading.Thread(target=reader, args=(i,)) for i in range(64)], 60)
    assert done == [True] * 64


def case_settled(mnt, worker):
    """Descriptors and threads of a worker that nobody asks anything."""
    settle(mnt, worker, other_fds(worker))
    kinds = collections.Counter(x.split(":")[0] for x in other_fds(worker))
    print(kinds, "threads", status(worker, "Threads"), "RSS", status(worker, "VmRSS"))
    assert not [x for x in other_fds(worker) if "bpf_iter" in x], "iterators are left open"
    assert status(worker, "VmRSS") < 16384


def fork(body, *args):
    """A child that runs body; an OSError is its end, with status 7."""
    child = os.fork()
    if child:
        return child
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # a case that fails ends it
    try:
        body(*args)
        os._exit(0)
    except OSError as e:
        print("reader ended:", e, flush=True)
        os._exit(7)
    except BaseException as e:
        print("reader failed:", repr(e), flush=True)
    finally:
        os._exit(1)


def ended_with(child, seconds):
    """Its wait status once it has ended; it must do so in time."""
    box = []

    def poll():
        pid, code = os.waitpid(child, os.WNOHANG)
        box.append(code)
        return pid

    if not wait_for(poll, seconds):
        os.kill(child, signal.SIGKILL)
        raise AssertionError(f"the reader hangs after {seconds} s")
    return box[-1]


def ticks(pid):
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def read_far(path):
    """One read(2) that walks all rows and gives none."""
    fd = os.open(path, os.O_RDONLY)
    assert os.pread(fd, 4096, FAR) == b""


def read_far_twice_at_once(path):
    fd = os.open(path, os.O_RDONLY)
    other = threading.Thread(target=os.pread, args=(fd, 4096, FAR))
    other.start()
    os.pread(fd, 4096, FAR)


def case_kill(mnt, worker):
    """kill -9 amid a read ends reader and work at once, with other threads in it or not."""
    path = f"{mnt}/json/task_vma.json"
    start = time.monotonic()
    read_far(path)
    took = time.monotonic() - start
    print("one read takes", took, "s")
    assert took > 0.25, "too short a read to be killed in"
    for body in (read_far, read_far_twice_at_once) * 3:
        before = ticks(worker)
        child = fork(body, path)
        assert wait_for(lambda: ticks(worker) >= before + 5), "the read does not begin"
        os.kill(child, signal.SIGKILL)
        start = time.monotonic()
        assert ended_with(child, 1.0) == signal.SIGKILL, "it had ended before"
        print("killed within", time.monotonic() - start, "s")
        slurp(f"{mnt}/schema/task")
        at = ticks(worker)
        time.sleep(0.2)  # in which work that went on would show
        assert ticks(worker) - at < 5, "the worker goes on for a dead reader"
    assert read_view(mnt, "task", "csv")


def stop_half_way(path):
    fd = os.open(path, os.O_RDONLY)
    got = os.read(fd, 4096)
    os.kill(os.getpid(), signal.SIGSTOP)
    got += drain(fd)
    assert got.endswith(b"\n")


def state(pid):
    with open(f"/proc/{pid}/stat") as f:
        return f.read().rpartition(")")[2].split()[0]


def case_stopped(mnt, crowd):
    """300 readers that stop reading hold nobody up, and may go on later."""
    pids = crowd_pids(crowd)
    paths = [f"{mnt}/{FORMATS[k] % v}" for v in ("task_file", "task_vma") for k in FORMATS]
    children = [fork(stop_half_way, paths[i % len(paths)]) for i in range(300)]
    try:
        assert wait_for(lambda: all(state(c) == "T" for c in children), 20)
        check_all(mnt, pids, {v: expected(pids, v) for v in PROC})
        for child in children[: len(paths)]:
            os.kill(child, signal.SIGCONT)
        for child in children[: len(paths)]:
            assert ended_with(child, 60) == 0
    finally:
        for child in children[len(paths) :]:
            os.kill(child, signal.SIGKILL)
        for child in children[len(paths) :]:
            ended_with(child, 5)
    check_all(mnt, pids, {"task": expected(pids, "task")}, ["task"])


# --- the end of the mount, with readers ---


def read_on(mnt):
    """Until it fails; what is read before is right."""
    paths = [(v, k) for v in ("task_file", "task_vma") for k in FORMATS]
    while True:
        for v, k in paths:
            data = slurp(f"{mnt}/{FORMATS[k] % v}", 20000)
            assert data.endswith(b"\n")


def read_held(mnt, ready):
    """Goes on with one file that was opened before, from the start, again and again."""
    fd = os.open(f"{mnt}/task_vma", os.O_RDONLY)
    os.write(ready, b"x")
    while True:
        os.lseek(fd, 0, os.SEEK_SET)
        assert drain(fd, 20000).endswith(b"\n")


def mounted(mnt):
    with open("/proc/self/mounts") as f:
        return any(line.split()[1] == mnt for line in f)


def readers_of(mnt, worker):
    """Six of each kind, all at work."""
    r, w = os.pipe()
    held = [fork(read_held, mnt, w) for _ in range(6)]
    for _ in held:
        os.read(r, 1)
    loops = [fork(read_on, mnt) for _ in range(6)]
    before = ticks(worker)
    assert wait_for(lambda: ticks(worker) > before + 5)
    return held, loops


def all_fail(children, seconds):
    """Ended by an errno (status 7): neither hanging nor with wrong data (1)."""
    codes = [ended_with(c, seconds) for c in children]
    assert all(os.waitstatus_to_exitcode(c) == 7 for c in codes), codes


def has_ended(pid):
    try:
        return state(pid) in "ZX"
    except (FileNotFoundError, ProcessLookupError):  # between open and read as well
        return True


def case_umount_force(mnt, daemon, worker):
    held, loops = readers_of(mnt, worker)
    os.system(f"timeout 10 umount -f {mnt} 2>/dev/null")  # may well be "busy"
    all_fail(held + loops, 5)
    assert wait_for(lambda: has_ended(daemon) and has_ended(worker)), "the daemon stays"


def case_umount_lazy(mnt, daemon, worker):
    """New opens fail at once; who has a file open may read on and then all ends."""
    held, loops = readers_of(mnt, worker)
    assert os.system(f"timeout 10 umount -l {mnt}") == 0
    assert not mounted(mnt)
    all_fail(loops, 5)
    before = ticks(worker)
    assert wait_for(lambda: ticks(worker) > before + 5), "readers do not go on"
    assert all(os.waitpid(c, os.WNOHANG) == (0, 0) for c in held)
    for child in held:
        os.kill(child, signal.SIGKILL)
    for child in held:
        ended_with(child, 2)
    assert wait_for(lambda: has_ended(daemon) and has_ended(worker)), "the daemon stays"


if __name__ == "__main__":
    main(globals())
