#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# The view task_vma against /proc/PID/maps, line by line.

load population

setup_file() {
	population_setup
}

teardown_file() {
	population_teardown
}

@test "task_vma: a row per line of maps, none twice, in order" {
	oracle rows task_vma
}

@test "task_vma: the population has the usual and the unusual permissions" {
	oracle covers task_vma perms r--p r-xp rw-p ---p rwxp rw-s r--s -w-s
	oracle covers task_vma path '[heap]' '[stack]' '[vdso]' none '(too long)'
}

@test "task_vma: addresses and offsets are spelled as in maps" {
	oracle values task_vma pid start end offset
	oracle covers task_vma offset 140000000
}

@test "task_vma: permissions are those of maps" {
	oracle values task_vma perms
}

@test "task_vma: device and inode are those of maps, overlayfs included" {
	oracle values task_vma dev ino
}

@test "task_vma: comm is the name of the process" {
	oracle values task_vma comm
}

@test "task_vma: path is that of maps, overlayfs, deleted and hostile ones included" {
	oracle values task_vma path
}
