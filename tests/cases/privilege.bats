#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# What it takes to mount, and what the two processes keep of it.
bats_require_minimum_version 1.5.0
load common

WORKER_ID=4000000000
DAC_READ_SEARCH=2 KILL=5 SETGID=6 SETUID=7 SYS_PTRACE=19 SYS_ADMIN=21 SYSLOG=34

setup() {
	kview_setup
	chmod 755 "$DIR"
}

teardown() {
	kview_teardown
}

# mask CAP...: as /proc/PID/status has it
mask() {
	local bits=0 cap
	for cap; do
		bits=$((bits | 1 << cap))
	done
	printf '%016x\n' $bits
}

# line NAME STATUS-FILE: its values, with single blanks
line() {
	awk -v name="$1:" '$1 == name {$1 = ""; print substr($0, 2)}' "$2"
}

# same NAME VALUE STATUS-FILE
same() {
	local is
	is=$(line "$1" "$3")
	[ "$is" = "$2" ] || { echo "$3: $1 is '$is', not '$2'"; return 1; }
}

# Soft and hard limit of the worker, by its name in /proc/PID/limits.
limit() {
	sed -n "s/^$1  *\([^ ]*\)  *\([^ ]*\) .*/\1 \2/p" "/proc/$(worker_pid)/limits"
}

