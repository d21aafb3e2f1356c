#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# What others do to a mount that serves: they stop its processes, fill its log,
# take its pins, and move, cover or force away the mount.
# shellcheck disable=SC2030,SC2031 # each test is a subshell
bats_require_minimum_version 1.5.0
load common
load faults

setup() {
	kview_setup
	# Below a shared mount nothing can be moved.
	mount --bind "$DIR" "$DIR"
	mount --make-private "$DIR"
}

teardown() {
	kview_teardown
}

# The worker is another one, and serves.
next_worker_serves() {
	local old=$WORKER
	kill -KILL "$old"
	serves
	WORKER=$(pgrep -P "$HOLDER")
	[ "$WORKER" != "$old" ]
}

# --- processes that are stopped -------------------------------------------

all_stopped() {
	! cat "/proc/$1"/task/*/status | grep '^State:' | grep -qv '^State:.T'
}

@test "a worker that is stopped for a second is replaced, one for less is not" {
	front
	kill -STOP "$WORKER"
	timeout 30 head -n 1 "$MNT/task" >"$DIR/read" 3>&- &
	sleep 0.3
	[ ! -s "$DIR/read" ]
	kill -CONT "$WORKER"
	wait $!
	[ "$(pgrep -P "$HOLDER")" = "$WORKER" ]
	kill -STOP "$WORKER"
	until_true all_stopped "$WORKER" # or it may still answer the open, and the read is stale
	timeout 30 head -n 1 "$MNT/task"
	[ "$(pgrep -P "$HOLDER")" != "$WORKER" ]
	[ "$(value restarts)" -eq 1 ]
	down
}

@test "a holder that is stopped: its worker serves, the next one comes when it goes on" {
	local reader
	front
	kill -STOP "$HOLDER"
	serves
	kill -KILL "$WORKER"
	timeout 30 head -n 1 "$MNT/task" >"$DIR/read" 3>&- &
	reader=$!
	sleep 0.3
	[ ! -s "$DIR/read" ]
	kill -CONT "$HOLDER"
	wait $reader
	[ -s "$DIR/read" ]
	down
}

# --- the log --------------------------------------------------------------

@test "a log that takes no more: the mount goes on, and replaces workers" {
	local log
	mkdir "$DIR/full"
	mount -t tmpfs -o size=4k tmpfs "$DIR/full"
	cat /dev/zero >"$DIR/full/fill" 2>/dev/null || true
	touch "$DIR/full/log"
	for log in "$DIR/full/log" /dev/full; do
		"$KVIEW" mount -f "$MNT" 2>"$log" 3>&- &
		served $!
		next_worker_serves
		kill -TERM "$HOLDER"
		wait "$HOLDER"
		nothing_left
	done
	[ ! -s "$DIR/full/log" ]
}

# --- pins -----------------------------------------------------------------

private_bpffs() {
	mkdir "$DIR/bpf"
	mount -t bpf bpf "$DIR/bpf"
	KVIEW_PIN_DIR=$DIR/bpf/pins
}

@test "a BPF file system that goes: the mount goes on, cat needs no pins, load says what it lacks" {
	private_bpffs
	front
	umount -l "$DIR/bpf"
	serves
	next_worker_serves
	timeout 60 "$KVIEW" cat task >/dev/null
	fails_with "mount -t bpf bpf DIR" "$KVIEW" load
	timeout 60 "$KVIEW" unload
	fails_with "mount -t bpf bpf DIR" "$KVIEW" mount "$MNT.2"
	timeout 60 "$KVIEW" mount --takeover --pin-dir "/sys/fs/bpf/kview-test-$$" "$MNT" 3>&-
	serves
	KVIEW_PIN_DIR=/sys/fs/bpf/kview-test-$$
	down
}

@test "pins that are removed, directory and all: the mount goes on, load and mount make them anew" {
	front
	rm "$KVIEW_PIN_DIR"/task*
	serves
	timeout 60 "$KVIEW" cat task >/dev/null
	timeout 60 "$KVIEW" mount "$MNT.2" 3>&-
	[ -e "$KVIEW_PIN_DIR/task" ]
	[ "$(awk '{print $1; exit}' "$MNT.2/task")" = PID ]
	timeout 60 "$KVIEW" umount "$MNT.2"
	rm "$KVIEW_PIN_DIR"/*
	rmdir "$KVIEW_PIN_DIR"
	next_worker_serves
	timeout 60 "$KVIEW" load
	[ "$(awk '{print $1; exit}' "$KVIEW_PIN_DIR/task")" = PID ]
	# It was another directory that the mount would have removed.
	kview_umount
	until_true no_daemon
	[ -e "$KVIEW_PIN_DIR/task" ]
	timeout 60 "$KVIEW" unload
	nothing_left
}

@test "a pin that somebody else's took the place of: the mount goes on, and theirs is left alone" {
	front
	rm "$KVIEW_PIN_DIR"/task "$KVIEW_PIN_DIR"/task_vma
	bpftool map create "$KVIEW_PIN_DIR/task" type array key 4 value 4 entries 1 name other
	mkdir "$KVIEW_PIN_DIR/task_vma"
	serves
	next_worker_serves
	timeout 60 "$KVIEW" cat task >/dev/null
	run -0 timeout 60 "$KVIEW" load
	[[ $output == *"$KVIEW_PIN_DIR/task' is there, and kview did not pin it"* ]]
	# A mount makes do with the views that it can pin.
	run -0 timeout 60 "$KVIEW" mount "$MNT.2" 3>&-
	[[ $output == *"$KVIEW_PIN_DIR/task' is there"*"$KVIEW_PIN_DIR/task_vma' is there"* ]]
	[ ! -e "$MNT.2/task" ]
	head -n 1 "$MNT.2/task_file"
	timeout 60 "$KVIEW" umount "$MNT.2"
	fails_with "look at them with bpftool" "$KVIEW" unload
	[ "$(ls -I "reader=*" "$KVIEW_PIN_DIR")" = "$(printf 'task\ntask_vma')" ]
	kview_umount
	until_true no_daemon
	[ "$(ls -I "reader=*" "$KVIEW_PIN_DIR")" = "$(printf 'task\ntask_vma')" ]
	rmdir "$KVIEW_PIN_DIR/task_vma"
	rm "$KVIEW_PIN_DIR/task"
	rmdir "$KVIEW_PIN_DIR"
}

# --- the mount point ------------------------------------------------------

# Each way to end it or hand it on, at its new place $1.
ends() {
	case $2 in
	umount) timeout 60 "$KVIEW" umount "$1" ;;
	term) kill -TERM "$HOLDER" ;;
	takeover)
		timeout 60 "$KVIEW" mount --takeover "$1" 3>&-
		has_ended "$HOLDER"
		[ "$(awk '{print $1; exit}' "$1/task")" = PID ]
		timeout 60 "$KVIEW" umount "$1"
		;;
	esac
	until_true has_ended "$HOLDER"
	nothing_left
	[ "$(grep -c "fuse.kview" <<<"$(grep -F " $DIR/" /proc/self/mounts)")" -eq 0 ]
}

@test "a mount that is moved, or whose parent is renamed, is ended where it is now" {
	local how
	for how in umount term takeover; do
		front
		mkdir -p "$DIR/new"
		mount --move "$MNT" "$DIR/new"
		fails_with "lists kview's mounts" "$KVIEW" umount "$MNT"
		[ "$(awk '{print $1; exit}' "$DIR/new/task")" = PID ]
		ends "$DIR/new" $how
	done
	for how in umount term takeover; do
		mkdir "$DIR/parent"
		MNT=$DIR/parent/mnt front
		mv "$DIR/parent" "$DIR/renamed"
		ends "$DIR/renamed/mnt" $how
		rm -r "$DIR/renamed"
	done
}

@test "a mount that another covers: it serves on, is not taken away, and is repaired once uncovered" {
	front
	mkdir "$DIR/bind"
	mount --bind "$MNT" "$DIR/bind"
	mount -t tmpfs tmpfs "$MNT"
	[ "$(awk '{print $1; exit}' "$DIR/bind/task")" = PID ]
	fails_with "lists kview's mounts" "$KVIEW" umount "$MNT"
	fails_with "choose another directory: kview mount DIR" "$KVIEW" mount --takeover "$MNT"
	umount "$MNT"
	serves
	mount -t tmpfs tmpfs "$MNT"
	kill -TERM "$HOLDER"
	until_true has_ended "$HOLDER"
	umount "$MNT"
	fails_with "not connected" cat "$MNT/task"
	front
	serves
	down
}

# --- umount in its kinds --------------------------------------------------

@test "umount -f: idle it unmounts, in use readers get errors and the next mount repairs it" {
	front
	umount -f "$MNT"
	wait "$HOLDER"
	nothing_left
	front
	exec 7<"$MNT/task"
	read -r -u 7
	run umount -f "$MNT"
	wait "$HOLDER"
	fails_with "not connected" cat "$MNT/task"
	run ! cat <&7
	exec 7<&-
	until_true no_daemon
	front
	serves
	down
}

# lazily COMMAND...: who has it open reads on; the daemon ends with the last file
lazily() {
	front
	exec 7<"$MNT/task_file"
	read -r -u 7
	"$@" "$MNT"
	[ "$(grep -cF " $MNT " /proc/self/mounts)" -eq 0 ]
	[ "$(timeout 30 wc -l <&7)" -gt 10 ]
	kill -0 "$HOLDER"
	exec 7<&-
	wait "$HOLDER"
	nothing_left
}

@test "umount -l and fusermount3 -uz: open files are read to their end, then the daemon ends" {
	lazily umount -l
	lazily fusermount3 -uz
}

@test "fusermount3 -u: busy it is refused, idle it unmounts" {
	front
	exec 7<"$MNT/task"
	run ! fusermount3 -u "$MNT"
	serves
	exec 7<&-
	until_true fusermount3 -u "$MNT"
	wait "$HOLDER"
	nothing_left
}
