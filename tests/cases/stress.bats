#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# Many tasks, many files, many readers, and readers and mounts that end badly.
# What a crowd of processes has is counted in /proc; the views must show it
# once each, in every format.

bats_require_minimum_version 1.5.0
# bats file_tags=alone
load common
load crowd

setup_file() {
	kview_setup
	kview_mount
	WORKER=$(worker_pid)
	export WORKER
	crowd_start few -n 40 -t 3 -f 20 -m 20
}

teardown_file() {
	crowd_stop_all
	kview_teardown
}

# A mount of its own, for a case that breaks it.
other_mount() {
	OTHER=$DIR/$1
	mkdir -p "$OTHER"
	timeout 60 "$KVIEW" mount "$OTHER"
	OTHER_DAEMON=$(MNT=$OTHER daemon_pid)
	OTHER_WORKER=$(MNT=$OTHER worker_pid)
}

@test "while tasks come and go, all rows are well formed and those that stay are there once" {
	"$TOOLS/storm" 30 2 >/dev/null 3>&- &
	storm=$!
	mine $storm
	py stress storm "$MNT" "$DIR/few" $storm
	kill $storm 2>/dev/null || gone $storm
}

@test "10,000 tasks: every one is listed once" {
	crowd_start tasks -n 500 -t 20
	py stress crowd "$MNT" "$DIR/tasks" task
	[ "$(awk 'NR > 1' "$MNT/task" | wc -l)" -ge 10000 ]
	[ "$(find "$MNT/pid" -maxdepth 1 -name '[0-9]*' | wc -l)" -ge 500 ]
	crowd_stop tasks
}

@test "50,000 descriptors and 50,000 mappings: every one is listed once" {
	crowd_start files -n 10 -f 5000 -m 50
	crowd_start maps -m 50000
	py stress crowd "$MNT" "$DIR/files" task_file task_vma
	py stress crowd "$MNT" "$DIR/maps" task_vma
	[ "$(wc -l <"$MNT/task_file")" -gt 50000 ]
	[ "$(wc -l <"$MNT/task_vma")" -gt 50000 ]
	# big reads must not stay in the daemon's memory
	py stress memory "$MNT" "$WORKER" "$DIR/files"
	crowd_stop files
	crowd_stop maps
}

@test "100 files open at once, read in turns" {
	crowd_start open -n 25 -f 400 -m 400
	py stress opens "$MNT" "$DIR/open"
	crowd_stop open
}

@test "kill -9 amid a read takes effect within a second, and the work stops" {
	crowd_start long -n 20 -m 50000
	py stress kill "$MNT" "$WORKER"
	crowd_stop long
}

@test "300 readers that stop reading hold nobody up" {
	crowd_start big -n 2 -f 2000 -m 2000
	py stress stopped "$MNT" "$DIR/few"
	crowd_stop big
}

@test "after all that the worker is the same, small and without leaks" {
	[ "$(worker_pid)" = "$WORKER" ]
	py stress settled "$MNT" "$WORKER"
}

@test "umount -f: readers get an error and never hang" {
	other_mount force
	py stress umount_force "$OTHER" "$OTHER_DAEMON" "$OTHER_WORKER"
}

@test "umount -l: open files can be read on, the daemon ends with the last" {
	other_mount lazy
	py stress umount_lazy "$OTHER" "$OTHER_DAEMON" "$OTHER_WORKER"
	[ "$(worker_pid)" = "$WORKER" ]
	cat "$MNT/task" >/dev/null
}
