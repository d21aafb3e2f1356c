#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# The view kmem_cache against /proc/slabinfo and /sys/kernel/slab.

load common

setup_file() {
	kview_setup
	kview_mount
}

teardown_file() {
	kview_teardown
}

slabs() {
	timeout 120 python3 "$BATS_TEST_DIRNAME/oracle_slab.py" "$1" "$MNT"
}

@test "kmem_cache: the columns of the contract, in its order" {
	columns kmem_cache name active_objs num_objs objsize objperslab pagesperslab num_slabs \
		object_size align flags refcnt memory
}

@test "kmem_cache: every cache of slabinfo, in order, with its counts" {
	slabs slabinfo
}

@test "kmem_cache: sizes, alignment and flags are those of sysfs" {
	slabs sysfs
}

@test "kmem_cache: refcnt is that of sysfs, without kview itself" {
	slabs users
}
