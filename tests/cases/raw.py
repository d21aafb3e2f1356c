#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""
Raw files against bpftool's pins of the same programs: raw.py OBJECTS PIN RAW.

What they print changes with the machine, so each pair is read until both say the same.
"""
import os
import subprocess
import sys

TRIES = 300
# Stacks of tasks, of which one reads; and files, of which the iterator is one.
RESTLESS = ("dump_task_stack", "get_task_user_stacks", "dump_task_file")


def slurp(path):
    with open(path, "rb") as file:
        return file.read()


def compare(name, pin, raw):
    for _ in range(TRIES):
        one, other = slurp(pin), slurp(raw)
        if one == other:
            return f"same {name}: {len(one)} bytes"
    return f"differs {name}: {len(one)} and {len(other)} bytes"


def main(objects, pin, raw):
    for name in sorted(os.listdir(objects)):
        path = os.path.join(objects, name)
        programs = [p for p in os.listdir(raw) if p.startswith(name[: -len("bpf.o")])]
        if len(programs) != 1 or programs[0].split(".")[1] in RESTLESS:
            continue
        pinned = subprocess.run(["bpftool", "iter", "pin", path, pin], capture_output=True, check=False)
        if pinned.returncode:
            continue
        print(compare(programs[0], pin, os.path.join(raw, programs[0])), flush=True)
        os.unlink(pin)


if __name__ == "__main__":
    main(*sys.argv[1:])
