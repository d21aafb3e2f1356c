#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Readers who do all that can be done to files, at once: readers100.py MOUNT N"""
import csv
import io
import json
import os
import random
import signal
import sys
import time

from hostile_world import become, drain, ends_well, fork, slurp, until
from views import OWN_VIEWS

SECONDS = 4
USERS = (0, 21001, 21002, 21003, 21004, 21005)


def is_whole(kind, data):
    text = data.decode("utf-8", "surrogateescape")
    if kind == "json":  # str.splitlines() would break lines within names
        return all(json.loads(line) for line in data.splitlines())
    if kind == "csv":
        rows = list(csv.reader(io.StringIO(text, newline="")))
        return len(rows) > 1 and all(len(row) == len(rows[0]) for row in rows)
    return text.startswith(" ") and text.endswith("\n")


def path_of(dice):
    view, kind = dice.choice(OWN_VIEWS), dice.choice(("text", "json", "csv"))
    name = view if kind == "text" else f"{kind}/{view}.{kind}"
    return kind, dice.choice(("", "pid/self/")) + name


def read_whole(mnt, dice):
    kind, path = path_of(dice)
    fd = os.open(f"{mnt}/{path}", os.O_RDONLY)
    try:
        data = drain(fd, dice.choice((512, 4096, 65536, 1 << 20)))
        assert is_whole(kind, data), f"{path}: {data[:200]!r} ... {data[-200:]!r}"
        if dice.random() < 0.3:  # and again, from the beginning
            os.lseek(fd, 0, os.SEEK_SET)
            assert os.read(fd, 40) == data[:40] or kind == "json", path
    finally:
        os.close(fd)


def leave_early(mnt, dice):
    fd = os.open(f"{mnt}/{path_of(dice)[1]}", os.O_RDONLY)
    os.read(fd, 100)
    os.close(fd)


def look_around(mnt, dice):
    names = os.listdir(f"{mnt}/pid")
    assert str(os.getpid()) in names
    os.stat(f"{mnt}/pid/{os.getpid()}/{dice.choice(OWN_VIEWS)}")


def be_killed(mnt, dice):
    child = fork(read_whole, mnt, dice)
    time.sleep(dice.random() / 100)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def go_on(mnt, seed, out):
    dice = random.Random(seed)
    if uid := USERS[seed % len(USERS)]:
        become(uid)
    acts = (read_whole, read_whole, read_whole, leave_early, look_around, be_killed)
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        dice.choice(acts)(mnt, dice)
        os.write(out, b".")


def main(mnt, n):
    r, w = os.pipe()
    readers = [fork(go_on, mnt, seed, w) for seed in range(int(n))]
    os.close(w)
    with os.fdopen(r, "rb") as file:
        done = len(file.read())
    for pid in readers:
        ends_well(pid)
    assert done >= int(n), done
    print(f"# {n} readers did {done} things in {SECONDS} s")
    # Releases come after close(2) has returned.
    until(lambda: b"\nopen_files\t1\n" in slurp(f"{mnt}/status"))
    assert b"\nopen_listings\t0\n" in slurp(f"{mnt}/status")
    assert b"\nrestarts\t0\n" in slurp(f"{mnt}/status")


if __name__ == "__main__":
    main(*sys.argv[1:])
