#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# README's scripts, run as they stand there: they say what they promise, of processes
# and files that were made to mislead them as well.

load common
load docs

# Two processes, and a connection from one to the other; they and its port are in TALK.
talk() {
	python3 - >"$DIR/talk" 3>&- <<-'P' &
		import os, socket, time
		listener = socket.create_server(("127.0.0.1", 0))
		address, parent = listener.getsockname(), os.getpid()
		pid = os.fork()
		if pid:
		    client, server = None, listener.accept()[0]
		    print(os.getpid(), pid, address[1], flush=True)
		    while server.recv(1000):
		        pass
		else:
		    listener.close()
		    client = socket.create_connection(address)
		    while os.getppid() == parent:
		        client.send(b"x" * 1000)
		        time.sleep(0.01)
	P
	mine $!
	until_true [ -s "$DIR/talk" ]
	read -r -a TALK <"$DIR/talk"
}

# Nobody else's.
ID=$(printf 'b%063x' $$)

# be NAME DIRECTORY COMMAND...: a process there, whose pid is $PID, and which has got that name.
be() {
	(cd "$2" && exec "${@:3}") </dev/null >/dev/null 3>&- &
	PID=$!
	mine "$PID"
	until_true grep -qxF "$1" "/proc/$PID/comm"
}

# What the scripts look for is here: so none of them is silent.
be_asked_for() {
	mkdir -p "$DIR/data/in" "$DIR/database"
	GROUP=$(findmnt -n -t cgroup2 -o TARGET | head -n 1)/kview-test-$BASHPID
	mkdir "$GROUP" "$GROUP/docker-$ID.scope"
	be sleep / sleep 100
	echo "$PID" >"$GROUP/docker-$ID.scope/cgroup.procs"
	CONTAINED=$PID
	cp "$(command -v sleep)" "$DIR/replaced"
	be replaced / "$DIR/replaced" 100
	rm "$DIR/replaced"
	REPLACED=$PID
	be sleep "$DIR/data/in" sleep 100
	INSIDE=$PID
	be sleep "$DIR/database" sleep 100
	NEAR=$PID
	# shellcheck disable=SC2016 # of that shell
	be sleep / bash -c 'ulimit -n 20; for fd in {3..18}; do eval "exec $fd</dev/null"; done; exec sleep 100'
	LIMITED=$PID
	be sleep / bash -c "exec sleep 100 7>'$DIR/data/open'"
	OPENER=$PID
}

# Until none of them is there.
be_gone() {
	local pid
	for pid in $CONTAINED $REPLACED $INSIDE $NEAR $LIMITED $OPENER; do
		kill "$pid"
		wait "$pid" || true
	done
	until_true rmdir "$GROUP/docker-$ID.scope" "$GROUP"
}

@test "README: the scripts work" {
	local f out
	touch "$DIR/gone"
	exec 9<"$DIR/gone"
	rm "$DIR/gone"
	talk
	be_asked_for
	kview_mount 3>&-
	for f in "$DIR"/blocks/sh.*; do
		out=$(run_as_shown "$(own_places <"$f")") || { cat "$f"; return 1; }
		[ -n "$out" ] || { echo "silent:"; cat "$f"; return 1; }
	done
	exec 9<&-
	be_gone
	[ -e "$DIR/blocks/sh.16" ]
}

# kilobytes NAME PID: what its status says.
kilobytes() {
	awk -v name="$1:" '$1 == name {print $2}' "/proc/$2/status"
}

memory_is_right() {
	local bytes=$((($(kilobytes RssAnon "$CONTAINED") + $(kilobytes RssShmem "$CONTAINED") + $(kilobytes VmSwap "$CONTAINED")) * 1024))
	[ "$(recipe "Memory of containers" | grep "$ID")" = "$bytes 1 $ID" ]
}

@test "README: containers, descriptor limits, who blocks an unmount, replaced programs" {
	be_asked_for
	kview_mount 3>&-
	until_true memory_is_right # once it has begun
	[ "$(recipe "of their descriptor limit" | grep -w "$LIMITED")" = "$(find "/proc/$LIMITED/fd" -type l | wc -l)	20	$LIMITED	sleep" ]
	[ "$(recipe "being unmounted" | cut -f 1 | xargs)" = "$(printf '%s\n' "$OPENER" "$INSIDE" | sort | xargs)" ]
	[ "$(recipe "not on the disk" | grep -w "$REPLACED")" = "$REPLACED	replaced	$DIR/replaced (deleted)" ]
	be_gone
}

# ancestors PID: it and its ancestors, by /proc, but for PID 1.
ancestors() {
	local pid=$1
	while [ "$pid" -gt 1 ]; do # which the kernel's iterators may leave out
		printf '%s\t%s\n' "$pid" "$(cat "/proc/$pid/comm")"
		pid=$(sed 's/.*) . //; s/ .*//' "/proc/$pid/stat")
	done
}

