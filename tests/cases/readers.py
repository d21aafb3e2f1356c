#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Readers that no shell tool is: readers.py CASE MOUNT ARG...

Every case ends with status 0 or an assertion. What is read is checked against
/proc, the csv and json modules, and the columns of schema/VIEW.
"""
import collections
import csv
import ctypes
import errno
import io
import json
import mmap
import os
import random
import signal
import socket
import sys
import threading
import time

from views import VIEWS

FORMATS = {"text": "%s", "json": "json/%s.json", "csv": "csv/%s.csv"}
KEEP = 128 << 10
# A row for each view of sockets: a machine may have none but these.
SOCKETS = [socket.socket(*kind) for kind in (
    (socket.AF_INET, socket.SOCK_DGRAM), (socket.AF_INET, socket.SOCK_STREAM), (socket.AF_UNIX,),
    (socket.AF_NETLINK, socket.SOCK_RAW, 0))]
for _at in SOCKETS[:2]:
    _at.bind(("127.0.0.1", 0))
SOCKETS[1].listen()
FAR = 1 << 40  # behind the end of every file: one read that takes all rows


def slurp(path, size=1 << 20):
    """The whole file by read(2) of one size; "" is the only end."""
    fd = os.open(path, os.O_RDONLY)
    try:
        return drain(fd, size)
    finally:
        os.close(fd)


def drain(fd, size=1 << 20):
    parts = []
    while part := os.read(fd, size):
        parts.append(part)
    return b"".join(parts)


def fails(number, call, *args):
    """The call must fail, and with that errno."""
    try:
        got = call(*args)
    except OSError as e:
        assert e.errno == number, f"{e} instead of {errno.errorcode[number]}"
        return
    raise AssertionError(f"{got!r} instead of {errno.errorcode[number]}")


def wait_for(what, seconds=20.0):
    """Polls a condition; its value, or None when the time is over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := what():
            return value
        time.sleep(0.005)
    return None


# --- what a file must look like ---


def columns(mnt, view):
    lines = slurp(f"{mnt}/schema/{view}").decode().splitlines()
    return [line.split("\t")[0] for line in lines if line.split("\t")[0] != "column"]


def parse_text(data, cols):
    lines = data.split(b"\n")
    assert lines.pop() == b"", "the last line has no end"
    header = lines.pop(0)
    assert header.split() == [c.upper().encode() for c in cols], header
    rows = []
    for line in lines:
        line.decode()  # valid UTF-8 only
        fields = line.split()  # of bytes: at ASCII blanks alone, as awk
        assert len(fields) == len(cols), (len(fields), line)
        assert line != header, "a second header"
        assert min(line) >= 0x20 and 0x7F not in line, line
        assert not line.endswith(b" "), line
        rows.append([f.decode() for f in fields])
    return rows


def parse_json(data, cols):
    lines = data.split(b"\n")
    assert lines.pop() == b"", "the last line has no end"
    rows = []
    for line in lines:
        row = json.loads(line.decode(), object_pairs_hook=list)
        assert [k for k, _ in row] == cols, line
        rows.append([str(v) for _, v in row])
    return rows


def parse_csv(data, cols):
    assert data.endswith(b"\n")
    text = io.StringIO(data.decode("utf-8", "surrogateescape"), newline="")
    rows = list(csv.reader(text, strict=True))
    assert rows.pop(0) == cols
    for row in rows:
        assert len(row) == len(cols), row
        assert row != cols, "a second header"
    return rows


PARSERS = {"text": parse_text, "json": parse_json, "csv": parse_csv}


def parse(mnt, view, kind, data):
    """Rows as dicts of strings."""
    cols = columns(mnt, view)
    return [dict(zip(cols, row)) for row in PARSERS[kind](data, cols)]


def read_view(mnt, view, kind, below=""):
    return parse(mnt, view, kind, slurp(f"{mnt}/{below}{FORMATS[kind] % view}"))


# --- what /proc says of a process that holds still ---


