#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Kernel objects at the edge of what there can be: edges.py CASE MOUNT ARG..."""
import ctypes
import errno
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

from readers import *
from stress import ended_with, fork, has_ended, state

EXIT = {"x86_64": 60, "aarch64": 93}  # exit(2), of one thread
# A blank, a control byte, what each format escapes, UTF-8 and what is not
UGLY = b"a \t\n\x1b\x7f\\\"',;\xc3\xa9\xff-"


def subject(body, *args):
    """A child that makes something and then holds still."""
    r, w = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            body(*args)
            os.write(w, b"y")
            while True:
                signal.pause()
        except BaseException as e:
            print("subject:", repr(e), flush=True)
        finally:
            os._exit(1)
    os.close(w)
    assert os.read(r, 1) == b"y", "the subject failed"
    os.close(r)
    return child


def end(child):
    os.kill(child, signal.SIGKILL)
    ended_with(child, 5)


def unescape(field):
    """The bytes behind a field of the text table."""
    return re.sub(rb"\\([0-7]{3})", lambda m: bytes([int(m[1], 8)]), field)


def in_all_formats(mnt, pid, view, key, column):
    """{key: bytes as in text and csv}; json must hold the same, repaired."""
    cols = columns(mnt, view)
    at = cols.index(column)
    tables = {k: slurp(f"{mnt}/pid/{pid}/{FORMATS[k] % view}") for k in FORMATS}
    text = [[unescape(f) for f in line.split()] for line in tables["text"].splitlines()[1:]]
    got = {key(dict(zip(cols, row))): row[at] for row in text}
    rows = [dict(zip(cols, row)) for row in parse_csv(tables["csv"], cols)]
    assert {key(r): os.fsencode(r[column]) or b"-" for r in rows} == got
    for line in tables["json"].splitlines():
        row = json.loads(line)
        plain = "-" if row[column] is None else row[column]
        assert plain == got[key(row)].decode(errors="replace"), line
    assert len(text) == len(rows) == tables["json"].count(b"\n") == len(got)
    return got


# --- long paths ---


def deep(root, length):
    """Goes to a directory whose path, as /proc gives it, has that length."""
    os.chdir(root)
    os.mkdir(str(length))
    os.chdir(str(length))
    here = len(os.readlink(b"/proc/self/cwd"))
    while here < length:
        n = min(201, length - here)
        if length - here - n == 1:  # a slash alone is no step
            n -= 1
        name = (UGLY * 20)[: n - 1] if n > 5 else b"z" * (n - 1)
        os.mkdir(name)
        os.chdir(name)
        here += n


def make_long(root):
    """Files open, deleted and mapped at paths around PATH_MAX."""
    for length in (300, 3000, 4090, 4092, 4093, 4094, 4200):
        deep(root, length)
        with open("f", "wb") as f:  # the path is longer by 2
            f.write(b"x" * 4096)
        fd = os.open("f", os.O_RDONLY)
        map_it(fd, mmap.MAP_PRIVATE)
        os.open("g", os.O_RDWR | os.O_CREAT)
        os.unlink("g")  # " (deleted)" may then be too much


def proc_link(path):
    try:
        return os.readlink(os.fsencode(path))
    except OSError as e:
        assert e.errno == errno.ENAMETOOLONG, e
        return b"(too long)"


def proc_maps(pid):
    """{start: path}; seq_path() escapes the newline alone."""
    paths = {}
    with open(f"/proc/{pid}/maps", "rb") as f:
        for line in f:
            fields = line.rstrip(b"\n").split(None, 5)
            path = fields[5].replace(b"\\012", b"\n") if len(fields) > 5 else b"-"
            paths[int(fields[0].split(b"-")[0], 16)] = path
    return paths


