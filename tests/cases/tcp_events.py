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
from counted import run


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
        # Three by who connected, one by who accepted, five by nobody.
        assert (out["resets_sent"], in_["resets_received"]) == (3, 3), (out, in_)
        assert out["resets_received"] == 1 + 5 and in_["resets_sent"] in (1, 6), (out, in_)
        if has_resets_of_nobody():
            assert in_["resets_sent"] == 6, in_
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


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
