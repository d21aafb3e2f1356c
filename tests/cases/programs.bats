#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# What an object of a user's may hold beside what kview's headers have.
bats_require_minimum_version 1.5.0

load compile

@test "an object may have other programs beside its view: they are named, and not loaded" {
	{
		cat "$ROOT/tests/cases/iters/thread_bits.bpf.c"
		cat <<-'C'
			SEC("kprobe/no_such_function") int count(void *ctx) { return 0; }
			SEC("iter/no_such_kind") int no_such(void *ctx) { return 0; }
		C
	} | sed 's/^int [a-z_]*(struct bpf_iter__task/int several(struct bpf_iter__task/' | compile several
	mount_all
	only several
	[ "$(jq -s length "$MNT/pid/$$/json/several.json")" -ge 1 ]
	[[ $("$KVIEW" list --iter-dir "$D") == *"not attached: count (kprobe/no_such_function), no_such (iter/no_such_kind)"* ]]
	[ ! -s "$DIR/err" ]
	kview_umount
}

@test "a view may have the structs of a generated vmlinux.h instead of kview's" {
	bpftool btf dump file /sys/kernel/btf/vmlinux format c >"$DIR/vmlinux.h"
	{
		echo "#include \"$DIR/vmlinux.h\""
		cat "$ROOT/tests/cases/iters/thread_bits.bpf.c"
	} | compile generated
	"$KVIEW" cat --iter-dir "$D" --pid $$ -F csv -c pid,nice,leader generated >"$DIR/rows"
	[ "$(tail -n +2 "$DIR/rows" | cut -d , -f 1 | sort -u)" = $$ ]
	diff "$DIR/rows" <("$KVIEW" cat --iter-dir "$OBJECTS" --pid $$ -F csv -c pid,nice,leader thread_bits)
}
