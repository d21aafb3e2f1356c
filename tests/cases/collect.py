# SPDX-License-Identifier: GPL-2.0-only
"""What collectors have counted, against who made it: wait4(2), /proc and the test itself."""
import csv
import ctypes
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time

PAGE = os.sysconf("SC_PAGE_SIZE")
CLK_TCK = os.sysconf("SC_CLK_TCK")
PR_SET_NAME = 15
# What the last thread may use behind wait4(2), on its way to its last switch: some 50 us, but what
# a hypervisor takes meanwhile counts as well.
BEHIND = float(os.environ.get("BEHIND", 0.05))
LIBC = ctypes.CDLL(None, use_errno=True)


def rows(mnt, view="exits"):
    with open(f"{mnt}/json/{view}.json", encoding="utf-8", errors="surrogateescape") as f:
        return [json.loads(line) for line in f]


def by_pid(mnt):
    found = {}
    for row in rows(mnt):
        assert (row["pid"], row["start_boot"]) not in found, row
        found[row["pid"], row["start_boot"]] = row
    latest = {}
    for row in sorted(found.values(), key=lambda r: r["end"]):
        latest[row["pid"]] = row
    return latest


def started(pid):
    """Seconds since boot, to the tick."""
    with open(f"/proc/{pid}/stat", "rb") as f:
        return int(f.read().rpartition(b") ")[2].split()[19]) / CLK_TCK


def child(act):
    """A process that acts once it is told to: its pid, and what tells it."""
    told, go = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            os.close(go)
            os.read(told, 1)
            act()
            os._exit(0)
        finally:
            os._exit(99)
    os.close(told)
    return pid, go


def tell(go):
    os.write(go, b"x")
    os.close(go)


def settled(mnt, pid, usage):
    """Its row, once its last thread was switched away: what it has used is known then."""
    want = usage.ru_utime + usage.ru_stime
    for _ in range(200):
        row = by_pid(mnt).get(pid)
        if row and row["cputime"] >= want - 2e-6:
            return row
        time.sleep(0.01)
    raise AssertionError((pid, want, row))


