#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Compares kview with the kernel's own word about a frozen population.

  oracle.py rows VIEW MNT LIST             which rows there are, and their order
  oracle.py values VIEW MNT LIST COL...    these columns, in every format and place
  oracle.py covers VIEW MNT LIST COL VALUE...   the population holds these values
  oracle.py kthreads MNT                   rows of kernel threads
"""

import json
import os
import sys

import kview_read
import procfs

KEYS = {"process": (), "task": ("tid",), "task_file": ("tid", "fd"), "task_vma": ("pid", "start")}
SHOWN = 25


def brief(value):
    text = repr(value)
    return text if len(text) <= 160 else f"{text[:60]}...{text[-60:]} ({len(value)} long)"


class Report:
    """Counts what was compared; too little compared is a failure as well."""

    def __init__(self):
        self.compared, self.wrong = 0, []

    def check(self, where, want, got):
        self.compared += 1
        if not want == got:  # Roughly knows ==
            self.wrong.append(f"{where}: want {brief(want)}, got {brief(got)}")

    def end(self):
        for line in self.wrong[:SHOWN]:
            print(line)
        print(f"{self.compared} compared, {len(self.wrong)} differ")
        return 1 if self.wrong or not self.compared else 0


def population(path):
    with open(path, encoding="utf-8") as file:
        people = [json.loads(line) for line in file]
    assert len(people) > 40, f"{path}: only {len(people)} processes"
    return {each["pid"]: each["role"] for each in people}


def places(mnt, view, pids, schema):
    """(name, rows) of the population: whole-machine files and pid/PID ones."""
    for form in kview_read.FORMATS:
        yield form, form, kview_read.read_view(mnt, view, form, schema, pids)
        rows = []
        for pid in sorted(pids):
            base = f"{mnt}/pid/{pid}"
            rows += kview_read.read_view(base, view, form, schema)
        yield f"pid/PID {form}", form, rows


def key_of(row, view):
    key = [row["pid"]] + [row[name] for name in KEYS[view]]
    return tuple(int(part, 16) if isinstance(part, bytes) else part for part in key)


def wanted(view, pids):
    rows = []
    for pid in sorted(pids):
        rows += procfs.PROCESS[view](pid)
    return rows


def check_rows(view, mnt, people):
    report = Report()
    schema = kview_read.read_schema(f"{mnt}/schema/{view}")
    want = {}
    for row in wanted(view, people):
        want.setdefault(row["pid"], []).append(key_of(row, view))
    for place, _, rows in places(mnt, view, people, schema):
        got = {}
        for row in rows:
            got.setdefault(row["pid"], []).append(key_of(row, view))
        for pid, role in people.items():
            report.check(f"{place}: {role} ({pid})", want.get(pid, []), got.get(pid, []))
    return report.end()


def check_values(view, mnt, people, columns):
    report = Report()
    schema = kview_read.read_schema(f"{mnt}/schema/{view}")
    # kview first: to be asked makes the kernel remember some values.
    seen = list(places(mnt, view, people, schema))
    want = {key_of(row, view): row for row in wanted(view, people)}
    for place, form, rows in seen:
        assert len(rows) >= len(want), f"{place}: {len(rows)} rows, not {len(want)}"
        for row in rows:
            key = key_of(row, view)
            role = f"{place}: {people[row['pid']]} {key}"
            for name in columns:
                value = kview_read.as_seen(want[key][name], form)
                report.check(f"{role} {name}", value, row[name])
    return report.end()


def check_covers(view, mnt, people, column, values):
    """Guards the guards: with a poorer population the tests would say less."""
    schema = kview_read.read_schema(f"{mnt}/schema/{view}")
    # json tells an empty name from none
    rows = kview_read.read_view(mnt, view, "json", schema, people)
    seen = {b"none" if row[column] is None else row[column] for row in rows}
    seen = {str(v) if isinstance(v, int) else v.decode("latin-1") for v in seen}
    missing = set(values) - seen
    print(f"{column}: {len(seen)} values, missing: {missing or 'none'}")
    return 1 if missing else 0


def kernel_thread(tid):
    """Its name and state now, None for what is none or has ended."""
    try:
        fields = procfs.stat_fields(f"/proc/{tid}/stat")
        name = procfs.comm(f"/proc/{tid}/comm")
    except (FileNotFoundError, ProcessLookupError):
        return None
    return (name, fields[3]) if int(fields[9]) & procfs.PF_KTHREAD else None


def check_kthreads(mnt):
    """A worker's name changes with its work: it must be right in one round."""
    schema = kview_read.read_schema(f"{mnt}/schema/task")
    report, pending = Report(), None
    for _ in range(50):
        before = {int(tid): kernel_thread(tid) for tid in os.listdir("/proc") if tid.isdigit()}
        rows = kview_read.read_view(mnt, "task", "csv", schema)
        rows = {row["tid"]: row for row in rows}
        after = {tid: kernel_thread(tid) for tid in before}
        there = {tid for tid, seen in before.items() if seen and after[tid]}
        if pending is None:
            pending = set(there)
        pending &= there
        for tid in list(pending):
            row = rows.get(tid, {})
            if (row.get("comm"), row.get("state")) in (before[tid], after[tid]):
                report.check(f"{tid} exe", None, row["exe"])
                report.check(f"{tid} vsize", 0, row["vsize"])
                report.check(f"{tid} rss", 0, row["rss"])
                pending.discard(tid)
        if not pending:
            break
    for tid in pending:
        row = rows.get(tid, {})
        report.check(f"{tid}", kernel_thread(tid), (row.get("comm"), row.get("state")))
    return report.end()


def main(argv):
    if argv[1] == "kthreads":
        return check_kthreads(argv[2])
    what, view, mnt, people = argv[1], argv[2], argv[3], population(argv[4])
    if what == "rows":
        return check_rows(view, mnt, people)
    if what == "values":
        return check_values(view, mnt, people, argv[5:])
    if what == "covers":
        return check_covers(view, mnt, people, argv[5], argv[6:])
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv))
