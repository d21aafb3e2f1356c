#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""What raw iterators print of BPF maps: raw_maps.py CASE MNT KVIEW OBJECTS PIN ARG..."""
import contextlib
import errno
import os
import signal
import socket
import subprocess
import sys

import maps
from maps import Map, number
from readers import drain, fails, slurp, wait_for

ELEMENTS = ["of_4.elements", "of_64.elements", "writes.counts"]
ROWS = ["", ".csv", ".json"]
SK_STORAGE = 24


class World:
    def __init__(self, mnt, kview, objects, pin):
        self.dir, self.mnt, self.kview, self.objects, self.pin = f"{mnt}/map", mnt, kview, objects, pin

    def names(self, ident):
        """What is behind the id in the names of the map's files."""
        names = [n[len(str(ident)):] for n in os.listdir(self.dir) if n.startswith(str(ident))]
        return sorted(n for n in names if not n[:1].isdigit())

    def path(self, ident, name):
        return f"{self.dir}/{ident}.{name}"

    def cat(self, ident, name):
        return subprocess.run([self.kview, "cat", "--iter-dir", self.objects, "--map", str(ident), name],
                              capture_output=True, check=False)

    def check(self, ident, name, want=None):
        """The same from kview, from bpftool and, if it is known, as it must be."""
        data = slurp(self.path(ident, name))
        assert self.cat(ident, name).stdout == data
        obj = f"{self.objects}/{name.split('.')[0]}.bpf.o"
        subprocess.run(["bpftool", "iter", "pin", obj, self.pin, "map", "id", str(ident)], check=True)
        try:
            assert slurp(self.pin) == data, (slurp(self.pin), data)
        finally:
            os.unlink(self.pin)
        assert want is None or sorted(data.splitlines()) == sorted(want), (data, want)
        assert data
        print(f"{name}: {len(data)} bytes")


def has_files(world, m, raw, rows=True):
    want = [f".{n}" for n in raw] + (ROWS + ["-made_here"] if rows else [])
    assert world.names(m.id) == sorted(want), (world.names(m.id), want)
    for name in ELEMENTS + ["socks.list", "storage.list"]:
        assert os.path.lexists(world.path(m.id, name)) == (name in raw), name


def case_types(world):
    for kind, values in ((maps.HASH, 1), (maps.LRU_HASH, 1), (maps.ARRAY, 1), (maps.PERCPU_HASH, maps.CPUS),
                         (maps.LRU_PERCPU_HASH, maps.CPUS), (maps.PERCPU_ARRAY, maps.CPUS)):
        m = Map(kind, 4, 64, 4)
        for i in range(4):
            m.put(number(i), (bytes(60) + number(i + 7)) * values)
        has_files(world, m, ELEMENTS)
        world.check(m.id, "of_64.elements", [b"%d %d" % (i, i + 7) for i in range(4)])
        world.check(m.id, "of_4.elements")
    inner = Map(maps.ARRAY, 4, 4, 1)
    for m in (Map(maps.LPM_TRIE, 8, 64, 5, maps.NO_PREALLOC), Map(maps.PROG_ARRAY, 4, 4, 5),
              Map(maps.ARRAY_OF_MAPS, 4, 4, 5, 0, inner.fd), Map(maps.HASH_OF_MAPS, 4, 4, 5, 0, inner.fd)):
        has_files(world, m, [])
    for m in Map(maps.QUEUE, 0, 4, 5), Map(maps.RINGBUF, 0, 0, 4096):
        has_files(world, m, [], rows=False)


@contextlib.contextmanager
def pair():
    with socket.create_server(("127.0.0.1", 0)) as server, \
            socket.create_connection(server.getsockname()) as one, server.accept()[0] as other:
        yield one, other


def case_sockets(world):
    with pair() as ends:
        for kind in maps.SOCKMAP, maps.SOCKHASH:
            m = Map(kind, 4, 8, 10)
            for i, s in enumerate(ends):
                m.put(number(i), number(s.fileno(), 8))
            has_files(world, m, ["socks.list"])
            world.check(m.id, "socks.list", [b"%d %d" % (i, s.getsockname()[1]) for i, s in enumerate(ends)])


def case_storage(world):
    ident = maps.made("made_storage")
    assert world.names(ident) == [".storage.list"], world.names(ident)
    fails(errno.ENOENT, os.lstat, f"{world.dir}/{ident}")
    fails(errno.ENOENT, os.lstat, f"{world.dir}/{ident}-made_storage")
    with pair() as ends:
        for i, s in enumerate(ends):
            maps.put_into(ident, number(s.fileno()), number(17 + i))
        world.check(ident, "storage.list", [b"%d %d" % (17 + i, s.getsockname()[1]) for i, s in enumerate(ends)])
    # A socket may end a moment after it was closed.
    assert wait_for(lambda: slurp(world.path(ident, "storage.list")) == b"")