def spin(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def take(size):
    block = bytearray(size)
    for i in range(0, size, PAGE):
        block[i] = 1
    return block


def raise_signal(number):
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if number != signal.SIGKILL:
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    signal.pause()


def rename(name):
    LIBC.prctl(PR_SET_NAME, name, 0, 0, 0)


def truth(mnt):
    """Of each: what wait4 gives, and what its parent knows of it."""
    acts = [lambda n=n: os._exit(n) for n in (0, 1, 3, 127, 255)]
    acts += [lambda n=n: raise_signal(n)
             for n in (signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV, signal.SIGPIPE, 64)]
    acts += [lambda: spin(0.3), lambda: spin(0.002), lambda: take(64 << 20), lambda: os.setresuid(21001, 1, 1)]
    acts += [lambda n=n: rename(n) for n in (b"a b\nc", b"\x1b[31m", b"\xff\xfe", b"fifteen chars..", b"(x) y", b"")]
    made = [child(act) for act in acts]
    starts = {pid: started(pid) for pid, _ in made}
    for i, (pid, go) in enumerate(made):
        before = time.time()
        tell(go)
        _, status, usage = os.wait4(pid, 0)
        row = settled(mnt, pid, usage)
        after = time.time()
        assert row["ppid"] == os.getpid() and row["uid"] == (21001 if i == 13 else 0), row
        code = None if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
        number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
        assert (number is not None) == (5 <= i < 10), (i, status)
        assert (row["code"], row["signal"], row["core"]) == (code, number, int(os.WCOREDUMP(status))), (row, status)
        used = usage.ru_utime + usage.ru_stime
        assert -2e-6 <= row["cputime"] - used < BEHIND, (row, used)
        assert row["rss_peak"] == usage.ru_maxrss << 10, (row, usage.ru_maxrss)
        assert starts[pid] <= row["start_boot"] < starts[pid] + 1 / CLK_TCK, (row, starts[pid])
        assert before - 0.001 <= row["end"] <= after + 0.001, (before, row, after)
        assert abs(row["end"] - row["start"] - (time.clock_gettime(time.CLOCK_BOOTTIME) - row["start_boot"])) < 5
    with open(f"{mnt}/csv/exits.csv", newline="", encoding="utf-8", errors="surrogateescape") as f:
        names = {int(r["pid"]): os.fsencode(r["comm"]) for r in csv.DictReader(f)}
    with open("/proc/self/comm", "rb") as f:
        own = f.read().rstrip(b"\n")
    for i, (pid, _) in enumerate(made):
        want = (b"a b\nc", b"\x1b[31m", b"\xff\xfe", b"fifteen chars..", b"(x) y", b"")[i - 14] if i >= 14 else own
        assert names[pid] == want, (i, names[pid], want)
    print(f"# {len(made)} processes as wait4 says")


def threads(mnt):
    """A leader that has ended long before its process; the time of all threads counts."""
    def act():
        def late():
            spin(0.2)
            os._exit(7)
        def early():
            spin(0.1)
        rename(b"leader")
        for target in (early, early, late):
            threading.Thread(target=target).start()
        LIBC.pthread_exit(None)

    pid, go = child(act)
    tell(go)
    _, status, usage = os.wait4(pid, 0)
    row = settled(mnt, pid, usage)
    assert os.WEXITSTATUS(status) == row["code"] == 7 and row["comm"] == "leader", row
    assert row["cputime"] - usage.ru_utime - usage.ru_stime < BEHIND and row["cputime"] > 0.4, (row, usage)
    assert len([r for r in rows(mnt) if r["pid"] == pid]) == 1
    print(f"# {row['cputime']:.3f} s of 4 threads")


def ring(mnt):
    """More than there are places: the last ones are there, each once."""
    made, made_at = [], time.time()
    for i in range(4600):
        pid = os.fork()
        if not pid:
            os._exit(i % 251)
        os.waitpid(pid, 0)
        made.append((pid, i % 251))
    found = rows(mnt)
    assert len(found) == 4096, len(found)
    assert len({(r["pid"], r["start_boot"]) for r in found}) == 4096
    # Others end as well meanwhile: however many, of the test's own the last ones are left, without a gap.
    began = made_at - (time.time() - time.clock_gettime(time.CLOCK_BOOTTIME))
    own = sorted((r for r in found if r["ppid"] == os.getpid() and r["start_boot"] >= began), key=lambda r: r["end"])
    assert [(r["pid"], r["code"]) for r in own] == made[len(made) - len(own):], len(own)
    assert 0 < len(own) <= 4096
    print(f"# {len(own)} of 4096 rows are of the test")


def storm(mnt, seconds):
    """Readers beside four that fork as fast as they can."""
    def forks():
        while True:
            pid = os.fork()
            if not pid:
                os._exit(0)
            os.waitpid(pid, 0)

    with open("/proc/self/comm", encoding="ascii") as f:
        own = f.read().rstrip("\n")
    kids = []
    for _ in range(4):
        pid = os.fork()
        if not pid:
            forks()
        kids.append(pid)
    try:
        reads, end, least = 0, time.monotonic() + float(seconds), 4096
        while time.monotonic() < end:
            found = rows(mnt)
            keys = [(r["pid"], r["start_boot"]) for r in found]
            assert len(set(keys)) == len(keys), [k for k in keys if keys.count(k) > 1]
            for r in found:
                assert r["start"] <= r["end"] <= time.time() + 0.001 and r["pid"] > 0, r
                assert r["ppid"] not in kids or (r["code"], r["signal"], r["comm"]) == (0, None, own), r
            reads += 1
            least = min(least, len(found))
        print(f"# {reads} reads, the least had {least} rows")
    finally:
        for pid in kids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def total(mnt, name):
    return next((r for r in rows(mnt, "exit_totals") if r["comm"] == name), None)


def totals(mnt):
    """A name of one's own: all that bore it, to the last one."""
    start = time.time()
    sums = {"ended": 0, "failed": 0, "killed": 0, "cputime": 0, "rss_peak": 0}
    for i in range(900):
        pid = os.fork()
        if not pid:
            rename(b"of the test")
            if i % 3 == 1:
                os._exit(1)
            if i % 3 == 2:
                raise_signal(signal.SIGKILL)
            if i % 100 == 0:
                spin(0.01)
            os._exit(0)
        _, status, usage = os.wait4(pid, 0)
        sums["ended"] += 1
        sums["failed"] += os.WIFEXITED(status) and os.WEXITSTATUS(status) == 1
        sums["killed"] += os.WIFSIGNALED(status)
        sums["cputime"] += usage.ru_utime + usage.ru_stime
        sums["rss_peak"] = max(sums["rss_peak"], usage.ru_maxrss << 10)
    time.sleep(0.1)
    row = total(mnt, "of the test")
    for key in ("ended", "failed", "killed", "rss_peak"):
        assert row[key] == sums[key], (key, row, sums)
    assert -900e-6 < row["cputime"] - sums["cputime"] < 0.9, (row, sums)
    assert start < row["last"] <= time.time() and 0 < row["lifetime"] < 2 * (time.time() - start), row
    print(f"# 900 processes, {row['cputime']:.3f} s as wait4's {sums['cputime']:.3f}")


def names(mnt):
    """More names than there are rows: the others are in one, and nothing is lost."""
    before = sum(r["ended"] for r in rows(mnt, "exit_totals"))
    for i in range(4300):
        pid = os.fork()
        if not pid:
            rename(b"name %d" % i)
            os._exit(0)
        os.waitpid(pid, 0)
    found = rows(mnt, "exit_totals")
    rest = [r for r in found if r["comm"] is None]
    own = [r for r in found if (r["comm"] or "").startswith("name ")]
    assert len(rest) == 1 and len(found) <= 4096 and len({r["comm"] for r in found}) == len(found)
    assert all(r["ended"] == 1 for r in own) and len(own) > 3500, len(own)
    assert len(own) + rest[0]["ended"] >= 4300, (len(own), rest)
    assert sum(r["ended"] for r in found) >= before + 4300
    print(f"# {len(own)} names, {rest[0]['ended']} processes of others")


def has_args():
    return tuple(int(part) for part in os.uname().release.split(".")[:2]) >= (6, 16)


def args(mnt):
    """What was executed; of long ones the first 256 bytes, and that there are more."""
    true = shutil.which("true")
    odd = ["a b", "", "\n\x1b[1m", "\udcff", "-", ""]
    for more in odd, [], ["x" * 255], ["y" * 100, "z" * 200], [str(i) for i in range(500)]:
        ended = subprocess.Popen([true, *more])
        ended.wait()
        got = by_pid(mnt)[ended.pid]["args"]
        data = b"".join(os.fsencode(word) + b"\0" for word in [true, *more])
        want = [part.decode(errors="replace") for part in data[:256].removesuffix(b"\0").split(b"\0")]
        if len(data) > 256:
            want.append("(too long)")
        assert got == (want if has_args() else None), (got, want)


def group(mnt, path):
    """A control group that is removed at once, named as a container's."""
    os.mkdir(path)
    pid, go = child(lambda: None)
    with open(f"{path}/cgroup.procs", "w", encoding="ascii") as f:
        f.write(str(pid))
    tell(go)
    os.waitpid(pid, 0)
    os.rmdir(path)
    row = by_pid(mnt)[pid]
    name = os.path.basename(path)
    assert row["cgroup"] == f"/{name}" and row["container"] == name.removesuffix(".scope")[-64:], row


def other_group(mnt, path):
    """A container that a hierarchy of v1 names: its processes have it, and those beside them have not."""
    os.mkdir(path)
    inside, beside = child(lambda: None), child(lambda: None)
    with open(f"{path}/cgroup.procs", "w", encoding="ascii") as f:
        f.write(str(inside[0]))
    for pid, go in (inside, beside):
        tell(go)
        os.waitpid(pid, 0)
    os.rmdir(path)
    found = by_pid(mnt)
    assert found[inside[0]]["container"] == os.path.basename(path), found[inside[0]]
    assert found[beside[0]]["container"] is None, found[beside[0]]
    assert found[inside[0]]["cgroup"] == found[beside[0]]["cgroup"]


def long_group(mnt, path):
    """More than 256 bytes, with an escape code; and a process behind it."""
    deep = [path, f"{path}/a \x1b[31m", f"{path}/a \x1b[31m/{'x' * 255}"]
    for part in deep:
        os.mkdir(part)
    made = []
    for place in (deep[1], deep[2], path):
        pid, go = child(lambda: None)
        with open(f"{place}/cgroup.procs", "w", encoding="ascii") as f:
            f.write(str(pid))
        tell(go)
        os.waitpid(pid, 0)
        made.append(pid)
    for part in reversed(deep):
        os.rmdir(part)
    found = by_pid(mnt)
    name = os.path.basename(path)
    assert [found[pid]["cgroup"] for pid in made] == [f"/{name}/a \x1b[31m", "(too long)", f"/{name}"], found


def crowd(mnt):
    """Thousands that end at once; some of them amid changes of their names."""
    names = (b"a" * 15, b"b" * 15)

    def flip():
        with open(f"/proc/self/task/{os.getpid()}/comm", "wb", buffering=0) as f:
            while True:
                f.write(names[0])
                f.write(names[1])

    began, made, flips = time.time() - 0.01, [], []
    for i in range(2000):
        pid = os.fork()
        if not pid:
            if i % 50 == 0:
                threading.Thread(target=flip, daemon=True).start()
            signal.pause()
            os._exit(1)
        made.append(pid)
        if i % 50 == 0:
            flips.append(pid)
    time.sleep(1)
    for pid in made:
        os.kill(pid, signal.SIGKILL)
    for pid in made:
        os.waitpid(pid, 0)
    found = [r for r in rows(mnt) if r["ppid"] == os.getpid() and r["start"] >= began]
    assert sorted(r["pid"] for r in found) == sorted(made), (len(found), len(made))
    assert {r["signal"] for r in found} == {signal.SIGKILL}
    said = [r["comm"] for r in found if r["pid"] in flips]
    assert len(said) == 40 and set(said) <= {n.decode() for n in names}, said
    print(f"# {len(found)} at once, {len(said)} amid changes of their names")


def each_once(mnt):
    """Ends at many times of its last thread: exactly one row for each."""
    made = [subprocess.Popen(["sh", "-c", "exit 5"]) for _ in range(200)]
    for p in made:
        p.wait()
    found = rows(mnt)
    for p in made:
        mine = [r for r in found if r["pid"] == p.pid and r["ppid"] == os.getpid()]
        assert len(mine) == 1 and mine[0]["code"] == 5, (p.pid, mine)


def at_once(mnt):
    """Threads that end at the same time, each of which may be the last: one row for their process."""
    made = []
    for _ in range(400):
        def act():
            rename(b"many threads")
            for _ in range(7):
                threading.Thread(target=signal.pause, daemon=True).start()
            os.kill(os.getpid(), signal.SIGKILL)
        pid, go = child(act)
        tell(go)
        _, _, usage = os.wait4(pid, 0)
        made.append((pid, usage.ru_utime + usage.ru_stime))
    found = [r for r in rows(mnt) if r["comm"] == "many threads" and r["ppid"] == os.getpid()]
    assert sorted(r["pid"] for r in found) == sorted(pid for pid, _ in made), (len(found), len(made))
    row = total(mnt, "many threads")
    assert row["ended"] == row["killed"] == len(made), row
    used = dict(made)
    short = sum(max(0, used[r["pid"]] - r["cputime"]) for r in found)
    assert short < 0.002 * len(made), short
    print(f"# {len(made)} processes of 8 threads that end at once, {short * 1e6 / len(made):.0f} us less than wait4 each")


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
