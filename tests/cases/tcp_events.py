# SPDX-License-Identifier: GPL-2.0-only
"""What collectors count of TCP, against what the test did and the kernel's own counters."""
import contextlib
import json
import os
import socket
import struct
import subprocess
import sys

from collect import LIBC, rows
from counted import ALICE, run


def snmp():
    """The kernel's counters of TCP in this network namespace."""
    with open("/proc/self/net/snmp", encoding="ascii") as file:
        names, values = [line.split()[1:] for line in file if line.startswith("Tcp:")]
    return dict(zip(names, map(int, values)))


def in_a_namespace(act):
    """In a child, with a network of its own: what @act returns, and the namespace's number."""
    r, w = os.pipe()

    def inside():
        assert LIBC.unshare(0x40000000) == 0  # CLONE_NEWNET
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        said = act()
        said["netns"] = os.stat("/proc/self/ns/net").st_ino
        said["snmp"] = snmp()
        os.write(w, json.dumps(said).encode())

    run(inside)
    return json.loads(os.read(r, 65536))


def listener(family, address, backlog=16):
    s = socket.socket(family)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((address, 0))
    s.listen(backlog)
    return s, s.getsockname()[:2]


def ones_sum(data):
    """The checksum of the Internet protocols."""
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def stray_packet(to, source=4321):
    """An acknowledgement of nothing, which a listener answers with a reset."""
    header = struct.pack("!HHIIBBHHH", source, to[1], 7, 7, 5 << 4, 0x10, 1000, 0, 0)
    pseudo = socket.inet_aton(to[0]) * 2 + struct.pack("!BBH", 0, socket.IPPROTO_TCP, len(header))
    header = header[:16] + struct.pack("!H", ones_sum(pseudo + header)) + header[18:]
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP) as raw:
        raw.sendto(header, (to[0], 0))


FAMILIES = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))


def connections():
    """Known numbers: connections that are made, refused, and reset by either side."""
    ports = {}
    for family, address in FAMILIES:
        s, to = listener(family, address)
        for i in range(9):
            c = socket.create_connection(to)
            d, _ = s.accept()
            if i < 4:  # which sends a reset in place of its end
                (c if i < 3 else d).setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            (d if i == 3 else c).close()
            with contextlib.suppress(ConnectionResetError):
                (c if i == 3 else d).recv(1)
            c.close()
            d.close()
        if family == socket.AF_INET:
            stray_packet(to)
        s.close()
        for _ in range(5):
            with contextlib.suppress(ConnectionRefusedError):
                socket.create_connection(to)
        ports[address] = to[1]
    return {"ports": ports}


def by_end(mnt, netns):
    found = {}
    for row in rows(mnt, "tcp_events"):
        if row["netns"] == netns:
            key = row["raddr"], row["port"], row["side"]
            assert key not in found, row
            found[key] = row
    return found


def known(mnt):
    said = in_a_namespace(connections)
    found = by_end(mnt, said["netns"])
    for address, port in said["ports"].items():
        out, in_ = found[address, port, "out"], found[address, port, "in"]
        assert (out["connects"], out["failures"], out["accepts"]) == (9, 5, 0), out
        assert (in_["connects"], in_["failures"], in_["accepts"]) == (0, 0, 9), in_
        # Three by who connected, one by who accepted, five by nobody, and one by a listener.
        assert (out["resets_sent"], in_["resets_received"]) == (3, 3), (out, in_)
        assert out["resets_received"] == 1 + 5, (out, in_)
        if has_resets_of_nobody():
            assert in_["resets_sent"] == 6 + (address == "127.0.0.1"), in_
    kernel = said["snmp"]
    assert sum(row["connects"] + row["failures"] for row in found.values()) == kernel["ActiveOpens"], kernel
    assert sum(row["accepts"] for row in found.values()) == kernel["PassiveOpens"], kernel
    assert sum(row["retransmits"] for row in found.values()) == kernel["RetransSegs"], kernel
    if has_resets_of_nobody():
        assert sum(row["resets_sent"] for row in found.values()) == kernel["OutRsts"], kernel
    assert len(found) == 4, found
    print(f"# {kernel}")


def has_resets_of_nobody():
    return tuple(int(part) for part in os.uname().release.split(".")[:2]) >= (6, 10)


