# SPDX-License-Identifier: GPL-2.0-only
"""What waits for processors and disks: counts and histograms, against the kernel's own sums."""
import contextlib
import mmap
import os
import signal
import sys
import threading
import time

from collect import child, rows, spin, tell
from counted import missed, run, until

US = 1e-6
LAST = 23  # the bucket without a bound


def as_one(buckets):
    """A histogram: the bounds are 1, 2, 4 us, ..., 4 s and none."""
    assert [b["to"] for b in buckets] == [2**i / 10**6 for i in range(LAST)] + [None], buckets
    return [b["count"] for b in buckets]


def fits(buckets, time_):
    """Is that sum of times possible with these counts?"""
    counts = as_one(buckets)
    least = sum(n * (2 ** (i - 1) if i else 0) * US for i, n in enumerate(counts))
    most = sum(n * 2**i * US for i, n in enumerate(counts))
    return least <= time_ + US and (counts[LAST] or time_ <= most + US)


# --- run_queue ---


def schedstat(pid):
    """Of all threads of a process: seconds that they have waited, and how often."""
    delay = runs = 0
    for tid in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{tid}/schedstat", encoding="ascii") as file:
            _, waited, times = map(int, file.read().split())
        delay, runs = delay + waited, runs + times
    return delay / 1e9, runs


def move(pid, group):
    with open(f"{group}/cgroup.procs", "w", encoding="ascii") as file:
        file.write(str(pid))


def group_row(mnt, group):
    found = [row for row in rows(mnt, "run_queue") if row["id"] == os.stat(group).st_ino]
    assert len(found) <= 1, found
    return found[0] if found else None


def asleep(pid):
    """Its first thread is the only one, and is switched away: that it is S says only that it will be."""
    with open(f"/proc/{pid}/syscall", "rb") as file:
        if file.read().startswith(b"running"):
            return False
    with open(f"/proc/{pid}/stat", "rb") as file:
        fields = file.read().rpartition(b") ")[2].split()
    return fields[0] == b"S" and fields[17] == b"1"


@contextlib.contextmanager
def at_work(mnt, group, number, act):
    """
    Processes that act in that group, of which nothing was counted before. When all are asleep behind
    that: the row of the group, and what /proc says of their waits since they have been in it.
    """
    said, say = os.pipe()
    hold, go_on = os.pipe()

    def whole():
        act()
        os.write(say, b"x")
        os.read(hold, 1)

    os.mkdir(group)
    assert group_row(mnt, group) is None
    made = [child(whole) for _ in range(number)]
    try:
        until(lambda: all(asleep(pid) for pid, _ in made))
        before = [schedstat(pid) for pid, _ in made]
        for pid, _ in made:
            move(pid, group)
        for _, go in made:
            tell(go)
        for _ in made:
            os.read(said, 1)
        until(lambda: all(asleep(pid) for pid, _ in made))
        now = [schedstat(pid) for pid, _ in made]
        yield group_row(mnt, group), sum(a[0] - b[0] for a, b in zip(now, before)), sum(
            a[1] - b[1] for a, b in zip(now, before))
    finally:
        os.write(go_on, b"x" * number)
        for pid, _ in made:
            os.waitpid(pid, 0)
        os.rmdir(group)


def threads(mnt, group):
    """More threads than processors. Of those that have ended /proc says nothing: they count all the same."""
    def some():
        for _ in range(20):
            spin(0.02)
            time.sleep(0.001)

    def act():
        all_ = [threading.Thread(target=some) for _ in range(2)]
        for t in all_:
            t.start()
        for t in all_:
            t.join()

    with at_work(mnt, group, 4, act) as (row, waited, runs):
        assert row["cgroup"] == "/" + os.path.basename(group) and not row["removed"], row
        assert row["waits"] == sum(as_one(row["wait"])) and fits(row["wait"], row["time"]), row
        # Each of the 8 threads has slept 20 times, and wanted 0.4 s of fewer processors.
        assert row["waits"] >= runs + 8 * 20 and row["time"] >= waited + 0.4, (row, runs, waited)
        print(f"# {row['waits']} waits, {row['time']:.6f} s")


def exactly(mnt, group):
    """Of processes with one thread: to the nanosecond, whichever processors they were moved to."""
    cpus = sorted(os.sched_getaffinity(0))

    def act():
        for i in range(300):
            spin(0.0005)
            os.sched_setaffinity(0, {cpus[i % len(cpus)]})
            if not i % 3:
                time.sleep(0.0002)

    with at_work(mnt, group, 5, act) as (row, waited, runs):
        assert row["waits"] == runs, (row["waits"], runs)
        assert abs(row["time"] - waited) < 1e-8 * runs, (row["time"], waited)
        assert fits(row["wait"], row["time"]), row
        print(f"# {runs} waits of {waited:.9f} s")


