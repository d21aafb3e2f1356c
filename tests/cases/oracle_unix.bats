#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# The view unix against /proc/net/unix and ss, with sockets that the case makes.

bats_require_minimum_version 1.5.0

load mounted

@test "unix: the columns" {
	columns unix type state ino peer_ino uid refs rxq txq flags netns path
}

@test "unix: 20,000 sockets, each once, and what /proc/net/unix and ss say" {
	timeout 200 python3 -B "$BATS_TEST_DIRNAME/oracle_unix.py" "$MNT" 20000
}

@test "unix: hostile names make no row, and no escape sequence" {
	timeout 60 python3 -B - "$MNT" <<-'P'
		import json, os, socket, sys
		names = [b"\0\n1\t2\n\x1b[31m\0end", b"\0", b"\0" + b"\xff" * 107, b"\0" + b'"\\,', b"\0 a b "]
		names = [n[:1] + b"kvt%d" % os.getpid() + n[1:] for n in names[:1]] + names[2:]
		socks = [socket.socket(socket.AF_UNIX) for _ in names]
		for s, n in zip(socks, names):
		    s.bind(n)
		rows = {r["ino"]: r for r in map(json.loads, open(f"{sys.argv[1]}/json/unix.json"))}
		assert rows[os.fstat(socks[0].fileno()).st_ino]["path"] == "@" + names[0][1:].decode()
		assert all(os.fstat(s.fileno()).st_ino in rows for s in socks)
		text = open(f"{sys.argv[1]}/unix", "rb").read()
		assert b"\x1b" not in text and b"\0" not in text
		lines = text.split(b"\n")[:-1]
		assert {len(l.split()) for l in lines} == {11}
	P
}

@test "unix: any user may read it; a reader in another network namespace gets that one's" {
	[ "$(stat -c %a "$MNT/unix")" = 444 ]
	as_user head -n 1 "$MNT/unix"
	[ "$(unshare --net timeout 20 cat "$MNT/unix" | wc -l)" -eq 1 ]
	unshare --net timeout 60 python3 -B - "$MNT" <<-'P'
		import json, os, socket, sys
		pair = socket.socketpair()
		rows = [json.loads(line) for line in open(f"{sys.argv[1]}/json/unix.json")]
		inos = [os.fstat(s.fileno()).st_ino for s in pair]
		assert sorted(r["ino"] for r in rows) == sorted(inos), rows
		assert {r["netns"] for r in rows} == {os.stat("/proc/self/ns/net").st_ino}
	P
	unshare --net timeout 60 "$KVIEW" cat unix >"$DIR/own" # kview itself is there
	[ "$(wc -l <"$DIR/own")" -eq 1 ]
}

@test "unix: the pin prints what one read can have, and fails behind it" {
	KVIEW_PIN_DIR=$KVIEW_PIN_DIR-load
	"$KVIEW" load
	unshare --net cat "$KVIEW_PIN_DIR/unix" >"$DIR/few"
	[ "$(wc -l <"$DIR/few")" -eq 1 ]
	timeout 60 python3 -B - "$KVIEW_PIN_DIR/unix" <<-'P'
		import errno, os, socket, sys
		socks = [socket.socket(socket.AF_UNIX) for _ in range(900)]
		fd, data = os.open(sys.argv[1], os.O_RDONLY), b""
		try:
		    while more := os.read(fd, 1 << 17):
		        data += more
		except OSError as e:
		    assert e.errno == errno.EAGAIN and data.count(b"\n") > 100, (e, len(data))
		else:
		    sys.exit("it ended as if that were all")
	P
	"$KVIEW" unload
}
