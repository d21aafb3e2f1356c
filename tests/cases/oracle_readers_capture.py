# SPDX-License-Identifier: GPL-2.0-only
"""What `readers_population read` has copied, and /proc's part of it as rows."""

import errno
import json
import re

TOO_LONG = "(too long)"
REFUSED = (errno.EACCES, errno.EPERM)
MAPS = re.compile(
    r"([0-9a-f]+)-([0-9a-f]+) (....) ([0-9a-f]+) ([0-9a-f]+:[0-9a-f]+) (\d+)(?: +(.*))?"
)


class Refused(Exception):
    """/proc says that this reader has no right to it."""


class Gone(Exception):
    """There is no such thing."""


class Capture:
    """Three phases of records: before, kview, after; each (errno, text) by (what, path)."""

    def __init__(self, path):
        with open(path, "rb") as file:
            data = file.read()
        self.phases, phase, pos = {}, None, 0
        while pos < len(data):
            end = data.index(b"\n", pos)
            what, name, error, length = data[pos:end].decode().split(" ")
            pos = end + 1 + int(length) + 1
            text = data[end + 1 : pos - 1].decode("utf-8", "surrogateescape")
            if what == "mark":
                phase = self.phases.setdefault(name, {})
            phase[(what, name)] = (int(error), text)
        pid, asked = self.phases["before"][("mark", "before")][1].split()
        self.pid, self.is_outside = int(pid), int(asked) > 0

    def error(self, what, path, phase="before"):
        return self.phases[phase][(what, path)][0]

    def get(self, what, path, phase="before"):
        error, text = self.phases[phase][(what, path)]
        if error in REFUSED:
            raise Refused(f"{path}: {errno.errorcode[error]}")
        if error:
            raise Gone(f"{path}: {errno.errorcode[error]}")
        return text

    def path(self, path):
        """Of a file, by kview's word for one that is too long."""
        if self.error("link", path) == errno.ENAMETOOLONG:
            return TOO_LONG
        return self.get("link", path)

    def numbers(self, path, phase="before"):
        return [int(name) for name in self.get("list", path, phase).split()]

    def detailed(self):
        """The processes of which /proc was asked for all."""
        names = [name for what, name in self.phases["before"] if what == "list"]
        found = [re.fullmatch(r"/proc/(\d+)/task", name) for name in names]
        return sorted({int(match[1]) for match in found if match})

    def mount(self):
        names = [name for what, name in self.phases["kview"] if what == "link"]
        return names[0].removesuffix("/pid/self")

    def rows(self, path):
        text = self.get("file", path, "kview")
        return [json.loads(line) for line in text.split("\n")[:-1]]


def stat_fields(text):
    """By number as proc(5) counts; 1 is the pid."""
    head, _, tail = text.rpartition(")")
    return [None, int(head.split(" ", 1)[0]), None] + tail.split()


def lines_of(text):
    lines = (line.partition(":\t") for line in text.split("\n"))
    return {key: value for key, _, value in lines}


def linked(capture, path, phase="before"):
    """(value, whether it was refused)"""
    if capture.error("link", path, phase) == errno.ENAMETOOLONG:
        return TOO_LONG, False
    try:
        return capture.get("link", path, phase), False
    except Refused:
        return None, True
    except Gone:
        return None, False


def namespace(capture, path, phase="before"):
    link, refused = linked(capture, path, phase)
    return (int(re.fullmatch(r"[a-z]+:\[(\d+)\]", link)[1]) if link else None), refused


def cgroup2(text):
    for line in text.split("\n"):
        if line.startswith("0::"):
            return line[3:]
    return None


