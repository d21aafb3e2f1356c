# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034 # RC: for those that source this
# Shell checks inside the guest, as TAP without numbers (run adds them).

LOG=$(mktemp)
RC=0

# check NAME COMMAND...: one line, and behind a failure what the command said.
check() {
	local name=$1 began=$SECONDS
	shift
	if "$@" >"$LOG" 2>&1; then
		echo "ok - $name"
	else
		echo "not ok - $name"
		sed 's/^/# /' "$LOG"
		RC=1
	fi
	[ $((SECONDS - began)) -lt 5 ] || echo "# $name: $((SECONDS - began)) s"
}

# equal WANTED GOT
equal() {
	[ "$1" = "$2" ] || { echo "wanted: $1" && echo "got: $2" && return 1; }
}

# fails_saying STATUS TEXT COMMAND...: ends with that status and says TEXT.
fails_saying() {
	local status=$1 text=$2 out rc=0
	shift 2
	out=$("$@" 2>&1) || rc=$?
	echo "$out"
	equal "$status" $rc && grep -qF -- "$text" <<<"$out"
}

# at_least VERSION: the kernel that runs is that one or a later one.
at_least() {
	[ "$(printf '%s\n' "$1" "$(uname -r)" | sort -V | head -n 1)" = "$1" ]
}

# wait_for COMMAND...: until it succeeds, at most 30 seconds.
wait_for() {
	local end=$((SECONDS + 30))
	until "$@"; do
		[ $SECONDS -lt $end ] || { echo "waited in vain for: $*" && return 1; }
		sleep 0.1
	done
}

# What a kernel says when something went badly wrong.
kernel_is_calm() {
	# The log is there at all: its first lines are always in it.
	dmesg | grep -q 'Linux version' || return 1
	# What it says of a process of the tests that it ended for want of memory is no complaint.
	! dmesg | sed '/ invoked oom-killer: /,/ out of memory: Killed process /d' |
		grep -E 'BUG:|WARNING:|Oops|Call Trace|general protection|blocked for more than'
}
