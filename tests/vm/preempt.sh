#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# For a guest booted with preempt=full, where a program is preempted amid a row: many readers
# (stress.py), and names that change while they are read (tests/cases/names.c).
# preempt.sh SECONDS SECONDS_A_NAME RELEASE. Prints TAP without numbers.
# shellcheck disable=SC2317 # the functions are called through check
set -u
cd /mnt/tests/vm || exit 1
# shellcheck source=tests/vm/tap.bash
. ./tap.bash
KVIEW=/mnt/build/kview
M=/tmp/kview
FAST=/tmp/fast

# scene NAME DIRECTORY
scene() {
	timeout $((SECONDS_EACH + 60)) /mnt/build/tests/cases/names "$1" "$2" "$M" 21030 \
		"$SECONDS_EACH" 1
}

on_tmpfs() {
	mkdir -p "$FAST" && mount -t tmpfs -o mode=777 names "$FAST" && scene "$1" "$FAST"
	local rc=$?
	umount -l "$FAST"
	return "$rc"
}

in_cgroup() {
	mkdir -p /sys/fs/cgroup/names && scene cgroup /sys/fs/cgroup/names
}

SECONDS_EACH=$2
mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf
check "the kernel is the one that was asked for" equal "$3" "$(uname -r)"
[ "$1" = 0 ] || ./stress.py "$1" "$3" || RC=1
check "mount" timeout 60 "$KVIEW" mount -o allow_other "$M"
for name in leaf exe tree maps comm exec tty; do
	check "preempt=full: names that change: $name" on_tmpfs $name
done
check "preempt=full: names that change: cgroup" in_cgroup
check "preempt=full: many readers of stacks" \
	timeout 200 python3 -B /mnt/tests/cases/stacks.py busy "$M/json/task_stack.json" 10
check "umount" timeout 60 "$KVIEW" umount "$M"
check "the kernel has nothing to complain of" kernel_is_calm
exit "$RC"
