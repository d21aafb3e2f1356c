# SPDX-License-Identifier: GPL-2.0-only
"""The view dmabuf: WHAT KVIEW [ARG].

listed DEBUGFS   every row against dma_buf/bufinfo of a debugfs that is mounted there
names            buffers with hostile names, in all formats
many             more buffers than a read takes, while others come and go
storm            a name that changes while it is read
hold             a buffer, until it is killed

All but `listed` make buffers, with /dev/udmabuf or a heap.
"""

import array
import csv
import fcntl
import io
import json
import os
import re
import resource
import signal
import struct
import subprocess
import sys
import time

from meanwhile import meanwhile

COLUMNS = ["ino", "size", "refs", "flags", "exporter", "name"]
UDMABUF_CREATE = 0x40187542
DMA_HEAP_ALLOC = 0xC0184800
DMA_BUF_SET_NAME = 0x40086201
HEAP = "/dev/dma_heap/system"
LONGEST = 31  # bytes of a name


def cat(kview, fmt):
    argv = [kview, "cat", "-F", fmt, "dmabuf"]
    return subprocess.run(argv, stdout=subprocess.PIPE, check=True, timeout=120).stdout


def rows_of(kview):
    rows = [json.loads(line) for line in cat(kview, "json").splitlines()]
    assert all(list(row) == COLUMNS for row in rows), rows
    found = {row["ino"]: row for row in rows}
    assert len(found) == len(rows), "a buffer has two rows"
    return found


# --- buffers ---


