#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# README's scripts, run as they stand there: they say what they promise, of processes
# and files that were made to mislead them as well.

load common
load docs

@test "README: the scripts work" {
	local f out
	touch "$DIR/gone"
	exec 9<"$DIR/gone"
	rm "$DIR/gone"
	kview_mount 3>&-
	for f in "$DIR"/blocks/sh.*; do
		out=$(run_as_shown "$(own_places <"$f")") || { cat "$f"; return 1; }
		[ -n "$out" ] || { echo "silent:"; cat "$f"; return 1; }
	done
	exec 9<&-
	[ -e "$DIR/blocks/sh.8" ]
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

@test "README: threads per state add up" {
	local awk_block
	kview_mount 3>&-
	awk_block=$(grep -l 'Threads per state' "$DIR"/blocks/sh.*)
	run_as_shown "$(own_places <"$awk_block")" >"$DIR/states"
	[ "$(awk '{n += $1} END {print (n > 0)}' "$DIR/states")" = 1 ]
	run awk '$2 !~ /^[RSDTtXZPI]$/ || NF != 2' "$DIR/states"
	[ -z "$output" ]
}
