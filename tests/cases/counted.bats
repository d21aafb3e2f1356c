#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# Views of what collectors count of processes. The oracle is what the processes of the test did.
bats_require_minimum_version 1.5.0

load common

setup() {
	kview_setup
}

teardown() {
	[ -z "${DISK:-}" ] || losetup --detach "$DISK" || true
	kview_teardown
}

@test "syscalls: how many, with which errors, how long" {
	up -o collect=syscalls
	told counted.py loops "$MNT"
	told counted.py begun "$MNT"
	told counted.py interrupted "$MNT"
	told counted.py answered "$MNT"
	told counted.py names "$MNT"
	[ "$(value syscalls.dropped)" = 0 ]
	told counted.py invented "$MNT"
	down
}

@test "syscalls: those for 32 bits are told apart" {
	[ "$(uname -m)" = x86_64 ] || skip "there are none"
	gcc -nostdlib -static -x assembler - -o "$DIR/both" <<-'S'
		.globl _start
		_start:
			mov $7, %r12
		1:	mov $20, %eax # getpid() for 32 bits
			int $0x80
			dec %r12
			jnz 1b
			mov $110, %eax # getppid()
			syscall
			mov $231, %eax
			xor %edi, %edi
			syscall
	S
	up -o collect=syscalls
	told counted.py compat "$MNT" "$DIR/both"
	down
}

@test "syscalls: places of processes that have ended are others' then" {
	up -o collect=syscalls
	told counted.py storm "$MNT" 20000
	[ "$(value syscalls.dropped)" = 0 ]
	down
}

@test "who reads: rows of one's own processes, and the whole for whom it is given" {
	up -o collect=syscalls,allow_other
	chmod 755 "$DIR"
	[ "$(stat -c %a "$MNT/syscalls")" = 444 ]
	told whose.py own "$MNT"
	told whose.py nested "$MNT"
	down
	up -o collect=syscalls,allow_other,gid=21007,mode=0440
	told whose.py given "$MNT" 21007
	down
	up -o collect=syscalls,allow_other,view=host
	told whose.py host "$MNT"
	down
}

@test "traffic: bytes and calls, by family" {
	up -o collect=traffic
	told counted.py traffic "$MNT"
	told counted.py threads "$MNT"
	[ "$(value traffic.dropped)" = 0 ]
	down
}

@test "traffic: processes beyond the table are in one row, and nothing is lost" {
	up -o collect=traffic
	told counted.py crowd "$MNT" 9000
	[ "$(value traffic.dropped)" -gt 800 ]
	down
}

@test "page_faults: as getrusage counts them, and more" {
	up -o collect=page_faults
	told counted.py faults "$MNT"
	down
}

@test "oom_kills: who was killed, and who asked for memory" {
	up -o collect=oom_kills
	told counted.py oom "$MNT"
	down
}

# A group of v2, below which the cases make theirs.
v2_group() {
	local top
	top=$(awk '$3 == "cgroup2" {print $2; exit}' /proc/self/mounts)
	[ -n "$top" ] && echo "$top/kview-test-$$"
}

@test "run_queue: waits of a group's threads, as schedstat tells them" {
	local group
	group=$(v2_group)
	up -o collect=run_queue
	told waits.py exactly "$MNT" "$group"
	told waits.py threads "$MNT" "$group"
	told waits.py group_names "$MNT" "$group"
	[ "$(value run_queue.dropped)" = 0 ]
	down
}

@test "run_queue: more groups than there are places, after each other and at once" {
	local group
	group=$(v2_group)
	up -o collect=run_queue
	told waits.py group_storm "$MNT" "$group" 1300
	told waits.py group_storm "$MNT" "$group" 3000
	told waits.py group_crowd "$MNT" "$group"
	down
}

@test "block_io: requests, bytes and errors of a disk, as diskstats counts them" {
	truncate -s 16M "$DIR/disk"
	DISK=$(losetup --find --show "$DIR/disk")
	up -o collect=block_io
	told waits.py block_io "$MNT" "$DISK"
	told waits.py buffered "$MNT" "$DISK"
	told waits.py durable "$MNT" "$DISK"
	truncate -s 512K "$DIR/disk"
	told waits.py failing "$MNT" "$DISK"
	down
}

@test "tcp_events: connections, resets and packets that are sent again, as the kernel counts them" {
	up -o collect=tcp_events
	told tcp_events.py known "$MNT"
	told tcp_events.py retransmits "$MNT"
	[ "$(value tcp_events.dropped)" = 0 ]
	told tcp_events.py flood "$MNT"
	told tcp_events.py ends_storm "$MNT"
	down
	told tcp_events.py earlier "$MNT" "$KVIEW"
	down
}

# Kernels that let nobody attach to functions, as those of some virtual machines.
@test "refused: opens that failed, where the kernel has functions to attach to" {
	if "$KVIEW" list | grep -q '^refused *no'; then
		run -1 timeout 60 "$KVIEW" cat --for 1 refused
		[ "$output" = "kview: can't load view 'refused': this kernel runs none of its collectors: Operation not permitted" ]
		run -0 "$KVIEW" check
		grep -qE '^view refused +no ' <<<"$output"
		grep -qE '^collector open_ends +no +.*Operation not permitted' <<<"$output"
		return
	fi
	up -o collect=refused,allow_other
	chmod 755 "$DIR"
	told counted.py refused "$MNT" "$DIR"
	down
}
