# SPDX-License-Identifier: GPL-2.0-only
"""What collectors have counted of processes, against what the processes of the test did."""
import contextlib
import ctypes
import json
import mmap
import os
import resource
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

from collect import LIBC, child, rename, rows, tell

PAGE = mmap.PAGESIZE
ALICE = 21001


def of(mnt, view, pid):
    return [row for row in rows(mnt, view) if row["pid"] == pid]


def run(act):
    """A process that acts and ends well: its pid, which is its parent's to know before."""
    pid, go = child(act)
    tell(go)
    _, status = os.waitpid(pid, 0)
    assert status == 0, f"{act} ended with {status:#x}"
    return pid


def missed(mnt, view):
    """Calls of collectors that the kernel left out: where programs are preempted, some are."""
    with open(f"{mnt}/status", encoding="ascii") as file:
        lines = [line.split("\t") for line in file]
    return sum(int(value) for name, value in lines if name.startswith(f"{view}.") and name.endswith(".missed"))


def is_all(mnt, view, want, got):
    """None is counted twice, and those alone are not that the kernel left out."""
    return want - missed(mnt, view) <= got <= want


def counts(mnt, pid):
    """Of system calls, by (call, errno)."""
    found = {}
    for row in of(mnt, "syscalls", pid):
        key = row["call"], row["error"]
        assert key not in found and row["abi"] == "native", row
        found[key] = row
    return found


def until(what):
    end = time.monotonic() + 30
    while not what():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.01)


# --- syscalls ---


def loops(mnt):
    """Known numbers of calls, of several threads, with errors and without; and how long they took."""
    def act():
        def some():
            for _ in range(500):
                os.getppid()
            for _ in range(200):
                LIBC.close(-1)
        threads = [threading.Thread(target=some) for _ in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        for _ in range(70):
            with contextlib.suppress(FileNotFoundError):
                os.chdir("/nope")
        for _ in range(5):
            time.sleep(0.02)
        os.chdir("/")

    pid = run(act)
    found = counts(mnt, pid)
    want = {("getppid", None): 2000, ("close", "ebadf"): 800, ("chdir", "enoent"): 70, ("chdir", None): 1,
            ("clock_nanosleep", None): 5}
    got = {key: found[key]["count"] for key in want}
    assert all(is_all(mnt, "syscalls", want[key], got[key]) for key in want), (got, want)
    slept = found["clock_nanosleep", None]["time"]
    assert 0.09 <= slept < 0.6, slept
    assert 0 < found["getppid", None]["time"] < 1, found["getppid", None]
    assert "exit_group" not in {call for call, _ in found}, "it has not returned"
    assert all(row["end"] for row in found.values())
    print(f"# {len(found)} kinds of calls, 0.1 s asleep: {slept:.4f}")


def begun(mnt):
    """Calls that last: a child of a fork has no fork, a process that executes another keeps its rows."""
    r, w = os.pipe()

    def act():
        os.read(q, 1)
        os.read(r, 1)
        os.execv("/bin/sh", ["sh", "-c", "exit 0"])

    q, w2 = os.pipe()
    pid, go = child(act)
    tell(go)
    os.write(w2, b"x")
    key = "read", None
    # One to begin, one that has been answered, and a third that has not.
    until(lambda: key in counts(mnt, pid) and counts(mnt, pid)[key]["count"] == 2)
    time.sleep(0.3)
    before = counts(mnt, pid)
    os.write(w, b"x")
    os.waitpid(pid, 0)
    after = counts(mnt, pid)
    assert before[key]["count"] == 2 and after[key]["count"] > 2, (before, after)
    assert after[key]["time"] - before[key]["time"] > 0.3, (before[key], after[key])
    assert after["execve", None]["count"] == 1 and {row["comm"] for row in after.values()} == {"sh"}
    assert not {call for call, _ in after} & {"fork", "vfork", "clone", "clone3"}, after.keys()
    assert not before[key]["end"] and after[key]["end"]


def compat(mnt, program):
    """Calls of the other kind of a process, which has both."""
    pid = subprocess.Popen([program])
    pid.wait()
    found = {(row["abi"], row["call"]): row["count"] for row in of(mnt, "syscalls", pid.pid)}
    # 20 is getpid() for 32 bits, writev() for 64.
    assert found["compat", "writev"] == 7 and found["native", "getppid"] == 1, found


def interrupted(mnt):
    """A signal ends a call with an errno that only the kernel sees, and it is begun again."""
    r, w = os.pipe()

    def act():
        signal.signal(signal.SIGUSR1, lambda *_: None)
        signal.siginterrupt(signal.SIGUSR1, False)
        LIBC.read(r, ctypes.create_string_buffer(1), 1)

    pid, go = child(act)
    tell(go)
    for _ in range(3):
        time.sleep(0.2)
        os.kill(pid, signal.SIGUSR1)
    time.sleep(0.2)
    os.write(w, b"x")
    os.waitpid(pid, 0)
    found = counts(mnt, pid)
    assert found["read", "erestartsys"]["count"] == 3 and found["read", None]["count"] == 2, found
    assert [error for call, error in found if call == "rt_sigreturn"] == [None], found


def answered(mnt):
    """By seccomp, which lets no call begin: getppid is refused."""
    number = {"x86_64": 110, "aarch64": 173}[os.uname().machine]
    code = [(0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x00050001), (0x06, 0, 0, 0x7fff0000)]
    program = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in code))

    def act():
        filters = struct.pack("@HP", len(code), ctypes.addressof(program))
        assert LIBC.prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS
        assert LIBC.prctl(22, 2, filters, 0, 0) == 0  # PR_SET_SECCOMP
        for _ in range(100):
            LIBC.getppid()

    found = counts(mnt, run(act))
    row = found["getppid", "eperm"]
    assert is_all(mnt, "syscalls", 100, row["count"]) and ("getppid", None) not in found, found


