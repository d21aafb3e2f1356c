#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# The view socket against /proc, ss and lsof, in network namespaces that these cases make; while
# sockets change; and whose sockets a reader is shown.

bats_require_minimum_version 1.5.0

load mounted

# world NAME COMMAND...: sockets of every kind; what is known of them is in $DIR/NAME
world() {
	mkdir "$DIR/$1.files"
	mkfifo "$DIR/$1.end"
	bash -c 'exec 7<>"$0"; exec "$@" <&7' "$DIR/$1.end" "${@:2}" \
		python3 -B "$BATS_TEST_DIRNAME/socket_world.py" "$DIR/$1.files" >"$DIR/$1" 2>"$DIR/$1.errors" 3>&- &
	until_true [ -s "$DIR/$1" ] || { cat "$DIR/$1.errors"; return 1; }
	for pid in $! $(jq '.pids[]' "$DIR/$1"); do
		mine "$pid"
	done
}

agrees() {
	timeout 100 python3 -B "$BATS_TEST_DIRNAME/oracle_socket.py" "$@"
}

# What is compared with it may change behind it, and such a file is not read again.
cat_agrees() {
	"$KVIEW" cat -F json socket >"$DIR/cat.json"
	agrees "$DIR/cat.json" "$DIR/own"
}

@test "socket: the columns of the contract, in its order" {
	columns socket pid tid fd family type state laddr lport raddr rport path peer_ino netns ino uid \
		rxq txq sent received retrans rtt comm
}

@test "socket: all that a process, /proc/net, ss and lsof say, here and in another namespace" {
	world host env
	world own unshare --net bash -c 'ip link set lo up; exec "$@"' own
	agrees "$MNT/json/socket.json" "$DIR/host"
	agrees "$MNT/json/socket.json" "$DIR/own"
	# Whatever namespace the reader is in.
	unshare --net python3 -B "$BATS_TEST_DIRNAME/oracle_socket.py" "$MNT/json/socket.json" "$DIR/own"
	cat_agrees || cat_agrees
}

@test "socket: hostile names make no row and no escape sequence in any format" {
	local pid
	world names env
	pid=$(jq '.pids[0]' "$DIR/names")
	run ! grep -q $'[\x1b\x01-\x09]' "$MNT/pid/$pid/socket"
	[ "$(awk '{print NF}' "$MNT/pid/$pid/socket" | sort -u)" = 22 ]
	python3 - "$MNT/pid/$pid" <<-'P'
		import csv, json, re, sys
		with open(sys.argv[1] + "/csv/socket.csv", newline="", encoding="utf-8", errors="replace") as f:
		    table = list(csv.DictReader(f))
		with open(sys.argv[1] + "/json/socket.json") as f:
		    rows = [json.loads(line) for line in f]
		assert len(rows) > 40
		for row, line in zip(rows, table, strict=True):
		    assert list(row) == list(line), line
		    # What JSON can't have is one character there, and the byte itself here.
		    assert (row["path"] or "") == line["path"], (row, line)
		    for name in row.keys() - {"path", "rtt"}:
		        assert line[name] == ("" if row[name] is None else str(row[name])), (name, row, line)
		assert any("\x1b[31m" in (r["path"] or "") and "\0" in r["path"] for r in rows)
	P
}

@test "socket: counters and queues move as ss says" {
	timeout 200 unshare --net python3 -B "$BATS_TEST_DIRNAME/sockets.py" traffic "$MNT"
}

@test "socket: no end is made of two while sockets are connected to one after another" {
	timeout 200 unshare --net python3 -B "$BATS_TEST_DIRNAME/sockets.py" ends "$MNT" 12
}

@test "socket: no name and no peer is another's while sockets come and go" {
	timeout 200 unshare --net python3 -B "$BATS_TEST_DIRNAME/sockets.py" unix "$MNT" 8
}

@test "socket: one row for what threads share, and for each thread with a table of its own" {
	timeout 60 python3 -B - "$MNT" 3>&- <<-'P'
		import ctypes, json, os, socket, sys, threading
		pair, go = socket.socketpair(), threading.Event()
		ready = [threading.Event() for _ in range(3)]
		tids = []
		def stay(i):
		    if i == 2:
		        assert ctypes.CDLL(None).unshare(0x400) == 0  # CLONE_FILES
		        os.close(pair[0].fileno())
		        tids.append(threading.get_native_id())
		    ready[i].set()
		    go.wait()
		threads = [threading.Thread(target=stay, args=(i,)) for i in range(3)]
		for t in threads: t.start()
		for r in ready: r.wait()
		with open(f"{sys.argv[1]}/pid/self/json/socket.json") as f:
		    found = sorted((r["tid"], r["fd"]) for r in map(json.loads, f))
		go.set()
		pid, (a, b) = os.getpid(), (s.fileno() for s in pair)
		assert found == sorted([(pid, a), (pid, b), (tids[0], b)]), (found, tids)
	P
}

# Processes whose sockets COMMAND... is shown, and those whose descriptors it may read.
may() {
	# shellcheck disable=SC2016 # the reader expands them
	"$@" timeout 60 bash -c 'for pid in $PIDS; do
		readlink /proc/$pid/fd/* 2>/dev/null | grep -q socket: && echo "$pid proc"
		grep -q "^ *$pid " "$MNT/pid/$pid/socket" 2>/dev/null && echo "$pid kview"
		grep -q "^ *$pid " "$MNT/socket" && echo "$pid all"
	done; true'
}

# shows N READER...: it sees the sockets of so many, of the same in every place
shows() {
	may "${@:2}" >"$DIR/may"
	[ "$(grep -c ' proc$' "$DIR/may")" -eq "$1" ] || { cat "$DIR/may" && return 1; }
	cmp <(sed -n 's/ proc$//p' "$DIR/may") <(sed -n 's/ kview$//p' "$DIR/may")
	cmp <(sed -n 's/ proc$//p' "$DIR/may") <(sed -n 's/ all$//p' "$DIR/may")
}

@test "socket: who may list a process's descriptors sees its sockets, and nobody else" {
	local user
	PIDS=
	for user in 0 21001 21002; do
		python3 -c 'import os, socket, sys
user = int(sys.argv[1])
os.setgroups([]); os.setresgid(user, user, user); os.setresuid(user, user, user)
os.set_inheritable(socket.socket().detach(), True)
os.execvp("sleep", ["sleep", "300"])' $user 3>&- &
		mine $!
		PIDS+=" $!"
		until_true grep -q '^sleep$' /proc/$!/comm
	done
	export PIDS
	shows 3 env
	shows 1 as_user
	shows 1 setpriv --reuid 21002 --regid 21002 --clear-groups
	shows 0 setpriv --reuid 21003 --regid 21003 --clear-groups
	shows 0 unshare --user --map-root-user env
	run -1 as_user cat "$MNT/pid/${PIDS##* }/socket"
	[[ $output == *'Permission denied'* ]]
}

@test "socket: uids are those of the reader's user namespace" {
	# Made before by the user, and by root, whom that namespace does not map.
	python3 -c 'import os, socket, sys
by_root = socket.socket()
os.setgroups([]); os.setresgid(21001, 21001, 21001); os.setresuid(21001, 21001, 21001)
by_user = socket.socket()
os.set_inheritable(by_root.fileno(), True); os.set_inheritable(by_user.fileno(), True)
os.execvp("unshare", ["unshare", "--user", "--map-root-user", "cat", sys.argv[1]])' \
		"$MNT/pid/self/csv/socket.csv" >"$DIR/uids"
	[ "$(cut -d, -f 15 "$DIR/uids" | xargs)" = "uid 65534 0" ]
}
