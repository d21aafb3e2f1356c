#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# map/: the elements of BPF maps, against bpftool and the bytes that the cases put in.

bats_require_minimum_version 1.5.0

load common

setup_file() {
	kview_setup
	chmod 755 "$DIR"
	mkdir "$KVIEW_PIN_DIR-maps"
	bpftool prog load "$TOOLS/iters/made_maps.bpf.o" "$KVIEW_PIN_DIR-maps/made"
	kview_mount -o allow_other
}

teardown_file() {
	rm -r "$KVIEW_PIN_DIR-maps"
	kview_teardown
}

maps() {
	timeout 200 python3 -B "$BATS_TEST_DIRNAME/maps.py" "$1" "$MNT" "$KVIEW" "${@:2}"
}

@test "maps: every type whose keys can be listed, as bpftool dumps it" {
	maps types
}

@test "maps: columns of BTF: structs, unions, arrays, enums, bit fields, a value per CPU" {
	maps btf
}

@test "maps: variables of a program, each a column" {
	maps variables
}

@test "maps: more members than there are columns: the rest is there in hex" {
	maps large
}

@test "maps: an element that does not fit into a record says so" {
	maps too_long
}

@test "maps: elements that would take too much memory are refused" {
	maps too_large
}

@test "maps: a name that can't be a map's is none, and a map that has gone is none" {
	maps names
}

@test "maps: the directory lists ids and names, and is root's" {
	maps listing
	[ "$(stat -c %a "$MNT/map")" = 500 ]
	run ! as_user ls "$MNT/map"
	run ! as_user cat "$MNT/map/1.json"
}

# root_without CAP COMMAND...
root_without() {
	timeout 20 setpriv --bounding-set="-$1" --inh-caps="-$1" "${@:2}"
}

@test "maps: root without CAP_SYS_ADMIN gets as little of BPF objects as from bpf(2)" {
	run ! root_without sys_admin bpftool map
	run ! root_without sys_admin ls "$MNT/map"
	for file in map/1 map/1.json bpf_map json/bpf_prog.json csv/bpf_link.csv; do
		run ! root_without sys_admin cat "$MNT/$file"
		[[ $output == *"peration not permitted" ]]
	done
	root_without sys_admin cat "$MNT/kmem_cache" >"$DIR/slabs"
	root_without sys_ptrace ls "$MNT/map" >"$DIR/list"
	[ -s "$DIR/list" ]
	run ! unshare --user --map-root-user cat "$MNT/bpf_map"
}

@test "maps: with mode= and gid= others read them" {
	mkdir "$DIR/other"
	timeout 60 "$KVIEW" mount -o allow_other,gid=4242,mode=0440 "$DIR/other"
	[ "$(stat -c %a:%g "$DIR/other/map")" = 550:4242 ]
	id=$(jq -r 'select(.name == "made_percpu").id' "$MNT/json/bpf_map.json")
	timeout 20 setpriv --reuid 4243 --regid 4242 --clear-groups cat "$DIR/other/map/$id" >"$DIR/told"
	cmp "$DIR/told" "$MNT/map/$id"
	timeout 60 "$KVIEW" umount "$DIR/other"
}

@test "maps: every element that stays is there once, while keys come and go" {
	maps storm
}

@test "maps: 100,000 elements, also by small reads, and by readers that stop" {
	maps many
}

@test "maps: after the worker was killed" {
	maps killed "$(worker_pid)"
}

@test "maps: kview cat says what is wrong" {
	run -1 --separate-stderr "$KVIEW" cat map/4294967295
	# shellcheck disable=SC2154 # `run` sets it
	[[ $stderr == "kview: can't open the BPF map 4294967295: No such file or directory"*"hint: "* ]]
	for wrong in map/ map/x map/0 map/-1 map/4294967296 map/1x; do
		run -2 --separate-stderr "$KVIEW" cat "$wrong"
		[[ $stderr == "kview: '$wrong' names no BPF map"*"hint: "* ]]
	done
	maps ring
}
