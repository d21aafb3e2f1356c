# SPDX-License-Identifier: GPL-2.0-only
"""A descriptor of every kind that has a detail, and of some that have none."""

import ctypes
import fcntl
import os
import platform
import struct
import threading
import time

from detail_fdinfo import CLOCKS

LIBC = ctypes.CDLL(None, use_errno=True)
ARM = platform.machine() == "aarch64"
SYS_BPF, SYS_USERFAULTFD = (280, 282) if ARM else (321, 323)
SYS_IO_URING_SETUP, SYS_PIDFD_OPEN = 425, 434


def must(fd):
    if fd < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return fd


def timer(clock, value, interval, flags=0):
    fd = must(LIBC.timerfd_create(clock, 0))
    spec = struct.pack("qqqq", interval, 250000000 if interval else 0, value, 500000000 if value else 0)
    must(LIBC.timerfd_settime(fd, flags, spec, None))
    return fd


def signals(*numbers):
    mask = sum(1 << (n - 1) for n in numbers)
    return must(LIBC.signalfd(-1, struct.pack("Q", mask) + bytes(120), 0))


def bpf(command, *attr):
    data = b"".join(attr).ljust(144, b"\0")
    return must(LIBC.syscall(SYS_BPF, command, ctypes.create_string_buffer(data, 144), 144))


def a_map(kind, key=4, value=8, entries=16, flags=0):
    return bpf(0, struct.pack("IIIII", kind, key, value, entries, flags))


CODE = ctypes.create_string_buffer(struct.pack("<QQ", 0xB7, 0x95), 16)  # return 0
LICENSE = ctypes.create_string_buffer(b"GPL")


def a_prog(kind):
    return bpf(5, struct.pack("IIQQ", kind, 2, ctypes.addressof(CODE), ctypes.addressof(LICENSE)))


def a_link():
    name = ctypes.create_string_buffer(b"oom_score_adj_update")
    prog = a_prog(17)
    try:
        return bpf(17, struct.pack("QI", ctypes.addressof(name), prog))
    finally:
        os.close(prog)


def a_btf():
    data = struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, 16, 16, 5) + struct.pack("<IIII", 1, 1 << 24, 4, 32)
    blob = ctypes.create_string_buffer(data + b"\0int\0")
    return bpf(18, struct.pack("QQI", ctypes.addressof(blob), 0, len(data) + 5))


def sealed(name, flags, mask):
    fd = os.memfd_create(name, flags)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, mask)
    return fd


def an_epoll():
    fd = must(LIBC.epoll_create1(0))
    ends = os.pipe()
    for end in ends:
        epoll_ctl(fd, 1, end)
    return fd


def epoll_ctl(epoll, op, fd):
    must(LIBC.epoll_ctl(epoll, op, fd, struct.pack("=IQ" if not ARM else "IxxxxQ", 0, 0)))


def an_inotify(*paths):
    fd = must(LIBC.inotify_init1(os.O_NONBLOCK))
    for path in paths:
        must(LIBC.inotify_add_watch(fd, os.fsencode(path), 0x100))
    return fd


def ended():
    pid = os.fork()
    if not pid:
        os._exit(0)
    fd = os.pidfd_open(pid)
    os.waitpid(pid, 0)
    return fd


def zombie():
    pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    return os.pidfd_open(pid)


def of_thread():
    told = []
    thread = threading.Thread(target=lambda: (told.append(threading.get_native_id()), time.sleep(300)), daemon=True)
    thread.start()
    while not told:
        time.sleep(0.01)
    return must(LIBC.syscall(SYS_PIDFD_OPEN, told[0], os.O_EXCL))


def full_eventfd():
    fd = os.eventfd(0)
    os.eventfd_write(fd, 2**64 - 2)
    return fd


def stopped_timer():
    fd = timer(7, 1000, 1)
    must(LIBC.timerfd_settime(fd, 0, bytes(32), None))
    return fd


