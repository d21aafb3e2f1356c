#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Compares what kview and /proc told one reader, from `readers_population read`.

  oracle_readers.py settle PID...             wait until they and their children are
                                              still, and print all their numbers
  oracle_readers.py compare SEES CAPTURE      SEES: all (nothing is refused) or some
  oracle_readers.py splice KVIEW PROC         the same, of two readers: to test the test
"""

import os
import sys
import time

from oracle_readers_capture import Capture
from oracle_readers_rules import Judge, Report


def stat_fields(path):
    with open(path, "rb") as file:
        return file.read().rpartition(b")")[2].split()


def descendants(roots):
    parents = {}
    for name in os.listdir("/proc"):
        try:
            if name.isdigit():
                parents[int(name)] = int(stat_fields(f"/proc/{name}/stat")[1])
        except (FileNotFoundError, ProcessLookupError):
            pass
    family = set(roots)
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    return sorted(family)


def is_still(pid):
    tids = os.listdir(f"/proc/{pid}/task")
    return all(stat_fields(f"/proc/{pid}/task/{tid}/stat")[0] in b"STZ" for tid in tids)


def settle(roots):
    pids = descendants(roots)
    until = time.monotonic() + 10
    while moving := [pid for pid in pids if not is_still(pid)]:
        assert time.monotonic() < until, f"never still: {moving}"
        time.sleep(0.01)
    print(*pids)
    return 0


def compare(sees, kview, proc):
    report = Report()
    judge = Judge(kview, proc, report)
    judge.all()
    if sees == "all":
        report.expect(not report.refused, "nothing is refused")
    elif sees == "else's":
        report.most = None
    elif sees == "some":
        report.expect(report.refused > 0, "something is refused")
    report.expect(report.compared > 40, "enough is compared")
    return report.end()


def main(argv):
    if argv[1] == "settle":
        return settle([int(pid) for pid in argv[2:]])
    if argv[1] == "compare":
        capture = Capture(argv[3])
        return compare(argv[2], capture, capture)
    if argv[1] == "splice":
        return compare("else's", Capture(argv[2]), Capture(argv[3]))
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv))