def invented(mnt):
    """Numbers that no machine has are in one row, and nobody gets the rows of all."""
    def act():
        for _ in range(9):
            LIBC.syscall(0x10000 + 39)
            LIBC.syscall(-1)
        for number in range(470, 1024):
            LIBC.syscall(number)

    before = sum(row["count"] for row in rows(mnt, "syscalls") if row["pid"] is None)
    pid = run(act)
    own = of(mnt, "syscalls", pid)
    after = sum(row["count"] for row in rows(mnt, "syscalls") if row["pid"] is None)
    [none] = [row for row in own if row["call"] is None]
    assert is_all(mnt, "syscalls", 18, none["count"]) and none["error"] == "enosys", none
    assert len(own) == 512 and after - before >= 554 - 512, (len(own), before, after)


def names(mnt):
    """The last one, whatever it is; of the process, not of the thread."""
    made = []
    for name in (b"a b\nc", b"\x1b[31m", b"fifteen chars.."):
        def act(name=name):
            os.getppid()
            def other():
                rename(b"a thread")
                os.getppid()
            t = threading.Thread(target=other)
            t.start()
            t.join()
            rename(name)
            os.getppid()
        made.append((run(act), name.decode()))
    for pid, name in made:
        assert {row["comm"] for row in of(mnt, "syscalls", pid)} == {name}, (pid, name)
        assert counts(mnt, pid)["getppid", None]["count"] == 3
    pid, go = child(lambda: (os.getppid(), os.setresuid(ALICE, ALICE, ALICE), os.getppid(), signal.pause()))
    tell(go)
    until(lambda: counts(mnt, pid).get(("getppid", None), {"count": 0})["count"] == 2)
    assert {row["uid"] for row in of(mnt, "syscalls", pid)} == {ALICE}
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def storm(mnt, number):
    """More processes than there are places, each for a short time: rows of the last ones, none mixed."""
    made = {}
    for i in range(int(number)):
        pid = os.fork()
        if not pid:
            for _ in range(i % 7 + 1):
                os.getppid()
            os._exit(0)
        os.waitpid(pid, 0)
        made[pid] = i
    last = {pid: i for pid, i in made.items() if i >= int(number) - 500}
    found = {}
    for row in rows(mnt, "syscalls"):
        if row["call"] == "getppid" and row["pid"] in last:
            assert row["end"], row
            found.setdefault(row["pid"], []).append((row["start_boot"], row["count"]))
    for pid, i in last.items():
        assert max(found[pid])[1] == i % 7 + 1, (pid, i, found[pid])
    print(f"# {number} processes, rows of the last 500 are right")


# --- traffic ---


