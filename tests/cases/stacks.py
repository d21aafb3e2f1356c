#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The view task_stack against /proc/PID/task/TID/stack, for all threads that wait at one place.

  stacks.py FILE LEAST [PID...]    FILE: the view as JSON; so many threads at least, these among them
"""

import glob
import json
import os
import sys

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


def main(file, least, *pids):
    lacking = {int(p) for p in pids}
    compared, wrong = {}, []
    for _ in range(TRIES):
        before = stacks()
        with open(file, encoding="ascii") as lines:
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
        if not wrong and not lacking and len(compared) >= least:
            break
    for key in wrong[:20]:
        print(key, before[key], view.get(key))
    assert not wrong, f"{len(wrong)} differ"
    assert not lacking, f"never seen: {lacking}"
    assert len(compared) >= least, f"only {len(compared)}"
    print(f"{len(compared)} threads")


main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])