def group_names(mnt, group):
    """Odd ones, one of a container, one too long; they stay when the groups are gone."""
    name = os.path.basename(group)
    paths = [group, f"{group}/a \x1b[31m", f"{group}/docker-{os.getpid():064d}.scope", f"{group}/{'x' * 255}"]
    made = []
    for path in paths:
        os.mkdir(path)
        made.append(os.stat(path).st_ino)
        pid, go = child(lambda: time.sleep(0.01))
        move(pid, path)
        tell(go)
        os.waitpid(pid, 0)
    for path in reversed(paths):
        os.rmdir(path)
    now = time.time()
    found = {row["id"]: row for row in rows(mnt, "run_queue")}
    seen = [found[ino] for ino in made]
    assert [row["cgroup"] for row in seen[:3]] == [f"/{name}" + path.removeprefix(group) for path in paths[:3]], seen
    assert seen[3]["cgroup"] == "(too long)" and seen[2]["container"] == f"{os.getpid():064d}", seen
    assert all(row["waits"] >= 1 and abs(row["removed"] - now) < 30 for row in seen), seen


def group_storm(mnt, group, number):
    """More groups than there are places come and go: the last have rows, and those that stay keep theirs."""
    os.mkdir(group)
    stays = f"{group}/stays"
    os.mkdir(stays)
    steady, go = child(lambda: [time.sleep(0.001) for _ in range(10**6)])
    move(steady, stays)
    tell(go)
    last = []
    try:
        time.sleep(0.1)
        first = group_row(mnt, stays)["waits"]
        before = sum(row["waits"] for row in rows(mnt, "run_queue") if row["id"] is None)
        for i in range(int(number)):
            path = f"{group}/g{i}"
            os.mkdir(path)
            pid = os.fork()
            if not pid:
                move(os.getpid(), path)
                time.sleep(0.001)  # it waits once at least while the group is there
                os._exit(0)
            os.waitpid(pid, 0)
            if i >= int(number) - 200:
                last.append(os.stat(path).st_ino)
            os.rmdir(path)
        found = rows(mnt, "run_queue")
        ids = [row["id"] for row in found]
        assert len(ids) == len(set(ids)) <= 1024, len(ids)
        assert set(last) <= set(ids), len(set(last) - set(ids))
        assert all(row["removed"] for row in found if row["id"] in set(last))
        assert group_row(mnt, stays)["waits"] > first
        # Each has waited at least once, and what it waited is in its row or, if it has none, in that of the rest.
        rest = sum(row["waits"] for row in found if row["id"] is None)
        own = sum(row["waits"] for row in found if (row["cgroup"] or "").startswith(f"/{os.path.basename(group)}/g"))
        assert rest - before + own >= int(number), (rest, before, own)
    finally:
        os.kill(steady, signal.SIGKILL)
        os.waitpid(steady, 0)
        os.rmdir(stays)
        os.rmdir(group)
    print(f"# {number} groups, {len(found)} rows")


def group_crowd(mnt, group):
    """More that are there at once than there are places: what the others waited is in one row."""
    os.mkdir(group)
    paths = [f"{group}/g{i}" for i in range(1200)]
    try:
        for path in paths:
            os.mkdir(path)
        pid = os.fork()
        if not pid:
            for path in paths:
                move(os.getpid(), path)
                time.sleep(0.0001)
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        found = rows(mnt, "run_queue")
        [rest] = [row for row in found if row["id"] is None]
        own = {os.stat(path).st_ino for path in paths}
        with_row = sum(row["id"] in own for row in found)
        assert 900 < with_row < 1024 and rest["waits"] >= 1200 - with_row, (with_row, rest)
        assert rest["cgroup"] is None and rest["waits"] == sum(as_one(rest["wait"]))
        # Of all these groups nobody hides another one: they do nothing.
        with at_work(mnt, f"{group}-behind", 1, lambda: [time.sleep(0.0001) for _ in range(500)]) as (row, waited, runs):
            assert row["waits"] == runs >= 500 and abs(row["time"] - waited) < 1e-8 * runs, (row, runs, waited)
    finally:
        for path in reversed(paths):
            with contextlib.suppress(OSError):
                os.rmdir(path)
        os.rmdir(group)
    print(f"# {with_row} groups with a row")


# --- block_io ---


def diskstats(disk):
    """Reads, bytes read, writes, bytes written, discards, bytes discarded; and seconds of each of the three."""
    with open("/proc/diskstats", encoding="ascii") as file:
        for line in file:
            words = line.split()
            if words[2] == disk:
                n = [int(word) for word in words[3:]]
                return (n[0], n[2] * 512, n[4], n[6] * 512, n[11], n[13] * 512,
                        n[3] / 1e3, n[7] / 1e3, n[14] / 1e3)
    raise AssertionError(f"no disk {disk}")


