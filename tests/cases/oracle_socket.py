#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The view socket, read from FILE as JSON, against what socket_world.py knows of its sockets, and
against /proc/net, ss and lsof in the namespace of its first process.

    oracle_socket.py FILE [WORLD]     WORLD: what that program has printed; without it, one is
                                      made here, and what ss and lsof need may not be there

Queues change for a while after they were filled: one agreeing look out of many suffices.
"""
import ipaddress
import json
import os
import re
import struct
import subprocess
import sys
import tempfile
import time

STATES = ("", "ESTAB", "SYN-SENT", "SYN-RECV", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT", "UNCONN",
          "CLOSE-WAIT", "LAST-ACK", "LISTEN", "CLOSING")
LSOF = {"ESTABLISHED": "ESTAB", "SYN_SENT": "SYN-SENT", "FIN_WAIT2": "FIN-WAIT-2",
        "CLOSE_WAIT": "CLOSE-WAIT", "LISTEN": "LISTEN", "CLOSE": "UNCONN"}
FAMILIES = {1: "unix", 2: "inet", 10: "inet6", 16: "netlink", 17: "packet", 40: "vsock"}
KINDS = {1: "STREAM", 2: "DGRAM", 3: "RAW", 5: "SEQPACKET"}
PROTOCOLS = {(1, 0): "tcp", (1, 262): "mptcp", (2, 0): "udp", (2, 136): "udplite"}
NETLINK = {0: "rtnl", 16: "genl"}
ANY = {2: "0.0.0.0", 10: "::"}


def rows_of(path, pids):
    with open(path, encoding="utf-8") as f:
        rows = [r for r in map(json.loads, f) if r["pid"] in pids]
    found = {(r["pid"], r["fd"]): r for r in rows}
    assert len(found) == len(rows), "a descriptor has two rows"
    return found


def descriptors(pid):
    """Of each descriptor that is a socket its inode."""
    found = {}
    for fd in os.listdir(f"/proc/{pid}/fd"):
        m = re.fullmatch(r"socket:\[(\d+)\]", os.readlink(f"/proc/{pid}/fd/{fd}"))
        if m:
            found[pid, int(fd)] = int(m.group(1))
    return found


# --- what the process knows ---


def end(family, name):
    """Address and port."""
    if family in (2, 10):
        if name is None:
            return ANY[family], None
        return name[0], int(name[1]) or None
    if family == 40 and name:
        return tuple(None if n == "4294967295" else int(n) if i else n for i, n in enumerate(name))
    return None, int(name[0]) or None if family == 16 and name else None


def bound(family, name):
    if family == 1 and name:
        raw = (name if isinstance(name, str) else "").encode("latin-1")
        return raw.replace(b"\0", b"@", 1).decode(errors="replace") if raw[:1] == b"\0" else raw.decode()
    return name[0] or None if family == 17 else None


def known(world):
    """By process and descriptor: family, type, both ends, and what it is bound to."""
    for pid, fd, family, kind, protocol, name, peer in world["sockets"]:
        if family in (2, 10):
            type_ = "raw" if kind == 3 else PROTOCOLS[kind, protocol if protocol in (136, 262) else 0]
        else:
            type_ = NETLINK[protocol] if family == 16 else KINDS[kind]
        local, remote = end(family, name), end(family, peer)
        if kind == 3 and family in (2, 10):
            local = (local[0], protocol)
        if family == 17:
            local = (None, int(name[1]) or None)
        yield (pid, fd), (FAMILIES[family], type_, local, remote, bound(family, name))


def check_known(world, rows):
    for key, (family, type_, local, remote, path) in known(world):
        r = rows[key]
        assert (r["family"], r["type"]) == (family, type_), r
        assert (r["laddr"], r["lport"]) == local, (r, local)
        # Before it is connected, the process is not told.
        assert r["state"] in ("SYN-SENT", "UNCONN") or (r["raddr"], r["rport"]) == remote, (r, remote)
        assert r["path"] == path, (r, path)
        assert (r["netns"], r["tid"]) == (os.stat(f"/proc/{key[0]}/ns/net").st_ino, key[0]), r
        assert r["comm"] == open(f"/proc/{key[0]}/comm").read()[:-1], r


# --- /proc/net ---


def address(text):
    data = b"".join(struct.pack("=I", int(text[i:i + 8], 16)) for i in range(0, len(text), 8))
    ip = ipaddress.ip_address(data)
    return f"::ffff:{ip.ipv4_mapped}" if data[4:] and ip.ipv4_mapped else str(ip)


def lines(pid, name):
    try:
        with open(f"/proc/{pid}/net/{name}", "rb") as f:
            return [line.split() for line in f.read().decode("latin-1").splitlines()[1:]]
    except FileNotFoundError:
        return []


def proc_inet(pid, name):
    for w in lines(pid, name):
        (laddr, lport), (raddr, rport) = w[1].split(":"), w[2].split(":")
        txq, rxq = (int(n, 16) for n in w[4].split(":"))
        state = STATES[int(w[3], 16)]
        row = {"laddr": address(laddr), "lport": int(lport, 16), "raddr": address(raddr),
               "state": state, "uid": int(w[7]), "rxq": rxq}
        if state != "LISTEN":
            row["txq"] = txq
        if not name.startswith("raw"):  # that file has none
            row["rport"] = int(rport, 16) or None
        yield int(w[9]), row


def proc(pid):
    """By inode: columns and their values."""
    found = {}
    for name in ("tcp", "udp", "udplite", "raw"):
        for suffix in ("", "6"):
            found.update(proc_inet(pid, name + suffix))
    for w in lines(pid, "netlink"):
        found[int(w[9])] = {"lport": int(w[2]) or None, "rxq": int(w[4]), "txq": int(w[5])}
    for w in lines(pid, "packet"):
        found[int(w[8])] = {"lport": int(w[3], 16) or None, "rxq": int(w[6]), "uid": int(w[7]),
                            "type": KINDS[int(w[2])]}
    for w in lines(pid, "unix"):
        if len(w) > 6 and re.fullmatch("[0-9a-f]{16}:", w[0]):
            found[int(w[6])] = {"type": KINDS[int(w[4], 16)]}
    return found


# --- ss and lsof ---


def output(pid, *command):
    return subprocess.run(("nsenter", "-t", str(pid), "-n", *command), stdout=subprocess.PIPE,
                          check=False, timeout=60).stdout.decode("latin-1")


def number(pattern, line):
    m = re.search(pattern, line)
    return int(m.group(1)) if m else 0


def ss_inet(pid):
    for line in output(pid, "ss", "-tuwanepiHO").splitlines():
        w = line.split()
        row = {"state": w[1], "rxq": int(w[2]), "txq": int(w[3])}
        if w[0] == "tcp" and w[1] != "LISTEN":
            rtt = re.search(r"\brtt:([\d.]+)/", line)
            row |= {"sent": number(r"\bbytes_sent:(\d+)", line),
                    "received": number(r"\bbytes_received:(\d+)", line),
                    "retrans": number(r"\bretrans:\d+/(\d+)", line),
                    "rtt": round(float(rtt.group(1)) / 1000, 9) if rtt else None}
        yield number(r"\bino:(\d+)", line), row, set(re.findall(r"pid=(\d+),fd=(\d+)", line))


def ss_unix(pid, inos):
    """Names may have newlines: a line goes on to the next one that begins as lines do."""
    text = output(pid, "ss", "-xaneH")
    for ino in inos:
        m = re.search(rf"^u_\w+ +(\S+) +(\d+) +(\d+) (?:(?!^u_).)*? {ino} +(?:(?!^u_).)*? (\d+) +[-<>]+",
                      text, re.S | re.M)
        assert m, (ino, text)
        yield ino, {"state": m.group(1), "rxq": int(m.group(2)), "txq": int(m.group(3)),
                    "peer_ino": int(m.group(4)) or None}


def lsof(pid, pids):
    """By process and descriptor: type, name, state."""
    text = output(pid, "lsof", "-n", "-P", "-w", "-K", "i", "-a", "-p", ",".join(map(str, pids)), "-FftPnT")
    owner, found = 0, {}
    for field in text.splitlines():
        if field[:1] == "p" and field[1:].isdigit():
            owner = int(field[1:])
        elif field[:1] == "f" and field[1:].isdigit():
            last = found[owner, int(field[1:])] = {}
        elif field[:1] in ("t", "n", "P") and found:
            last.setdefault(field[0], field[1:])
        elif field.startswith("TST="):
            last["state"] = field[4:]
    return found


def as_lsof(r):
    def text(address, port):
        address = "*" if address in ANY.values() else f"[{address}]" if ":" in address else address
        return f"{address}:{port or '*'}"
    here = text(r["laddr"], r["lport"])
    return here if r["rport"] is None else f"{here}->{text(r['raddr'], r['rport'])}"


def check_lsof(pid, pids, rows):
    compared = 0
    told = lsof(pid, pids)
    for key, r in rows.items():
        t = told[key]
        assert r["family"] != "unix" or t["t"] == "unix", (r, t)
        if t["t"] not in ("IPv4", "IPv6") or "ffff:" in r["laddr"] + r["raddr"]:
            continue
        assert t["n"] == as_lsof(r), (t, as_lsof(r))
        assert t["P"].lower() in (r["type"], "tcp"), (t, r)
        assert "state" not in t or LSOF[t["state"]] == r["state"], (t, r)
        compared += 1
    assert compared > 40, compared


def same(rows, ino, want):
    for r in rows:
        if r["ino"] == ino:
            differs = {k: (r[k], v) for k, v in want.items() if r[k] != v}
            assert not differs, (r, differs)


def check_ss(pid, rows, there):
    told = [x for x in ss_inet(pid) if x[0] in there.values()]
    for ino, want, users in told:
        same(rows, ino, want)
        assert users == {(str(p), str(fd)) for (p, fd), n in there.items() if n == ino}, users
    unix = {r["ino"] for r in rows if r["family"] == "unix"}
    for ino, want in ss_unix(pid, unix):
        same(rows, ino, want)
    assert len(told) > 20 and len(unix) > 12, (len(told), len(unix))


def look(path, world, has_tools):
    pids = world["pids"]
    rows, there = rows_of(path, pids), {}
    for pid in pids:
        there.update(descriptors(pid))
    assert {k: r["ino"] for k, r in rows.items()} == there, "not its descriptors"
    check_known(world, rows)
    all_rows, inos = list(rows.values()), set(there.values())
    for ino, want in proc(pids[0]).items():
        same(all_rows, ino, want)
    if has_tools:
        check_ss(pids[0], all_rows, there)
        check_lsof(pids[0], pids, rows)
    states = {r["state"] for r in all_rows if r["type"] == "tcp"}
    assert states == {"LISTEN", "ESTAB", "SYN-SENT", "FIN-WAIT-2", "CLOSE-WAIT", "UNCONN"}, states
    mptcp = [r["txq"] for r in all_rows if r["type"] == "mptcp"]
    assert set(mptcp) <= {7}, mptcp
    return f"{len(rows)} rows of {len(inos)} sockets agree"


def looks(*args):
    for tries in range(20):
        try:
            print(look(*args))
            return
        except AssertionError:
            if tries == 19:
                raise
            time.sleep(0.2)


def main():
    path = sys.argv[1]
    if sys.argv[2:]:
        with open(sys.argv[2], encoding="utf-8") as f:
            looks(path, json.load(f), True)
        return
    maker = os.path.join(os.path.dirname(os.path.abspath(__file__)), "socket_world.py")
    with tempfile.TemporaryDirectory() as names, subprocess.Popen(
            (sys.executable, "-B", maker, names), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE) as process:
        looks(path, json.loads(process.stdout.readline()), False)
        process.stdin.close()


main()