@test "README: ancestors are those of /proc" {
	local self=$BASHPID
	kview_mount 3>&-
	# The script's shell, and what of its ancestors is this test's too.
	diff <(recipe "its ancestors" | sed "1,/^$self\t/{/^$self\t/!d}" | grep -v "^1	") <(ancestors "$self")
}

@test "README: who is busy is among the busiest, by what it used" {
	local used
	kview_mount 3>&-
	be bash / bash -c 'while :; do :; done'
	used=$(recipe "busiest" | awk -v pid="$PID" '$2 == pid {print $1}')
	kill "$PID"
	wait "$PID" || true
	awk -v used="$used" 'BEGIN {exit !(used > 0.05 && used < 30)}'
}

# recipe WORDS: what the script of README with these words prints here.
recipe() {
	local f
	f=$(grep -lF "$1" "$DIR"/blocks/sh.*)
	run_as_shown "$(own_places <"$f")"
}

@test "README: deleted files are those without a name, by what they take" {
	local out taken self=$BASHPID
	dd if=/dev/zero of="$DIR/gone" bs=4096 seek=1000 count=3 conv=fsync status=none
	echo live >"$DIR/live (deleted)"
	echo live >"$DIR/one"
	ln "$DIR/one" "$DIR/two"
	exec 7<"$DIR/one" 8<"$DIR/live (deleted)" 9<"$DIR/gone"
	rm "$DIR/one" "$DIR/gone"
	taken=$(($(stat -Lc %b "/proc/$BASHPID/fd/9") * 512))
	[ "$taken" -lt 1000000 ]
	kview_mount 3>&-
	out=$(recipe "Deleted files" | grep "^$self ")
	exec 7<&- 8<&- 9<&-
	[ "$out" = "$self 9 $taken $DIR/gone\\040(deleted)" ]
}

@test "README: the largest processes are there though their leader has exited" {
	local pid
	python3 - 3>&- <<-'P' &
		import ctypes, threading, time
		held = bytearray(b"x") * (900 << 20)
		threading.Thread(target=time.sleep, args=(100,)).start()
		ctypes.CDLL(None).pthread_exit(None)
	P
	pid=$!
	mine $pid
	kview_mount 3>&-
	until_true grep -q '^State:.Z' "/proc/$pid/status"
	[ "$(recipe "five largest" | jq -s "map(select(.[0] == $pid)) | .[0][1] >= 943718400")" = true ]
	kill -KILL $pid
}

@test "README: who listens is found by the port, and who sends and receives by its bytes" {
	local server client port other udp
	talk
	read -r server client port <<<"${TALK[*]}"
	python3 -c 'import socket, time
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); s.bind(("::1", 0))
print(s.getsockname()[1], flush=True); time.sleep(100)' >"$DIR/udp" 3>&- &
	other=$!
	mine $other
	until_true [ -s "$DIR/udp" ]
	udp=$(cat "$DIR/udp")
	kview_mount 3>&-
	recipe "Who listens" >"$DIR/out"
	[ "$(awk -v port="$port" '$3 == port' "$DIR/out")" = "tcp 127.0.0.1 $port $server python3" ]
	[ "$(awk -v port="$udp" '$3 == port' "$DIR/out")" = "udp ::1 $udp $other python3" ]
	recipe "have moved bytes" >"$DIR/out"
	awk -F '\t' -v pid="$client" -v port="$port" '$2 == pid && $1 > 5000 && $1 < 1000000 &&
		$3 == "python3" && $4 == "127.0.0.1" && $5 == port {n++} END {exit n != 1}' "$DIR/out"
	awk -F '\t' -v pid="$server" '$2 == pid && $1 > 5000 {n++} END {exit n != 1}' "$DIR/out"
}

@test "README: threads per state add up" {
	local awk_block
	kview_mount 3>&-
	awk_block=$(grep -l 'Threads per state' "$DIR"/blocks/sh.*)
	run_as_shown "$(own_places <"$awk_block")" >"$DIR/states"
	[ "$(awk '{n += $1} END {print (n > 0)}' "$DIR/states")" = 1 ]
	run awk '$2 !~ /^[RSDTtXZPI]$/ || NF != 2' "$DIR/states"
	[ -z "$output" ]
}

@test "tar copies nothing, cp copies all, as README says" {
	kview_mount 3>&-
	[ "$(tar -C "$MNT" -cf - csv/task.csv | tar -xOf - | wc -c)" = 0 ]
	cp "$MNT/csv/task.csv" "$DIR/copy"
	[ "$(head -n 1 "$DIR/copy")" = "$(kview schema task | cut -f 1 | paste -sd ,)" ]
}