def proc_task(pid):
    return [(pid, int(tid)) for tid in os.listdir(f"/proc/{pid}/task")]


def proc_task_file(pid):
    return [(pid, int(fd)) for fd in os.listdir(f"/proc/{pid}/fd")]


def proc_task_vma(pid):
    with open(f"/proc/{pid}/maps") as maps:
        lines = [line.split() for line in maps]
    return [(pid, *(int(x, 16) for x in line[0].split("-"))) for line in lines]


PROC = {"task": proc_task, "task_file": proc_task_file, "task_vma": proc_task_vma}
KEYS = {
    "task": lambda r: (int(r["pid"]), int(r["tid"])),
    "task_file": lambda r: (int(r["pid"]), int(r["fd"])),
    "task_vma": lambda r: (int(r["pid"]), int(r["start"], 16), int(r["end"], 16)),
}


def crowd_pids(path):
    with open(path) as f:
        pids = [int(line) for line in f if line != "ready\n"]
    assert pids
    return pids


def expected(pids, view):
    return collections.Counter(key for pid in pids for key in PROC[view](pid))


def check_rows(rows, pids, view, want):
    """Every row of those processes is there, once, and nothing else of them."""
    mine = set(pids)
    got = collections.Counter(KEYS[view](r) for r in rows if int(r["pid"]) in mine)
    assert got == want, (view, list((want - got).items())[:5], list((got - want).items())[:5])


def check_all(mnt, pids, wants, views=VIEWS):
    for view in views:
        for kind in FORMATS:
            rows = read_view(mnt, view, kind)
            assert rows or view == "dmabuf", (view, kind)  # which needs a device
            if view in KEYS:
                check_rows(rows, pids, view, wants[view])


def case_crowd(mnt, crowd, *views):
    """All views show each of the crowd's rows once, as /proc does."""
    pids = crowd_pids(crowd)
    views = views or VIEWS
    wants = {view: expected(pids, view) for view in views if view in PROC}
    check_all(mnt, pids, wants, views)
    for view in wants:  # and the files of one process
        kind = random.choice(list(FORMATS))
        pid = pids[-1]
        rows = read_view(mnt, view, kind, f"pid/{pid}/")
        check_rows(rows, [pid], view, expected([pid], view))
        assert all(int(r["pid"]) == pid for r in rows)


def forks():
    with open("/proc/stat") as f:
        return next(int(x.split()[1]) for x in f if x.startswith("processes "))


def case_storm(mnt, crowd, storm):
    """While tasks come and go: well formed, and those that stay are there."""
    pids = crowd_pids(crowd)
    wants = {view: expected(pids, view) for view in PROC}
    before, end = forks(), time.monotonic() + 15
    for _ in range(5):
        check_all(mnt, pids, wants)
        tids = [r["tid"] for r in read_view(mnt, "task", "csv")]
        assert len(tids) == len(set(tids)), "a thread is listed twice"
        if time.monotonic() > end or not os.path.exists(f"/proc/{storm}"):
            break
    print(forks() - before, "processes came meanwhile")
    assert forks() - before > 1000, "that was no storm"


# --- seeking, sizes, ways to read ---


