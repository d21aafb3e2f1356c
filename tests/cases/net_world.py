#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Sockets of every kind, in the network namespace of who runs this, until stdin ends.

Prints the ports that they have, as a JSON list, in one line.
"""
import json
import socket
import sys

KEPT, PORTS = [], set()


def keep(*sockets):
    for s in sockets:
        KEPT.append(s)
        if s.family in (socket.AF_INET, socket.AF_INET6):
            PORTS.add(s.getsockname()[1])
    return sockets[0]


def listen(family, host, backlog=8, **options):
    s = socket.socket(family, socket.SOCK_STREAM)
    if family == socket.AF_INET6:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, options.get('v6only', 0))
    if 'defer' in options:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, options['defer'])
    s.bind((host, 0))
    s.listen(backlog)
    return keep(s)


def connect(listener, host, family=None):
    client = socket.socket(family or listener.family, socket.SOCK_STREAM)
    client.connect((host, listener.getsockname()[1]))
    return client


def pair(listener, host, family=None):
    client = connect(listener, host, family)
    server = listener.accept()[0]
    return keep(client), keep(server)


def tcp():
    four = listen(socket.AF_INET, '127.0.0.1')
    six = listen(socket.AF_INET6, '::')
    only = listen(socket.AF_INET6, '::1', v6only=1)
    client, server = pair(four, '127.0.0.1')
    client.sendall(b'unread' * 100)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    client, server = pair(only, '::1')
    server.sendall(b'x' * 4321)
    pair(six, '127.0.0.1', socket.AF_INET)  # the server's addresses are v4-mapped
    client, server = pair(four, '127.0.0.1')
    client.shutdown(socket.SHUT_WR)  # FIN-WAIT-2 and CLOSE-WAIT
    # What is not accepted counts as the listener's rxq.
    keep(connect(four, '127.0.0.1'))
    for family, host in ((socket.AF_INET, '127.0.0.1'), (socket.AF_INET6, '::1')):
        listener = listen(family, host)
        client, server = connect(listener, host), listener.accept()[0]
        PORTS.add(client.getsockname()[1])
        client.close()
        while server.recv(1):
            pass
        server.close()  # TIME-WAIT
    # The listener waits for data: to it this is still SYN-RECV.
    keep(connect(listen(socket.AF_INET, '127.0.0.1', defer=100), '127.0.0.1'))
    keep(connect(listen(socket.AF_INET6, '::1', defer=100), '::1'))
    # A queue that is full drops the SYN.
    full = listen(socket.AF_INET, '127.0.0.1', 0)
    keep(connect(full, '127.0.0.1'))
    asks = socket.socket()
    asks.setblocking(False)
    asks.connect_ex(('127.0.0.1', full.getsockname()[1]))
    keep(asks)


def udp():
    for family, host, peer in ((socket.AF_INET, '127.0.0.1', '127.0.0.1'),
                               (socket.AF_INET6, '::1', '::1'),
                               (socket.AF_INET6, '::', '::ffff:127.0.0.1')):
        server = socket.socket(family, socket.SOCK_DGRAM)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        server.bind((host, 0))
        client = socket.socket(family, socket.SOCK_DGRAM)
        client.connect((peer, server.getsockname()[1]))
        for _ in range(20):
            client.send(b'd' * 900)  # some are dropped
        keep(server, client)


def netlink():
    for protocol, groups in ((socket.NETLINK_ROUTE, 0x51), (socket.NETLINK_GENERIC if hasattr(
            socket, 'NETLINK_GENERIC') else 16, 0)):
        s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
        s.bind((0, groups))
        keep(s)


tcp()
udp()
netlink()
print(json.dumps(sorted(PORTS)), flush=True)
sys.stdin.read()
