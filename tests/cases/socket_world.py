#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Sockets of every kind, in the network namespace of who runs this, until stdin ends.

Prints, as JSON in one line, the processes that have them, and of each socket what the process
itself knows: [pid, fd, family, type, protocol, own name, peer's name].
"""
import array
import json
import os
import signal
import socket
import sys

KEPT = []
AF_VSOCK, CID_ANY = 40, 0xffffffff
MPTCP, UDPLITE = 262, 136
INET, INET6, UNIX = socket.AF_INET, socket.AF_INET6, socket.AF_UNIX
STREAM, DGRAM, RAW, SEQPACKET = (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW,
                                 socket.SOCK_SEQPACKET)


def keep(*sockets):
    KEPT.extend(sockets)
    return sockets[0]


def made(*args, bind=None, listen=None, connect=None):
    """A socket, or None if this kernel has no such kind."""
    try:
        s = socket.socket(*args)
    except OSError:
        return None
    if bind is not None:
        s.bind(bind)
    if listen is not None:
        s.listen(listen)
    if connect is not None:
        s.connect(connect)
    return keep(s)


def pair(listener, host, family=None):
    client = socket.socket(family or listener.family, STREAM)
    client.connect((host, listener.getsockname()[1]))
    return keep(client), keep(listener.accept()[0])


def tcp():
    four = made(INET, STREAM, bind=("127.0.0.1", 0), listen=8)
    six = made(INET6, STREAM, bind=("::", 0), listen=9)
    client, server = pair(four, "127.0.0.1")
    client.sendall(b"unread" * 100)
    client, server = pair(six, "::1")
    server.sendall(b"x" * 4321)
    pair(six, "127.0.0.1", INET)  # the server's addresses are v4-mapped
    client, server = pair(four, "127.0.0.1")
    client.shutdown(socket.SHUT_WR)  # FIN-WAIT-2 and CLOSE-WAIT
    client, server = pair(four, "127.0.0.1")
    client.close()  # CLOSE-WAIT alone
    made(INET, STREAM, connect=("127.0.0.1", four.getsockname()[1]))  # waits to be accepted
    # A queue that is full drops the SYN.
    full = made(INET, STREAM, bind=("127.0.0.1", 0), listen=0)
    made(INET, STREAM, connect=full.getsockname())
    asks = made(INET, STREAM)
    asks.setblocking(False)
    asks.connect_ex(full.getsockname())
    made(INET, STREAM)  # bound to nothing
    made(INET6, STREAM, 0, bind=("::1", 0))
    made(INET, STREAM, MPTCP, bind=("127.0.0.1", 0), listen=7)


def datagrams():
    for family, host, peer in ((INET, "127.0.0.1", "127.0.0.1"), (INET6, "::1", "::1"),
                               (INET6, "::", "::ffff:127.0.0.1")):
        server = made(family, DGRAM, bind=(host, 0))
        client = made(family, DGRAM, connect=(peer, server.getsockname()[1]))
        for _ in range(3):
            client.send(b"d" * 900)
        made(family, DGRAM)
        made(family, RAW, socket.IPPROTO_ICMP if family == INET else socket.IPPROTO_ICMPV6)
        made(family, DGRAM, UDPLITE, bind=(host, 0))
    made(INET, RAW, 253, connect=("127.0.0.1", 5))


def unix(directory):
    made(UNIX, STREAM, bind=f"{directory}/named", listen=3)
    made(UNIX, STREAM, connect=f"{directory}/named")  # waits to be accepted
    listener = made(UNIX, SEQPACKET, bind=b"\0kvs%d\0\n\t\\ \x1b[31m\xff\"'," % os.getpid(), listen=4)
    client = made(UNIX, SEQPACKET, connect=listener.getsockname())
    server = keep(listener.accept()[0])
    client.send(b"one")
    client.send(b"twotwo")
    made(UNIX, DGRAM, bind=b"\0" + b"%d" % os.getpid() + b"\xfe" * (107 - len(str(os.getpid()))))
    receiver = made(UNIX, DGRAM, bind=f"{directory}/{'n' * 30}\n\x1b[2J")
    sender = made(UNIX, DGRAM, connect=receiver.getsockname())
    sender.send(b"datagram")
    for kind in (STREAM, DGRAM, SEQPACKET):
        a, b = socket.socketpair(UNIX, kind)
        keep(a, b)
        a.send(b"to be read")
    a, b = socket.socketpair()
    keep(a)
    b.close()
    made(UNIX, STREAM)
    del server


def others():
    made(socket.AF_NETLINK, RAW, 0, bind=(0, 0x51))
    made(socket.AF_NETLINK, RAW, 16)
    made(socket.AF_NETLINK, DGRAM, 16, connect=(0, 0))
    made(socket.AF_PACKET, RAW, socket.htons(3))
    made(socket.AF_PACKET, DGRAM, socket.htons(0x800), bind=("lo", 0x88b5))
    made(AF_VSOCK, STREAM, bind=(CID_ANY, 54321 + os.getpid()), listen=5)
    made(AF_VSOCK, DGRAM)
    vsock = made(AF_VSOCK, STREAM)
    if vsock:
        vsock.setblocking(False)
        vsock.connect_ex((2, 77))


def name(ask):
    try:
        n = ask()
    except OSError:
        return None
    n = os.fsencode(n) if isinstance(n, str) else n
    return n.decode("latin-1") if isinstance(n, bytes) else list(map(str, n))


def known(sockets):
    return [[os.getpid(), s.fileno(), int(s.family), int(s.type), s.proto, name(s.getsockname),
             name(s.getpeername)] for s in sockets if s.fileno() >= 0]


def child(write, have):
    """Says what it has, and stays until its parent ends."""
    kept = have()
    os.write(write, json.dumps(known(kept)).encode())
    os.close(write)
    signal.pause()


def with_child(have):
    read, write = os.pipe()
    parent = os.getpid()
    pid = os.fork()
    if not pid:
        os.close(read)
        import ctypes
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
        if os.getppid() == parent:
            child(write, have)
        os._exit(1)
    os.close(write)
    with os.fdopen(read) as f:
        return pid, json.load(f)


def receiver(channel, *others):
    """A process that has one socket alone, which came to it as a message."""
    def have():
        data, (control,), _, _ = channel.recvmsg(1, 100)
        fds = array.array("i", control[2])
        mine = [socket.socket(fileno=fds[0])]
        for s in [channel, *KEPT, *others]:
            s.close()
        return mine
    return have


def main():
    directory = sys.argv[1]
    tcp()
    datagrams()
    unix(directory)
    others()
    here, there = socket.socketpair()
    passed = socket.socket(INET, DGRAM)
    passed.bind(("127.0.0.1", 0))
    here.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [passed.fileno()]))])
    pid1, has1 = with_child(receiver(there, here, passed))
    passed.close()
    there.close()
    here.close()
    pid2, has2 = with_child(lambda: KEPT)  # all of them, shared
    print(json.dumps({"pids": [os.getpid(), pid1, pid2], "sockets": known(KEPT) + has1 + has2}),
          flush=True)
    sys.stdin.read()
    for pid in pid1, pid2:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


main()