def case_seek(mnt, pid, grower):
    """`grower` is a process that gets another descriptor at SIGUSR1."""
    path = f"{mnt}/pid/{pid}/task_vma"
    ref = slurp(path)
    assert len(ref) > KEEP + 65536
    fd = os.open(path, os.O_RDONLY)
    start = b"".join(os.read(fd, 4096) for _ in range(4))
    for back in (1, 100, 4096, len(start)):
        os.lseek(fd, len(start) - back, os.SEEK_SET)
        got = os.read(fd, 4096)
        assert got == ref[len(start) - back :][: len(got)] and got
    os.lseek(fd, 200000, os.SEEK_SET)  # ahead: read and thrown away
    got = os.read(fd, 1000)
    assert got == ref[200000:201000]
    for back in (1, 1000, KEEP // 2, KEEP):
        assert os.pread(fd, 1000, 201000 - back) == ref[201000 - back :][:1000]
    # 128 KiB are sure, a bit more may be there, far more is not
    os.lseek(fd, 1, os.SEEK_SET)
    fails(errno.ESPIPE, os.read, fd, 1)
    os.lseek(fd, 201000, os.SEEK_SET)  # nothing is lost by that
    assert drain(fd) == ref[201000:]
    os.lseek(fd, 1, os.SEEK_SET)
    fails(errno.ESPIPE, os.read, fd, 1)
    os.lseek(fd, 0, os.SEEK_SET)
    assert drain(fd) == ref
    assert os.lseek(fd, 0, os.SEEK_END) == 0
    os.close(fd)
    seek_fresh(f"{mnt}/pid/{grower}/csv/task_file.csv", int(grower))


def seek_fresh(path, grower):
    with open(path, "rb") as f:
        before = f.read()
        n = len(os.listdir(f"/proc/{grower}/fd"))
        os.kill(grower, signal.SIGUSR1)
        assert wait_for(lambda: len(os.listdir(f"/proc/{grower}/fd")) > n)
        f.seek(0)
        after = f.read()
    assert before.count(b"\n") == n + 1 and after.count(b"\n") == n + 2


def case_sizes(mnt, pid):
    """Reads of any size give the same bytes, blocking or not."""
    for name in ("task_vma", "json/task_file.json", "csv/task_vma.csv"):
        path = f"{mnt}/pid/{pid}/{name}"
        ref = slurp(path, 65536)
        assert len(ref) > KEEP
        for size in (509, 4095, 4096, 8192, 32767, 131071, 131072, 131073, 1 << 20):
            assert slurp(path, size) == ref, (name, size)
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        assert drain(fd, 10000) == ref
        os.close(fd)
        fd = os.open(path, os.O_RDONLY)
        sizes = random.Random(1)
        got = b""
        while part := os.read(fd, sizes.choice((1, 2, 3, 100, 5000, 40000, 200000))):
            got += part
        assert got == ref
        for off in (len(ref), len(ref) + 1, FAR, (1 << 63) - 8192):
            assert os.pread(fd, 4096, off) == b"", off
        assert os.pread(fd, 4096, len(ref) - 1) == ref[-1:]
        os.close(fd)
    one_byte(f"{mnt}/pid/{pid}/task")


def one_byte(path):
    """A row of a task that sleeps moves in nothing but times: compare shape."""
    got = slurp(path, 1)
    assert [len(x.split()) for x in got.splitlines()] == [
        len(x.split()) for x in slurp(path).splitlines()
    ]


def case_pread(mnt, pid):
    path = f"{mnt}/pid/{pid}/csv/task_vma.csv"
    ref = slurp(path)
    fd = os.open(path, os.O_RDONLY)
    drain(fd)
    dice = random.Random(2)
    for _ in range(2000):
        off = dice.randrange(len(ref) - KEEP, len(ref))
        size = dice.randrange(1, 9000)
        got = os.pread(fd, size, off)
        assert got == ref[off : off + size], (off, size)
    bufs = [bytearray(n) for n in (1, 10, 4096, 70000)]
    off = len(ref) - 80000
    n = os.preadv(fd, bufs, off)
    assert n > 4107 and b"".join(bufs)[:n] == ref[off : off + n]
    os.lseek(fd, 0, os.SEEK_SET)
    n = os.readv(fd, bufs)
    assert n > 4107 and b"".join(bufs)[:n] == ref[:n]
    os.close(fd)


def case_zero_copy(mnt, pid, scratch):
    """
    The kernel asks for a file's size before it splices (since 6.5), so of a
    size of 0 it may take nothing, as an end; what it takes must be right.
    """
    path = f"{mnt}/pid/{pid}/task_vma"
    ref = slurp(path)
    out = os.open(scratch, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    for take in (
        lambda fd: os.sendfile(out, fd, None, 1 << 20),
        lambda fd: os.copy_file_range(fd, out, 1 << 20),
        lambda fd: splice_to(fd, out),
    ):
        fd = os.open(path, os.O_RDONLY)
        os.ftruncate(out, 0)
        os.lseek(out, 0, os.SEEK_SET)
        try:
            n = take(fd)
        except OSError as e:
            assert e.errno in (errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP), e
            n = 0
        assert os.pread(out, 1 << 20, 0) == ref[:n]
        assert drain(fd) == ref[n:], "the position is wrong behind it"
        os.close(fd)
    fd = os.open(path, os.O_RDONLY | os.O_DIRECT)  # this way it reads
    assert splice_to(fd, out) > 0
    os.close(fd)


def splice_to(fd, out):
    r, w = os.pipe()
    n = os.splice(fd, w, 65536)
    os.write(out, os.read(r, 65536) if n else b"")
    os.close(r)
    os.close(w)
    return n


def case_shared_fd(mnt, pid):
    """Threads and dup()s of one open file share the bytes out, losing none."""
    path = f"{mnt}/pid/{pid}/csv/task_vma.csv"
    ref = slurp(path)
    fd = os.open(path, os.O_RDONLY)
    fds = [fd, os.dup(fd), os.dup(fd), fd]
    parts = []

    def take(mine):
        while part := os.read(mine, 3001):
            parts.append(part)

    threads = [threading.Thread(target=take, args=(x,)) for x in fds]
    run_all(threads)
    assert sum(map(len, parts)) == len(ref)
    assert sorted(b"".join(parts)) == sorted(ref)
    own = [None] * 8

    def whole(i):
        own[i] = slurp(path, 1000 * (i + 1))

    run_all([threading.Thread(target=whole, args=(i,)) for i in range(len(own))])
    assert all(x == ref for x in own)


def run_all(threads, seconds=30):
    for t in threads:
        t.daemon = True  # one that hangs must not keep the others
        t.start()
    for t in threads:
        t.join(seconds)
        assert not t.is_alive(), "a reader hangs"


def case_read_only(mnt, pid):
    path = f"{mnt}/pid/{pid}/task_vma"
    for p in (path, f"{mnt}/task", f"{mnt}/schema/task", f"{mnt}/json/kmem_cache.json"):
        for flags in (os.O_WRONLY, os.O_RDWR, os.O_RDONLY | os.O_TRUNC, os.O_WRONLY | os.O_APPEND):
            fails(errno.EROFS, os.open, p, flags)
        for call in ((os.truncate, 0), (os.chmod, 0o777), (os.unlink,), (os.utime,)):
            fails(errno.EROFS, call[0], p, *call[1:])
    fails(errno.EROFS, os.mkdir, f"{mnt}/new")
    fails(errno.EROFS, os.open, f"{mnt}/new", os.O_CREAT | os.O_WRONLY)
    fd = os.open(path, os.O_RDONLY)
    st = os.fstat(fd)
    assert (st.st_size, st.st_blocks) == (0, 0), st
    fails(errno.EBADF, os.write, fd, b"x")
    fails(errno.ENODEV, map_it, fd, mmap.MAP_SHARED)
    private_map(fd)
    os.close(fd)


def map_it(fd, flags):
    """By hand: the mmap module looks at the size first."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    at = libc.mmap(None, ctypes.c_size_t(4096), mmap.PROT_READ, flags, fd, ctypes.c_long(0))
    if at == ctypes.c_void_p(-1).value:
        raise OSError(ctypes.get_errno(), "mmap")
    return at


def private_map(fd):
    """Refused, or a page that lies behind the end: SIGBUS, never bytes."""
    child = os.fork()
    if child == 0:
        try:
            ctypes.string_at(map_it(fd, mmap.MAP_PRIVATE), 1)
            os._exit(1)
        except OSError:
            os._exit(0)
    assert os.waitpid(child, 0)[1] in (0, signal.SIGBUS)


def main(cases):
    name, *args = sys.argv[1:]
    cases["case_" + name](*args)


if __name__ == "__main__":
    main(globals())
