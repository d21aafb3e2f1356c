# SPDX-License-Identifier: GPL-2.0-only
"""Sockets, control groups, BPF programs and processes to measure with. Knows nothing of kview or of time.

As a program, objects.py tcp|unix|socket|bpf_prog|process_args N: makes N of them, prints "ready", and keeps them
until its standard input ends.
"""

import atexit
import contextlib
import ctypes
import os
import resource
import signal
import socket
import subprocess
import sys

CLONE_NEWNET = 0x40000000
GROUPS_IN_ONE = 100
KEPT_BY_ONE = 5000  # objects of a process: it may not have more descriptors than its limit
RETURN_1 = bytes.fromhex("b700000001000000 9500000000000000")

# What is measured, in this order: view and number of objects. Of programs there are some
# on any machine: those of kview.
STAGES = (
    ("process", 10000),
    ("tcp", 5000),
    ("tcp", 20000),
    ("unix", 5000),
    ("unix", 20000),
    ("socket", 50000),
    ("cgroup", 10000),
    ("bpf_prog", 0),
    ("bpf_prog", 1000),
    ("process_args", 10000),
)


def cgroup2():
    with open("/proc/self/mounts", encoding="utf-8", errors="replace") as f:
        return next(line.split()[1] for line in f if line.split()[2] == "cgroup2")


def rows_of(view, n):
    """Rows that a view has of @n objects."""
    return n // 10 + n // 25 if view == "socket" else n


PS = (
    "ps -eo pid,ppid,pgid,sid,tty,uid,euid,suid,gid,egid,stat,nlwp,ni,policy,lstart,time,min_flt,maj_flt,"
    "vsz,rss,mntns,netns,pidns,userns,cgroup,exe,comm"
)


def peers(view):
    """Name and command line of other ways to the same."""
    return {
        "process": (("ps -eo (27 columns)", PS), ("ps -ef", "ps -ef")),
        "tcp": (("ss -tan", "ss -tan"), ("cat /proc/net/tcp", "cat /proc/self/net/tcp")),
        "unix": (("ss -xan", "ss -xan"), ("cat /proc/net/unix", "cat /proc/self/net/unix")),
        "socket": (("lsof -n -P -i", "lsof -n -P -i"), ("ss -tanp", "ss -tanp")),
        "cgroup": (("find CGROUP2 -type d", f"find {cgroup2()} -type d"),),
        "bpf_prog": (("bpftool prog", "bpftool prog"),),
        "process_args": (("ps -eo pid,args", "ps -eo pid,args"),),
    }[view]


# --- where ---


def _libc(name, *args):
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*args):
        raise OSError(ctypes.get_errno(), name)


@contextlib.contextmanager
def net_namespace():
    """A network namespace of its own for this thread, and for what it starts meanwhile."""
    old = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        _libc("unshare", CLONE_NEWNET)
        try:
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
            yield
        finally:
            _libc("setns", old, CLONE_NEWNET)
    finally:
        os.close(old)


@contextlib.contextmanager
def groups(n):
    """@n control groups: each that is not at the end has GROUPS_IN_ONE - 1 below it."""
    top = os.path.join(cgroup2(), f"kview-bench-{os.getpid()}")
    made = []

    def make(path):
        os.mkdir(path)
        made.append(path)

    try:
        make(top)
        for i in range(n // GROUPS_IN_ONE):
            make(f"{top}/g{i}")
            for j in range(GROUPS_IN_ONE - 1):
                make(f"{top}/g{i}/h{j}")
        yield
    finally:
        for path in reversed(made):
            os.rmdir(path)


# --- who keeps them ---


def tcp(n):
    """Connections; both ends count."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(1000)
    kept = [listener]
    while len(kept) < n:
        client = socket.socket()
        client.connect(listener.getsockname())
        kept += [client, listener.accept()[0]]
    return kept


def unix(n):
    """Half of them have a peer, half a name."""
    kept = []
    while len(kept) < n:
        kept += socket.socketpair()
        for _ in range(2):
            named = socket.socket(socket.AF_UNIX)
            named.bind(b"\0kview-bench/%d/%d" % (os.getpid(), len(kept)))
            kept.append(named)
    return kept


def socket_(n):
    """Descriptors: a tenth are of TCP, a twenty-fifth of unix, the others no sockets."""
    kept = tcp(n // 10) + unix(n // 25)
    return kept + [os.open("/dev/null", os.O_RDONLY) for _ in range(n - len(kept))]


def bpf_prog(n):
    libbpf = ctypes.CDLL("libbpf.so.1", use_errno=True)
    fds = [
        libbpf.bpf_prog_load(8, b"bench", b"GPL", RETURN_1, 2, None)  # 8: CGROUP_SKB
        for _ in range(n)
    ]
    if any(fd < 0 for fd in fds):
        raise OSError(ctypes.get_errno(), "bpf_prog_load")
    return fds


def process_args(n):
    sleepers = [os.posix_spawn("/bin/sleep", ["sleep", "3600"], os.environ) for _ in range(n)]
    atexit.register(lambda: [os.kill(pid, signal.SIGKILL) for pid in sleepers])
    return sleepers


def keep(view, n):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    make = {"tcp": tcp, "unix": unix, "socket": socket_, "bpf_prog": bpf_prog, "process_args": process_args}
    kept = make[view](n)
    print("ready", len(kept), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    keep(sys.argv[1], int(sys.argv[2]))
