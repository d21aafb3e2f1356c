#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# Readers who want to see more than they may: by passing descriptors on, by
# becoming others, by dying at the wrong time, by numbers that are used again.
bats_require_minimum_version 1.5.0

setup() {
	load common
	kview_setup
	chmod 755 "$DIR"
	kview_mount -o allow_other 3>&-
}

teardown() {
	kview_teardown
}

# hostile PROGRAM CASE WORD...: one case of tests/cases/PROGRAM.py
hostile() {
	timeout 400 python3 "$BATS_TEST_DIRNAME/$1.py" "$2" "$MNT" "${@:3}" 3>&-
}

@test "a descriptor passed to another user shows what its opener may see" {
	hostile hostile passed
}

@test "a file of one process passed to another user is its opener's as well" {
	hostile hostile passed_pid
}

@test "a passed descriptor opened once more is judged anew" {
	hostile hostile reopened
}

@test "rights gained after the open show no more" {
	hostile hostile gained
}

@test "rights given up after the open take nothing from the descriptor" {
	hostile hostile dropped
}

@test "who executes a setuid program is not seen through what it opened before" {
	install -m 755 "$TOOLS/hostile_exec" "$DIR/plain"
	install -m 4755 "$TOOLS/hostile_exec" "$DIR/setuid"
	install -m 2755 -g 21009 "$TOOLS/hostile_exec" "$DIR/setgid"
	install -m 711 "$TOOLS/hostile_exec" "$DIR/unreadable"
	hostile hostile executed "$DIR/plain" "$DIR/setuid" "$DIR/setgid" "$DIR/unreadable"
}

@test "a thread that opens is judged, not its leader" {
	hostile hostile thread
}

@test "who acts on files as another user sees what /proc shows it" {
	hostile hostile setfsuid
}

@test "an open through io_uring has the rights that it is done with" {
	install -m 755 "$TOOLS/hostile_uring" "$DIR/uring"
	hostile hostile uring "$DIR/uring"
}

@test "readers killed while their open waits leave nothing in the daemon" {
	hostile hostile pending "$(worker_pid)"
}

@test "readers killed at any time leave nothing in the daemon" {
	hostile hostile killed "$(worker_pid)"
}

@test "files and directories of a process that died show nothing of a later one" {
	hostile hostile_pids reused
}

@test "a storm of processes of one number confuses nobody who reads" {
	hostile hostile_pids storm "$(worker_pid)"
}

@test "a directory of pid/N is not the container's process of that number" {
	hostile hostile_pids directories
}

@test "a directory of pid/N of a container's process is that one on both sides" {
	hostile hostile_pids own_directory
}

@test "namespaces that a user made open nothing of the host's" {
	hostile hostile_pids user_namespace
}

@test "what the daemon holds for readers of containers goes with their files" {
	mkdir -p "$DIR/root/mnt"
	mount --bind "$MNT" "$DIR/root/mnt"
	hostile hostile_pids held "$(worker_pid)" "$DIR/root"
}

@test "thousands of opens that fail leave nothing in the daemon" {
	hostile hostile_pids failing "$(worker_pid)"
}

# Its descriptors, without /dev/fuse: one each of its threads has.
held_by() {
	find "/proc/$1/fd" -type l ! -lname /dev/fuse 2>/dev/null | wc -l
}

@test "a reader that kview can't see is refused, those inside are served" {
	local first daemon held
	# A pid namespace with a kview in it, seen from outside through its mounts.
	# shellcheck disable=SC2016 # for the inner shell
	unshare --mount --pid --fork --kill-child --mount-proc --propagation private \
		sh -c 'mkdir "$2" && "$1" mount -o allow_other "$2" &&
			cat "$2/task" >"$3/inside" && cat "$2/pid/self/task_file" >"$3/self" &&
			ls "$2/pid" >"$3/listed" && setpriv --reuid 21001 --regid 21001 --clear-groups \
			cat "$2/task_file" >"$3/user" && touch "$3/up" && exec sleep 300' \
		- "$KVIEW" "$DIR/inner" "$DIR" 3>&- &
	mine $!
	until_true test -e "$DIR/up"
	[ "$(awk 'NR > 1 && $1 > 99' "$DIR/inside")" = "" ]
	[ "$(awk '$1 == 1 {print $NF}' "$DIR/inside")" = sh ]
	[ "$(awk 'NR > 1 {print $1}' "$DIR/self" | sort -u | wc -l)" -eq 1 ]
	grep -qx 1 "$DIR/listed"
	# The user's own process, and no other.
	[ "$(awk 'NR > 1 {print $1}' "$DIR/user" | sort -u | wc -l)" -eq 1 ]
	first=$(pgrep -P $!)
	daemon=$(MNT=$DIR/inner worker_pid)
	held=$(held_by "$daemon")
	[ "$held" -gt 5 ]
	nsenter -t "$first" -m timeout 60 python3 "$BATS_TEST_DIRNAME/hostile_pids.py" \
		unseen "$DIR/inner" 3>&-
	[ "$(held_by "$daemon")" -eq "$held" ]
	nsenter -t "$first" -m -p head -n 1 "$DIR/inner/task" | grep -q PID
}

@test "a thousand readers of fifty users at once see each what is theirs" {
	timeout 400 "$TOOLS/hostile_crowd" "$MNT" 1000 50 3>&-
}