def task_row(capture, base):
    """A row as kview's, and which of its columns were refused."""
    fields = stat_fields(capture.get("file", f"{base}/stat"))
    status = lines_of(capture.get("file", f"{base}/status"))
    uids, gids = status["Uid"].split(), status["Gid"].split()
    exe, no_exe = linked(capture, f"{base}/exe")
    pidns, no_pidns = namespace(capture, f"{base}/ns/pid")
    row = {
        "pid": int(status["Tgid"]),
        "tid": int(status["Pid"]),
        "ppid": int(fields[4]),
        "pgid": int(fields[5]),
        "sid": int(fields[6]),
        "uid": int(uids[0]),
        "euid": int(uids[1]),
        "gid": int(gids[0]),
        "state": fields[3],
        "prio": int(fields[18]),
        "nice": int(fields[19]),
        "policy": int(fields[41]),
        "threads": int(fields[20]),
        "vsize": int(fields[23]),
        "pidns": pidns,
        "cgroup": cgroup2(capture.get("file", f"{base}/cgroup")),
        "exe": exe,
        "comm": capture.get("file", f"{base}/comm").removesuffix("\n"),
    }
    refused = {"exe": no_exe, "pidns": no_pidns}
    return row, {name for name, is_refused in refused.items() if is_refused}


NAMESPACES = {"mntns": "mnt", "netns": "net", "pidns": "pid", "userns": "user", "cgroupns": "cgroup"}
IO = ("rchar", "wchar", "read_bytes", "write_bytes")


def process_io(capture, path):
    try:
        text = capture.get("file", path)
    except Refused:
        return dict.fromkeys(IO), set(IO)
    lines = dict(line.split(": ") for line in text.splitlines())
    return {name: int(lines[name]) for name in IO}, set()


def process_row(capture, base):
    """A row as kview's, and which of its columns were refused."""
    fields = stat_fields(capture.get("file", f"{base}/stat"))
    status = lines_of(capture.get("file", f"{base}/status"))
    limits = capture.get("file", f"{base}/limits")
    login = int(capture.get("file", f"{base}/loginuid"))
    row, refused = process_io(capture, f"{base}/io")
    for name in ("exe", "cwd", "root"):
        row[name], is_refused = linked(capture, f"{base}/{name}")
        refused |= {name} if is_refused else set()
    for name, link in NAMESPACES.items():
        row[name], is_refused = namespace(capture, f"{base}/ns/{link}")
        refused |= {name} if is_refused else set()
    row |= {
        "pid": int(status["Tgid"]),
        "ppid": int(fields[4]),
        "pgid": int(fields[5]),
        "sid": int(fields[6]),
        "state": fields[3],
        "threads": int(fields[20]),
        "oom_score_adj": int(capture.get("file", f"{base}/oom_score_adj")),
        "fds": int(capture.get("size", f"{base}/fd")),
        "fd_limit": int(re.search(r"^Max open files +(\d+)", limits, re.M)[1]),
        "loginuid": None if login == 0xFFFFFFFF else login,
        "seccomp": int(status["Seccomp"]),
        "no_new_privs": int(status["NoNewPrivs"]),
        "cap_eff": f"{int(status['CapEff'], 16):08x}",
        "vpid": int(status["NSpid"].split()[-1]),
        "cgroup": cgroup2(capture.get("file", f"{base}/cgroup")),
        "container": None,
        "comm": capture.get("file", f"{base}/comm").removesuffix("\n"),
    }
    row |= dict(zip(("uid", "euid", "suid"), map(int, status["Uid"].split())))
    row |= dict(zip(("gid", "egid"), map(int, status["Gid"].split())))
    return row, refused


def file_row(capture, base, fd):
    info = lines_of(capture.get("file", f"{base}/fdinfo/{fd}"))
    return {
        "fd": fd,
        "flags": info["flags"],
        "pos": int(info["pos"]),
        "mnt_id": int(info["mnt_id"]),
        "ino": int(capture.get("stat", f"{base}/fd/{fd}")),
        "path": capture.path(f"{base}/fd/{fd}"),
    }


def file_rows(capture, base, is_meant):
    fds = sorted(filter(is_meant, capture.numbers(f"{base}/fd")))
    return [file_row(capture, base, fd) for fd in fds]


def map_rows(capture, base):
    rows = []
    for line in capture.get("file", f"{base}/maps").split("\n")[:-1]:
        values = MAPS.fullmatch(line).groups()
        names = ("start", "end", "perms", "offset", "dev", "ino", "path")
        row = dict(zip(names, values))
        row["ino"] = int(row["ino"])
        row["path"] = TOO_LONG if len(row["path"] or "") >= 4096 else row["path"] or None
        rows.append(row)
    return rows