def durable(mnt, device):
    """Writes that last until the disk has written its cache: their time is that of diskstats."""
    disk = os.path.basename(device)
    before = diskstats(disk)

    def act():
        fd = os.open(device, os.O_RDWR | os.O_DIRECT | os.O_DSYNC)
        block = mmap.mmap(-1, 4096)
        for i in range(1000):
            assert os.pwritev(fd, [block], i * 4096) == 4096

    pid = run(act)
    now = diskstats(disk)
    found = {row["op"]: row for row in disk_rows(mnt, disk) if row["pid"] == pid}
    assert 1000 - lost(mnt) <= found["write"]["requests"] <= 1000, found
    took = sum(row["time"] for row in found.values() if row["op"] in ("write", "flush"))
    kernel = now[7] - before[7]
    assert kernel * 0.8 - 0.005 <= took + 0.01 * lost(mnt) and took <= kernel * 1.3 + 0.05, (took, kernel, found)
    print(f"# 1000 writes took {took:.4f} s, of which diskstats says {kernel:.3f}")


def disk_rows(mnt, disk):
    return [row for row in rows(mnt, "block_io") if row["disk"] == disk]


def block_io(mnt, device):
    """Reads and writes of known sizes, past the page cache; and what /proc/diskstats counts of the disk."""
    disk = os.path.basename(device)
    before, mine = diskstats(disk), disk_rows(mnt, disk)

    def act():
        fd = os.open(device, os.O_RDWR | os.O_DIRECT)
        block = mmap.mmap(-1, 65536)
        for i in range(200):
            assert os.preadv(fd, [memoryview(block)[:4096]], i * 4096) == 4096
        for i in range(50):
            assert os.pwritev(fd, [block], i * 65536) == 65536
        os.fsync(fd)

    pid = run(act)
    found = {row["op"]: row for row in disk_rows(mnt, disk) if row["pid"] == pid}
    for op, requests, size in ("read", 200, 4096), ("write", 50, 65536):
        row = found[op]
        assert requests - lost(mnt) <= row["requests"] <= requests and row["bytes"] == size * row["requests"], row
    for row in found.values():
        assert row["errors"] == 0 and row["requests"] == sum(as_one(row["latency"])), row
        assert fits(row["latency"], row["time"]) and row["time"] > 0, row
    assert_sums(mnt, disk, before, mine)
    print(f"# {found['read']}")


def lost(mnt):
    """Requests of which the kernel did not tell the end, or calls that it left out; of all disks."""
    with open(f"{mnt}/status", encoding="ascii") as file:
        values = dict(line.rstrip("\n").split("\t") for line in file)
    return int(values["block_io.dropped"]) + missed(mnt, "block_io")


def sees_flushes():
    return tuple(int(part) for part in os.uname().release.split(".")[:2]) >= (6, 5)


def assert_sums(mnt, disk, before, mine):
    """What all rows of the disk have more than @mine is what the kernel counts more than @before."""
    def sums(some, op, name):
        return sum(row[name] for row in some if row["op"] == op)

    more = [now - old for now, old in zip(diskstats(disk), before)]
    now = disk_rows(mnt, disk)
    got = [sums(now, op, name) - sums(mine, op, name)
           for op in ("read", "write", "discard") for name in ("requests", "bytes")]
    # A flush that writes nothing may count as a write there.
    flushes = sums(now, "flush", "requests") - sums(mine, "flush", "requests")
    if not sees_flushes():
        assert not flushes
        flushes = 4  # that nobody tells of
    gone = lost(mnt)
    for i in 0, 2, 4:
        spare = gone + (flushes if i == 2 else 0)
        assert got[i] <= more[i] <= got[i] + spare, (got, more, flushes, gone)
        assert got[i + 1] == more[i + 1] or gone, (got, more, gone)


def buffered(mnt, device):
    """What the page cache writes later is of who writes then: no byte is lost."""
    disk = os.path.basename(device)
    before, mine = diskstats(disk), disk_rows(mnt, disk)

    def act():
        with open(device, "r+b", buffering=0) as file:
            for _ in range(32):
                file.write(b"k" * 262144)
            os.fsync(file.fileno())

    run(act)
    until(lambda: diskstats(disk)[3] - before[3] >= 32 * 262144)
    time.sleep(0.2)
    assert_sums(mnt, disk, before, mine)


def failing(mnt, device):
    """Reads of what the file behind the disk has no more."""
    disk = os.path.basename(device)

    def act():
        fd = os.open(device, os.O_RDONLY | os.O_DIRECT)
        block = mmap.mmap(-1, 4096)
        for _ in range(7):
            with contextlib.suppress(OSError):
                os.preadv(fd, [block], 1 << 20)

    pid = run(act)
    [row] = [row for row in disk_rows(mnt, disk) if row["pid"] == pid and row["op"] == "read"]
    assert 7 - lost(mnt) <= row["errors"] == row["requests"] <= 7, row


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