def case_long_paths(mnt, root):
    child = subject(make_long, root)
    try:
        got = in_all_formats(mnt, child, "task_file", lambda r: int(r["fd"]), "path")
        want = {fd: proc_link(f"/proc/{child}/fd/{fd}") for _, fd in proc_task_file(child)}
        assert got == want, [(k, got[k], want[k]) for k in want if got.get(k) != want[k]]
        lengths = sorted(len(x) for x in want.values())
        assert lengths[-1] == 4095 and b"(too long)" in want.values(), lengths
        got = in_all_formats(mnt, child, "task_vma", start_of, "path")
        want = {at: path if len(path) < 4096 else b"(too long)"
                for at, path in proc_maps(child).items()}
        assert got == want, [(k, got.get(k), want[k]) for k in want if got.get(k) != want[k]]
        for view in ("task_file", "task_vma"):
            for kind in FORMATS:
                path = f"{mnt}/pid/{child}/{FORMATS[kind] % view}"
                assert slurp(path, 61) == slurp(path, 4096) == slurp(path)
    finally:
        end(child)


def start_of(row):
    return int(row["start"], 16)


def deep_cgroup(root):
    """Makes nested groups with a path as long as /proc can tell; their cgroup.procs."""
    os.chdir(root)
    name = b"kview-test-%d" % os.getpid()
    os.mkdir(name)
    os.chdir(name)
    left = 4000
    while left > 0:
        os.mkdir(b"g" * 200)
        os.chdir(b"g" * 200)
        left -= 201
    return name


def case_huge_row(mnt, root, cgroups):
    """One row of task with an exe and a cgroup near PATH_MAX each."""
    here = os.getcwd()
    name = deep_cgroup(cgroups)
    procs = os.open("cgroup.procs", os.O_WRONLY)
    os.chdir(here)
    child = os.fork()
    if child == 0:
        deep(root, 4070)
        os.write(procs, str(os.getpid()).encode())
        shutil.copy("/bin/sleep", "sleeper")
        os.execv("sleeper", ["sleeper", "1000"])
    try:
        assert wait_for(lambda: proc_link(f"/proc/{child}/exe").endswith(b"sleeper"))
        exe = proc_link(f"/proc/{child}/exe")
        with open(f"/proc/{child}/cgroup", "rb") as f:
            group = next(x[3:-1] for x in f if x.startswith(b"0::"))
        assert len(exe) > 4070 and len(group) > 3900
        for column, want in ("exe", exe), ("cgroup", group), ("comm", b"sleeper"):
            got = in_all_formats(mnt, child, "task", lambda r: int(r["tid"]), column)
            assert got == {child: want}, (column, got)
        whole = [r for r in read_view(mnt, "task", "csv") if int(r["pid"]) == child]
        assert os.fsencode(whole[0]["exe"]) == exe and len(whole) == 1
    finally:
        end(child)
        os.close(procs)
        assert wait_for(lambda: try_remove(cgroups, name))


def try_remove(root, name):
    """Step by step: the deepest group can't be named by its path."""
    os.chdir(os.path.join(os.fsencode(root), name))
    steps = 0
    while os.path.isdir(b"g" * 200):
        os.chdir(b"g" * 200)
        steps += 1
    try:
        for _ in range(steps):
            os.chdir("..")
            os.rmdir(b"g" * 200)
        os.chdir("/")
        os.rmdir(os.path.join(os.fsencode(root), name))
    except OSError as e:
        assert e.errno == errno.EBUSY, e
        return False
    return True


# --- numbers ---


