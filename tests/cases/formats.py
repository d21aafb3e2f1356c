#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Compares kview's formats with each other on a frozen population.

  formats.py same VIEW MNT LIST         text, json and csv hold the same rows and values
  formats.py pin VIEW MNT LIST PIN      so does the text that the pin itself prints
  formats.py pick VIEW MNT PID KVIEW    `kview cat -c` gives these columns of the whole
  formats.py pids VIEW MNT LIST         pid/PID holds what the whole machine's file does
"""

import os
import subprocess
import sys

import kview_read
from oracle import Report, population


def still(mnt, view):
    """The columns that stand still on a machine that lives."""
    with open(f"{mnt}/schema/{view}", encoding="utf-8") as file:
        fields = [line.rstrip("\n").split("\t") for line in file]
    return [f[0] for f in fields if f[4] not in ("gauge", "counter")]


def pids_of(schema, people):
    """Of whom rows are compared; a view that is not of processes has none of theirs."""
    return set(people) if "pid" in dict(schema) else None


def whole(values, nulls):
    """csv has every byte but can't tell "" from no value; json can."""
    return [
        {name: b"" if value is None and null[name] == b"" else value for name, value in row.items()}
        for row, null in zip(values, nulls)
    ]


def joined(rows):
    """Lists as all formats but json show them."""
    return [
        {name: b" ".join(part.encode() for part in value) if isinstance(value, list) else value
         for name, value in row.items()}
        for row in rows
    ]


def lasting(rows):
    """Without symbols of programs that come and go all the time: view ksym."""
    return [row for row in rows if row.get("module") in (None, b"-")]


def compare(report, place, columns, want, got, form):
    want, got = lasting(want), lasting(got)
    report.check(f"{place}: rows", len(want), len(got))
    for i, (one, other) in enumerate(zip(want, got)):
        for name in columns:
            value = kview_read.as_seen(one[name], form)
            report.check(f"{place}: row {i} {name}", value, other[name])


def check_place(report, base, view, pids, schema):
    """Compares one directory's three files; returns the rows, whole."""
    columns = still(base, view) if pids is None else [name for name, _ in schema]
    read = {
        form: joined(kview_read.read_view(base, view, form, schema, pids))
        for form in kview_read.FORMATS
    }
    want = whole(read["csv"], read["json"])
    for form, rows in read.items():
        compare(report, f"{base} {form}", columns, want, rows, form)
    return want


def check_same(view, mnt, people):
    report = Report()
    schema = kview_read.read_schema(f"{mnt}/schema/{view}")
    pids = pids_of(schema, people)
    check_place(report, mnt, view, pids, schema)
    for pid in [] if pids is None else people:
        check_place(report, f"{mnt}/pid/{pid}", view, {pid}, schema)
    return report.end()


def check_pids(view, mnt, people):
    report = Report()
    schema = kview_read.read_schema(f"{mnt}/schema/{view}")
    everyone = kview_read.read_view(mnt, view, "csv", schema, people)
    for pid, role in people.items():
        want = [row for row in everyone if row["pid"] == pid]
        got = kview_read.read_view(f"{mnt}/pid/{pid}", view, "csv", schema)
        report.check(f"{role} {pid}", want, got)
    return report.end()


def slurp_pin(pin):
    """A read may end with EAGAIN and the next one goes on; Python's read() takes that for the end."""
    data = b""
    fd = os.open(pin, os.O_RDONLY)
    while True:
        try:
            chunk = os.read(fd, 65536)
        except BlockingIOError:
            continue
        if not chunk:
            break
        data += chunk
    os.close(fd)
    return data


def check_pin(view, mnt, people, pin):
    report = Report()
    schema = kview_read.read_schema(f"{mnt}/schema/{view}")
    pids = pids_of(schema, people)
    columns = still(mnt, view) if pids is None else [name for name, _ in schema]
    # A pin has the number of an enum.
    columns = [name for name in columns if dict(schema)[name] != "enum"]
    want = check_place(report, mnt, view, pids, schema)
    got = kview_read.read_pin(slurp_pin(pin), schema, pids)
    for name in (name for name, kind in schema if kind == "list"):
        for row in got:
            row[name] = row[name].replace(b"?", b" ")  # which is the NUL between its parts
    if view == "process_args":  # which kview puts in, not the program: oracle_process_args.bats
        assert {row["args"] for row in got} == {b"(unreadable)"}
        columns.remove("args")
    compare(report, pin, columns, want, got, "pin")
    return report.end()


def check_pick(view, mnt, pid, kview):
    """The columns one by one, all backwards, and every second one."""
    report = Report()
    schema = kview_read.read_schema(f"{mnt}/schema/{view}")
    for chosen in [[each] for each in schema] + [schema[::-1], schema[::2]]:
        names = ",".join(name for name, _ in chosen)
        for form in kview_read.FORMATS:
            command = [kview, "cat", "-F", form, "-c", names, "--pid", pid, view]
            out = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=60).stdout
            got = kview_read.READERS[form](out, chosen)
            rows = kview_read.read_view(f"{mnt}/pid/{pid}", view, form, schema)
            want = [{name: row[name] for name, _ in chosen} for row in rows]
            report.check(f"{form} {names}", want, got)
    return report.end()


def main(argv):
    what, view, mnt = argv[1:4]
    if what == "pick":
        return check_pick(view, mnt, argv[4], argv[5])
    people = population(argv[4])
    checks = {"same": check_same, "pids": check_pids, "pin": check_pin}
    return checks[what](view, mnt, people, *argv[5:])


if __name__ == "__main__":
    sys.exit(main(sys.argv))