# without CAP[,CAP...] COMMAND...
without() {
	local drop=-${1//,/,-}
	shift
	timeout 60 setpriv --bounding-set="$drop" --inh-caps="$drop" "$@" 3>&-
}

# refused CAP[,CAP...] MESSAGE [MOUNT-OPTION...]: mounting without them
refused() {
	run --separate-stderr -1 without "$1" "$KVIEW" mount "${@:3}" "$MNT"
	# shellcheck disable=SC2154 # `run` sets it
	printf '%s\n' "without $1:" "$stderr"
	# shellcheck disable=SC2053,SC2154 # patterns
	[[ ${stderr_lines[0]} == "kview: "$2 && ${stderr_lines[1]} == "hint: "* ]]
	nothing_is_there
}

nothing_is_there() {
	[ "$(grep -cF " $MNT " /proc/self/mounts)" -eq 0 ]
	[ ! -e "$KVIEW_PIN_DIR" ]
	run ! daemon_pid
}

# --- what remains ---------------------------------------------------------

@test "every thread of the worker has CAP_SYS_PTRACE alone, an id of its own and a filter" {
	local status n=0
	up
	cat "$MNT"/task{,_file,_vma} >"$DIR/out"
	for status in "/proc/$(worker_pid)"/status "/proc/$(worker_pid)"/task/*/status; do
		same CapEff "$(mask $SYS_PTRACE)" "$status"
		same CapPrm "$(mask $SYS_PTRACE)" "$status"
		same CapInh "$(mask)" "$status"
		same CapAmb "$(mask)" "$status"
		same CapBnd "$(line CapBnd "/proc/$(daemon_pid)/status")" "$status"
		same NoNewPrivs 1 "$status"
		same Seccomp 2 "$status"
		same Uid "$WORKER_ID $WORKER_ID $WORKER_ID $WORKER_ID" "$status"
		same Gid "$WORKER_ID $WORKER_ID $WORKER_ID $WORKER_ID" "$status"
		same Groups "" "$status"
		n=$((n + 1))
	done
	[ "$n" -ge 3 ]
	grep -qx 'seccomp	filter' "$MNT/status"
}

@test "with view=host the worker has no capability" {
	up -o view=host
	same CapEff "$(mask)" "/proc/$(worker_pid)/status"
	same CapPrm "$(mask)" "/proc/$(worker_pid)/status"
}

@test "the holder keeps what it takes to unmount and to have workers" {
	local kept status
	kept=$(mask $SYS_ADMIN $DAC_READ_SEARCH $SYS_PTRACE $SETUID $SETGID $KILL $SYSLOG)
	up
	status=/proc/$(daemon_pid)/status
	same CapEff "$kept" "$status"
	same CapPrm "$kept" "$status"
	same CapBnd "$kept" "$status"
	same CapInh "$(mask)" "$status"
	same NoNewPrivs 1 "$status"
}

@test "the next worker is confined as the first" {
	local first
	up
	first=$(worker_pid)
	kill -KILL "$first"
	until_true head -n 1 "$MNT/task" # the first opens may still be aborted
	[ "$(worker_pid)" != "$first" ]
	same CapEff "$(mask $SYS_PTRACE)" "/proc/$(worker_pid)/status"
	same Seccomp 2 "/proc/$(worker_pid)/status"
	same Uid "$WORKER_ID $WORKER_ID $WORKER_ID $WORKER_ID" "/proc/$(worker_pid)/status"
}

@test "the worker leaves no core, locks no memory, and its files may grow" {
	up
	[ "$(limit 'Max core file size')" = "0 0" ]
	[ "$(limit 'Max locked memory')" = "0 0" ]
	[ "$(limit 'Max file size')" = "unlimited unlimited" ]
}

@test "who holds no root's right can't end the worker; the holder can, and takes it along" {
	local worker
	up -o allow_other
	worker=$(worker_pid)
	run ! setpriv --reuid 65534 --regid 65534 --clear-groups kill -0 "$worker"
	run ! without kill kill -0 "$worker"
	kill -KILL "$(daemon_pid)"
	until_true test ! -e "/proc/$worker"
}

@test "where /dev/fuse is root's alone, workers serve and are replaced" {
	# shellcheck disable=SC2016
	timeout 60 unshare --mount --propagation private bash -euc '
		mount -t tmpfs tmpfs /dev
		mknod -m 600 /dev/fuse c 10 229
		mknod -m 666 /dev/null c 1 3
		"$0" mount "$1"
		head -n 2 "$1/task"
		pkill -KILL -P "$(awk "\$1 == \"holder\" {print \$2}" "$1/status")"
		until head -n 2 "$1/task"; do sleep 0.02; done
		"$0" umount "$1"' "$KVIEW" "$MNT" 3>&-
}

# --- what is lacking ------------------------------------------------------

@test "mounting without a capability that it takes is refused by name, and nothing is left" {
	refused sys_admin "can't mount without CAP_SYS_ADMIN: *"
	refused sys_admin,bpf "can't mount without CAP_SYS_ADMIN: *"
	refused sys_admin,perfmon "can't mount without CAP_SYS_ADMIN: *"
	refused sys_ptrace "can't mount without CAP_SYS_PTRACE: *"
	refused sys_ptrace "can't mount without CAP_SYS_PTRACE: *" -o allow_other
	refused sys_admin "can't mount without CAP_SYS_ADMIN: *" -o view=host
	refused all "can't mount without CAP_SYS_ADMIN: *"
}

@test "mounting in a user namespace is refused, and the hint says where to" {
	run -1 --separate-stderr timeout 60 unshare --user --map-root-user "$KVIEW" mount "$MNT" 3>&-
	# shellcheck disable=SC2154
	[[ ${stderr_lines[0]} == "kview: can't mount in a user namespace" ]]
	[[ ${stderr_lines[1]} == *"on the host"* ]]
	nothing_is_there
}

@test "CAP_SYS_ADMIN stands in for CAP_BPF and CAP_PERFMON" {
	without bpf,perfmon "$KVIEW" mount "$MNT"
	head -n 2 "$MNT/task"
}

@test "without CAP_SYS_PTRACE view=host is served" {
	without sys_ptrace "$KVIEW" mount -o view=host "$MNT"
	head -n 2 "$MNT/task"
}

@test "a mount that can't give its worker an id keeps it confined otherwise" {
	local cap
	for cap in setuid setgid kill; do
		without $cap "$KVIEW" mount "$MNT"
		head -n 2 "$MNT/task"
		same Uid "0 0 0 0" "/proc/$(worker_pid)/status"
		same CapEff "$(mask $SYS_PTRACE)" "/proc/$(worker_pid)/status"
		same Seccomp 2 "/proc/$(worker_pid)/status"
		kview_umount
	done
}

@test "check names the privilege that is lacking" {
	run -1 without sys_ptrace "$KVIEW" check
	grep -qE '^CAP_SYS_PTRACE +no ' <<<"$output"
	run -1 timeout 60 unshare --user --map-root-user "$KVIEW" check
	grep -qE '^initial user namespace +no ' <<<"$output"
	run -0 without kill "$KVIEW" check
	grep -qE "^worker's own user id +no +optional: .*CAP_KILL" <<<"$output"
}