def make_far():
    last = (1 << 63) - 1
    fd = os.memfd_create("far")
    os.ftruncate(fd, last)
    os.lseek(fd, 1 << 62, os.SEEK_SET)
    for off in ((1 << 53) + 1, (1 << 32) - 1, 1 << 32, last):
        other = os.open(f"/proc/self/fd/{fd}", os.O_RDWR)
        os.lseek(other, off, os.SEEK_SET)
    # an offset that is unsigned inside the kernel, and shown as it is in fdinfo
    libc = ctypes.CDLL(None, use_errno=True)
    libc.lseek.restype = ctypes.c_long
    libc.lseek.argtypes = (ctypes.c_int, ctypes.c_long, ctypes.c_int)
    libc.lseek(os.open("/proc/self/mem", os.O_RDONLY), -4096, os.SEEK_SET)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, *(ctypes.c_int,) * 3, ctypes.c_long)
    for off in (1 << 62, (1 << 53) + 4096, last - 8191):
        at = libc.mmap(None, 4096, mmap.PROT_READ, mmap.MAP_SHARED, fd, off)
        assert at != ctypes.c_void_p(-1).value


def fdinfo(pid, fd):
    with open(f"/proc/{pid}/fdinfo/{fd}") as f:
        return dict(line.split(":", 1) for line in f if ":" in line)


def case_far(mnt):
    child = subject(make_far)
    try:
        for kind in FORMATS:
            rows = read_view(mnt, "task_file", kind, f"pid/{child}/")
            for r in rows:
                info, st = fdinfo(child, r["fd"]), os.stat(f"/proc/{child}/fd/{r['fd']}")
                assert int(r["pos"]) == int(info["pos"]), (kind, r, info)
                assert int(r["size"]) == st.st_size and int(r["ino"]) == st.st_ino, (r, st)
            assert {1 << 62, (1 << 53) + 1, (1 << 63) - 1, -4096} <= {int(r["pos"]) for r in rows}
            assert (1 << 63) - 1 in {int(r["size"]) for r in rows}
            with open(f"/proc/{child}/maps") as f:
                want = {int(x.split("-")[0], 16): int(x.split()[2], 16) for x in f}
            got = {start_of(r): int(r["offset"], 16)
                   for r in read_view(mnt, "task_vma", kind, f"pid/{child}/")}
            assert got == want and 1 << 62 in got.values()
    finally:
        end(child)


# --- tasks that end ---


def case_dying(mnt, dying, staying):
    """Half of the tasks go while files are read half: no error, the others are there."""
    stay, gone = crowd_pids(staying), crowd_pids(dying)
    wants = {view: expected(stay, view) for view in PROC}
    files = [(v, k, os.open(f"{mnt}/{FORMATS[k] % v}", os.O_RDONLY)) for v in PROC for k in FORMATS]
    heads = [os.read(fd, 4096) for _, _, fd in files]
    one = [os.open(f"{mnt}/pid/{gone[0]}/{v}", os.O_RDONLY) for v in PROC]
    one_head = [os.read(fd, 4096) for fd in one]
    late = os.open(f"{mnt}/pid/{gone[1]}/task", os.O_RDONLY)
    for pid in gone:
        os.kill(pid, signal.SIGKILL)
    assert wait_for(lambda: all(has_ended(p) for p in gone), 20)
    for (view, kind, fd), head in zip(files, heads):
        rows = parse(mnt, view, kind, head + drain(fd))
        check_rows(rows, stay, view, wants[view])
        os.close(fd)
    for view, fd, head in zip(PROC, one, one_head):
        try:
            parse(mnt, view, "text", head + drain(fd))  # cut at a row
        except OSError as e:
            assert e.errno in (errno.ENOENT, errno.ESRCH), e
    for fd in one:
        os.lseek(fd, 0, os.SEEK_SET)
    assert wait_for(lambda: not os.path.exists(f"/proc/{gone[0]}"))
    for fd in (*one, late):
        fails(errno.ENOENT, os.read, fd, 4096)
        os.close(fd)
    fails(errno.ENOENT, os.open, f"{mnt}/pid/{gone[0]}/task", os.O_RDONLY)


def leave_thread():
    """The leader goes, a thread with its files and mappings stays."""
    stay = threading.Event()
    threading.Thread(target=stay.wait, daemon=True).start()
    ctypes.CDLL(None).syscall(EXIT[platform.machine()], 0)


