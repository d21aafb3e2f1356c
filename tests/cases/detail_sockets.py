#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""What task_file says of sockets, against what their process knows: detail_sockets.py MNT

Addresses are written by inet_ntop(3) here: thousands of them, with zeros in all places.
"""

import json
import os
import random
import resource
import socket
import sys
import tempfile

IPV6_FREEBIND = 78
KINDS = {socket.SOCK_STREAM: "STREAM", socket.SOCK_DGRAM: "DGRAM", socket.SOCK_SEQPACKET: "SEQPACKET"}


def details(mnt):
    with open(f"{mnt}/pid/{os.getpid()}/json/task_file.json", encoding="utf-8") as file:
        return {row["fd"]: row["detail"] for row in map(json.loads, file)}


def end(s, name):
    """One end as kview has it; None: there is none."""
    address, port = name[:2]
    return f"[{address}]:{port}" if s.family == socket.AF_INET6 else f"{address}:{port}"


def of_inet(s, kind, state):
    words = [f"type={kind}", f"state={state}"]
    local = s.getsockname()
    words.append(f"laddr={end(s, local)}")
    try:
        words.append(f"raddr={end(s, s.getpeername())}")
    except OSError:
        pass
    return " ".join(words)


def of_unix(s, state, path=None):
    words = f"type={KINDS[s.type]} state={state}"
    return words if path is None else f"{words} path={path}"


def make_inet():
    for to, at in (("127.0.0.1", "127.0.0.1"), ("::1", "::"), ("127.0.0.1", "::")):
        if ":" in at:
            listener = socket.socket(socket.AF_INET6)
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            listener.bind((at, 0))
            listener.listen()
        else:
            listener = socket.create_server((at, 0))
        client = socket.create_connection((to, listener.getsockname()[1]))
        server = listener.accept()[0]
        yield listener, of_inet(listener, "tcp", "LISTEN")
        yield client, of_inet(client, "tcp", "ESTAB")
        yield server, of_inet(server, "tcp", "ESTAB")
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        bound = socket.socket(family, socket.SOCK_DGRAM)
        bound.bind((address, 0))
        yield bound, of_inet(bound, "udp", "UNCONN")
        sender = socket.socket(family, socket.SOCK_DGRAM)
        sender.connect(bound.getsockname())
        yield sender, of_inet(sender, "udp", "ESTAB")


def make_unix(where):
    for kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET):
        for path, shown in ((f"{where}/\033 name {kind}", None), (f"\0kview\n{os.getpid()}\0 {kind}", "@")):
            s = socket.socket(socket.AF_UNIX, kind)
            s.bind(path)
            s.listen()
            yield s, of_unix(s, "LISTEN", path if shown is None else "@" + path[1:])
    longest = f"{where}/".ljust(107, "l")
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.bind(longest)
    yield s, of_unix(s, "UNCONN", longest)
    yield (s := socket.socket(socket.AF_UNIX)), of_unix(s, "UNCONN")
    for s in socket.socketpair():
        yield s, of_unix(s, "ESTAB")


def make_others():
    s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    s.bind((0, 0))
    yield s, f"type=rtnl state=UNCONN lport={s.getsockname()[0]}"
    yield socket.socket(socket.AF_INET, socket.SOCK_RAW, 1), "type=raw state=UNCONN laddr=0.0.0.0:1"


def addresses(n):
    """With zeros in every set of places, then by chance."""
    for zeros in range(256):
        yield b"".join(b"\0\0" if zeros >> i & 1 else b"\x12\xab" for i in range(8))
    yield from (b"\0" * i + b"\xff\xff" + b"\x01" * (14 - i) for i in range(0, 15, 2))
    for _ in range(n):
        yield bytes(random.choice((0, 0, 0, 1, 0x10, 0xFF)) for _ in range(16))


def check_addresses(mnt):
    """Any address can be bound to that the kernel does not refuse."""
    n = 0
    kept = {}
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    for raw in addresses(800):
        s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        s.setsockopt(socket.IPPROTO_IPV6, IPV6_FREEBIND, 1)
        try:
            s.bind((socket.inet_ntop(socket.AF_INET6, raw), 0))
        except OSError:  # multicast, link-local without an interface, mapped ones of no host
            s.close()
            continue
        kept[s.fileno()] = s
        n += 1
    got = details(mnt)
    wrong = [(of_inet(s, "udp", "UNCONN"), got[fd]) for fd, s in kept.items()
             if got[fd] != of_inet(s, "udp", "UNCONN")]
    print(f"{n} addresses, {len(wrong)} wrong", *wrong[:10], sep="\n")
    assert n > 500 and not wrong


def main(mnt):
    with tempfile.TemporaryDirectory() as where:
        kept = [*make_inet(), *make_unix(where), *make_others()]
        got = details(mnt)
        wrong = [(want, got[s.fileno()]) for s, want in kept if got[s.fileno()] != want]
        print(f"{len(kept)} sockets, {len(wrong)} wrong", *wrong[:10], sep="\n")
        assert len(kept) > 20 and not wrong
    check_addresses(mnt)


if __name__ == "__main__":
    main(sys.argv[1])
