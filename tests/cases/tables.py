#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Processes whose threads share file tables oddly (tables.c), and what they cost.

  tables.py files PID FILE...   each file has the descriptors of each table of PID once
  tables.py maps PID FILE...    each file has the mappings of PID once, in order
  tables.py leader FILLER LEADER
	that table is there once though the leader exits before its rows are read, from
	standard input
  tables.py cost WORKER MOST PATH...
	a row of each file in the mount costs the worker at most MOST times what one of the
	first does, in CPU time

Files are comma-separated as in the mount or tab-separated as a pin is; `-` is standard input.
"""

import csv
import io
import os
import signal
import sys
import time

ROUNDS = 7


def read_rows(path, pid):
    """[{COLUMN: text}] of one process, in order."""
    with sys.stdin if path == "-" else open(path, encoding="latin-1", newline="") as file:
        text = file.read()
    if "\t" in text.partition("\n")[0]:
        rows = iter([line.split("\t") for line in text.split("\n")[:-1]])
    else:
        rows = csv.reader(io.StringIO(text, newline=""))
    head = [name.lower() for name in next(rows)]
    return [dict(zip(head, row)) for row in rows if int(row[0]) == pid]


def tids(pid):
    return sorted(int(tid) for tid in os.listdir(f"/proc/{pid}/task"))


def mark(pid, tid, fd):
    with open(f"/proc/{pid}/task/{tid}/fdinfo/{fd}", encoding="ascii") as file:
        return int(file.readline().split()[1])


def tables(pid):
    """{number of the table, 0 for the leader's: (its threads, its descriptors)}"""
    found = {}
    for tid in tids(pid):
        fds = sorted(int(fd) for fd in os.listdir(f"/proc/{pid}/task/{tid}/fd"))
        if not fds:
            continue
        threads, want = found.setdefault(mark(pid, tid, fds[-1]), ([], fds))
        assert want == fds, (tid, want, fds)
        threads.append(tid)
    return found


def check_files(pid, path, want):
    got = {}
    for row in read_rows(path, pid):
        got.setdefault(int(row["tid"]), []).append((int(row["fd"]), int(row["pos"])))
    for number, (threads, fds) in want.items():
        shown = [tid for tid in threads if tid in got]
        assert len(shown) == 1, f"{path}: table {number} of {threads} is shown by {shown}"
        assert pid not in threads or shown == [pid], f"{path}: {shown}, and not the leader"
        rows = got.pop(shown[0])
        assert [fd for fd, _ in rows] == fds, f"{path}: {rows} instead of {fds}"
        assert rows[-1][1] == number, f"{path}: {rows} are of another table than {number}"
    assert not got, f"{path}: rows of {got}"
    return sum(len(fds) for _, fds in want.values())


def mappings(pid):
    """As the first thread that still has any shows them."""
    for tid in tids(pid):
        with open(f"/proc/{pid}/task/{tid}/maps", "rb") as file:
            lines = [line.split()[0] for line in file]
        if lines:
            return [tuple(int(part, 16) for part in line.split(b"-")) for line in lines]
    return []


def check_maps(path, pid, want):
    got = [(int(row["start"], 16), int(row["end"], 16)) for row in read_rows(path, pid)]
    assert got == want, f"{path}: {len(got)} mappings, {len(set(got))} of them different"
    return len(got)


def cpu_time(pid):
    """ns that its threads have run; one that ends meanwhile is missed."""
    total = 0
    for tid in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{tid}/schedstat", encoding="ascii") as file:
                total += int(file.read().split()[0])
        except (FileNotFoundError, ProcessLookupError):
            pass
    return total


def cost(worker, path):
    """ns of CPU time that a row takes"""
    before, rows = cpu_time(worker), -1
    with open(path, "rb", buffering=0) as file:
        while part := file.read(131072):
            rows += part.count(b"\n")
    return (cpu_time(worker) - before) / rows


def check_cost(worker, most, paths):
    """The least of several rounds: what else runs makes it more, never less."""
    best = [min(costs) for costs in zip(*([cost(worker, p) for p in paths] for _ in range(ROUNDS)))]
    for path, ns in zip(paths, best):
        print(f"{path}: {ns:.0f} ns a row, {ns / best[0]:.2f} times")
    assert max(best) <= most * best[0], "too much"


def read_some(fd):
    """Whole lines, and what is read beyond them is not lost: the file is no terminal."""
    return os.read(fd, 65536).decode("latin-1")


def check_lost_leader(fd, filler, leader):
    """
    The reader is amid the rows of @filler as the leader of @leader exits, which comes
    later; its other thread still has the same files.
    """
    want = sorted(int(n) for n in os.listdir(f"/proc/{leader}/fd"))
    text = ""
    while f"\n{filler}," not in text:
        part = read_some(fd)
        assert part, "there is no row of it"
        text += part
    assert f"\n{leader}," not in text, "it is too late"
    os.kill(leader, signal.SIGUSR1)
    end = time.monotonic() + 10
    while open(f"/proc/{leader}/stat", encoding="latin-1").read().rpartition(")")[2][1] != "Z":
        assert time.monotonic() < end, "it does not exit"
        time.sleep(0.01)
    while part := read_some(fd):
        text += part
    rows = [row for row in csv.DictReader(io.StringIO(text)) if row["pid"] == str(leader)]
    assert sorted(int(row["fd"]) for row in rows) == want, (rows, want)
    assert {int(row["tid"]) for row in rows} == set(tids(leader)) - {leader}, rows


def main(argv):
    what, pid = argv[1], int(argv[2])
    if what == "leader":
        check_lost_leader(sys.stdin.fileno(), pid, int(argv[3]))
        return 0
    if what == "cost":
        check_cost(pid, float(argv[3]), argv[4:])
        return 0
    want = tables(pid) if what == "files" else mappings(pid)
    assert want, f"{pid} has none"
    for path in argv[3:]:
        if what == "files":
            rows = check_files(pid, path, want)
        else:
            rows = check_maps(path, pid, want)
        print(f"{path}: {rows} rows")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