def case_zombies(mnt):
    plain = fork(time.time)
    group = fork(leave_thread)
    try:
        assert wait_for(lambda: state(plain) == "Z" and state(group) == "Z")
        threads = proc_task(group)
        assert len(threads) == 2
        for kind in FORMATS:
            rows = read_view(mnt, "task", kind)
            assert [r["state"] for r in rows if int(r["pid"]) == plain] == ["Z"]
            check_rows(rows, [group], "task", collections.Counter(threads))
            for view in ("task_file", "task_vma"):
                whole = read_view(mnt, view, kind)
                assert not [r for r in whole if int(r["pid"]) == plain]
                assert read_view(mnt, view, kind, f"pid/{plain}/") == []
                # the thread still has them: each is shown once
                keys = collections.Counter(KEYS[view](r) for r in whole if int(r["pid"]) == group)
                assert keys and max(keys.values()) == 1, keys.most_common(3)
                tid = next(t for _, t in threads if t != group)
                if view == "task_file":
                    want = os.listdir(f"/proc/{group}/task/{tid}/fd")
                    assert {fd for _, fd in keys} == {int(fd) for fd in want}
    finally:
        for child in (plain, group):
            end(child)


# --- pins and mount at once ---


def check_pin(data, cut):
    lines = data.split(b"\n")
    lines.pop()  # b"", or half a line where the reader stopped
    assert cut or data.endswith(b"\n")
    fields = lines[0].count(b"\t")
    assert lines[0].startswith(b"PID\t") and len(lines) > 5, lines[0]
    for line in lines:
        assert line.count(b"\t") == fields, line
        assert not any(c < 0x20 and c != 9 or c == 0x7F for c in line), line
    assert lines.count(lines[0]) == 1


def read_on(fd, size):
    while True:
        try:
            return os.read(fd, size)
        except BlockingIOError:
            pass


def case_pins(mnt, pins):
    """Readers of text and of records, of one view and of two, never mix."""
    stop = time.monotonic() + 4
    failures, ended = [], set()

    def run(body, *args):
        try:
            while time.monotonic() < stop:
                body(*args)
                ended.add(body.__name__)
        except TimeoutError:
            pass
        except BaseException as e:
            failures.append((body.__name__, args, repr(e)[:300]))

    def text_by(*command):
        """
        A process that executes another program while its row is made: EAGAIN, and try again. Where
        many do that, a long walk may always meet one.
        """
        while True:
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
            if b"temporarily unavailable" not in done.stderr:
                assert done.returncode == 0, done.stderr
                return done.stdout
            if time.monotonic() > stop:
                raise TimeoutError

    def by_dd(view, size, count):
        check_pin(text_by("dd", f"if={pins}/{view}", f"bs={size}", f"count={count}"), True)

    def by_cat(view):
        check_pin(text_by("cat", f"{pins}/{view}"), False)

    def in_turns(view, size):
        """One thread reads text of a pin and other views' files between."""
        fd = os.open(f"{pins}/{view}", os.O_RDONLY)
        got = b""
        while (part := read_on(fd, size)) and len(got) < 100000:
            got += part
            os.pread(other, 100, 0)
        check_pin(got, bool(part))
        os.close(fd)

    other = os.open(f"{mnt}/csv/task_file.csv", os.O_RDONLY)
    work = [(read_view, mnt, v, k) for v in PROC for k in ("text", "json")]
    work += [(by_dd, v, s, n) for v in PROC for s, n in ((1, 30000), (64, 2000))]
    work += [(by_cat, v) for v in PROC] + [(in_turns, "task", 500), (in_turns, "task_vma", 4096)]
    run_all([threading.Thread(target=run, args=w) for w in work], 90)
    assert not failures, failures
    assert ended == {body.__name__ for body, *_ in work}, ended


if __name__ == "__main__":
    main(globals())
