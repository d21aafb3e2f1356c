# SPDX-License-Identifier: GPL-2.0-only
"""The two processes of a mount and what they hold, as /proc and bpftool say it."""
import collections
import json
import os
import re
import subprocess
import sys
import time

# Of the worker: main, those that look after files, time, its life and the queue, the one
# that waits for requests, idle ones, and as many as one user may have for seconds.
IDLE_THREADS = 6 + 6 + 8


def wait_for(what, seconds=10.0):
    end = time.monotonic() + seconds
    while not (value := what()) and time.monotonic() < end:
        time.sleep(0.05)
    return value


class Kview:
    """The program, with the mounts of a soak: name -> (path, pin directory, options)."""

    def __init__(self, program, mounts):
        self.program, self.mounts = program, mounts

    def run(self, *args, seconds=20):
        return subprocess.run([self.program, *args], stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=seconds, check=False)

    def mount(self, name, *words):
        path, pins, options = self.mounts[name]
        done = self.run("mount", *words, "-o", options, "--pin-dir", pins, path)
        assert done.returncode == 0, done.stderr

    def umount(self, name):
        return self.run("umount", self.mounts[name][0])

    def status(self, name):
        """The file's lines, numbers as such; None where it can't be read."""
        done = self.run("status", self.mounts[name][0])
        if done.returncode:
            return None
        pairs = (line.split("\t", 1) for line in done.stdout.decode().splitlines())
        return {k: int(v) if v.isdigit() else v for k, v in pairs}


# --- what a process holds ---


def fds(pid):
    """Kinds and how many."""
    kinds = collections.Counter()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            kinds[re.sub(r"\d+", "N", os.readlink(f"/proc/{pid}/fd/{fd}"))] += 1
        except FileNotFoundError:
            continue
    return kinds


def field(path, name):
    with open(path, encoding="latin-1") as file:
        return next(int(x.split()[1]) for x in file if x.startswith(name + ":"))


def objects(pid):
    """(kind, id) of all that it holds of BPF."""
    found = set()
    for fd in os.listdir(f"/proc/{pid}/fdinfo"):
        with open(f"/proc/{pid}/fdinfo/{fd}", encoding="ascii", errors="replace") as file:
            found |= {(m[1], int(m[2])) for m in
                      re.finditer(r"^(link|prog|map)_id:\s*(\d+)", file.read(), re.M)}
    return found


def bpftool(*args):
    done = subprocess.run(["bpftool", "-j", *args], capture_output=True, timeout=30, check=False)
    return json.loads(done.stdout) if done.returncode == 0 else None


def registered(ids):
    """(process, thread) of the entries in the maps of readers among them."""
    found = []
    for kind, number in ids:
        if kind == "map" and bpftool("map", "show", "id", str(number)).get("name") == "kv_readers":
            for entry in bpftool("map", "dump", "id", str(number)):
                key = int.from_bytes((int(x, 16) for x in entry["key"]), sys.byteorder)
                found.append((key >> 32, key & 0xffffffff))
    return found


def exists(kind, number):
    found = bpftool(kind, "show", "id", str(number))
    return found is not None and "error" not in found


def where(pid):
    """In words: where each of its threads is in the kernel. For who looks into a hang."""
    found = []
    for tid in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{tid}/stat", encoding="latin-1") as file:
                state = file.read().rpartition(")")[2].split()[0]
            with open(f"/proc/{pid}/task/{tid}/stack", encoding="ascii") as file:
                stack = [x.split()[-1].split("+")[0] for x in file]
        except OSError:
            continue
        found.append(f"{pid}/{tid} {state} {' < '.join(stack[:6])}")
    return found


# --- a mount that nobody reads ---

Measure = collections.namedtuple("Measure", "status holder worker objects registered pins")
Process = collections.namedtuple("Process", "pid fds threads rss pss")


def process(pid):
    return Process(pid, fds(pid), field(f"/proc/{pid}/status", "Threads"),
                   field(f"/proc/{pid}/status", "VmRSS"),
                   field(f"/proc/{pid}/smaps_rollup", "Pss"))


def is_idle(kview, name):
    """Nothing is open but the file status itself."""
    status = kview.status(name)
    return status and status["open_files"] == 1 and status["open_listings"] == 0 and status


def measure(kview, name):
    """Releases are told to the worker after close(2) returned: wait for them."""
    status = wait_for(lambda: is_idle(kview, name)) or kview.status(name)
    assert status, f"no status of {name}"
    wait_for(lambda: not [k for k in fds(status["worker"]) if "iter" in k])
    held = objects(status["holder"])
    return Measure(status, process(status["holder"]), process(status["worker"]), held,
                   registered(held), sorted(os.listdir(kview.mounts[name][1])))


def leaks(before, after, margin, is_killed=False):
    """
    What is more than before, in words; memory may grow by `margin` KiB. A thread
    that is killed amid a read leaves its entry, which goes when the map is full:
    where workers were killed there may be some of threads that are no more.
    """
    found = []

    def same(what, a, b):
        if a != b:
            found.append(f"{what}: {a} before, {b} now")

    same("open_files", 1, after.status["open_files"])
    for what in ("open_listings", "reads_waiting"):
        same(what, 0, after.status[what])
    left = [x for x in after.registered
            if not is_killed or os.path.exists("/proc/{}/task/{}".format(*x))]
    same("entries of readers", [], left)
    same("BPF objects", before.objects, after.objects)
    same("pins", before.pins, after.pins)
    same("the holder", before.holder.pid, after.holder.pid)
    for who in ("holder", "worker"):
        a, b = getattr(before, who), getattr(after, who)
        is_same = a.pid == b.pid
        if is_same or who == "holder":
            same(f"descriptors of the {who}", a.fds, b.fds)
        elif more := +(b.fds - a.fds):  # the first worker also has a pipe to its starter
            found.append(f"descriptors that a later worker has: {more}")
        if b.threads > max(a.threads, IDLE_THREADS):
            found.append(f"threads of the {who}: {a.threads} before, {b.threads} now")
        if is_same and b.pss - a.pss > margin:
            found.append(f"memory of the {who}: {a.pss} KiB before, {b.pss} KiB now")
    return found


def words(m):
    return "; ".join(
        f"{who} RSS {p.rss} PSS {p.pss} KiB, {sum(p.fds.values())} fds, {p.threads} threads"
        for who, p in (("holder", m.holder), ("worker", m.worker)))
