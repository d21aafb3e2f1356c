#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The views of a network namespace against /proc/net, ss and ip, for who runs this.

    oracle_net.py VIEW MNT [PORTS [all]]    only rows with one of these ports (a JSON list);
                                            all: there must be sockets in all states

Sockets change while they are compared: three agreeing looks out of many suffice.
"""
import ipaddress
import json
import re
import struct
import subprocess
import sys
import time

STATES = ('', 'ESTAB', 'SYN-SENT', 'SYN-RECV', 'FIN-WAIT-1', 'FIN-WAIT-2', 'TIME-WAIT', 'UNCONN',
          'CLOSE-WAIT', 'LAST-ACK', 'LISTEN', 'CLOSING', 'SYN-RECV')
TIMERS = (None, 'on', 'keepalive', 'timewait', 'persist')


def rows(mnt, view):
    with open(f'{mnt}/json/{view}.json', encoding='utf-8') as f:
        return [json.loads(line) for line in f]


def output(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=60).stdout.decode()


def address(text):
    """Of /proc/net/tcp: words in the byte order of the machine."""
    data = b''.join(struct.pack('=I', int(text[i:i + 8], 16)) for i in range(0, len(text), 8))
    return str(ipaddress.ip_address(data))


def normal(text):
    return str(ipaddress.ip_address(text))


def wanted(ports, local, remote):
    return ports is None or local in ports or remote in ports


def proc_inet(name, ports):
    for family, suffix in (('inet', ''), ('inet6', '6')):
        with open(f'/proc/net/{name}{suffix}', encoding='ascii') as f:
            lines = f.read().splitlines()[1:]
        for line in lines:
            w = line.split()
            local, remote, queues = w[1].split(':'), w[2].split(':'), w[4].split(':')
            lport, rport = int(local[1], 16), int(remote[1], 16)
            if not wanted(ports, lport, rport):
                continue
            state = STATES[int(w[3], 16)]
            row = [family, state, address(local[0]), lport, address(remote[0]), rport or None]
            if name == 'udp':
                row += [int(w[7]), int(w[9]), int(queues[1], 16), int(queues[0], 16), int(w[12])]
            else:
                row += [None if state == 'TIME-WAIT' else int(w[7]), int(w[9]) or None,
                        int(queues[1], 16), None if state == 'LISTEN' else int(queues[0], 16),
                        TIMERS[int(w[5].split(':')[0], 16)], int(w[6], 16)]
            yield tuple(row)


def kview_inet(mnt, name, ports):
    for r in rows(mnt, name):
        if not wanted(ports, r['lport'], r['rport']):
            continue
        row = [r['family'], r['state'], normal(r['laddr']), r['lport'], normal(r['raddr']),
               r['rport'], r['uid'], r['ino'], r['rxq']]
        if name == 'udp':
            row += [r['txq'], r['drops']]
        else:
            row += [None if r['state'] == 'LISTEN' else r['txq'], r['timer'], r['timeouts']]
        yield tuple(row)


def number(pattern, line, default=None):
    m = re.search(pattern, line)
    return int(m.group(1)) if m else default


def of_ss(text):
    """An address and a port, as ss has them."""
    host, port = text.rsplit(':', 1)
    host = host.strip('[]').split('%')[0].replace('*', '::')  # where one address is both families
    return host, None if port == '*' else int(port)


def ss_row(name, line):
    w = line.split()
    local, remote = of_ss(w[3]), of_ss(w[4])
    queues = (int(w[1]), int(w[2]))
    has_owner = w[0] != 'TIME-WAIT'
    row = [w[0], local, remote, queues]
    row += [number(r'\buid:(\d+)', line, 0) if has_owner else None,
            number(r'\bino:(\d+)', line, 0) or None]
    if name == 'udp':
        return row
    timer = re.search(r'timer:\((\w+)', line)
    row += [timer.group(1) if timer else None]
    if w[0] in ('LISTEN', 'TIME-WAIT', 'SYN-RECV'):
        return row + [None] * 6
    rtt = re.search(r'\brtt:([\d.]+)/', line)
    return row + [number(r'\bbytes_sent:(\d+)', line, 0), number(r'\bbytes_received:(\d+)', line, 0),
                  number(r'\bretrans:\d+/(\d+)', line, 0), number(r'\bcwnd:(\d+)', line),
                  number(r'\bmss:(\d+)', line), f'{float(rtt.group(1)):.3f}' if rtt else None]


def ss_inet(name, ports):
    for line in output('ss', '-aneoiHO', '-t' if name == 'tcp' else '-u').splitlines():
        row = ss_row(name, line)
        if wanted(ports, row[1][1], row[2][1]):
            yield tuple(row)


def as_ss(name, r):
    row = [r['state'], (r['laddr'], r['lport']), (r['raddr'], r['rport']),
           (r['rxq'], r['txq']), r['uid'], r['ino']]
    if name == 'udp':
        return row
    row += [r['timer']]
    if r['state'] in ('LISTEN', 'TIME-WAIT', 'SYN-RECV'):
        return row + [r['sent'], r['received'], r['retrans'], r['cwnd'], r['mss'], r['rtt']]
    return row + [r['sent'], r['received'], r['retrans'], r['cwnd'], r['mss'],
                  None if r['rtt'] is None else f'{float(r["rtt"]) * 1000:.3f}']


def kview_ss(mnt, name, ports):
    for r in rows(mnt, name):
        if wanted(ports, r['lport'], r['rport']):
            yield tuple(as_ss(name, r))


def proc_netlink():
    with open('/proc/net/netlink', encoding='ascii') as f:
        lines = f.read().splitlines()[1:]
    for line in lines:
        w = line.split()
        yield (int(w[1]), int(w[2]), w[3], int(w[4]), int(w[5]), int(w[6]), int(w[7]), int(w[8]),
               int(w[9]) or None)


def kview_netlink(mnt):
    for r in rows(mnt, 'netlink'):
        yield (r['protocol'], r['portid'], r['groups'], r['rxq'], r['txq'], r['dump'], r['refs'],
               r['drops'], r['ino'])


def proc_routes():
    with open('/proc/net/ipv6_route', encoding='ascii') as f:
        lines = f.read().splitlines()
    for line in lines:
        w = line.split()
        hop = str(ipaddress.ip_address(bytes.fromhex(w[4])))
        yield (str(ipaddress.ip_address(bytes.fromhex(w[0]))), int(w[1], 16),
               None if hop == '::' else hop, int(w[5], 16), w[8], w[9])


def kview_routes(mnt):
    for r in rows(mnt, 'ipv6_route'):
        yield (normal(r['dst']), r['prefix'], r['gateway'], r['metric'], r['flags'], r['dev'])


def ip_routes():
    tables = {'main': 254, 'local': 255}
    protocols = {'kernel': 2, 'boot': 3, 'static': 4, 'ra': 9}
    for r in json.loads(output('ip', '-j', '-d', '-6', 'route', 'show', 'table', 'all')):
        net = ipaddress.ip_network('::/0' if r['dst'] == 'default' else r['dst'], strict=False)
        for hop in r.get('nexthops', [r]):
            yield (str(net.network_address), net.prefixlen, hop.get('gateway'), r.get('prefsrc'),
                   hop.get('dev'), r['type'], int(tables.get(r.get('table', 'main'), r.get('table'))),
                   int(protocols.get(r['protocol'], r['protocol']) if r['protocol'] in protocols
                       else r['protocol']), r['metric'])


def kview_ip(mnt):
    for r in rows(mnt, 'ipv6_route'):
        if r['metric'] != 0xffffffff:  # the entry of a table that stands for no route
            yield (normal(r['dst']), r['prefix'], r['gateway'], r['prefsrc'], r['dev'], r['type'],
                   r['table'], r['protocol'], r['metric'])


def looks(view, mnt, ports):
    if view in ('tcp', 'udp'):
        return ((lambda: proc_inet(view, ports), lambda: kview_inet(mnt, view, ports)),
                (lambda: ss_inet(view, ports), lambda: kview_ss(mnt, view, ports)))
    if view == 'netlink':
        return ((proc_netlink, lambda: kview_netlink(mnt)),)
    return ((proc_routes, lambda: kview_routes(mnt)), (ip_routes, lambda: kview_ip(mnt)))


def agree(theirs, ours):
    for _ in range(20):
        before = sorted(theirs(), key=repr)
        seen = sorted(ours(), key=repr)
        if seen and before == seen:
            return len(seen)
        time.sleep(0.2)
    print('theirs alone:', *[r for r in before if r not in seen], sep='\n  ')
    print('ours alone:', *[r for r in seen if r not in before], sep='\n  ')
    sys.exit(f'{len(before)} rows, and {len(seen)} of kview')


def main():
    view, mnt = sys.argv[1:3]
    ports = set(json.loads(sys.argv[3])) if sys.argv[3:4] > [""] else None
    for theirs, ours in looks(view, mnt, ports):
        print(view, agree(theirs, ours), 'rows agree')
    if view == 'tcp' and 'all' in sys.argv:
        states = {r['state'] for r in rows(mnt, 'tcp') if wanted(ports, r['lport'], r['rport'])}
        lacks = {'LISTEN', 'ESTAB', 'SYN-SENT', 'SYN-RECV', 'FIN-WAIT-2', 'CLOSE-WAIT',
                 'TIME-WAIT'} - states
        if lacks:
            sys.exit(f'no socket in {lacks}')


main()
