# SPDX-License-Identifier: GPL-2.0-only
"""Readers of a view of 20 MiB, of which each takes a byte: waiting.py MOUNT WORKER"""
import errno
import os
import sys
import time

MIB = 1 << 20
BOUND = 256 * MIB
VIEW = 20 * MIB
ROWS = 20480
mount, worker = sys.argv[1:]


def resident():
    with open(f"/proc/{worker}/statm") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def begin(fd):
    """Its first byte, after which all the others wait; or the error."""
    try:
        return len(os.pread(fd, 1, 0))
    except OSError as e:
        return e.errno


def rest(fd):
    rows = 0
    os.lseek(fd, 1, os.SEEK_SET)
    while data := os.read(fd, 1 << 16):
        rows += data.count(b"\n")
    return rows


def opened():
    return os.open(f"{mount}/json/waiting.json", os.O_RDONLY)


for fd in [opened() for _ in range(3)]:  # what a worker has allocated once
    assert begin(fd) == 1 and rest(fd) == ROWS
    os.close(fd)
before = resident()
fits = BOUND // VIEW
fds = [opened() for _ in range(fits)]
assert [begin(fd) for fd in fds] == [1] * fits
full = resident()
assert full - before > fits * VIEW * 0.9, (before, full)

late = [opened() for _ in range(3)]
assert [begin(fd) for fd in late] == [errno.ENOMEM] * 3
assert begin(late[0]) == errno.ENOMEM
assert resident() < before + BOUND + 16 * MIB, resident()
with open(f"{mount}/task") as f:
    assert len(f.read().splitlines()) > 2

assert rest(fds[0]) == ROWS
assert begin(late[0]) == 1  # in the room of what was read ...
assert begin(late[1]) == errno.ENOMEM
os.close(fds[1])
assert begin(late[1]) == 1  # ... and of what was closed
assert begin(late[2]) == errno.ENOMEM
assert [rest(fd) for fd in fds[2:] + late[:2]] == [ROWS] * fits
print(f"# {fits} readers, resident MiB: before {before // MIB}, full {full // MIB}, read {resident() // MIB}")

fds = [opened() for _ in range(fits)]
assert [begin(fd) for fd in fds] == [1] * fits
for fd in fds:
    os.close(fd)
for _ in range(100):  # files are closed by the kernel a moment later
    if resident() < before + 32 * MIB:
        break
    time.sleep(0.05)
print(f"# closed: {resident() // MIB} MiB")
assert resident() < before + 32 * MIB