def traffic(mnt):
    """What the test sent, by every call that sends; to the byte."""
    def act():
        a, b = socket.socketpair()
        for _ in range(4):
            for _ in range(25):
                a.send(b"x" * 1000)
            b.recv(1000, socket.MSG_PEEK)
            got = 0
            while got < 25000:
                got += len(b.recv(4096))
        b.setblocking(False)
        for _ in range(10):
            with contextlib.suppress(BlockingIOError):
                b.recv(1)
        for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            s = socket.socket(family)
            s.bind((address, 0))
            s.listen()
            c = socket.create_connection(s.getsockname()[:2])
            d, _ = s.accept()
            c.sendmsg([b"y" * 300, b"z" * 200])
            os.write(c.fileno(), b"w" * 500)
            left = 20000
            while left: # it may send a part
                left -= os.sendfile(c.fileno(), os.open(sys.executable, os.O_RDONLY), 0, left)
            got = 0
            while got < 21000:
                got += len(d.recv(65536))
            d.close()
            assert c.recv(10) == b""
            u = socket.socket(family, socket.SOCK_DGRAM)
            u.bind((address, 0))
            u.sendto(b"q" * 77, u.getsockname())
            assert len(u.recv(50)) == 50
            with contextlib.suppress(OSError):
                u.sendto(b"q" * 70000, u.getsockname())

    pid = run(act)
    found = {row["family"]: row for row in of(mnt, "traffic", pid)}
    assert set(found) == {"unix", "inet", "inet6"}, found
    assert (found["unix"]["sent"], found["unix"]["sends"], found["unix"]["received"]) == (100000, 100, 100000), found
    for family in "inet", "inet6":
        row = found[family]
        assert row["sent"] == 21000 + 77 and row["received"] == 21000 + 50, row
        assert row["sends"] >= 4 and row["receives"] >= 3, row
    print(f"# {found['inet']}")


def threads(mnt):
    """Of one process, at once, in one row."""
    def act():
        def some():
            a, b = socket.socketpair()
            for _ in range(2000):
                a.send(b"12345")
                b.recv(5)
        all_ = [threading.Thread(target=some) for _ in range(8)]
        for t in all_:
            t.start()
        for t in all_:
            t.join()

    [row] = of(mnt, "traffic", run(act))
    for calls, size in ("sends", "sent"), ("receives", "received"):
        assert is_all(mnt, "traffic", 16000, row[calls]) and row[size] == 5 * row[calls], row


def crowd(mnt, number):
    """More that live at once than there are places: the others together are in one row."""
    number, made = int(number), []
    a, b = socket.socketpair()
    said, say = os.pipe()
    rest = sum(row["sent"] for row in rows(mnt, "traffic") if row["pid"] is None)
    try:
        for _ in range(number):
            pid = os.fork()
            if not pid:
                a.send(b"x")
                os.write(say, b"x")
                signal.pause()
                os._exit(0)
            made.append(pid)
            assert b.recv(1) and os.read(said, 1)
        found = rows(mnt, "traffic")
    finally:
        for pid in made:
            os.kill(pid, signal.SIGKILL)
        for pid in made:
            os.waitpid(pid, 0)
    own = [row for row in found if row["pid"] in set(made) and row["family"] == "unix" and not row["end"]]
    [others] = [row for row in found if row["pid"] is None]
    assert all((row["sent"], row["sends"]) == (1, 1) for row in own) and len(own) > 6000, len(own)
    assert others["sent"] - rest >= number - len(own) > 0, (others, number, len(own))
    assert others["family"] is None and others["comm"] is None and others["start_boot"] is None, others
    # There is room again.
    pid = run(lambda: a.send(b"again"))
    assert [row["sent"] for row in of(mnt, "traffic", pid)] == [5]
    print(f"# {number} processes, {len(own)} with a row, {others['sent']} bytes of others")


# --- page_faults, oom_kills, refused ---


