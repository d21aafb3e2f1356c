#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# The limits of open files are limits that can be reached: the worker may have the
# descriptors, or the mount is refused.
# shellcheck disable=SC2154 # `run` sets stderr_lines
bats_require_minimum_version 1.5.0
load common

OF_ALL=$((6 + 4)) # descriptors of a file and of a listing

setup() {
	kview_setup
	chmod 755 "$DIR"
}

teardown() {
	kview_teardown
}

# descriptors CASE ARG...: one of descriptors.py; what it says as comments of TAP.
descriptors() {
	timeout 400 python3 -B "$BATS_TEST_DIRNAME/descriptors.py" "$1" "$MNT" "${@:2}" 3>&- >"$DIR/said"
	cat "$DIR/said" >&3
}

# low N COMMAND...: with so many descriptors at most, and no right to more
low() {
	timeout 60 prlimit --nofile="$1:$1" \
		setpriv --bounding-set=-sys_resource --inh-caps=-sys_resource "${@:2}" 3>&-
}

# limit: RLIMIT_NOFILE of the worker, the soft one
limit() {
	sed -n 's/^Max open files  *\([0-9]*\)  *\1 .*/\1/p' "/proc/$(worker_pid)/limits"
}

# refused N [OPTION]: mounting without more than N; $TAKES, $MOST as the message says
refused() {
	local said="kview: max_files=([0-9]+) takes ([0-9]+) descriptors, and there can be $1: enough for max_files=([0-9]+)"
	run -1 --separate-stderr low "$1" "$KVIEW" mount ${2:+-o "$2"} "$MNT"
	printf '%s\n' "${stderr_lines[@]}"
	[[ ${stderr_lines[0]} =~ ^$said$ ]]
	TAKES=${BASH_REMATCH[2]} MOST=${BASH_REMATCH[3]}
	[[ ${stderr_lines[1]} == "hint: "*"ulimit -Hn $TAKES"*"LimitNOFILE=$TAKES"*CAP_SYS_RESOURCE* ]]
	nothing_left
}

@test "ten users at their limits, and then all, cost neither root nor an eleventh an open" {
	up -o allow_other,max_user_files=128
	[ "$(value max_files)" -ge $((12 * 128)) ] || { echo "too low a limit to test with"; return 1; }
	descriptors users
}

@test "the same of files that fetch arguments" {
	up -o allow_other,max_files=400,max_user_files=30
	descriptors users process_args
}

@test "the same in a mount that was taken over, after its worker was killed" {
	up -o allow_other,max_files=64
	up --takeover -o allow_other,max_files=1000,max_user_files=64
	[ "$(limit)" -ge $((1000 * OF_ALL)) ]
	kill -KILL "$(worker_pid)"
	until_true cat "$MNT/status"
	[ "$(limit)" -ge $((1000 * OF_ALL)) ]
	descriptors users
}

@test "the limit of descriptors is what it takes, and no more" {
	local n
	for n in 1 100 1800; do
		up -o max_files=$n
		[ "$(value max_files)" -eq $n ]
		[ "$(limit)" -ge $((n * OF_ALL)) ]
		[ "$(limit)" -le $((n * OF_ALL + 1300)) ]
		kview_umount
	done
}

# Not every root has it: in a container it may have been taken away.
@test "with CAP_SYS_RESOURCE the limit is above the starter's, without it refused" {
	local rc=0
	timeout 60 prlimit --nofile=1024:1024 "$KVIEW" mount -o max_files=2000 "$MNT" 2>"$DIR/err" 3>&- || rc=$?
	if setpriv --dump | grep '^Capability bounding set:' | grep -qw sys_resource; then
		[ $rc -eq 0 ]
		[ "$(limit)" -ge $((2000 * OF_ALL)) ]
	else
		[ $rc -eq 1 ]
		grep -q CAP_SYS_RESOURCE "$DIR/err"
	fi
}

@test "without it max_files= is refused with the number that there can be, and that is served" {
	local most
	refused 4000 max_files=4096
	most=$MOST
	[ "$most" -gt 280 ]
	refused 4000 max_files=$((most + 1))
	[ "$MOST" -eq "$most" ]
	low 4000 "$KVIEW" mount -o max_files="$most" "$MNT"
	[ "$(value max_files)" -eq "$most" ]
	descriptors root
	kview_umount
	# The number of the hint is enough.
	low "$TAKES" "$KVIEW" mount -o max_files=$((most + 1)) "$MNT"
	descriptors root
}

@test "without it the default is lowered to what there can be, as status tells" {
	low 4000 "$KVIEW" mount "$MNT"
	[ "$(value max_files)" -gt 280 ]
	[ "$(value max_files)" -lt $((4000 / OF_ALL)) ]
	[ "$(value max_user_files)" -eq $(($(value max_files) / 2)) ]
	descriptors root
	kview_umount
	low 20000 "$KVIEW" mount "$MNT"
	[ "$(value max_files)" -gt 1024 ]
	[ "$(value max_user_files)" -eq 256 ]
	kview_umount
	# Not to what nobody can work with, nor to what one user may have.
	refused 600
	refused 4000 max_user_files=2000
	low 4000 "$KVIEW" mount -o max_user_files=200 "$MNT"
	[ "$(value max_user_files)" -eq 200 ]
}

@test "a takeover that can't have its descriptors is refused, and the mount served as before" {
	local before
	up -o max_files=1000
	before=$(worker_pid)
	run -1 --separate-stderr low 4000 "$KVIEW" mount --takeover -o max_files=1000 "$MNT"
	[[ ${stderr_lines[0]} == "kview: max_files=1000 takes "* ]]
	[ "$(worker_pid)" = "$before" ]
	[ "$(value max_files)" -eq 1000 ]
	low 4000 "$KVIEW" mount --takeover "$MNT"
	[ "$(value max_files)" -lt $((4000 / OF_ALL)) ]
	descriptors root
}
