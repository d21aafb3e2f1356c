#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# The view process_args against /proc/PID/cmdline; and processes that keep ps waiting.
# shellcheck disable=SC2031 # each test is a subshell

bats_require_minimum_version 1.5.0

load common

setup_file() {
	kview_setup
	chmod 755 "$DIR"
	head -c 65536 /dev/urandom >"$DIR/file"
	chmod 644 "$DIR/file"
	install -m 755 "$TOOLS/args" "$TOOLS/hang" "$DIR"
	mknod -m 666 "$DIR/fuse" c 10 229
	: >"$DIR/hung"
	chmod 666 "$DIR/hung"
	kview_mount -o allow_other
}

teardown_file() {
	kview_teardown
}

args() {
	timeout 200 python3 -B "$BATS_TEST_DIRNAME/args.py" "$1" "$MNT" "${@:2}" 3>&- >"$DIR/said"
	cat "$DIR/said" >&3
}

@test "process_args: the columns of the contract, in its order" {
	columns process_args pid start_boot args comm
}

@test "process_args: as /proc/PID/cmdline, whatever it holds" {
	args same "$DIR/args" "$DIR/file"
}

@test "process_args: all processes of the machine" {
	args machine
}

@test "process_args: kview cat shows the same, and ends all that it starts" {
	local mark=KVIEW_TEST_MARK=$BASHPID
	export "${mark?}"
	timeout 20 "$KVIEW" cat -F json --pid $$ process_args | cmp - "$MNT/pid/$$/json/process_args.json"
	[ "$(timeout 20 "$KVIEW" cat -F json process_args | jq -c "select(.pid == $$).args")" = \
		"$(jq -c .args "$MNT/pid/$$/json/process_args.json")" ]
	timeout 20 "$KVIEW" cat process_args | head -n 1
	# Whoever was forked by them has that in its environment; this shell has not.
	until_true eval "! grep -lzqx $mark /proc/[0-9]*/environ 2>/dev/null"
	unset KVIEW_TEST_MARK
}

@test "process_args: a reader of the pin gets no arguments" {
	[ "$(tail -n +2 "$KVIEW_PIN_DIR/process_args" | awk -F '\t' '{print $3}' | sort -u)" = '(unreadable)' ]
}

@test "process_args: arguments that change while they are read" {
	args restless "$DIR/args" "$DIR/file"
}

@test "process_args: a number that is another process's a moment later" {
	[ -w /proc/sys/kernel/ns_last_pid ] || skip "no ns_last_pid"
	args ending
}

@test "process_args: a number that is another process's while the reader waits" {
	[ -w /proc/sys/kernel/ns_last_pid ] || skip "no ns_last_pid"
	args waiting
}

@test "process_args: if what fetches them is killed, the worker is replaced, and they are there" {
	local worker
	worker=$(worker_pid)
	kill -9 "$(pgrep -P "$worker")"
	until_true cat "$MNT/process_args"
	[ "$(worker_pid)" != "$worker" ]
	cat "$MNT/process_args" >/dev/null
}

@test "process_args: in time namespaces they are there as well" {
	args in_time_namespaces "$KVIEW"
}

# The keeper of a mount that is made there has the right that this takes.
# shellcheck disable=SC2016 # the other shell expands it
@test "process_args: where /proc hides processes they are there as well" {
	mkdir "$DIR/hiding"
	KVIEW=$KVIEW DIR=$DIR KVIEW_PIN_DIR=$KVIEW_PIN_DIR-hiding timeout 60 unshare --mount --propagation private bash -euc '
		mount -t proc -o hidepid=2 proc /proc
		"$KVIEW" mount "$DIR/hiding"
		jq -c "[.pid, .args]" "$DIR/hiding/json/process_args.json" >"$DIR/hidden"
		"$KVIEW" umount "$DIR/hiding"' 3>&-
	grep -qF "[$$,$(jq -c .args "$MNT/pid/$$/json/process_args.json")]" "$DIR/hidden"
	[ "$(grep -cF '["(unreadable)"]' "$DIR/hidden")" = 0 ]
}

@test "process_args: every user has the rows of all processes in its pid namespace, and no others" {
	local mine
	mine=$(jq -c .args "$MNT/pid/$$/json/process_args.json")
	[ "$(as_user jq -c .args "$MNT/pid/$$/json/process_args.json")" = "$mine" ]
	[ "$(as_user jq -c "select(.pid == $$).args" "$MNT/json/process_args.json")" = "$mine" ]
	# shellcheck disable=SC2016 # the reader expands it
	timeout 20 unshare --pid --fork --kill-child --mount-proc bash -c '
		sleep 60 & jq -c "[.pid, .args[0], .args[1]]" "$MNT/json/process_args.json"; kill $!' 3>&- >"$DIR/inside"
	grep -qxF '[2,"sleep","60"]' "$DIR/inside"
	[ "$(jq -r '.[0]' "$DIR/inside" | sort -n | tail -n 1)" -le 4 ]
	timeout 20 unshare --user --map-root-user jq -c .args "$MNT/pid/$$/json/process_args.json" |
		grep -qxF "$mine"
}

@test "process_args: a start is cut for who may not ptrace the process" {
	[ "$(as_user jq ".start_boot * 1000000000 | round % 10000000" "$MNT/pid/$$/json/process_args.json")" -eq 0 ]
}

@test "process_args: of 50 processes of one user that hold their memory none keeps others waiting" {
	mkdir "$DIR/stuck"
	args stuck "$TOOLS/stuck" "$DIR/stuck" 50
}

@test "process_args: arguments on a file that nobody serves" {
	args dead "$DIR/hang" "$DIR/hung" "$DIR/fuse"
}

@test "process_args: a courier that is left with the memory of a process" {
	args hangs "$DIR/hang" "$DIR/hung" "$DIR/fuse"
}

@test "process_args: the worker's death, and the end of the mount, leave no process" {
	local worker
	cat "$MNT/process_args" >/dev/null
	worker=$(worker_pid)
	pgrep -P "$worker" >/dev/null # the keeper
	kill -9 "$worker"
	until_true cat "$MNT/process_args"
	[ "$(worker_pid)" != "$worker" ]
	[ "$(jq "select(.pid == $$).args != null" "$MNT/json/process_args.json")" = true ]
	kview_umount
	until_true eval "! pgrep -f '^$KVIEW mount.* $MNT\$'"
	kview_mount -o allow_other
}
