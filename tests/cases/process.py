#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The view process against /proc, for processes that are made here.

  process.py compare MNT ROLE...   makes a process in each role and compares its row, in the
                                   whole table and in pid/PID
  process.py be ROLE               is such a process
"""

import contextlib
import ctypes
import mmap
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time

import kview_read
import procfs

LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 22, 38
MADV_PAGEOUT, MAP_HUGETLB = 21, 0x40000
# 100,000, or as many as the machine allows: to raise the hard limit takes a capability
FDS = min(100000, resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 100)
TIMEOUT = 60
TRIES = 20


def must(rc):
    if rc < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return rc


# --- roles: what a process does before it waits ---


def be_plain():
    pass


def be_threads():
    """Threads that use time, memory and files, and end; some stay."""

    def work(stays):
        with open("/proc/self/exe", "rb") as file, open("/dev/null", "wb", 0) as out:
            out.write(file.read(100000))
        memory = mmap.mmap(-1, 64 * mmap.PAGESIZE)
        for page in range(64):
            memory[page * mmap.PAGESIZE] = 1
        for _ in range(20):
            time.sleep(0.001)
        end = time.thread_time() + 0.01
        while time.thread_time() < end:
            pass
        if stays:
            threading.Event().wait()

    threads = [threading.Thread(target=work, args=(n % 8 == 0,), daemon=True) for n in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads[1:8]:
        thread.join()
    while threading.active_count() > 9:
        time.sleep(0.01)
    time.sleep(0.1)


def be_seccomp():
    class Filter(ctypes.Structure):
        _fields_ = [("n", ctypes.c_ushort), ("code", ctypes.c_void_p)]

    allow = ctypes.create_string_buffer(b"\x06\0\0\0\0\0\xff\x7f")  # RET ALLOW
    must(LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    must(LIBC.prctl(PR_SET_SECCOMP, 2, ctypes.byref(Filter(1, ctypes.addressof(allow))), 0, 0))


def be_nobody():
    with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write("321")
    with open("/proc/self/loginuid", "w", encoding="ascii") as file:
        file.write("1234")
    os.setgroups([])
    os.setresgid(65534, 1, 2)
    os.setresuid(65534, 3, 4)


def be_swapped():
    """Anonymous, shared and file memory; of the first a part is swapped out."""
    memory = mmap.mmap(-1, 16 << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.write(os.urandom(16 << 20))
    memory.madvise(MADV_PAGEOUT, 0, 8 << 20)
    shared = mmap.mmap(-1, 1 << 20, mmap.MAP_SHARED | mmap.MAP_ANONYMOUS)
    shared.write(b"x" * (1 << 20))
    KEPT.extend((memory, shared))


def be_huge():
    size = int(re.search(r"Hugepagesize: +(\d+)", open("/proc/meminfo").read())[1]) << 10
    memory = mmap.mmap(-1, 2 * size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_HUGETLB)
    memory[0] = memory[size] = 1
    KEPT.append(memory)


def be_descriptors():
    resource.setrlimit(resource.RLIMIT_NOFILE, (FDS + 50, FDS + 50))
    null = os.open("/dev/null", os.O_RDONLY)
    while os.dup(null) < FDS:
        pass
    for fd in range(100, FDS, 7):
        os.close(fd)


def be_limited():
    resource.setrlimit(resource.RLIMIT_NOFILE, (77, 777))


def be_elsewhere():
    """A working directory that is gone, and another root."""
    jail = tempfile.mkdtemp(prefix="jail\n", dir=os.environ["DIR"])
    os.mkdir(f"{jail}/gone \033")
    os.chdir(f"{jail}/gone \033")
    os.rmdir(f"{jail}/gone \033")
    cwd = os.open(".", os.O_RDONLY)
    os.chroot(jail)
    os.fchdir(cwd)


def be_grown():
    """More was resident once."""
    memory = mmap.mmap(-1, 32 << 20)
    memory.write(b"x" * (32 << 20))
    memory.close()


def be_readers():
    """Read from and written to storage, as far as the file system counts it."""
    with tempfile.NamedTemporaryFile(dir="/var/tmp") as file:
        file.write(b"x" * (1 << 20))
        file.flush()
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        os.pread(file.fileno(), 1 << 20, 0)


KEPT = []
# Programs that become the process: it says nothing itself.
WRAPPED = {
    "namespaces": ["unshare", "-C", "-i", "-m", "-n", "-u"],
    "user-namespace": ["unshare", "-U", "-r"],
    "new-pid": ["unshare", "-p", "-f", "--kill-child"],
    "few-caps": ["setpriv", "--bounding-set=-sys_admin,-net_raw", "--inh-caps=-all"],
    "tiny": ["busybox", "env"],
}


def is_new(row, *names):
    own = procfs.process(os.getpid())
    return all(row[name] != own[name] for name in names)


# What makes a role what it is: without it the comparison would say nothing.
MEANS = {
    "threads": lambda row: row["threads"] == 9 and row["cputime"] > 500000000,
    "seccomp": lambda row: row["seccomp"] == 2 and row["no_new_privs"] == 1,
    "nobody": lambda row: (row["uid"], row["euid"], row["suid"]) == (65534, 3, 4)
    and row["loginuid"] == 1234 and row["oom_score_adj"] == 321 and row["cap_eff"] == b"00000000",
    "swapped": lambda row: row["swap"] >= 4 << 20 and row["rss_shmem"] >= 1 << 20,
    "huge": lambda row: row["hugetlb"] >= 4 << 20,
    "descriptors": lambda row: row["fds"] > FDS * 0.8,
    "limited": lambda row: row["fd_limit"] == 77,
    "elsewhere": lambda row: row["cwd"].endswith(b" (deleted)") and row["root"] != b"/",
    "grown": lambda row: row["rss_peak"] > row["rss"] + (30 << 20),
    "readers": lambda row: row["write_bytes"] >= 1 << 20,
    "namespaces": lambda row: is_new(row, "mntns", "netns", "cgroupns"),
    "user-namespace": lambda row: is_new(row, "userns"),
    "new-pid": lambda row: row["vpid"] == 1,
    "few-caps": lambda row: int(row["cap_eff"], 16) & 1 << 21 == 0,
}


def be(role):
    globals()[f"be_{role}"]()
    usage = resource.getrusage(resource.RUSAGE_SELF)
    os.write(1, b"%d %d\n" % (usage.ru_nvcsw, usage.ru_nivcsw))
    while True:
        signal.pause()


# --- what the machine needs for a role ---


@contextlib.contextmanager
def swap_file():
    with tempfile.NamedTemporaryFile(dir="/var/tmp") as file:
        os.posix_fallocate(file.fileno(), 0, 64 << 20)
        os.fchmod(file.fileno(), 0o600)
        subprocess.run(["mkswap", file.name], check=True, capture_output=True, timeout=TIMEOUT)
        subprocess.run(["swapon", file.name], check=True, timeout=TIMEOUT)
        try:
            yield
        finally:
            subprocess.run(["swapoff", file.name], check=True, timeout=TIMEOUT)


@contextlib.contextmanager
def huge_pages():
    path = "/proc/sys/vm/nr_hugepages"
    with open(path, encoding="ascii") as file:
        before = int(file.read())
    with open(path, "w", encoding="ascii") as file:
        file.write(str(before + 4))
    try:
        yield
    finally:
        with open(path, "w", encoding="ascii") as file:
            file.write(str(before))


NEEDS = {"swapped": swap_file, "huge": huge_pages}


# --- comparing ---


def wait_still(pid):
    until = time.monotonic() + TIMEOUT
    while any(procfs.stat_fields(f"/proc/{pid}/task/{tid}/stat")[3] != b"S"
              for tid in procfs.tids(pid)):
        assert time.monotonic() < until, "never still"
        time.sleep(0.01)


def child_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return int(file.read().split()[0])


def rows_of(mnt, pid, schema):
    for form in kview_read.FORMATS:
        yield form, form, kview_read.read_view(mnt, "process", form, schema, [pid])
        yield f"pid/PID {form}", form, kview_read.read_view(f"{mnt}/pid/{pid}", "process", form, schema)


def compare_row(mnt, role, pid, said, schema):
    # It has said that it is ready, and may still take memory a moment later.
    for _ in range(TRIES):
        before = procfs.process(pid)
        seen = list(rows_of(mnt, pid, schema))
        want = procfs.process(pid)
        if before == want:
            break
        time.sleep(0.2)
    wrong = []
    assert role not in MEANS or MEANS[role](want), f"{role}: {want}"
    for place, form, rows in seen:
        assert len(rows) == 1, f"{place}: {len(rows)} rows"
        for name, value in want.items():
            got = rows[0][name]
            if name in ("nvcsw", "nivcsw"):  # /proc does not tell those of ended threads
                least = said[name == "nivcsw"]
                if not least <= got <= least + 100:
                    wrong.append(f"{role} {place} {name}: the process said {least}, got {got}")
            elif not kview_read.as_seen(value, form) == got:
                wrong.append(f"{role} {place} {name}: want {value!r}, got {got!r}")
    return wrong, len(seen) * len(want)


def compare(mnt, role, schema):
    words = [sys.executable, "-B", __file__, "be", "plain" if role in WRAPPED else role]
    with NEEDS.get(role, contextlib.nullcontext)():
        with subprocess.Popen(WRAPPED.get(role, []) + words, stdout=subprocess.PIPE) as process:
            try:
                said = [int(n) for n in process.stdout.readline().split()]
                assert said, f"{role}: it has ended"
                pid = child_of(process.pid) if role == "new-pid" else process.pid
                wait_still(pid)
                return compare_row(mnt, role, pid, said, schema)
            finally:
                process.kill()
                process.wait(TIMEOUT)


def main(argv):
    if argv[1] == "be":
        be(argv[2])
    schema = kview_read.read_schema(f"{argv[2]}/schema/process")
    compared, wrong = 0, []
    for role in argv[3:]:
        more, n = compare(argv[2], role, schema)
        wrong += more
        compared += n
    print(*wrong[:25], sep="\n")
    print(f"{compared} compared, {len(wrong)} differ")
    return 1 if wrong or not compared else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