def retransmits(mnt):
    """A listener whose queue is full answers nobody, so what asks for a connection is sent again."""
    def act():
        s, to = listener(socket.AF_INET, "127.0.0.1", 0)
        first = socket.create_connection(to)
        other = socket.socket()
        other.settimeout(4)
        with contextlib.suppress(TimeoutError):
            other.connect(to)
        first.close()
        other.close()
        s.close()
        return {"port": to[1]}

    said = in_a_namespace(act)
    found = by_end(mnt, said["netns"])
    row = found["127.0.0.1", said["port"], "out"]
    assert row["retransmits"] >= 1 and row["connects"] + row["failures"] == 2, row
    assert sum(r["retransmits"] for r in found.values()) == said["snmp"]["RetransSegs"], (found, said)
    print(f"# {row['retransmits']} packets once more")


def ends_storm(mnt):
    """More ends than there are places: who is heard of stays, the sums of all are whole."""
    def act():
        s = socket.socket(socket.AF_INET6)
        s.bind(("::", 0))
        s.listen(16)
        port = s.getsockname()[1]
        subprocess.run(["ip", "route", "add", "local", "10.9.0.0/16", "dev", "lo"], check=True)
        for i in range(9000):
            c = socket.socket()
            c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            c.connect((f"10.9.{i >> 8}.{i & 255}", port))
            d, _ = s.accept()
            c.close()
            d.close()
            if not i % 50:
                c = socket.create_connection(("127.0.0.1", port))
                d, _ = s.accept()
                c.close()
                d.close()
        return {"port": port}

    said = in_a_namespace(act)
    all_ = rows(mnt, "tcp_events")
    found = by_end(mnt, said["netns"])
    [rest] = [row for row in all_ if row["raddr"] is None]
    assert rest["side"] is None and rest["port"] is None, rest
    assert found["127.0.0.1", said["port"], "out"]["connects"] == 180, found["127.0.0.1", said["port"], "out"]
    assert len(all_) <= 8192, len(all_)
    connects = sum(row["connects"] for row in found.values()) + rest["connects"]
    assert connects >= said["snmp"]["ActiveOpens"] == 9180, (connects, said)
    print(f"# {len(found)} ends, {rest['connects']} connections of others")


def flood(mnt):
    """A user who connects to thousands of addresses where nobody listens takes no place of a connection."""
    def act():
        subprocess.run(["ip", "route", "add", "local", "10.8.0.0/15", "dev", "lo"], check=True)
        s, to = listener(socket.AF_INET, "0.0.0.0")
        for i in range(300):
            c = socket.create_connection((f"10.8.{i >> 8}.{i & 255}", to[1]))
            d, _ = s.accept()
            c.close()
            d.close()
        os.seteuid(ALICE)
        for i in range(30000):
            with socket.socket() as c, contextlib.suppress(ConnectionRefusedError):
                c.connect((f"10.9.{i >> 8}.{i & 255}", 9))
        os.seteuid(0)
        return {"port": to[1]}

    said = in_a_namespace(act)
    found = by_end(mnt, said["netns"])
    for i in range(300):
        for side, what in ("out", "connects"), ("in", "accepts"):
            assert found[f"10.8.{i >> 8}.{i & 255}", said["port"], side][what] == 1, i
    rest = sum(row["failures"] for row in rows(mnt, "tcp_events") if row["raddr"] is None)
    failures = sum(row["failures"] for row in found.values())
    assert failures + rest >= said["snmp"]["AttemptFails"] == 30000, (failures, rest, said)
    print(f"# {len(found)} ends, {rest} failures of others")


def earlier(mnt, kview):
    """A connection that was asked for before anything was collected, and is made behind that."""
    r, w = os.pipe()
    held, go_on = os.pipe()

    def act():
        s, to = listener(socket.AF_INET6, "::", 0)
        first = socket.create_connection(("127.0.0.1", to[1]))
        other = socket.socket()
        other.setblocking(False)
        other.connect_ex(("127.0.0.1", to[1]))  # which the full queue of the listener drops
        os.write(w, b"x")
        os.read(held, 1)
        s.accept()[0].close()
        other.setblocking(True)
        other.settimeout(30)
        other.send(b"x")
        s.accept()[0].close()
        first.close()
        other.close()
        return {"port": to[1]}

    pid = os.fork()
    if not pid:
        os.read(r, 1)
        subprocess.run([kview, "mount", "-o", "collect=tcp_events", mnt], check=True, timeout=60)
        os.write(go_on, b"x")
        os._exit(0)
    said = in_a_namespace(act)
    assert os.waitpid(pid, 0)[1] == 0
    found = by_end(mnt, said["netns"])
    assert found["127.0.0.1", said["port"], "out"]["connects"] == 1, found
    # The listener is of IPv6, and so is the address that it sees; it is the same end.
    assert sum(row["accepts"] for row in found.values()) == found["127.0.0.1", said["port"], "in"]["accepts"] == 1, found


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
