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

@test "task_vma: the columns of the contract, in its order" {
	columns task_vma pid start end perms offset dev ino comm path
}

@test "task_vma: a row per line of maps, none twice, in order" {
	oracle rows task_vma
}

@test "task_vma: the population has the usual and the unusual permissions" {
	oracle covers task_vma perms r--p r-xp rw-p ---p rwxp rw-s r--s -w-s
	oracle covers task_vma path '[heap]' '[stack]' '[vdso]' none '(too long)'
}

# That has no [vsyscall].
@test "task_vma: a process of 32 bits" {
	local pid
	[ "$(uname -m)" = x86_64 ] || skip "there are none"
	gcc -m32 -nostdlib -static -x assembler - -o "$DIR/bits32" <<-'S'
		.globl _start
		_start:
			mov $29, %eax # pause()
			int $0x80
			jmp _start
	S
	"$DIR/bits32" 3>&- &
	pid=$!
	mine $pid
	until_true grep -q '^State:.S' /proc/$pid/status
	diff <(awk '{print $1}' /proc/$pid/maps) \
		<("$KVIEW" cat --pid $pid task_vma | awk 'NR > 1 {print $2 "-" $3}')
	kill $pid
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