def udmabuf(pages):
    memory = os.memfd_create("kview-test", os.MFD_ALLOW_SEALING)
    os.truncate(memory, pages * 4096)
    fcntl.fcntl(memory, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
    device = os.open("/dev/udmabuf", os.O_RDWR)
    try:
        create = array.array("B", struct.pack("IIQQ", memory, 1, 0, pages * 4096))
        return fcntl.ioctl(device, UDMABUF_CREATE, create)
    finally:
        os.close(device)
        os.close(memory)


def from_heap(pages):
    heap = os.open(HEAP, os.O_RDWR)
    try:
        data = array.array("B", struct.pack("QIIQ", pages * 4096, 0, os.O_RDWR, 0))
        fcntl.ioctl(heap, DMA_HEAP_ALLOC, data)
        return struct.unpack("QIIQ", data)[1]
    finally:
        os.close(heap)


def make(pages=1):
    return udmabuf(pages) if os.path.exists("/dev/udmabuf") else from_heap(pages)


def set_name(fd, name):
    fcntl.ioctl(fd, DMA_BUF_SET_NAME, name + b"\0")


def ino(fd):
    return os.fstat(fd).st_ino


def fdinfo(fd):
    with open(f"/proc/self/fdinfo/{fd}", "rb") as f:
        return f.read()


def field(info, name):
    return re.search(rb"^%s:\t(.*)$" % name, info, re.M)[1].decode()


def check_row(row, fd, refs):
    """By what the kernel itself says of this descriptor."""
    info = fdinfo(fd)
    assert row["size"] == int(re.findall(rb"^size:\t(\d+)$", info, re.M)[-1]), (row, info)
    assert row["exporter"] == field(info, b"exp_name"), (row, info)
    assert row["refs"] == int(field(info, b"count")) == refs, (row, info)
    cloexec = 0o2000000  # is the descriptor's, not the file's
    flags = int(field(info, b"flags"), 8) & ~cloexec
    assert int(row["flags"], 8) & ~cloexec == flags, (row, info)


# --- checks ---

LINE = re.compile(
    rb"^(\d{8,})\t([0-9a-f]{8})\t[0-9a-f]{8}\t(\d{8,})\t([^\t\n]*)\t(\d{8,})\t(.*)$", re.M
)


def bufinfo(debugfs):
    with open(f"{debugfs}/dma_buf/bufinfo", "rb") as f:
        text = f.read()
    listed = {}
    for size, flags, refs, exporter, number, name in LINE.findall(text):
        name = name.decode("utf-8", "replace")
        listed[int(number)] = {
            "ino": int(number),
            "size": int(size),
            "refs": int(refs),
            "flags": int(flags, 16),
            "exporter": exporter.decode(),
            "name": None if name == "<none>" else name,
        }
    total = int(re.search(rb"^Total (\d+) objects", text, re.M)[1])
    assert total == len(listed), text
    return listed


def listed(kview, debugfs):
    """Others may make buffers meanwhile, so what is compared is there before and after."""
    for _ in range(20):
        before = bufinfo(debugfs)
        rows = rows_of(kview)
        after = bufinfo(debugfs)
        if before == after:
            break
    else:
        raise AssertionError("there is no moment without a change")
    for row in rows.values():
        row["flags"] = int(row["flags"], 8)
    assert rows == before, (rows, before)
    print(f"{len(rows)} rows as in bufinfo")


NAMES = [
    b"\nforged 1 2 3\n",
    b"1 4096 1 02 udmabuf x",
    b"\x1b[31m\x1b]0;title\x07",
    b"\tq\"uo,te\\'d ",
    b"\xff\xfe\xc3(\xe2\x82",
    "é\u202e€".encode(),
    b"-",
    b"null",
    b"",
    b"x" * LONGEST,
    bytes(range(1, 1 + LONGEST)),
    None,
]


def unescaped(text):
    if text == b"-":
        return None
    return re.sub(rb"\\([0-7]{3})", lambda m: bytes([int(m[1], 8)]), text)


def names(kview, _arg=None):
    fds = [make(pages) for pages in range(1, 1 + len(NAMES))]
    extra = os.dup(fds[0])
    for fd, name in zip(fds, NAMES):
        if name is not None:
            set_name(fd, name)
    rows = rows_of(kview)
    for n, (fd, name) in enumerate(zip(fds, NAMES)):
        row = rows[ino(fd)]
        check_row(row, fd, 2 if n == 0 else 1)
        assert row["size"] == (n + 1) * 4096, row
        plain = None if name is None else name.decode("utf-8", "replace")
        assert re.sub("\ufffd+", "\ufffd", row["name"] or "") == re.sub(
            "\ufffd+", "\ufffd", plain or ""
        ), (row, name)
        assert (row["name"] is None) == (name is None), (row, name)
    mine = {ino(fd): name for fd, name in zip(fds, NAMES)}
    text = cat(kview, "text")
    assert not re.search(rb"[\0-\x09\x0b-\x1f\x7f]", text)
    text.decode()
    lines = [line.split() for line in text.split(b"\n")[1:-1]]
    assert all(len(line) == len(COLUMNS) for line in lines), lines
    got = {int(line[0]): unescaped(line[-1]) for line in lines if int(line[0]) in mine}
    # Text does not tell an empty name from none.
    assert got == {k: v or None for k, v in mine.items()}, (got, mine)
    table = cat(kview, "csv").decode("utf-8", "surrogateescape")
    table = list(csv.DictReader(io.StringIO(table, newline="")))
    got = {int(row["ino"]): os.fsencode(row["name"]) for row in table}
    assert {k: got[k] for k in mine} == {k: v or b"" for k, v in mine.items()}, got
    try:
        set_name(fds[0], b"y" * (LONGEST + 1))
        raise AssertionError("a name may be longer than thought")
    except OSError:
        pass
    os.close(extra)
    print(f"{len(fds)} names")


def many(kview, _arg=None):
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    n = min(2000, limit - 100)
    fds = [make() for _ in range(n)]
    for i, fd in enumerate(fds):
        set_name(fd, b"%031d" % i)
    wanted = {ino(fd): "%031d" % i for i, fd in enumerate(fds)}

    def come_and_go():
        os.close(make())

    end = time.monotonic() + 5
    with meanwhile(come_and_go) as calls:
        reads = 0
        while time.monotonic() < end or not reads:
            rows = rows_of(kview)
            got = {number: rows[number]["name"] for number in wanted if number in rows}
            assert got == wanted, f"{len(got)} of {len(wanted)}"
            reads += 1
    assert calls[0] > reads, calls
    print(f"{n} buffers, {reads} reads, {calls[0]} that came and went")


def storm(kview, _arg=None):
    """A value that no name ever was would be of two names, or of other memory."""
    fd = make()
    texts = [bytes([b]) * n for b, n in zip(b"abcdefgh", (31, 1, 16, 7, 30, 8, 15, 2))]
    set_name(fd, texts[0])

    def rename():
        for text in texts:
            set_name(fd, text)

    valid = {text.decode() for text in texts}
    seen, reads = {}, 0
    begun = time.monotonic()
    with meanwhile(rename) as calls:
        # A slow machine gets more time to meet three of them.
        while (took := time.monotonic() - begun) < 10 or (len(seen.keys() & valid) < 3 and took < 90):
            name = rows_of(kview)[ino(fd)]["name"]
            assert name in valid or name == "(unreadable)", name
            seen[name] = seen.get(name, 0) + 1
            reads += 1
    assert len(seen.keys() & valid) >= 3 and calls[0] > 100, (seen, calls)
    print(f"{reads} reads, {calls[0] * len(texts)} names set, seen {seen}")


def hold(_kview, _arg=None):
    kept = make()
    set_name(kept, b"held")
    print("ready", flush=True)
    signal.alarm(1000)
    signal.pause()


if __name__ == "__main__":
    {"listed": listed, "names": names, "many": many, "storm": storm, "hold": hold}[sys.argv[1]](
        *sys.argv[2:]
    )
