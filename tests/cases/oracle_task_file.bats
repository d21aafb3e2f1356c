#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# The view task_file against readlink, fdinfo and stat of /proc/PID/fd.

load population

setup_file() {
	population_setup
}

teardown_file() {
	population_teardown
}

@test "task_file: the columns of the contract, in its order" {
	columns task_file pid tid fd type access flags pos mnt_id dev ino size nlink owner blocks detail comm path
}

@test "task_file: a row per descriptor of each table, none twice" {
	oracle rows task_file
}

@test "task_file: a thread with a table of its own is shown under its own tid" {
	pid=$(pid_of tables)
	jq -s -e 'map(.tid) | unique | length == 3' "$MNT/pid/$pid/json/task_file.json"
	jq -s -e 'map([.tid, .fd]) | length == (unique | length)' "$MNT/pid/$pid/json/task_file.json"
}

@test "task_file: the files of a dead leader's threads are shown once" {
	for role in zombie-leader zombie-leader-own-table; do
		jq -s -e --arg role "$role" '
			map(select(.path | endswith("of a zombie leader")) | .tid) | unique |
			length == if $role == "zombie-leader" then 1 else 2 end' \
			"$MNT/pid/$(pid_of "$role")/json/task_file.json"
	done
}

@test "task_file: the population has every type and access" {
	oracle covers task_file type REG DIR CHR BLK FIFO SOCK LNK ANON
	oracle covers task_file access r w rw none
	oracle covers task_file path '(too long)'
}

@test "task_file: type and access are those of stat and fdinfo" {
	oracle values task_file type access
}

@test "task_file: flags are those of fdinfo, close-on-exec of each descriptor" {
	oracle values task_file flags
}

@test "task_file: pos is that of fdinfo, above 2^62 and below 0" {
	oracle values task_file pos
	oracle covers task_file pos 7 4999999999 9223372036854775552 -10485760
}

@test "task_file: mount, device, inode and size are those of fdinfo and stat" {
	sync -f "$DIR" # until then no blocks belong to what was written
	oracle values task_file mnt_id dev ino size nlink owner blocks
	oracle covers task_file nlink 0 1
	oracle covers task_file size 5000000000 4611686018427387904
}

@test "task_file: ids and names are those of the thread" {
	oracle values task_file pid tid fd comm
}

@test "task_file: path is what readlink says, or says that readlink refuses" {
	oracle values task_file path
}
