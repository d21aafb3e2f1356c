# SPDX-License-Identifier: GPL-2.0-only
"""BPF objects that this program makes, in the views of them: WHAT VIEW KVIEW.

names   every name that the kernel takes; a link to a cgroup whose path forges rows
many    1,000 objects while others come and go
"""

import contextlib
import csv
import ctypes
import errno
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import time

from meanwhile import meanwhile

LIBBPF = ctypes.CDLL("libbpf.so.1", use_errno=True)
HASH, CGROUP_SKB, INGRESS, TRACE_ITER = 1, 8, 0, 28
RETURN_1 = bytes.fromhex("b700000001000000 9500000000000000")
LONGEST = 15
# The kernel's isalnum() is that of Latin-1, so a name may be no UTF-8.
TAKEN = re.compile(rb"[A-Za-z0-9_.\xc0-\xd6\xd8-\xf6\xf8-\xff]")


def cat(kview, view, fmt):
    argv = [kview, "cat", "-F", fmt, view]
    return subprocess.run(argv, stdout=subprocess.PIPE, check=True, timeout=120).stdout


def rows_of(kview, view):
    rows = [json.loads(line) for line in cat(kview, view, "json").splitlines()]
    found = {row["id"]: row for row in rows}
    assert len(found) == len(rows), "an object has two rows"
    return found


def made(fd):
    if fd < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return fd


def make_map(name):
    return made(LIBBPF.bpf_map_create(HASH, name, 4, 4, 1, None))


def make_prog(name):
    return made(LIBBPF.bpf_prog_load(CGROUP_SKB, name, b"GPL", RETURN_1, 2, None))


def number(fd):
    """Every kind says its id in the same way."""
    with open(f"/proc/self/fdinfo/{fd}", encoding="ascii") as f:
        return int(re.search(r"^(?:map|prog|link)_id:\t(\d+)$", f.read(), re.M)[1])


MAKERS = {"bpf_map": make_map, "bpf_prog": make_prog}


def taken_bytes(make):
    """A name with each byte that a name may have."""
    for byte in range(1, 256):
        name = b"k" + bytes([byte])
        try:
            fd = make(name)
        except OSError as e:
            assert e.errno == errno.EINVAL, (name, e)
            assert not TAKEN.match(bytes([byte])), name
            continue
        assert TAKEN.match(bytes([byte])), name
        yield name, fd


NAMES = [b"", b".", b"..", b"_", b"null", b"0", b"1.5", b"NaN", b"true"]
NAMES += [b"x" * LONGEST, b"." * LONGEST, b"\xff" * LONGEST, b"\xc3\xc3"]


def escaped(name):
    """As text has it: a byte that is no UTF-8 in octal."""
    return re.sub(rb"[\x80-\xff]", lambda m: b"\\%03o" % m[0][0], name) or b"-"


def names(view, kview):
    make = MAKERS[view]
    kept = list(taken_bytes(make)) + [(name, make(name)) for name in NAMES]
    wanted = {number(fd): name for name, fd in kept}
    assert len(wanted) == 64 + 62 + len(NAMES), len(wanted)
    rows = rows_of(kview, view)
    plain = {n: name.decode("utf-8", "replace") or None for n, name in wanted.items()}
    assert {n: rows[n]["name"] for n in wanted} == plain
    header, *lines = [line.split() for line in cat(kview, view, "text").splitlines()]
    assert all(len(line) == len(header) for line in lines)
    at = header.index(b"NAME")
    text = {int(line[0]): line[at] for line in lines}
    assert {n: text[n] for n in wanted} == {n: escaped(name) for n, name in wanted.items()}
    table = cat(kview, view, "csv").decode("utf-8", "surrogateescape")
    table = csv.DictReader(io.StringIO(table, newline=""))
    found = {int(row["id"]): os.fsencode(row["name"]) for row in table}
    assert {n: found[n] for n in wanted} == wanted
    print(f"{len(wanted)} names")


def cgroup2():
    with open("/proc/self/mounts", encoding="utf-8") as f:
        return next(line.split()[1] for line in f if line.split()[2] == "cgroup2")


@contextlib.contextmanager
def hostile_group():
    top = tempfile.mkdtemp(prefix="kview-test-", dir=cgroup2())
    path = os.fsencode(top) + b"/\t7 iter 1 \x1b[31m \xff,\"\\"
    try:
        os.mkdir(path)
        yield path
    finally:
        os.rmdir(path)
        os.rmdir(top)


def link_names(kview):
    """What a link is attached to is shown if its name is the kernel's own: no path is."""
    prog = make_prog(b"linked")
    with hostile_group() as path:
        group = os.open(path, os.O_RDONLY)
        link = made(LIBBPF.bpf_link_create(prog, group, INGRESS, None))
        os.close(group)
        try:
            found = number(link)
            row = rows_of(kview, "bpf_link")[found]
            text = cat(kview, "bpf_link", "text")
        finally:
            os.close(link)
    assert row["type"] == "cgroup" and row["prog_id"] == number(prog), row
    assert row["attach"] in ("cgroup_inet_ingress", None) and row["target"] is None, row
    assert not re.search(rb"[^\n -~]", text), text
    header, *lines = [line.split() for line in text.splitlines()]
    assert all(len(line) == len(header) for line in lines)
    assert [line[0] for line in lines].count(b"%d" % found) == 1
    print("a link to a group")


# --- many ---


def an_iterator(kview):
    """The program of an iterator that kview has pinned."""
    rows = rows_of(kview, "bpf_link").values()
    row = next(r for r in rows if r["type"] == "iter" and r["target"] == "kmem_cache")
    return made(LIBBPF.bpf_prog_get_fd_by_id(row["prog_id"]))


def makers_of_many(kview):
    prog = an_iterator(kview)

    def make_link(_name):
        return made(LIBBPF.bpf_link_create(prog, 0, TRACE_ITER, None))

    return {
        "bpf_link": (make_link, "target"),
        "bpf_map": (make_map, "name"),
        "bpf_prog": (make_prog, "name"),
    }


def many(view, kview):
    make, column = makers_of_many(kview)[view]
    fds = [make(b"many_%d" % i) for i in range(1000)]
    wanted = {number(fd): f"many_{i}" for i, fd in enumerate(fds)}
    if view == "bpf_link":
        wanted = dict.fromkeys(wanted, "kmem_cache")
    passing = b"passing"

    def come_and_go():
        few = [make(passing) for _ in range(5)]
        for fd in few:
            os.close(fd)

    reads = met = 0
    end = time.monotonic() + 5
    with meanwhile(come_and_go) as calls:
        while time.monotonic() < end or reads < 3:
            rows = rows_of(kview, view)
            got = {n: rows[n][column] for n in wanted if n in rows}
            assert got == wanted, f"{len(got)} of {len(wanted)}"
            if view == "bpf_link":
                others = [row for n, row in rows.items() if n > max(wanted)]
                assert all(row["prog_id"] for row in others), others
                met += len(others)
            else:
                met += sum(row["name"] == passing.decode() for row in rows.values())
            reads += 1
    assert calls[0] > 10 * reads, calls
    # What comes and goes was there at some time, so it was read while it did.
    assert met > 0
    for fd in fds:
        os.close(fd)
    print(f"{reads} reads, {calls[0] * 5} that came and went, {met} of them met")


def main(what, view, kview):
    if what == "many":
        many(view, kview)
    elif view == "bpf_link":
        link_names(kview)
    else:
        names(view, kview)


main(*sys.argv[1:])
