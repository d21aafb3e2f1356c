#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A guest whose kernel is too old for kview: old.sh RELEASE. Prints TAP without numbers.
# shellcheck disable=SC2317 # the functions are called through check
set -u
cd /mnt/tests/vm || exit 1
# shellcheck source=tests/vm/tap.bash
. ./tap.bash
KVIEW=/mnt/build/kview
WHY="Linux $1 has no bpf_loop()"

check_says_why() {
	fails_saying 1 "$WHY; kview needs Linux 6.1" timeout 60 "$KVIEW" check
}

# What fails to load for want of it says so as well, and nothing else.
nothing_loads() {
	local out
	out=$(timeout 60 "$KVIEW" list)
	echo "$out"
	equal "$(find /mnt/build/iters -maxdepth 1 -name '*.bpf.o' | wc -l)" "$(grep -cF "$WHY" <<<"$out")" && ! grep -q ' yes ' <<<"$out" &&
		fails_saying 1 "$WHY" timeout 60 "$KVIEW" cat task &&
		fails_saying 1 "$WHY" timeout 60 "$KVIEW" load
}

mount_leaves_nothing() {
	fails_saying 1 "$WHY" timeout 60 "$KVIEW" mount /tmp/kview || return 1
	! grep kview /proc/mounts && ! pgrep -x kview && [ ! -e /sys/fs/bpf/kview ]
}

check "the kernel is the one that was asked for" equal "$1" "$(uname -r)"
check "check says what it lacks, and what kview needs" check_says_why
check "so say list, cat and load" nothing_loads
check "mount says it, and leaves nothing" mount_leaves_nothing
check "the kernel has nothing to complain of" kernel_is_calm
exit "$RC"
