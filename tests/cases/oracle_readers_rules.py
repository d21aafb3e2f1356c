# SPDX-License-Identifier: GPL-2.0-only
"""The rule that a reader sees through kview what its own /proc shows it.

Where kview differs knowingly:

  - A table of open files, and an address space, is shown once, and the thread
    whose it is decides: the leader, or a thread with a table of its own; behind
    a leader that has exited the first thread. /proc asks for each thread.
  - A process that shares the reader's memory without being a thread of it may
    be looked into in /proc whatever its ids. None is made here.
  - PID 1 of the machine may be left out by the kernel's iterators.

Of the reader itself everything is compared but its state, which is running
here and waiting there, and the descriptors by which it reads.
"""

import errno

import oracle_readers_capture as facts
from oracle_readers_capture import Gone, Refused

SHOWN = 40
KEYS = {
    "process": ("pid",),
    "task": ("pid", "tid"),
    "task_file": ("pid", "tid", "fd"),
    "task_vma": ("pid", "start"),
}


class Report:
    """Counts what was compared and what /proc refused; too little is a failure as well."""

    def __init__(self):
        self.compared, self.refused, self.wrong, self.most = 0, 0, [], SHOWN

    def expect(self, is_true, what):
        self.compared += 1
        if not is_true:
            self.wrong.append(f"not so: {what}")

    def fail(self, word, what):
        self.wrong.append(f"{word}: {what}")

    def end(self):
        for line in self.wrong[: self.most]:
            print(line)
        print(f"{self.compared} compared, {self.refused} refused, {len(self.wrong)} wrong")
        return 1 if self.wrong else 0


class Wanted:
    """Of one view: the rows that /proc grants by key, and why it refuses others."""

    def __init__(self):
        self.rows, self.denials, self.columns = {}, {}, {}

    def why_not(self, key):
        return self.denials.get(key[:2]) or self.denials.get(key[:1])


