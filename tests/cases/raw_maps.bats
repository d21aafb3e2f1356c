#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# map/ID.OBJECT.PROGRAM: what raw iterators print of a BPF map. The oracles are bpftool, which pins
# the same programs, and `kview cat --map`.
bats_require_minimum_version 1.5.0

load common

# compile NAME <SOURCE: without the includes, into the directory of objects $DIR/iters
compile() {
	{
		printf '#include "vmlinux.h"\n#include <bpf/bpf_helpers.h>\n#include <bpf/bpf_tracing.h>\n'
		printf 'char LICENSE[] SEC("license") = "GPL";\n'
		cat
	} >"$DIR/$1.bpf.c"
	clang -g -O2 -target bpf -I "$DIR" -c "$DIR/$1.bpf.c" -o "$DIR/iters/$1.bpf.o"
}

setup_file() {
	kview_setup
	chmod 755 "$DIR"
	mkdir "$DIR/iters" "$KVIEW_PIN_DIR-x"
	bpftool btf dump file /sys/kernel/btf/vmlinux format c >"$DIR/vmlinux.h"
	# A program of 4 bytes and one of 64, which smaller maps refuse.
	for size in 4 64; do
		compile "of_$size" <<-C
			struct words { __u32 of[$size / 4]; };
			SEC("iter/bpf_map_elem") int elements(struct bpf_iter__bpf_map_elem *ctx)
			{
				struct words *value = ctx->value;
				__u32 *key = ctx->key;
				if (key && value)
					BPF_SEQ_PRINTF(ctx->meta->seq, "%u %u\n", *key, value->of[$size / 4 - 1]);
				return 0;
			}
		C
	done
	compile writes <<-'C'
		SEC("iter/bpf_map_elem") int counts(struct bpf_iter__bpf_map_elem *ctx)
		{
			__u32 *value = ctx->value;
			if (value)
				BPF_SEQ_PRINTF(ctx->meta->seq, "%u\n", ++*value);
			return 0;
		}
	C
	compile socks <<-'C'
		SEC("iter/sockmap") int list(struct bpf_iter__sockmap *ctx)
		{
			struct sock *sk = ctx->sk;
			__u32 *key = ctx->key;
			if (key && sk)
				BPF_SEQ_PRINTF(ctx->meta->seq, "%u %u\n", *key, sk->__sk_common.skc_num);
			return 0;
		}
	C
	compile storage <<-'C'
		SEC("iter/bpf_sk_storage_map") int list(struct bpf_iter__bpf_sk_storage_map *ctx)
		{
			struct sock *sk = ctx->sk;
			__u32 *value = ctx->value;
			if (sk && value)
				BPF_SEQ_PRINTF(ctx->meta->seq, "%u %u\n", *value, sk->__sk_common.skc_num);
			return 0;
		}
	C
	# Not for kview: a map that storage.list can show.
	compile ../storage_map <<-'C'
		struct {
			__uint(type, BPF_MAP_TYPE_SK_STORAGE);
			__uint(map_flags, BPF_F_NO_PREALLOC);
			__type(key, int);
			__type(value, __u32);
		} made_storage SEC(".maps");
		SEC("sockops") int user(struct bpf_sock_ops *ctx)
		{
			struct bpf_sock *sk = ctx->sk;
			return sk && bpf_sk_storage_get(&made_storage, sk, 0, 0);
		}
	C
	bpftool prog load "$DIR/storage_map.bpf.o" "$KVIEW_PIN_DIR-x/storage"
	"$KVIEW" mount -f -o allow_other --iter-dir "$DIR/iters" "$MNT" 2>"$DIR/log" 3>&- &
	mine $!
	until_true test -d "$MNT/map"
}

teardown_file() {
	kview_teardown
	rm -rf "$KVIEW_PIN_DIR-x"
}

maps() {
	timeout 200 python3 -B "$BATS_TEST_DIRNAME/raw_maps.py" "$1" "$MNT" "$KVIEW" "$DIR/iters" "$KVIEW_PIN_DIR-x/pin" "${@:2}"
}

@test "raw maps: each type has the files that fit, which are what bpftool reads and cat prints" {
	maps types
}

@test "raw maps: sockets, by sockmap and sockhash" {
	maps sockets
}

@test "raw maps: storage of sockets has no other file" {
	maps storage
}

@test "raw maps: one that the kernel refuses for a map fails to open, and the log says why" {
	maps refused "$DIR/log"
}

@test "raw maps: a program may write to values" {
	maps writes
}

@test "raw maps: a listing in small parts is whole, and a name that is none is none" {
	maps names
}

@test "raw maps: a long output is whole, however it is read" {
	maps long
}

@test "raw maps: an open file keeps its map, and then it is gone" {
	maps gone
}

@test "raw maps: they are root's with CAP_SYS_ADMIN, as all of map/" {
	id=$(jq -r 'select(.name == "made_storage").id' "$MNT/json/bpf_map.json")
	file=$MNT/map/$id.storage.list
	[ "$(stat -c '%a %u %s' "$file")" = "400 0 0" ]
	[ -z "$(cat "$file")" ]
	run -1 as_user cat "$file"
	[[ $output == *"Permission denied" ]]
	run -1 timeout 20 setpriv --bounding-set=-sys_admin --inh-caps=-sys_admin cat "$file"
	[[ $output == *"peration not permitted" ]]
	mkdir "$DIR/other"
	timeout 60 "$KVIEW" mount -o allow_other,gid=4242,mode=0440 --iter-dir "$DIR/iters" "$DIR/other" 3>&-
	[ "$(stat -c %a:%g "$DIR/other/map/$id.storage.list")" = 440:4242 ]
	timeout 20 setpriv --reuid 4243 --regid 4242 --clear-groups cat "$DIR/other/map/$id.storage.list"
	timeout 60 "$KVIEW" umount "$DIR/other"
}

@test "raw maps: status counts them, schema/ and raw/ have none" {
	id=$(jq -r 'select(.name == "made_storage").id' "$MNT/json/bpf_map.json")
	before=$(value storage.list.reads)
	cat "$MNT/map/$id.storage.list"
	[ "$(value storage.list.reads)" -gt "$before" ]
	[ ! -e "$MNT/raw" ]
	run ! ls "$MNT"/schema/*.*
}

@test "raw maps: a killed worker's open file is stale, the next open is served" {
	maps killed "$(worker_pid)"
}

# Numbers of names that the old daemon told must not be other files of the new one.
@test "raw maps: a takeover with other objects" {
	mkdir "$DIR/fewer"
	cp "$DIR/iters/of_4.bpf.o" "$DIR/fewer"
	MNT=$DIR/again
	kview_mount -o allow_other --iter-dir "$DIR/iters" 3>&-
	maps takeover "$DIR/fewer"
	kview_umount
}
