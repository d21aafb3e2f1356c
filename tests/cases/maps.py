#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The elements of BPF maps: maps.py CASE MNT KVIEW ARG...

Maps are made here by bpf(2). What they hold is bpftool's word, or the bytes that were put in.
"""
import collections
import csv
import ctypes
import errno
import io
import json
import os
import platform
import random
import signal
import socket
import struct
import subprocess
import sys
import time

from readers import drain, fails, slurp, wait_for

BPF = {"x86_64": 321, "aarch64": 280}[platform.machine()]
CREATE, UPDATE, DELETE, BY_ID, INFO = 0, 2, 3, 14, 15
HASH, ARRAY, PROG_ARRAY, PERCPU_HASH, PERCPU_ARRAY, LRU_HASH, LRU_PERCPU_HASH, LPM_TRIE = 1, 2, 3, 5, 6, 9, 10, 11
ARRAY_OF_MAPS, HASH_OF_MAPS, SOCKMAP, SOCKHASH, QUEUE, RINGBUF = 12, 13, 15, 18, 22, 27
NO_PREALLOC, ZERO_SEED = 1, 64
CPUS = os.sysconf("SC_NPROCESSORS_CONF")
LIBC = ctypes.CDLL(None, use_errno=True)


def bpf(command, attr):
    got = LIBC.syscall(BPF, command, attr, len(attr))
    if got < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return got


class Map:
    def __init__(self, kind, key, value, entries, flags=0, inner=0, name=b"made_here"):
        self.fd = bpf(CREATE, ctypes.create_string_buffer(
            struct.pack("IIIIIII16s", kind, key, value, entries, flags, inner, 0, name), 128))
        info = ctypes.create_string_buffer(128)
        bpf(INFO, ctypes.create_string_buffer(struct.pack("IIQ", self.fd, 128, ctypes.addressof(info)), 128))
        self.id = struct.unpack_from("II", info)[1]

    def _attr(self, key, value=b""):
        # What is pointed to lives as long as the attribute.
        self._kept = [ctypes.create_string_buffer(bytes(x), len(x)) for x in (key, value)]
        return ctypes.create_string_buffer(
            struct.pack("IIQQQ", self.fd, 0, *[ctypes.addressof(x) for x in self._kept], 0), 128)

    def put(self, key, value):
        bpf(UPDATE, self._attr(key, value))

    def drop(self, key):
        bpf(DELETE, self._attr(key))


def put_into(ident, key, value):
    m = Map.__new__(Map)
    m.fd = bpf(BY_ID, ctypes.create_string_buffer(struct.pack("III", ident, 0, 0), 128))
    m.put(key, value)
    os.close(m.fd)


def rows_of(mnt, ident, data=None):
    data = slurp(f"{mnt}/map/{ident}.json") if data is None else data
    return [json.loads(line) for line in data.splitlines()]


def octets(values):
    return bytes(int(x, 16) for x in values)


def dump(ident):
    """What bpftool tells of the elements: (key, CPU, value), CPU None where there is one value."""
    out = subprocess.run(["bpftool", "-j", "map", "dump", "id", str(ident)], stdout=subprocess.PIPE, check=False)
    rows = []
    for e in json.loads(out.stdout):
        for v in e.get("values", [e]):
            if not isinstance(v.get("value", []), dict):  # or an error: no such entry
                rows.append((octets(e["key"]), v.get("cpu"), octets(v["value"])))
    return rows


def check(mnt, kview, ident, row, want=None):
    """All formats hold what bpftool tells; row() makes of an element what JSON has."""
    want = sorted((row(*e) for e in (dump(ident) if want is None else want)), key=str)
    assert want, "nothing to compare"
    got = rows_of(mnt, ident)
    assert sorted(got, key=str) == want, (sorted(got, key=str)[:3], want[:3])
    columns = list(want[0])
    assert all(list(r) == columns for r in got)
    table = list(csv.reader(io.StringIO(slurp(f"{mnt}/map/{ident}.csv").decode(errors="replace"), newline="")))
    assert table[0] == columns and len(table) == 1 + len(want)
    assert sorted(t[0] for t in table[1:]) == sorted(str(w[columns[0]]) for w in want)
    text = slurp(f"{mnt}/map/{ident}").decode(errors="replace").splitlines()
    assert text[0].lower().split() == columns
    assert {len(line.split()) for line in text} == {len(columns)} and len(text) == 1 + len(want)
    for form, suffix in ("json", ".json"), ("csv", ".csv"), ("text", ""):
        out = subprocess.run([kview, "cat", "-F", form, f"map/{ident}"], stdout=subprocess.PIPE, check=True)
        assert out.stdout == slurp(f"{mnt}/map/{ident}{suffix}"), form


def plain(key, cpu, value):
    return {"key": key.hex(), **({} if cpu is None else {"cpu": cpu}), "value": value.hex()}


def of_index(key, cpu, value):
    return {**plain(key, cpu, value), "key": struct.unpack("I", key)[0]}


def of_ids(key, _, value):
    return {"key": struct.unpack("I", key)[0], "value": int.from_bytes(value, sys.byteorder)}


def number(i, size=4):
    return i.to_bytes(size, sys.byteorder)


def case_types(mnt, kview):
    per_cpu = b"".join(number(i, 1) * 8 for i in range(1, CPUS + 1))
    kept = []
    for kind, key, value, flags in (
            (HASH, 5, 7, 0), (HASH, 1, 300, NO_PREALLOC), (LRU_HASH, 12, 33, 0), (LPM_TRIE, 8, 3, NO_PREALLOC)):
        m = Map(kind, key, value, 500, flags)
        for i in range(1, 201):
            m.put(number(32) + i.to_bytes(4, "big") if kind == LPM_TRIE else (number(i, 8) * 2)[:key],
                  bytes((i + j) % 256 for j in range(value)))
        check(mnt, kview, m.id, plain)
        kept.append(m)
    for kind in PERCPU_HASH, LRU_PERCPU_HASH:
        m = Map(kind, 4, 5, 500)
        for i in range(50):
            m.put(number(i), per_cpu)
        check(mnt, kview, m.id, plain)
    m = Map(ARRAY, 4, 6, 77)
    m.put(number(5), b"\xffabcde")
    check(mnt, kview, m.id, of_index)
    m = Map(PERCPU_ARRAY, 4, 8, 20)
    m.put(number(3), per_cpu)
    check(mnt, kview, m.id, of_index)
    inner = kept[0]
    m = Map(ARRAY_OF_MAPS, 4, 4, 9, 0, inner.fd)
    m.put(number(4), number(inner.fd))
    check(mnt, kview, m.id, of_ids)
    m = Map(HASH_OF_MAPS, 4, 4, 9, 0, inner.fd)
    m.put(number(4), number(inner.fd))
    check(mnt, kview, m.id, lambda k, c, v: {**of_ids(k, c, v), "key": k.hex()})
    sockets(mnt, kview)


def sockets(mnt, kview):
    with socket.create_server(("127.0.0.1", 0)) as server, \
            socket.create_connection(server.getsockname()) as client, server.accept()[0] as other:
        cookies = [struct.unpack("Q", s.getsockopt(socket.SOL_SOCKET, 57, 8))[0] for s in (client, other)]
        m = Map(SOCKMAP, 4, 8, 10)
        for i, s in enumerate((client, other)):
            m.put(number(i), number(s.fileno(), 8))
        want = [(number(i), None, number(c, 8)) for i, c in enumerate(cookies)]
        check(mnt, kview, m.id, of_ids, want)
        m = Map(SOCKHASH, 4, 8, 10)
        for i, s in enumerate((client, other)):
            m.put(number(i), number(s.fileno(), 8))
        check(mnt, kview, m.id, lambda k, c, v: {**of_ids(k, c, v), "key": k.hex()}, want)
        m = Map(SOCKMAP, 4, 4, 10)
        m.put(number(0), number(client.fileno()))
        fails(errno.EIO, slurp, f"{mnt}/map/{m.id}.json")
        said = subprocess.run([kview, "cat", f"map/{m.id}"], stderr=subprocess.PIPE, check=False)
        assert said.returncode == 1 and b"hint: a map of sockets" in said.stderr, said.stderr


def made(name):
    out = subprocess.run(["bpftool", "-j", "map"], stdout=subprocess.PIPE, check=True)
    return max(m["id"] for m in json.loads(out.stdout) if m.get("name") == name)


def text_of(octets_):
    return octets_.split(b"\0")[0].decode(errors="replace")


def point(prefix, value):
    a, x, y, v4 = struct.unpack_from("IhhI", value)
    return {f"{prefix}.a": a, f"{prefix}.x": x, f"{prefix}.y": y, f"{prefix}.addr.v4": v4,
            f"{prefix}.addr.v6": value[8:24].hex()}


def of_made(key, _, value):
    n, name, color = struct.unpack_from("Q16sI", value)
    bits, l0, l1, l2, pointer, is_, small, mac, real, last = struct.unpack_from("=I3I4xQBb6s8sq", value, 52)
    minus = bits >> 8 & 15
    return {
        "key.pid": struct.unpack("I", key[:4])[0], "key.ip": key[4:].hex(), "value.n": n,
        "value.name": text_of(name), "value.color": {0: "red", 5: "green"}.get(color, str(color)),
        **point("value.in", value[28:]), "value.low": bits & 7, "value.high": bits >> 3 & 31,
        "value.minus": minus - 16 if minus > 7 else minus, "value.list.0": l0, "value.list.1": l1,
        "value.list.2": l2, "value.pointer": f"{pointer:08x}", "value.is": is_, "value.small": small,
        "value.mac": mac.hex(), "value.real": real.hex(),
        "value.a_member_with_a_name_longer_than_a_column_of_a_view_may_have": last}


def case_btf(mnt, kview):
    ident, dice, elements = made("made_hash"), random.Random(5), []
    for i in range(40):
        value = bytearray(dice.randrange(256) for _ in range(104))
        value[8:24] = (b'na"me\n,\x1b', b"", b"-", b"0123456789abcdef", b"\xff\xfe")[i % 5].ljust(16, b"\0")
        value[24:28] = number((0, 5, 6)[i % 3])
        key = number(i) + bytes([10, 0, 0, i])
        put_into(ident, key, value)
        elements.append((key, None, bytes(value)))
    check(mnt, kview, ident, of_made, elements)
    said = subprocess.run([kview, "schema", f"map/{ident}"], stdout=subprocess.PIPE, check=True).stdout.decode()
    kinds = dict(line.split("\t")[:2] for line in said.splitlines())
    assert [kinds[c] for c in ("key.pid", "key.ip", "value.name", "value.color", "value.pointer")] == [
        "integer", "hex", "string", "enum", "hex"], kinds
    ident = made("made_percpu")
    values = {(k, c): struct.pack("IhhI12s", 100 * k + c, -k, c, 7, b"") for k in range(3) for c in range(CPUS)}
    for k in range(3):
        put_into(ident, number(k), b"".join(values[k, c] for c in range(CPUS)))
    check(mnt, kview, ident, lambda k, c, v: {"key": struct.unpack("I", k)[0], "cpu": c, **point("value", v)},
          [(number(k), c, v) for (k, c), v in values.items()])


def case_variables(mnt, _):
    (row,) = rows_of(mnt, made("made_map.data"))
    assert row == {"key": 0, "value.made_counter": 7}, row
    (row,) = rows_of(mnt, made("made_map.rodata"))
    assert row == {"key": 0, "value.made_greeting": 'hi\n"x'}, row


def case_large(mnt, kview):
    ident = made("made_large")
    values = [bytes((7 * i + j) % 256 for j in range(1024)) for i in range(2)]
    for i, value in enumerate(values):
        put_into(ident, number(i), value)
    check(mnt, kview, ident, lambda k, c, v: {
        "key": struct.unpack("I", k)[0], "value.first": struct.unpack_from("I", v)[0],
        "value.many": v[8:1000].hex(), **point("value.last", v[1000:])}, [(number(i), None, v) for i, v in enumerate(values)])


def case_too_long(mnt, _):
    m = Map(ARRAY, 4, 6000, 1)
    assert rows_of(mnt, m.id) == [{"key": 0, "value": "(too long)"}]
    m = Map(ARRAY, 4, 4000, 3)
    m.put(number(1), b"x" * 4000)
    assert [r["value"] for r in rows_of(mnt, m.id)] == ["00" * 4000, "78" * 4000, "00" * 4000]


def case_too_large(mnt, kview):
    m = Map(ARRAY, 4, 65 << 20, 1)
    fails(errno.EIO, slurp, f"{mnt}/map/{m.id}.json")
    said = subprocess.run([kview, "cat", f"map/{m.id}"], stderr=subprocess.PIPE, check=False)
    assert said.returncode == 1 and b"too large to be looked up\nhint: " in said.stderr, said.stderr


def case_names(mnt, _):
    m = Map(ARRAY, 4, 4, 1, name=b"a.json")
    ident = m.id
    assert os.readlink(f"{mnt}/map/{ident}-a.json") == str(ident)
    assert slurp(f"{mnt}/map/{ident}-a.json") == slurp(f"{mnt}/map/{ident}")
    for wrong in ("0", f"0{ident}", f"+{ident}", f"{ident}.", f"{ident}.txt", f"{ident}-a", f"{ident}-", "x",
                  f"{ident}.json.json", "99999999999999999999", f"{ident} "):
        fails(errno.ENOENT, os.stat, f"{mnt}/map/{wrong}")
    fd, half = os.open(f"{mnt}/map/{ident}.json", os.O_RDONLY), os.open(f"{mnt}/map/{ident}", os.O_RDONLY)
    os.close(m.fd)
    assert os.read(fd, 4096) == b'{"key":0,"value":"00000000"}\n'  # an open file keeps its map
    os.close(fd)
    os.close(half)
    gone = lambda: not os.path.exists(f"{mnt}/map/{ident}.csv")
    assert wait_for(gone), "a file keeps its map when it is closed"


def case_listing(mnt, _):
    kept = [Map(ARRAY, 4, 4, 1, name=b"x%d" % i) for i in range(500)] + [Map(QUEUE, 0, 4, 1, name=b"none")]
    nameless = Map(ARRAY, 4, 4, 1, name=b"")
    names = collections.Counter(os.listdir(f"{mnt}/map"))
    assert max(names.values()) == 1
    for i, m in enumerate(kept[:500]):
        assert all(names[f"{m.id}{x}"] for x in ("", ".json", ".csv", f"-x{i}")), (m.id, i)
    assert not any(n.startswith(f"{kept[-1].id}") for n in names), "a queue has no keys"
    fails(errno.ENOENT, os.stat, f"{mnt}/map/{kept[-1].id}")
    assert [n for n in names if n.startswith(f"{nameless.id}-")] == []
    entries = {e.name: e for e in os.scandir(f"{mnt}/map")}
    m = kept[7]
    assert entries[f"{m.id}-x7"].is_symlink() and entries[f"{m.id}.csv"].is_file(follow_symlinks=False)
    assert os.stat(f"{mnt}/map/{m.id}.csv").st_ino == entries[f"{m.id}.csv"].inode()
    inodes = {e.inode() for e in entries.values()}
    assert len(inodes) == len(entries)
    for m in kept:
        os.close(m.fd)


def churn(m, ready):
    """Keys that stay get other values, others come and go, as fast as may be."""
    kept = [(number(i), number(i, 8)) for i in range(8000)]
    os.write(ready, b"x")
    while True:
        for i in range(4000):
            m.put(*kept[i])
            m.put(*kept[4000 + i])
            m.drop(kept[4000 + i][0])


def case_storm(mnt, _):
    m = Map(HASH, 4, 8, 10000, NO_PREALLOC)
    for i in range(4000):
        m.put(number(i), number(i, 8))
    come, ready = os.pipe()
    children = []
    for _ in range(2):
        pid = os.fork()
        if not pid:
            LIBC.prctl(1, signal.SIGKILL, 0, 0, 0)
            churn(m, ready)
        children.append(pid)
    try:
        for _ in children:
            os.read(come, 1)
        others = 0
        for _ in range(200):
            keys = collections.Counter(r["key"] for r in rows_of(mnt, m.id))
            stay = [keys[number(i).hex()] for i in range(4000)]
            assert stay == [1] * 4000, (min(stay), max(stay))
            others += sum(keys.values()) - 4000
        print("others seen:", others)
        assert others > 0, "that was no storm"
    finally:
        for pid in children:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def case_many(mnt, _):
    m = Map(HASH, 4, 8, 100000)
    for i in range(100000):
        m.put(number(i), number(3 * i, 8))
    want = {number(i).hex(): number(3 * i, 8).hex() for i in range(100000)}
    for size in 1 << 20, 7001:
        fd = os.open(f"{mnt}/map/{m.id}.json", os.O_RDONLY)
        rows = rows_of(mnt, m.id, drain(fd, size))
        assert len(rows) == len(want) and {r["key"]: r["value"] for r in rows} == want
        os.lseek(fd, 0, os.SEEK_SET)
        assert len(os.read(fd, 4096)) == 4096  # and stops
        os.close(fd)
    start = time.monotonic()
    slurp(f"{mnt}/map/{m.id}.json")
    print(f"100,000 elements in {1000 * (time.monotonic() - start):.0f} ms")


def case_killed(mnt, _, worker):
    m = Map(HASH, 4, 8, 10)
    m.put(number(1), number(2, 8))
    os.kill(int(worker), signal.SIGKILL)
    assert wait_for(lambda: rows_of(mnt, m.id) == [plain(number(1), None, number(2, 8))])


def case_ring(mnt, kview):
    m = Map(RINGBUF, 0, 0, 4096)
    said = subprocess.run([kview, "cat", f"map/{m.id}"], stderr=subprocess.PIPE, check=False)
    assert said.returncode == 1 and said.stderr.decode().splitlines() == [
        f"kview: the elements of the BPF map {m.id} can't be listed",
        "hint: it is of the type ringbuf, which does not tell its keys"], said.stderr
    fails(errno.ENOENT, os.stat, f"{mnt}/map/{m.id}")


if __name__ == "__main__":
    globals()["case_" + sys.argv[1]](*sys.argv[2:])
