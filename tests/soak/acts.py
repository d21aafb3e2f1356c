# SPDX-License-Identifier: GPL-2.0-only
"""One reader: a process that reads a soak's mounts in all ways that there are,
one after the other at random, and judges what it gets.
"""
import collections
import errno
import json
import os
import random
import signal
import time

import groups
from board import AROUND
from readers import FORMATS
from views import MAY_BE_EMPTY, OPEN_VIEWS, PROCESS_ROW_VIEWS, ROOT_VIEWS

MAX_FAILURES = 5
KEPT = 12  # files that a reader leaves open
OF_DYING = ("ENOENT", "ESRCH", "EIO", "EACCES")
AWAY = ("ENOENT", "ENOTCONN", "ECONNABORTED", "ENODEV", "ESTALE")
TREE = ["", "json", "csv", "schema", "pid"]


class Tally:
    """What a process has to report; as JSON at its end."""

    def __init__(self):
        self.counts = collections.Counter()
        self.errors = collections.Counter()
        self.failures = []
        self.worst = [0.0, "nothing"]  # s, and of what

    def took(self, seconds, what):
        self.worst = max(self.worst, [seconds, what])

    def fail(self, kind, words):
        self.counts["failures." + kind] += 1
        if len(self.failures) < MAX_FAILURES:
            self.failures.append(f"{kind}: {words}"[:600])

    def write(self, fd):
        data = json.dumps(vars(self)).encode()
        while data:
            data = data[os.write(fd, data):]


