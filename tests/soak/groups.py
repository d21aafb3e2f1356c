# SPDX-License-Identifier: GPL-2.0-only
"""Processes that hold still for as long as the soak lasts, in groups with a
name of their own, and which rows of them a reader has to get: all of them once,
or none.
"""
import collections
import os
import re
import shutil
import subprocess

from readers import KEYS, PARSERS, PROC

HOST, PIDNS, USERNS = "host", "pidns", "userns"
USER_NS_OWNER = 21016
USERS = (21011, 21012, 21013, 21014, 21015)

Who = collections.namedtuple("Who", "name uid world")
"""A reader: its uid on the host, and which of the three pid namespaces it is in."""


class Group:
    """crowd of tests/cases under a hostile name, which is its comm."""

    def __init__(self, tag, uid, world):
        self.tag, self.uid, self.world = tag, uid, world
        self.pids, self.inner = [], {}
        self.rows = {}

    def prepare(self, directory, tool):
        """As root of the host."""
        self.program = os.path.join(directory, self.tag)
        shutil.copy(tool, self.program)
        os.chmod(self.program, 0o755)

    def start(self):
        """In the caller's world; with its ids, or the group's if it is root on the host."""
        ids = {}
        if self.world == HOST and self.uid:
            ids = {"user": self.uid, "group": self.uid, "extra_groups": []}
        self.process = subprocess.Popen(
            [self.program, "-n", "3", "-t", "3", "-f", "15", "-m", "30"], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, close_fds=True, cwd="/", **ids)
        while line := self.process.stdout.readline():
            if line == b"ready\n":
                return
        raise AssertionError(f"the group {self.tag!r} did not start")

    def look(self):
        """From the host: who they are, and what /proc says of them."""
        self.pids = [int(p) for p in os.listdir("/proc") if p.isdigit() and comm_of(p) == self.tag]
        assert len(self.pids) == 4, (self.tag, self.pids)
        for pid in self.pids:
            for tid in os.listdir(f"/proc/{pid}/task"):
                self.inner[int(tid)] = inner_number(pid, tid)
        for view, keys in PROC.items():
            self.rows[view] = collections.Counter(k for pid in self.pids for k in keys(pid))

    def rows_inside(self, view):
        """As rows, by the numbers in the group's own pid namespace."""
        numbers = (0, 1) if view == "task" else (0,)
        return collections.Counter(
            tuple(self.inner[x] if i in numbers else x for i, x in enumerate(key))
            for key in self.rows[view].elements())


def comm_of(pid):
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace", newline="") as file:
            return file.read()[:-1]
    except OSError:
        return None


def inner_number(pid, tid):
    with open(f"/proc/{pid}/task/{tid}/status", encoding="latin-1") as file:
        return next(int(x.split()[-1]) for x in file if x.startswith("NSpid:"))


def make_groups():
    """Each run has names of its own: there may be another at the same time."""
    own = f"{os.getpid():x}"
    return [
        Group('r\n"oot' + own, 0, HOST),
        Group("u,1\t\x1b[31m" + own, USERS[0], HOST),
        Group("u\\2 '" + own, USERS[1], HOST),
        Group("p\vns 1 2" + own, 0, PIDNS),
        Group('-us\ner""' + own, USER_NS_OWNER, USERNS),
    ]


def may_look_into(who, group):
    if who.world != HOST:
        return who.world == group.world
    return who.uid == 0 or (who.uid == group.uid and group.world == HOST)


def expected(who, group, view, mount):
    """The rows that the reader has to get of the group."""
    if mount == "host":
        return group.rows[view]
    if who.world not in (HOST, group.world):
        return collections.Counter()
    needs_right = view != "task" or mount == "strict"
    if needs_right and not may_look_into(who, group):
        return collections.Counter()
    return group.rows[view] if who.world == HOST else group.rows_inside(view)


def numbers(who, group, mount):
    """Of its processes in pid/, for this reader."""
    return {key[0] for key in expected(who, group, "task", mount)}


# --- what a reading has ---


def unescape(text):
    return re.sub(r"\\([0-7]{3})", lambda m: chr(int(m.group(1), 8)), text)


def parse(view, kind, columns, data):
    """Rows as dicts, with comm as it is. A reading that is not well formed is an AssertionError."""
    try:
        rows = [dict(zip(columns, row)) for row in PARSERS[kind](data, columns)]
    except (ValueError, IndexError, TypeError) as e:
        raise AssertionError(f"{view} in {kind} is not well formed: {e}") from e
    if kind == "text":
        for row in rows:
            if "comm" in row:
                row["comm"] = unescape(row["comm"])
    return rows


def check(rows, who, groups, view, mount, pid=None):
    """Each group's rows, or those of one process of it, are there as they have to be."""
    tags = {group.tag: collections.Counter() for group in groups}
    for row in rows:
        if row["comm"] in tags:
            tags[row["comm"]][KEYS[view](row)] += 1
    for group in groups:
        want = expected(who, group, view, mount)
        if pid is not None:
            want = collections.Counter({k: n for k, n in want.items() if k[0] == pid})
        got = tags[group.tag]
        assert got == want, (
            f"{mount}/{view}, {who.name} of {group.tag!r}: missing "
            f"{list((want - got).items())[:4]}, too many {list((got - want).items())[:4]}")
    if view == "task":
        tids = collections.Counter(row["tid"] for row in rows)
        twice = [tid for tid, n in tids.items() if n > 1]
        assert not twice, f"threads are listed twice: {twice[:4]}"