def case_refused(world, log):
    m = Map(maps.HASH, 4, 4, 5)
    m.put(number(1), number(2))
    fails(errno.EACCES, slurp, world.path(m.id, "of_64.elements"))
    assert world.cat(m.id, "of_64.elements").returncode == 1
    said = f"kview: can't run 'of_64.elements' for the BPF map {m.id}: it accesses more bytes than a key or value has"
    assert [line for line in open(log, encoding="utf-8").read().splitlines() if f" {m.id}:" in line] == [said]
    world.check(m.id, "of_4.elements", [b"1 2"])


def case_writes(world):
    m = Map(maps.ARRAY, 4, 4, 1)
    assert [slurp(world.path(m.id, "writes.counts")) for _ in range(3)] == [b"1\n", b"2\n", b"3\n"]


def case_names(world):
    kept = [Map(maps.ARRAY, 4, 4, 1) for _ in range(200)]
    names = os.listdir(world.dir)
    assert len(set(names)) == len(names)
    for m in kept:
        has = {f"{m.id}{x}" for x in ROWS + ["-made_here"] + [f".{n}" for n in ELEMENTS]}
        assert has <= set(names)
    entries = {e.name: e for e in os.scandir(world.dir)}
    assert len({e.inode() for e in entries.values()}) == len(entries)
    m = kept[7]
    assert os.stat(world.path(m.id, "of_4.elements")).st_ino == entries[f"{m.id}.of_4.elements"].inode()
    for wrong in (".of_4", ".of_4.", ".of_4.elements ", ".of_4.element", ".elements", ".raw", "..of_4.elements",
                  ".of_4.elements.json", ".socks.list", "x", "-of_4.elements"):
        fails(errno.ENOENT, os.stat, f"{world.dir}/{m.id}{wrong}")
    fails(errno.EROFS, os.open, world.path(m.id, "of_4.elements"), os.O_RDWR)


def case_long(world):
    m = Map(maps.HASH, 4, 4, 20000)
    for i in range(20000):
        m.put(number(i), number(i % 250))
    want = sorted(b"%d %d" % (i, i % 250) for i in range(20000))
    for size in 100, 4096, 131072, 1 << 20:
        fd = os.open(world.path(m.id, "of_4.elements"), os.O_RDONLY)
        for _ in range(2):
            os.lseek(fd, 0, os.SEEK_SET)
            assert sorted(drain(fd, size).splitlines()) == want, size
        os.close(fd)


def case_gone(world):
    m = Map(maps.HASH, 4, 4, 5)
    m.put(number(1), number(2))
    fd = os.open(world.path(m.id, "of_4.elements"), os.O_RDONLY)
    os.close(m.fd)
    assert os.read(fd, 100) == b"1 2\n"
    assert os.pread(fd, 100, 0) == b"1 2\n"
    os.close(fd)
    assert wait_for(lambda: not world.names(m.id)), "a file keeps its map when it is closed"
    fails(errno.ENOENT, os.open, world.path(m.id, "of_4.elements"), os.O_RDONLY)


def case_killed(world, worker):
    m = Map(maps.HASH, 4, 4, 5)
    m.put(number(1), number(2))
    path = world.path(m.id, "of_4.elements")
    place, fd = os.open(path, os.O_PATH), os.open(path, os.O_RDONLY)
    os.kill(int(worker), signal.SIGKILL)
    assert wait_for(lambda: slurp(path) == b"1 2\n")
    fails(errno.ESTALE, os.read, fd, 100)
    assert slurp(f"/proc/self/fd/{place}") == b"1 2\n"  # its number means the same to the next worker


def case_takeover(world, objects):
    m = Map(maps.HASH, 4, 64, 5)
    m.put(number(1), bytes(64))
    told = ROWS + [f".{n}" for n in ELEMENTS]
    places = {x: os.open(f"{world.dir}/{m.id}{x}", os.O_PATH) for x in told}
    fd = os.open(world.path(m.id, "of_4.elements"), os.O_RDONLY)
    subprocess.run([world.kview, "mount", "--takeover", "-o", "allow_other", "--iter-dir", objects, world.mnt],
                   check=True)
    for x, place in places.items():
        fails(errno.ESTALE, slurp, f"/proc/self/fd/{place}")
    fails(errno.ESTALE, os.read, fd, 100)
    assert world.names(m.id) == sorted(ROWS + ["-made_here", ".of_4.elements"]), world.names(m.id)
    world.check(m.id, "of_4.elements", [b"1 0"])
    fails(errno.ENOENT, slurp, world.path(m.id, "of_64.elements"))


if __name__ == "__main__":
    globals()["case_" + sys.argv[1]](World(*sys.argv[2:6]), *sys.argv[6:])
