#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# Nothing that an ordinary user does costs others much of the mount. It measures, so no other
# file of cases runs beside it.
bats_require_minimum_version 1.5.0
# bats file_tags=alone
load common

setup() {
	kview_setup
	chmod 755 "$DIR"
}

teardown() {
	kview_teardown
}

# shares CASE ARG...: what a case of shares.py says, as comments of TAP
shares() {
	told shares.py "$1" "$MNT" "${@:2}"
}

stuck() {
	shares "$1" "$TOOLS/stuck" "$DIR/stuck" "${@:2}"
}

# --- shares ---

@test "50 users with stuck and long walks: another one's small reads within 100 ms, opens within 20" {
	up -o allow_other
	MNT=$DIR/quiet up -o allow_other
	stuck fair "$DIR/quiet"
}

@test "a user's reads cost no more CPU time than cpu= allows, and root's what they cost" {
	up -o allow_other,cpu=20
	make_group cpu cpu.max cpu.cfs_quota_us
	# A twentieth of one, as both take it.
	echo 5000 >"$LIMIT"
	shares cpu 20 "$GROUP/cgroup.procs"
	until_true rmdir "$GROUP"
}

@test "cpu=50 if not told; who dumps all views once a second does not notice it" {
	up -o allow_other
	[ "$(value cpu)" = 50 ]
	shares monitor
}

@test "the ids of a user's user namespace are one user" {
	up -o allow_other,max_user_files=40
	shares subuids
}

# --- signals ---

@test "a reader with a signal every millisecond gets its rows and no EINTR" {
	up -o allow_other
	shares restart
}

@test "a stuck read is given up at a signal, and kill -9 takes effect within a second in any case" {
	up -o allow_other
	stuck signals
}
