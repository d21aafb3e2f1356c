#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# Nothing that an ordinary user does stops the mount: workers that are killed, and such as hang.
bats_require_minimum_version 1.5.0
# bats file_tags=slow
load common

setup() {
	kview_setup
	chmod 755 "$DIR"
	# Where ordinary users may be file servers, as on most systems.
	mknod -m 666 "$DIR/fuse" c 10 229
}

teardown() {
	kview_teardown
}

# trust CASE ARG...: what a case of trust.py says, as comments of TAP
trust() {
	told trust.py "$1" "$MNT" "${@:2}"
}

hang() {
	trust "$1" "$TOOLS/hang" "$DIR/file" "$DIR/fuse" "${@:2}"
}

# --- a worker that is killed, a daemon that is taken over ---

@test "a worker that is killed under 40 long walks is replaced at once" {
	up -o allow_other
	trust walks
}

@test "a worker with a thread in an endless sleep is replaced at once, and reaped when that ends" {
	up -o allow_other
	hang hang
}

@test "SIGTERM ends a mount whose worker has a thread in an endless sleep" {
	up -o allow_other
	hang ended 15
	nothing_left
}

@test "kill -9 of the parent of such a worker: readers get errors, the next mount repairs it" {
	up -o allow_other
	hang ended 9
	up -o allow_other
	[ "$(awk '{print $1; exit}' "$MNT/task")" = PID ]
	[ "$(grep -cF " $MNT " /proc/self/mounts)" -eq 1 ]
	down
}

@test "eight workers may hang after their death, with the ninth the mount is given up" {
	up -o allow_other
	hang bounded
	nothing_left
}

@test "a takeover under 42 long walks goes through" {
	up -o allow_other
	trust takeover "$KVIEW"
	down
}

@test "a takeover that fails leaves the mount as it was" {
	up -o allow_other
	# No process for its worker; then no view that could be loaded.
	make_group pids pids.max
	echo 2 >"$LIMIT"
	trust failed sh -c "echo \$\$ >'$GROUP/cgroup.procs' &&
		exec '$KVIEW' mount --takeover -o allow_other '$MNT'"
	until_true rmdir "$GROUP"
	trust failed setpriv --bounding-set -sys_ptrace --inh-caps -sys_ptrace "$KVIEW" mount --takeover -o allow_other "$MNT"
	down
}

@test "crashes are dated when they happen, not when the last thread has ended" {
	up -o allow_other
	hang dated
}
