#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The view task_stack, whose rows are in FILE as JSON, against /proc/PID/task/TID/stack.

  stacks.py same FILE LEAST [PID...]  all threads that wait at one place have the same frames in
                                      both: so many at least, these processes' among them
  stacks.py busy FILE SECONDS         many readers at a time, none of whom misses the frames of a
                                      thread that waits
"""

import glob
import json
import os
import sys
import threading
import time

TRIES = 20


def stacks():
    found = {}
    for path in glob.glob("/proc/[0-9]*/task/[0-9]*/stack"):
        try:
            with open(os.path.dirname(path) + "/stat", "rb") as file:
                head, _, rest = file.read().rpartition(b") ")
            # Those that run; and kview's, which are elsewhere while they read.
            if rest.startswith(b"R") or head.endswith(b"(kview"):
                continue
            with open(path, encoding="ascii") as file:
                frames = [line.removeprefix("[<0>] ") for line in file.read().splitlines()]
        except (FileNotFoundError, ProcessLookupError):
            continue
        except PermissionError:  # a security module's: kview does not ask these
            continue
        _, _, pid, _, tid, _ = path.split("/")
        found[int(pid), int(tid)] = frames
    return found


def same(file, least, *pids):
    lacking = {int(p) for p in pids}
    compared, wrong = {}, []
    for _ in range(TRIES):
        before = stacks()
        with open(file, encoding="utf-8") as lines:
            rows = [json.loads(line) for line in lines]
        after = stacks()
        keys = [(r["pid"], r["tid"]) for r in rows]
        assert len(set(keys)) == len(keys), "a thread is there twice"
        view = {(r["pid"], r["tid"]): r["stack"] for r in rows}
        for key, frames in before.items():
            if after.get(key) != frames or key[0] == os.getpid():
                continue
            # One that runs now and then may be elsewhere amid the reading: it is asked again.
            compared[key] = compared.get(key, False) or view.get(key) == frames
        lacking -= {pid for pid, _ in compared}
        wrong = [k for k, is_same in compared.items() if not is_same and k in before]
        if not wrong and not lacking and len(compared) >= int(least):
            break
    for key in wrong[:20]:
        print(key, before[key], view.get(key))
    assert not wrong, f"{len(wrong)} differ"
    assert not lacking, f"never seen: {lacking}"
    assert len(compared) >= int(least), f"only {len(compared)}"
    print(f"{len(compared)} threads")


READERS = 6
THREADS = 100


def read_for(file, pid, seconds):
    """How many rows, and how many could not be read."""
    end, rows, unreadable = time.monotonic() + seconds, 0, 0
    while time.monotonic() < end:
        with open(file, encoding="utf-8") as lines:
            found = [r["stack"] for r in map(json.loads, lines) if r["pid"] == pid != r["tid"]]
        assert len(found) == THREADS and all(found), f"{len(found)} rows, {found.count([])} empty"
        rows += len(found)
        unreadable += found.count(["(unreadable)"])
    return rows, unreadable


def busy(file, seconds):
    for _ in range(THREADS):
        threading.Thread(target=threading.Event().wait, daemon=True).start()
    readers = []
    for _ in range(READERS):
        told, tells = os.pipe()
        if not os.fork():
            # Of the process whose threads wait: the readers have none.
            os.write(tells, b"%d %d" % read_for(file, os.getppid(), float(seconds)))
            os._exit(0)
        os.close(tells)
        readers.append(told)
    answers = [os.read(told, 100).split() for told in readers]
    assert all(answers), "a reader failed"
    print(f"{sum(int(rows) for rows, _ in answers)} rows, {sum(int(n) for _, n in answers)} unreadable")


{"same": same, "busy": busy}[sys.argv[1]](*sys.argv[2:])