class Judge:
    def __init__(self, kview, proc, report):
        self.kview, self.proc, self.report = kview, proc, report
        self.mnt = kview.mount()
        self.pids = [pid for pid in proc.detailed() if pid != proc.pid or kview is proc]
        self.want = {view: Wanted() for view in KEYS}
        for pid in self.pids:
            self.process(pid)

    def all(self):
        self.lists()
        for view in KEYS:
            self.view(view)
            for pid in self.pids:
                self.view_of(view, pid)
        self.self()
        self.others()

    # --- what /proc grants ---

    def process(self, pid):
        try:
            tids = self.proc.numbers(f"/proc/{pid}/task")
        except (Gone, Refused) as why:
            for want in self.want.values():
                want.denials[(pid,)] = why
            self.report.refused += 1
            return
        row, columns = facts.process_row(self.proc, f"/proc/{pid}")
        if pid == self.proc.pid:  # it reads, and has opened what it reads
            row = {name: value for name, value in row.items() if name not in (*facts.IO, "fds")}
        self.want["process"].rows[(pid,)] = row
        self.want["process"].columns[(pid,)] = columns
        names = {}
        for tid in tids:
            row, columns = facts.task_row(self.proc, f"/proc/{pid}/task/{tid}")
            self.want["task"].rows[(pid, tid)] = row
            self.want["task"].columns[(pid, tid)] = columns
            self.report.refused += bool(columns)
            names[tid] = row["comm"]
        owners = [tid for tid in tids if tid == pid or names[tid].startswith("own")]
        for tid in owners:
            self.files(pid, tid)
        is_dead = self.want["task"].rows[(pid, pid)]["state"] == "Z"
        self.mappings(pid, owners[1] if is_dead and len(owners) > 1 else pid)

    def files(self, pid, tid):
        want = self.want["task_file"]
        base = f"/proc/{pid}/task/{tid}"
        try:
            rows = facts.file_rows(self.proc, base, lambda fd: fd < 3 or pid != self.proc.pid)
        except (Gone, Refused) as why:
            want.denials[(pid, tid)] = why
            self.report.refused += 1
            return
        for row in rows:
            want.rows[(pid, tid, row["fd"])] = row

    def mappings(self, pid, tid):
        want = self.want["task_vma"]
        try:
            rows = facts.map_rows(self.proc, f"/proc/{pid}/task/{tid}")
        except (Gone, Refused) as why:
            want.denials[(pid,)] = why
            self.report.refused += isinstance(why, Refused)
            return
        for row in rows:
            want.rows[(pid, row["start"])] = row

    # --- what kview shows ---

    def rows_of(self, view, rows):
        got = {}
        for row in rows:
            key = tuple(row[name] for name in KEYS[view])
            if view == "task_file" and key[0] == self.kview.pid and row["fd"] >= 3:
                continue
            if key in got:
                self.report.fail("TWICE", f"{view} {key}")
            got[key] = row
        return got

    def rows(self, where, view, pids, got):
        want = self.want[view]
        wanted = {key: row for key, row in want.rows.items() if key[0] in pids}
        for key in sorted(set(got) - set(wanted)):
            why = want.why_not(key)
            word = "SHOWN BUT REFUSED" if why else "SHOWN BUT NOT THERE"
            self.report.fail(word, f"{where} {key} {self.name(key[0])}: {why}")
        for key in sorted(set(wanted) - set(got)):
            self.report.fail("MISSING", f"{where} {key} {self.name(key[0])}")
        for key in sorted(set(wanted) & set(got)):
            self.values(f"{where} {key} {self.name(key[0])}", view, key, got[key])

    def name(self, pid):
        row = self.want["task"].rows.get((pid, pid))
        return row["comm"] if row else "?"

    def values(self, where, view, key, got):
        self.report.compared += 1
        refused = self.want[view].columns.get(key, set())
        for column, value in self.want[view].rows[key].items():
            if value == got[column] or (column == "state" and key[0] == self.proc.pid):
                continue
            word = "SHOWN BUT REFUSED" if column in refused else "DIFFERS"
            if value and got[column] is None:
                word = "MISSING"
            self.report.fail(word, f"{where} {column}: {value!r} in /proc, {got[column]!r}")

    def view(self, view):
        rows = self.kview.rows(f"{self.mnt}/json/{view}.json")
        rows = [row for row in rows if row["pid"] in self.pids]
        self.rows(view, view, self.pids, self.rows_of(view, rows))

    def view_of(self, view, pid):
        """pid/N: entering fails as in /proc; nothing but refused rows is EACCES."""
        path = f"{self.mnt}/pid/{pid}/json/{view}.json"
        if ("file", path) not in self.kview.phases["kview"]:
            return
        error = self.kview.error("file", path, "kview")
        entered = self.proc.error("file", f"/proc/{pid}/stat")
        if entered:
            self.report.compared += 1
            if error != entered:
                self.report.fail("DIFFERS", f"{path}: {error}, but {entered} in /proc")
            return
        if error != errno.EACCES or any(key[0] == pid for key in self.want[view].rows):
            rows = [] if error else self.kview.rows(path)
            if error:
                self.report.fail("MISSING", f"{path} {self.name(pid)}: {errno.errorcode[error]}")
            self.rows(f"pid/{pid}/{view}", view, [pid], self.rows_of(view, rows))
        self.refusal(view, pid, path, error)

    def refusal(self, view, pid, path, error):
        """With no right to any row the file says so, instead of being empty."""
        want = self.want[view]
        is_dead = self.want["task"].rows[(pid, pid)]["state"] == "Z"
        if is_dead or any(key[0] == pid for key in want.rows):
            return
        why = want.why_not((pid, pid))
        self.report.compared += 1
        if isinstance(why, Refused) != (error == errno.EACCES):
            self.report.fail("DIFFERS", f"{path} {self.name(pid)}: {error}, /proc: {why}")

    # --- the others on the machine ---

    def lists(self):
        """Who was there all the time is listed, who was not is not."""
        before = set(self.proc.numbers("/proc"))
        after = set(self.proc.numbers("/proc", "after"))
        got = set(self.kview.numbers(f"{self.mnt}/pid", "kview"))
        known = set(self.pids) if self.proc.is_outside else got
        there = before & after - ({1} if self.proc.is_outside else set())
        if self.kview is not self.proc:
            there &= set(self.pids)
        self.report.compared += len(there)
        for pid in sorted(there - got):
            if self.is_stable(pid):
                self.report.fail("MISSING", f"pid/{pid}")
        for pid in sorted((got & known) - before - after):
            self.report.fail("SHOWN BUT REFUSED", f"pid/{pid}")

    def self(self):
        want, got = str(self.kview.pid), self.kview.get("link", f"{self.mnt}/pid/self", "kview")
        self.report.expect(want == got, f"pid/self is {want}: {got}")
        rows = self.kview.rows(f"{self.mnt}/pid/self/json/task.json")
        if self.kview is self.proc:
            self.rows("pid/self/task", "task", [self.kview.pid], self.rows_of("task", rows))

    def facts(self, pid, phase):
        """Public ones, then guarded ones and whether they are refused; None: not to be had."""
        base = f"/proc/{pid}"
        try:
            fields = facts.stat_fields(self.proc.get("file", f"{base}/stat", phase))
            status = facts.lines_of(self.proc.get("file", f"{base}/status", phase))
        except (Gone, Refused, KeyError):
            return None
        opens = tuple(self.proc.error("open", f"{base}/{name}", phase) for name in ("fd", "maps"))
        return (
            (fields[22], fields[3] == "Z", status["Uid"].split()[:2], status["Gid"].split()[:1]),
            facts.linked(self.proc, f"{base}/exe", phase),
            facts.namespace(self.proc, f"{base}/ns/pid", phase),
            opens,
        )

    def is_stable(self, pid):
        before = self.facts(pid, "before")
        return before is not None and before == self.facts(pid, "after")

    def others(self):
        """Those that were the same before and after."""
        if self.kview is not self.proc:
            return
        rows = {view: {} for view in KEYS}
        for view, by_pid in rows.items():
            for row in self.kview.rows(f"{self.mnt}/json/{view}.json"):
                if row.get("tid", row["pid"]) == row["pid"]:
                    by_pid[row["pid"]] = row
        for pid in set(self.proc.numbers("/proc")) - set(self.pids) - {1}:
            if self.is_stable(pid):
                self.other(pid, {view: by_pid.get(pid) for view, by_pid in rows.items()})

    def other(self, pid, rows):
        (_, _, uids, gids), exe, pidns, opens = self.facts(pid, "before")
        row = rows["task"]
        self.report.compared += 1
        if not row:
            self.report.fail("MISSING", f"task {pid}")
            return
        # Of names that are not ours only that they are there: they may be of any bytes.
        want = [int(uid) for uid in uids + gids] + [exe[0] is not None, pidns[0]]
        got = [row[name] for name in ("uid", "euid", "gid")]
        got += [row["exe"] is not None, row["pidns"]]
        if want != got:
            word = "SHOWN BUT REFUSED" if exe[1] and (row["exe"] or row["pidns"]) else "DIFFERS"
            self.report.fail(word, f"task {pid} {row['comm']}: {want} in /proc, {got}")
        for view, error in zip(("task_file", "task_vma"), opens):
            if rows[view] and error in facts.REFUSED:
                self.report.fail("SHOWN BUT REFUSED", f"{view} of {pid} {row['comm']}")