MAKERS = {
    "pidfd": lambda: os.pidfd_open(os.getpid()),
    "pidfd-of-1": lambda: os.pidfd_open(1),
    "pidfd-ended": ended,
    "pidfd-zombie": zombie,
    "pidfd-thread": of_thread,
    "eventfd": lambda: os.eventfd(5),
    "eventfd-semaphore": lambda: os.eventfd(7, os.EFD_SEMAPHORE),
    "eventfd-full": full_eventfd,
    "epoll": an_epoll,
    "epoll-empty": lambda: must(LIBC.epoll_create1(0)),
    **{f"timerfd-{name}": lambda clock=clock: timer(clock, 1000, 3) for clock, name in CLOCKS.items()},
    "timerfd-idle": lambda: must(LIBC.timerfd_create(1, 0)),
    "timerfd-once": lambda: timer(1, 500, 0),
    "timerfd-late": lambda: timer(1, 1, 0, 1),
    "timerfd-time-of-day": lambda: timer(0, int(time.time()) + 500, 7, 3),
    "timerfd-alarm-of-day": lambda: timer(8, int(time.time()) + 500, 7, 1),
    "timerfd-stopped": stopped_timer,
    "inotify": lambda: an_inotify("/", "/proc", "/etc/passwd"),
    "inotify-empty": an_inotify,
    "fanotify": lambda: must(LIBC.fanotify_init(0, os.O_LARGEFILE)),
    "fanotify-fid": lambda: must(LIBC.fanotify_init(0x200, 0)),
    "signalfd": lambda: signals(1, 2, 10, 17, 31),
    "signalfd-realtime": lambda: signals(34, 64),
    "signalfd-none": signals,
    "signalfd-all": lambda: signals(*range(1, 65)),
    "io_uring": lambda: must(LIBC.syscall(SYS_IO_URING_SETUP, 8, ctypes.create_string_buffer(120))),
    "userfaultfd": lambda: must(LIBC.syscall(SYS_USERFAULTFD, 1)),
    "memfd": lambda: os.memfd_create("plain"),
    "memfd-open": lambda: os.memfd_create("", os.MFD_ALLOW_SEALING),
    "memfd-sealed": lambda: sealed('a b\nc"\\\x1b ]\t', os.MFD_ALLOW_SEALING, 2 | 4),
    "memfd-all": lambda: sealed("m" * 249, os.MFD_ALLOW_SEALING, 1 | 2 | 4 | 8 | 16),
    "memfd-exec": lambda: os.memfd_create("noexec", 8),
    "memfd-huge": lambda: os.memfd_create("huge", os.MFD_ALLOW_SEALING | os.MFD_HUGETLB),
    "memfd-huge-sealed": lambda: sealed("huge", os.MFD_ALLOW_SEALING | os.MFD_HUGETLB, 2),
    "bpf-hash": lambda: a_map(1),
    "bpf-percpu-array": lambda: a_map(6),
    "bpf-lpm": lambda: a_map(11, key=8, flags=1),
    "bpf-ringbuf": lambda: a_map(27, 0, 0, 4096),
    "bpf-filter": lambda: a_prog(1),
    "bpf-raw-tracepoint": lambda: a_prog(17),
    "bpf-link": a_link,
    "btf": a_btf,
    "none-file": lambda: os.open("/etc/passwd", os.O_RDONLY),
    "none-path": lambda: os.open("/", os.O_PATH),
    "none-pipe": lambda: os.pipe()[0],
    "none-tmpfile": lambda: os.open("/dev/shm", os.O_TMPFILE | os.O_RDWR),
    "none-device": lambda: os.open("/dev/null", os.O_RDWR),
}


def make_all():
    made, missing = {}, {}
    for name, make in MAKERS.items():
        try:
            made[make()] = name
        except OSError as error:
            missing[name] = error.strerror
    return made, missing