def faults(mnt):
    """Pages that are touched for the first time, by the program and by system calls."""
    def act():
        time.sleep(0)
        usage = resource.getrusage(resource.RUSAGE_SELF)
        before = usage.ru_minflt + usage.ru_majflt
        own, read, other = (mmap.mmap(-1, 1000 * PAGE, mmap.MAP_PRIVATE) for _ in range(3))
        for block in own, read, other:
            block.madvise(mmap.MADV_NOHUGEPAGE)
        for i in range(0, 1000 * PAGE, PAGE):
            own[i] = 1
        for i in range(0, 700 * PAGE, PAGE):
            assert read[i] == 0
        with open("/dev/zero", "rb", buffering=0) as zero:
            zero.readinto(memoryview(other)[:500 * PAGE])
        usage = resource.getrusage(resource.RUSAGE_SELF)
        with open(out, "w", encoding="ascii") as file:
            file.write(str(usage.ru_minflt + usage.ru_majflt - before))

    out = f"/tmp/kview-faults-{os.getpid()}"
    try:
        pid = run(act)
        with open(out, encoding="ascii") as file:
            usage = int(file.read())
    finally:
        os.unlink(out)
    [row] = of(mnt, "page_faults", pid)
    assert 2200 <= usage, usage
    assert row["user"] >= 1700 and row["kernel"] >= 500 and row["writes"] >= 1500, row
    # Before and behind the two looks there are some more.
    assert usage <= (row["user"] + row["kernel"]) * 1.02 and row["user"] + row["kernel"] < usage + 1500, (row, usage)
    print(f"# {row['user']} + {row['kernel']} faults, of which getrusage saw {usage}")


def memory_group():
    """A control group for memory, and the name of its limit, of v1 or v2."""
    with open("/proc/self/mounts", encoding="ascii") as file:
        for line in file:
            _, where, kind, options, *_ = line.split()
            if kind == "cgroup" and "memory" in options.split(","):
                return where, "memory.limit_in_bytes"
            if kind == "cgroup2":
                with open(f"{where}/cgroup.controllers", encoding="ascii") as has:
                    if "memory" in has.read().split():
                        with open(f"{where}/cgroup.subtree_control", "w", encoding="ascii") as on:
                            on.write("+memory")
                        return where, "memory.max"
    raise AssertionError("no controller for memory")


def oom(mnt):
    where, limit = memory_group()
    group = f"{where}/kview-test-{os.getpid()}"
    os.mkdir(group)
    try:
        with open(f"{group}/{limit}", "w", encoding="ascii") as file:
            file.write(str(64 << 20))

        def act():
            with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
                file.write("345")
            with open(f"{group}/cgroup.procs", "w", encoding="ascii") as file:
                file.write(str(os.getpid()))
            os.setresuid(ALICE, ALICE, ALICE)
            rename(b"of much memory")
            while True:
                block = mmap.mmap(-1, 256 << 20, mmap.MAP_PRIVATE)
                for i in range(0, 256 << 20, PAGE):
                    block[i] = 1

        before = time.time()
        pid, go = child(act)
        tell(go)
        _, status = os.waitpid(pid, 0)
        assert os.WTERMSIG(status) == signal.SIGKILL, status
        [row] = of(mnt, "oom_kills", pid)
        assert row["comm"] == row["asker_comm"] == "of much memory" and row["asker"] == pid, row
        assert (row["uid"], row["score_adj"]) == (ALICE, 345), row
        assert before <= row["time"] + 0.01 and row["time"] <= time.time() + 0.01, (before, row)
    finally:
        os.rmdir(group)


def refused(mnt, where):
    """Opens that fail, and those that come as far as the security modules."""
    with open(f"{where}/secret", "w", encoding="ascii"):
        os.chmod(f"{where}/secret", 0o600)

    def act():
        os.setresuid(ALICE, ALICE, ALICE)
        for path, times in ((f"{where}/nope", 50), (f"{where}/secret", 30), (f"{where}/secret/x", 20)):
            for _ in range(times):
                with contextlib.suppress(OSError):
                    os.open(path, os.O_RDONLY)
        for _ in range(40):
            os.close(os.open("/dev/null", os.O_RDONLY))

    pid = run(act)
    found = {(row["what"], row["error"]): row["count"] for row in of(mnt, "refused", pid)}
    want = {("failed", "enoent"): 50, ("failed", "eacces"): 30, ("failed", "enotdir"): 20, ("begun", None): 140,
            ("security_hook", None): 40}
    slack = missed(mnt, "refused")
    assert set(found) == set(want), found
    assert all(want[key] - slack <= found[key] <= want[key] for key in want), found
    print(f"# {found}")


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
