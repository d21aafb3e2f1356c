# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What collectors count on this kernel, by the programs of the cases.

collects_quietly() {
	local out
	out=$(kview mount -o collect=all "$M" 2>&1) || { echo "$out" && return 1; }
	equal "" "$out"
}

# collected NAME PROGRAM [ARGUMENT...]: on an emulated processor all takes much longer.
collected() {
	check "$1" env BEHIND=0.25 timeout 300 python3 -B /mnt/tests/cases/collect.py "$2" "$M" "${@:3}"
}

none_attached() {
	kview umount "$M" && [ ! -e "$PINS" ]
}

check "a mount collects without a word" on_one_cpu collects_quietly
collected "exits: as wait4 says" truth
collected "exits: the time of all threads" threads
collected "exits: each once, while others end" storm 5
collected "exit_totals: as wait4 says of all of a name" totals
check "what was collected goes with the mount" on_one_cpu none_attached
