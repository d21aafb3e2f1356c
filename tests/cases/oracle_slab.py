#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Compares the view kmem_cache with /proc/slabinfo and /sys/kernel/slab.

  oracle_slab.py slabinfo MNT    what slabinfo counts, between two readings of it
  oracle_slab.py sysfs MNT       sizes, alignment, flags
  oracle_slab.py users MNT       refcnt

slabinfo moves all the time: kview is read between two readings of it, again
and again, and each value of each cache must once lie between the two.
"""

import os
import sys

import kview_read
from oracle import Report
from procfs import PAGE, slurp

COUNTED = ("active_objs", "num_objs", "objsize", "objperslab", "pagesperslab", "num_slabs")
FIXED = ("objsize", "objperslab", "pagesperslab")
ROUNDS = 60


def slabinfo():
    lines = slurp("/proc/slabinfo").split(b"\n")
    assert lines[0] == b"slabinfo - version: 2.1", lines[0]
    caches = []
    for line in lines[2:-1]:
        head, _, slabs = line.split(b" : ")
        name, *numbers = head.rsplit(None, 5)
        numbers.append(slabs.split()[2])
        caches.append((name, dict(zip(COUNTED, map(int, numbers)))))
    return caches


def kview(mnt, form):
    schema = kview_read.read_schema(f"{mnt}/schema/kmem_cache")
    return kview_read.read_view(mnt, "kmem_cache", form, schema)


def between(low, value, high):
    return min(low, high) <= value <= max(low, high)


def one_round(mnt, form, report, pending):
    """Drops from @pending what is confirmed now; returns what was seen."""
    before, rows, after = slabinfo(), kview(mnt, form), slabinfo()
    names = [name for name, _ in before]
    if names != [name for name, _ in after]:
        return None
    report.check(f"{form}: caches in their order", names, [row["name"] for row in rows])
    for i, (row, (name, low), (_, high)) in enumerate(zip(rows, before, after)):
        memory = row["num_slabs"] * row["pagesperslab"] * PAGE
        report.check(f"{form}: {name} memory", memory, row["memory"])
        for column in COUNTED:
            if between(low[column], row[column], high[column]):
                pending.discard((i, name, column))
            elif column in FIXED:
                report.check(f"{form}: {name} {column}", low[column], row[column])
    return before, rows, after


def check_slabinfo(mnt):
    report = Report()
    for form in kview_read.FORMATS:
        caches = slabinfo()
        pending = {(i, c[0], column) for i, c in enumerate(caches) for column in COUNTED}
        total, last = len(pending), None
        for _ in range(ROUNDS):
            last = one_round(mnt, form, report, pending) or last
            if not pending:
                break
        report.compared += total
        for i, name, column in pending:
            low, row, high = last[0][i][1], last[1][i], last[2][i][1]
            report.wrong.append(
                f"{form}: {name} {column}: {row[column]} never in {low[column]}..{high[column]}"
            )
    return report.end()


def attribute(name, which):
    return slurp(f"/sys/kernel/slab/{os.fsdecode(name)}/{which}").split()[0].decode()


# The files that say 1 for a flag of the cache.
FLAGS = ("hwcache_align", "reclaim_account", "destroy_by_rcu", "cache_dma", "store_user")


def bits_for(which, rows):
    """Bits of `flags` that say, for every cache, what this file says."""
    told = [(int(attribute(row["name"], which)), int(row["flags"], 16)) for row in rows]
    if len({value for value, _ in told}) < 2:
        return None  # all caches alike: nothing is told apart
    return [bit for bit in range(32) if all(value == flags >> bit & 1 for value, flags in told)]


def check_sysfs(mnt):
    report = Report()
    for form in kview_read.FORMATS:
        rows = kview(mnt, form)
        there = [row for row in rows if os.path.isdir(b"/sys/kernel/slab/" + row["name"])]
        report.check(f"{form}: caches in sysfs", True, len(there) > 20)
        for row in there:
            want = {
                "object_size": int(attribute(row["name"], "object_size")),
                "align": int(attribute(row["name"], "align")),
                "objsize": int(attribute(row["name"], "slab_size")),
                "objperslab": int(attribute(row["name"], "objs_per_slab")),
                "pagesperslab": 1 << int(attribute(row["name"], "order")),
            }
            for column, value in want.items():
                report.check(f"{form}: {row['name']} {column}", value, row[column])
        for which in FLAGS:
            bits = bits_for(which, there)
            report.check(f"{form}: a flag for {which}", True, bits is None or len(bits) > 0)
    return report.end()


def wrong_users(mnt, form):
    """Caches whose refcnt is not what sysfs says, as {name: (want, got)}.

    Below 0 stands a cache that never goes; sysfs says 0 aliases for it.
    """
    wrong = {}
    for row in kview(mnt, form):
        if os.path.isdir(b"/sys/kernel/slab/" + row["name"]):
            users = int(attribute(row["name"], "aliases")) + 1
            if row["refcnt"] != users and (row["refcnt"] >= 0 or users != 1):
                wrong[row["name"]] = (users, row["refcnt"])
    return wrong


def check_users(mnt):
    """Another reader of the iterator counts as a user meanwhile: try again."""
    report = Report()
    for form in kview_read.FORMATS:
        wrong = wrong_users(mnt, form)
        for _ in range(ROUNDS):
            if not wrong:
                break
            now = wrong_users(mnt, form)
            wrong = {name: now[name] for name in wrong if name in now}
        report.check(f"{form}: refcnt as sysfs has it", {}, wrong)
    return report.end()


CHECKS = {"slabinfo": check_slabinfo, "sysfs": check_sysfs, "users": check_users}

if __name__ == "__main__":
    sys.exit(CHECKS[sys.argv[1]](sys.argv[2]))
