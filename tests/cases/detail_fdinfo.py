# SPDX-License-Identifier: GPL-2.0-only
"""What /proc/PID/fdinfo and fcntl(2) say of a descriptor, in the words of task_file's column detail."""

import fcntl
import os
import re
import signal

WATCH_MAX = 128  # KV_WATCH_MAX in iters/lib/words.h
CLOCKS = {0: "realtime", 1: "monotonic", 7: "boottime", 8: "realtime-alarm", 9: "boottime-alarm"}
SEALS = ("seal", "shrink", "grow", "write", "future-write", "exec")


def slurp(path):
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        return file.read()


def info_of(pid, fd):
    lines = (line.partition(":") for line in slurp(f"/proc/{pid}/fdinfo/{fd}").splitlines())
    return [(key, value.strip()) for key, _, value in lines]


def pidfd(info):
    pid, below = info["Pid"], info["NSpid"].split()
    return {"pid": pid, "nspid": ",".join(below)}


def eventfd(info):
    # Older kernels do not tell all of it.
    return {"id": info["eventfd-id"], "count": str(int(info["eventfd-count"], 16)),
            "semaphore": info.get("eventfd-semaphore")}


def seconds(text):
    whole, ns = re.fullmatch(r"\((\d+), (\d+)\)", text).groups()
    return f"{whole}.{int(ns):09d}"


def timerfd(info):
    want = {"clockid": CLOCKS[int(info["clockid"])], "remaining": seconds(info["it_value"]),
            "interval": seconds(info["it_interval"]), "ticks": info["ticks"],
            "settime-flags": info["settime flags"]}
    return {k: v for k, v in want.items() if v != "0.000000000"}


def signalfd(info):
    mask = int(info["sigmask"], 16)
    numbers = [n for n in range(1, 65) if mask >> (n - 1) & 1]
    return {"mask": ",".join(signal.Signals(n).name[3:] if n < 32 else str(n) for n in numbers)}


def userfaultfd(info):
    return {"features": info["API"].split(":")[1]}


def io_uring(info):
    if "SqMask" not in info:  # by its lock
        return {"sq_entries": None, "cq_entries": None}
    return {"sq_entries": str(int(info["SqMask"], 16) + 1), "cq_entries": str(int(info["CqMask"], 16) + 1)}


def fanotify(info):
    return dict(word.split(":") for word in info["fanotify flags"].join(("flags:", "")).split())


def bpf_map(info):
    return {"id": info["map_id"], "type": ("bpf_map", info["map_id"])}


def bpf_prog(info):
    return {"id": info["prog_id"], "type": ("bpf_prog", info["prog_id"]), "tag": info["prog_tag"]}


def bpf_link(info):
    return {"id": info["link_id"], "type": info["link_type"], "prog_id": info["prog_id"]}


def btf(info):
    return {"id": info["btf_id"]}


KINDS = {"[pidfd]": pidfd, "[eventfd]": eventfd, "[timerfd]": timerfd, "[signalfd]": signalfd,
         "[userfaultfd]": userfaultfd, "[io_uring]": io_uring, "[fanotify]": fanotify,
         "bpf-map": bpf_map, "bpf-prog": bpf_prog, "bpf_link": bpf_link, "btf": btf}


def watches(info):
    words = (dict(w.split(":") for w in value.split()[1:4]) for key, value in info if key == "inotify wd")
    devs = ((int(w["ino"], 16), int(w["sdev"], 16)) for w in words)
    return [f"{ino}@{dev >> 20:02x}:{dev & 0xfffff:02x}" for ino, dev in devs]


def fits(items):
    return ",".join(items[:WATCH_MAX]) + ",..." * (len(items) > WATCH_MAX)


def seals(path):
    fd = os.open(path, os.O_RDONLY)
    try:
        mask = fcntl.fcntl(fd, fcntl.F_GET_SEALS)
    finally:
        os.close(fd)
    return {"seals": ",".join(name for n, name in enumerate(SEALS) if mask >> n & 1)}


def expected(pid, fd):
    """What the kernel says, by key; None: nothing. A value of None may be anything."""
    path = f"/proc/{pid}/fd/{fd}"
    link, info = os.readlink(path), info_of(pid, fd)
    kind = link.removeprefix("anon_inode:")
    flags = int(dict(info)["flags"], 8)
    if kind == link or flags & os.O_PATH:
        is_memfd = link.startswith("/memfd:") and not os.path.lexists(link.removesuffix(" (deleted)"))
        return seals(path) if is_memfd else None
    if kind == "[eventpoll]":
        return {"tfds": fits([value.split()[0] for key, value in info if key == "tfd"])}
    if kind == "inotify":
        return {"inodes": fits(watches(info))}
    return KINDS[kind](dict(info)) if kind in KINDS else None
