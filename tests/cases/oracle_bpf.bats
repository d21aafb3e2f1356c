#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# The views of BPF maps, programs and links against bpftool, and ksym against /proc/kallsyms.

load common

setup_file() {
	kview_setup
	"$KVIEW" load # so that there are objects
	mkdir "$KVIEW_PIN_DIR-x"
	bpftool map create "$KVIEW_PIN_DIR-x/map" type lru_percpu_hash key 12 value 34 entries 567 name The_map.of_ours
}

teardown_file() {
	rm -r "$KVIEW_PIN_DIR-x"
	kview_teardown
}

check() {
	timeout 300 python3 -B "$BATS_TEST_DIRNAME/oracle_bpf.py" "$1" "$KVIEW"
}

@test "bpf_map: the columns, and what bpftool map shows" {
	columns bpf_map id type name key_size value_size max_entries flags frozen btf_id refs
	check bpf_map
	[ "$("$KVIEW" cat -F csv -c type,name,key_size,value_size,max_entries,refs bpf_map | grep The_map.of_ours)" = \
		"lru_percpu_hash,The_map.of_ours,12,34,567,1" ]
}

@test "bpf_prog: the columns, and what bpftool prog shows" {
	columns bpf_prog id type name tag uid loaded jited xlated verified_insns btf_id memory run_time run_cnt
	check bpf_prog
}

@test "bpf_link: the columns, and what bpftool link shows" {
	columns bpf_link id type prog_id attach target
	check bpf_link
	[ "$("$KVIEW" cat -F csv -c type,target bpf_link | grep -c '^iter,kmem_cache$')" -ge 1 ]
}

@test "ksym: the columns, and each symbol of /proc/kallsyms once, in its order" {
	columns ksym address type name module
	check ksym
}

hostile() {
	local view
	for view in bpf_map bpf_prog bpf_link; do
		told hostile_bpf.py "$1" "$view" "$KVIEW"
	done
}

@test "bpf_map, bpf_prog, bpf_link: all names that the kernel takes, and none of others' making in a link" {
	hostile names
}

@test "bpf_map, bpf_prog, bpf_link: of 1,000 none is lost or doubled while others come and go" {
	hostile many
}