class Reader:
    def __init__(self, board, slot, who, seed, soak):
        self.board, self.slot, self.who = board, slot, who
        self.dice = random.Random(f"{seed} {slot} {who.name}")
        self.soak = soak  # .paths of mounts, .columns of views, .groups
        self.tally = Tally()
        self.kept = []
        self.mount = self.path = None
        self.opened = self.began = 0.0
        self.pid = os.getpid()

    # --- one system call ---

    def call(self, act, *args):
        self.began = time.monotonic()
        self.board.begin(self.slot)
        try:
            return act(*args)
        finally:
            self.board.end(self.slot)
            what = f"{act.__name__} {args}, {self.who.name}"
            self.tally.took(time.monotonic() - self.began, what)

    def open(self, name, flags=os.O_RDONLY):
        self.opened = time.monotonic()
        return self.call(os.open, f"{self.path}/{name}", flags)

    def read(self, fd, size):
        data = self.call(os.read, fd, size)
        self.tally.counts["bytes"] += len(data)
        return data

    def close(self, fd):
        self.call(os.close, fd)

    def drain(self, fd, size):
        parts = []
        while part := self.read(fd, size):
            parts.append(part)
        return b"".join(parts)

    def slurp(self, name, size=1 << 20):
        fd = self.open(name)
        try:
            return self.drain(fd, size)
        finally:
            self.close(fd)

    # --- judging ---

    def is_forgiven(self, name):
        """Errors that come of what was done to the mount."""
        if self.board.was_away(self.mount, self.opened - 0.5) and name in AWAY:
            return True
        if name == "ECONNABORTED":
            return self.board.was_upset(self.mount, self.began - AROUND)
        if name == "ESTALE":
            return self.board.was_upset(self.mount, self.opened - 0.5)
        return False

    def do(self, act):
        """One action. What it may meet by right it handles itself."""
        self.mount = self.dice.choice(list(self.soak.paths))
        self.path = self.soak.paths[self.mount]
        self.opened = time.monotonic()
        try:
            act()
            self.tally.counts[act.__name__] += 1
        except OSError as e:
            name = errno.errorcode[e.errno]
            self.tally.errors[name] += 1
            if not self.is_forgiven(name):
                self.tally.fail("error", f"{self.who.name}, {act.__name__} on {self.mount}: {e}")
        except AssertionError as e:
            self.tally.fail("rows", f"{self.who.name}, {act.__name__}: {e}")

    def may_fail(self, names, act, *args):
        """Its result, or None for one of these errors."""
        try:
            return act(*args)
        except OSError as e:
            name = errno.errorcode[e.errno]
            if name not in names:
                raise
            self.tally.errors[name] += 1
            return None

    def any_file(self):
        view = self.dice.choice(self.soak.views)
        kind = self.dice.choice(list(FORMATS))
        return view, kind, FORMATS[kind] % view

    def check(self, view, kind, data, pid=None):
        rows = groups.parse(view, kind, self.soak.columns[view], data)
        self.tally.counts["readings"] += 1
        self.tally.counts["rows"] += len(rows)
        if view in groups.PROC:
            groups.check(rows, self.who, self.soak.groups, view, self.mount, pid)
        elif view in ROOT_VIEWS and self.mount != "host":
            is_root = not self.who.uid and self.who.world != groups.USERNS
            assert bool(rows) == is_root, f"{len(rows)} rows of {view} for {self.who.name}"
        else:
            assert rows or view in MAY_BE_EMPTY, f"{view} is empty"

    def is_kept_out(self, view):
        return view not in OPEN_VIEWS and (self.who.uid or self.who.world == groups.USERNS)

    # --- actions ---

    def read_whole(self):
        view, kind, name = self.any_file()
        size = self.dice.choice((4096, 5000, 65536, 131072, 1 << 20))
        if self.is_kept_out(view):
            got = self.may_fail(("EACCES",), self.slurp, name, size)
            assert got is None, f"{self.who.name} may read {view}"
            return
        self.check(view, kind, self.slurp(name, size))

    def read_head(self):
        view, kind, name = self.any_file()
        if self.is_kept_out(view):
            return
        fd = self.open(name)
        line = self.read(fd, self.dice.choice((1024, 4096))).split(b"\n")[0]
        self.close(fd)
        columns = self.soak.columns[view]
        if kind == "text":
            assert line.decode().lower().split() == columns, line
        elif kind == "csv":
            assert line.decode() == ",".join(columns), line

    def read_collected(self):
        """What one mount collects, and those beside it that share its pins; in another there is nothing."""
        view = self.dice.choice(self.soak.collected)
        is_plain = self.who.uid or self.who.world == groups.USERNS
        name = FORMATS["json"] % view
        if self.mount == "calm" or (is_plain and view not in PROCESS_ROW_VIEWS):
            got = self.may_fail(("ENODATA", "EACCES"), self.slurp, name)
            assert got is None, f"{self.who.name} reads {view} in {self.mount}"
            return
        rows = [json.loads(line) for line in self.slurp(name).splitlines()]
        self.tally.counts["rows"] += len(rows)
        if view not in PROCESS_ROW_VIEWS:
            return
        assert len({tuple(row) for row in rows}) <= 1, f"rows of {view} have different columns"
        if is_plain and self.mount != "host":
            ended = [row for row in rows if row["end"]]
            assert not ended, f"{self.who.name} reads of {view} what has ended: {ended[:3]}"
        assert rows or is_plain or view == "block_io", f"{view} is empty"

    def read_bytes(self):
        """By one."""
        name = self.dice.choice(("schema/task_vma", "pid/self/task"))
        lines = self.slurp(name, 1).decode().splitlines()
        assert len(lines) >= 2 and lines[-1], name

    def read_slowly(self):
        view, kind, name = self.any_file()
        if self.is_kept_out(view):
            return
        fd = self.open(name)
        try:
            data = b""
            for _ in range(self.dice.randrange(4)):
                data += self.read(fd, self.dice.choice((1, 700, 4096, 20000)))
                time.sleep(self.dice.random() * 0.5)
            if self.dice.random() < 0.3:
                return  # it stops in the middle
            self.check(view, kind, data + self.drain(fd, 65536))
        finally:
            self.close(fd)

    def read_again(self):
        view, kind, name = self.any_file()
        if self.is_kept_out(view):
            return
        fd = self.open(name)
        try:
            self.read(fd, self.dice.choice((1, 4096, 65536)))
            self.call(os.lseek, fd, 0, os.SEEK_SET)
            self.check(view, kind, self.drain(fd, 65536))
        finally:
            self.close(fd)

    def read_back(self):
        """What was read is answered again from memory; at 0 it would be read anew."""
        view, _, name = self.any_file()
        if self.is_kept_out(view):
            return
        fd = self.open(name)
        try:
            data = b"".join(self.read(fd, 4096) for _ in range(5))
            for _ in range(5 if data else 0):
                at = self.dice.randint(1, len(data))
                again = self.call(os.pread, fd, len(data) - at, at)
                assert again == data[at:], f"{name} is another when read again at {at}"
        finally:
            self.close(fd)

    def keep_open(self):
        """Files that stay open for long, unread or half read; then the rest of one."""
        view, kind, name = self.any_file()
        if not self.is_kept_out(view):
            fd = self.open(name)
            data = self.read(fd, 4096) if self.dice.random() < 0.5 else b""
            self.kept.append((fd, self.mount, self.opened, view, kind, data))
        if len(self.kept) > KEPT:
            fd, self.mount, self.opened, view, kind, data = self.kept.pop(0)
            try:
                self.check(view, kind, data + self.drain(fd, 131072))
            finally:
                self.close(fd)

    def list_processes(self):
        names = set(self.call(os.listdir, f"{self.path}/pid"))
        for group in self.soak.groups:
            known = groups.numbers(self.who, group, self.mount)
            lacking = [n for n in known if str(n) not in names]
            assert not lacking, f"{self.mount}/pid lacks {lacking} for {self.who.name}"
            if not known and self.who.world == groups.HOST:
                seen = [n for n in group.pids if str(n) in names]
                assert not seen, f"{self.mount}/pid shows {seen} to {self.who.name}"
        self.tally.counts["listings"] += 1

    def walk(self):
        """All directories, into some processes too."""
        todo = list(TREE)
        while todo:
            at = todo.pop()
            below = at.startswith("pid/")
            entries = self.may_fail(OF_DYING if below else (), self.call, os.listdir,
                                    f"{self.path}/{at}")
            if at == "pid" and entries:
                todo += [f"pid/{e}" for e in self.dice.sample(entries, min(8, len(entries)))]
            elif below and "json" in (entries or ()):
                todo += [f"{at}/json", f"{at}/csv"]
            for e in (entries or ())[:20]:
                self.may_fail(OF_DYING, self.call, os.lstat, f"{self.path}/{at}/{e}")

    def stat_many(self):
        for _ in range(100):
            view, _, name = self.any_file()
            pid = self.dice.choice(self.soak.groups[0].pids)
            self.call(os.stat, f"{self.path}/{name}")
            self.may_fail(("ENOENT",), self.call, os.stat, f"{self.path}/pid/{pid}/{view}")

    def read_process(self):
        """One of a group: just its rows, EACCES, or ENOENT, as it has to be."""
        group = self.dice.choice(self.soak.groups)
        view, kind, name = self.any_file()
        known = groups.numbers(self.who, group, self.mount)
        if view not in groups.PROC or not known:
            return
        pid = self.dice.choice(sorted(known))
        if groups.expected(self.who, group, view, self.mount):
            self.check(view, kind, self.slurp(f"pid/{pid}/{name}"), pid)
        else:
            got = self.may_fail(("EACCES",), self.slurp, f"pid/{pid}/{name}")
            assert got is None, f"{self.who.name} reads {view} of {group.tag!r}: {got[:200]}"

    def read_dying(self):
        """The latest processes, most of which end amid that."""
        pids = sorted((int(e) for e in self.call(os.listdir, f"{self.path}/pid") if e.isdigit()))
        fds = []
        for pid in pids[-12:]:
            _, _, name = self.any_file()
            fd = self.may_fail(OF_DYING, self.open, f"pid/{pid}/{name}")
            if fd is not None:
                fds.append(fd)
        try:
            for fd in fds:
                self.may_fail(OF_DYING, self.drain, fd, self.dice.choice((100, 65536)))
        finally:
            for fd in fds:
                self.close(fd)

    def open_unread(self):
        fds = []
        try:
            for _ in range(20):
                view, _, name = self.any_file()
                if not self.is_kept_out(view):
                    fds.append(self.open(name))
        finally:
            for fd in fds:
                self.close(fd)

    def kill_reader(self):
        """kill -9 amid its reads; it has to end soon."""
        path = f"{self.path}/task_vma"
        child = os.fork()
        if child == 0:
            try:
                while True:
                    os.pread(os.open(path, os.O_RDONLY), 1 << 16, 1 << 40)
            finally:
                os._exit(0)
        time.sleep(self.dice.random() * 0.05)
        os.kill(child, signal.SIGKILL)
        self.call(os.waitpid, child, 0)

    def find_itself(self):
        if self.mount == "host":
            return
        told = self.call(os.readlink, f"{self.path}/pid/self")
        assert told == str(self.pid), (told, self.pid)
        fd = self.open("pid/self/json/task_file.json")
        rows = [json.loads(x) for x in self.drain(fd, 65536).splitlines()]
        self.close(fd)
        assert [r for r in rows if r["fd"] == fd and r["pid"] == self.pid], (fd, rows)

    WEIGHTS = {
        "read_whole": 10, "read_head": 4, "read_bytes": 1, "read_slowly": 3, "read_again": 3,
        "read_back": 2, "keep_open": 4, "list_processes": 3, "walk": 1, "stat_many": 1,
        "read_process": 5, "read_collected": 3, "read_dying": 3, "open_unread": 1, "kill_reader": 1, "find_itself": 2,
    }

    def run(self, share):
        """Until all is over, with that share of a processor."""
        names, weights = list(self.WEIGHTS), list(self.WEIGHTS.values())
        while not self.board.is_over():
            spent = time.process_time()
            self.do(getattr(self, self.dice.choices(names, weights)[0]))
            spent = time.process_time() - spent
            time.sleep(min(1.0, 0.005 + spent / share))
        for kept in self.kept:
            os.close(kept[0])
