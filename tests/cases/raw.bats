#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# Iterators that declare no view: those of the kernel's own tests, which nobody here wrote, and
# ours. The oracle is bpftool, which pins them.
bats_require_minimum_version 1.5.0

load common

# The kernel's tests, built as they are there; those that don't build are of another kernel.
setup_file() {
	local source progs=tools/testing/selftests/bpf
	source=$(printf '%s\n' /usr/src/linux-source-*.tar.xz | tail -n 1)
	export FOREIGN=$BATS_FILE_TMPDIR/foreign
	mkdir "$FOREIGN"
	tar -C "$BATS_FILE_TMPDIR" -xJf "$source" --wildcards --strip-components 1 \
		"*/$progs/progs/bpf_iter*" "*/$progs/progs/cgroup_iter*" "*/$progs/progs/bpf_*.h" "*/$progs/bpf_*.h"
	bpftool btf dump file /sys/kernel/btf/vmlinux format c >"$BATS_FILE_TMPDIR/vmlinux.h"
	cd "$BATS_FILE_TMPDIR" || return
	# shellcheck disable=SC2016 # for the inner shells
	printf '%s\n' "$progs"/progs/*.c | xargs -P 2 -n 1 sh -c 'clang -g -O2 -target bpf -w -I . -I "$0" -I "$0/progs" \
		-c "$1" -o "$FOREIGN/$(basename "$1" .c).bpf.o" 2>/dev/null || :' "$progs"
}

setup() {
	kview_setup
	D=$DIR/iters
	mkdir "$D"
}

teardown() {
	kview_teardown
}

# compile NAME FILE <SOURCE: with vmlinux.h alone, into $D/FILE
compile() {
	cat >"$DIR/$1.bpf.c"
	clang -g -O2 -target bpf -I "$BATS_FILE_TMPDIR" -c "$DIR/$1.bpf.c" -o "$D/$2"
}

# Four iterators, of which the kernel refuses one, and a program that is none.
ours() {
	compile ours "$1" <<-'C'
		#include "vmlinux.h"
		#include <bpf/bpf_helpers.h>
		SEC("iter/task") int hello(struct bpf_iter__task *ctx)
		{
			static const char text[] = "\0a row\n\xff";
			if (!ctx->task)
				bpf_seq_write(ctx->meta->seq, text, sizeof(text) - 1);
			return 0;
		}
		SEC("iter/task") int pids(struct bpf_iter__task *ctx)
		{
			struct task_struct *task = ctx->task;
			__u32 pid;
			if (!task)
				return 0;
			pid = task->pid;
			bpf_seq_write(ctx->meta->seq, &pid, sizeof(pid));
			return 0;
		}
		SEC("iter/task") int wrong(struct bpf_iter__task *ctx)
		{
			return ctx->task->pid; /* NULL at the end */
		}
		SEC("?iter/bpf_map_elem") int elements(struct bpf_iter__bpf_map_elem *ctx)
		{
			static const char format[] = "%u=%u\n";
			__u32 *key = ctx->key, *value = ctx->value;
			__u64 args[2];
			if (!key || !value)
				return 0;
			args[0] = *key;
			args[1] = *value;
			bpf_seq_printf(ctx->meta->seq, format, sizeof(format), args, sizeof(args));
			return 0;
		}
		SEC("iter/cgroup") int groups(struct bpf_iter__cgroup *ctx)
		{
			static const char format[] = "%llu\n";
			struct cgroup *cgroup = ctx->cgroup;
			__u64 id;
			if (!cgroup)
				return 0;
			id = cgroup->kn->id;
			bpf_seq_printf(ctx->meta->seq, format, sizeof(format), &id, sizeof(id));
			return 0;
		}
		SEC("tp_btf/sched_switch") int no_iterator(void *ctx) { return 0; }
		char LICENSE[] SEC("license") = "GPL";
	C
}

@test "what the kernel's own iterators print is what bpftool reads, byte for byte" {
	local compared
	timeout 120 "$KVIEW" mount --iter-dir "$FOREIGN" "$MNT" 2>"$DIR/err" 3>&-
	mkdir "$KVIEW_PIN_DIR-x"
	timeout 200 python3 "$BATS_TEST_DIRNAME/raw.py" "$FOREIGN" "$KVIEW_PIN_DIR-x/pin" "$MNT/raw" >"$DIR/compared"
	rmdir "$KVIEW_PIN_DIR-x"
	cat "$DIR/compared"
	compared=$(grep -c '^same ' "$DIR/compared")
	[ "$compared" -ge 12 ]
	run ! grep '^differs ' "$DIR/compared"
	# Each that is absent was refused, with the verifier's words and a source line.
	timeout 120 "$KVIEW" list --iter-dir "$FOREIGN" >"$DIR/list"
	grep -F 'raw: what its iter/' "$DIR/list" | awk '$2 == "yes" {print $1}' | sort >"$DIR/can"
	[ "$(wc -l <"$DIR/can")" -ge 25 ]
	grep -A 1 -E '^[^ ]+ +no .*raw: ' "$DIR/list" | grep -E '^ ' >"$DIR/why"
	run ! grep -v "the verifier refuses it: .*, at: .*@ .*\.c:[0-9]" "$DIR/why"
	# In the mount are those that need no map.
	grep -vE ': what its iter/(bpf_map_elem|bpf_sk_storage_map|sockmap) ' "$DIR/list" |
		grep -F 'raw: what its iter/' | awk '$2 == "yes" {print $1}' | sort | cmp - <(find "$MNT/raw" -type f -printf '%f\n' | sort)
}

says_hello() {
	printf '\0a row\n\377' | cmp -s - "$MNT/raw/ours.hello"
}

@test "a program that the kernel refuses costs itself alone" {
	ours ours.o
	timeout 60 "$KVIEW" mount -o allow_other --iter-dir "$D" "$MNT" 2>"$DIR/err" 3>&-
	[ "$(grep -c '^kview: ' "$DIR/err")" -eq 1 ]
	grep -F "kview: can't load 'wrong' of '$D/ours.o': the verifier refuses it: R" "$DIR/err" |
		grep -qF ', at: return ctx->task->pid; '
	[ "$(sorted "$MNT"/raw/* | sed "s|$MNT/raw/||g")" = "ours.groups ours.hello ours.pids" ]
	# Its bytes as they are.
	printf '\0a row\n\377' | cmp - "$MNT/raw/ours.hello"
	timeout 60 "$KVIEW" cat --iter-dir "$D" ours.hello | cmp - "$MNT/raw/ours.hello"
	timeout 60 "$KVIEW" cat --iter-dir "$D" raw/ours.hello | cmp - "$MNT/raw/ours.hello"
	# This shell is there once.
	[ "$(od -An -v -t u4 -w4 "$MNT/raw/ours.pids" | grep -cx " *$$")" -eq 1 ]
	[ "$(timeout 60 "$KVIEW" cat --iter-dir "$D" --pid $$ ours.pids | od -An -v -t u4 | xargs)" = $$ ]
	# Parts of it, as of any file.
	[ "$(dd if="$MNT/raw/ours.hello" bs=1 skip=1 count=5 status=none)" = "a row" ]
	# It is for root, has no pin, no schema and no columns.
	[ "$(stat -c %a "$MNT/raw" "$MNT/raw/ours.hello" | xargs)" = "555 400" ]
	run as_user cat "$MNT/raw/ours.hello"
	[[ $status -ne 0 && $output == *"Permission denied"* ]]
	# shellcheck disable=SC2086 # words
	[ "$(pinned)" = "$(sorted $VIEWS)" ]
	[ ! -e "$MNT/schema/ours.hello" ]
	[ ! -e "$MNT/pid/$$/raw" ]
	run -2 timeout 60 "$KVIEW" cat --iter-dir "$D" -F json ours.hello
	[[ $output == *"'ours.hello' has no columns"* ]]
	run -1 timeout 60 "$KVIEW" schema --iter-dir "$D" ours.hello
	[[ $output == *"declares no view"* ]]
	# Its worker's death does not concern it.
	kill -KILL "$(worker_pid)"
	until_true says_hello
	kview_umount
}

# More than one read of the iterator brings, taken in pieces of all sizes, between which a
# worker drops what it does not need. A walk that has found no further task goes on with one that
# was born meanwhile, under the number of the row before: so rows are told apart by their tasks.
@test "a long output is whole, however it is read" {
	compile long long.o <<-'C'
		#include "vmlinux.h"
		#include <bpf/bpf_helpers.h>
		SEC("iter/task") int lines(struct bpf_iter__task *ctx)
		{
			static const char format[] = "%d %0512d\n";
			struct task_struct *task = ctx->task;
			__u64 args[] = {0, 7};
			if (!task)
				return 0;
			args[0] = task->pid;
			bpf_seq_printf(ctx->meta->seq, format, sizeof(format), args, sizeof(args));
			return 0;
		}
		char LICENSE[] SEC("license") = "GPL";
	C
	timeout 60 "$KVIEW" mount --iter-dir "$D" "$MNT" 3>&-
	timeout 60 python3 - "$MNT/raw/long.lines" 3>&- <<-'PY'
		import os, sys, threading
		go_on = threading.Event()
		threads = [threading.Thread(target=go_on.wait) for _ in range(100)]
		for t in threads:
		    t.start()
		tids = {t.native_id for t in threads}
		try:
		    for size in (1, 100, 4096, 5000, 40000, 131072, 1 << 20):
		        fd, data = os.open(sys.argv[1], os.O_RDONLY), b""
		        while size > 1 or len(data) < 4000:
		            part = os.read(fd, size)
		            if not part:
		                break
		            data += part
		        os.close(fd)
		        rows = data.decode().splitlines()
		        rows = rows[:-1] if size == 1 else rows
		        assert len(rows) > 4, (size, len(rows))
		        found = [int(r.split()[0]) for r in rows]
		        assert rows == [f"{pid} {7:0512d}" for pid in found], (size, rows)
		        assert found == sorted(set(found)), (size, found)
		        assert size == 1 or tids <= set(found), (size, tids - set(found))
		    print(len(rows), "rows")
		finally:
		    go_on.set()
	PY
	kview_umount
}

@test "the elements of a map, by its id" {
	local id
	ours ours.bpf.o
	mkdir "$KVIEW_PIN_DIR-x"
	bpftool map create "$KVIEW_PIN_DIR-x/map" type hash key 4 value 4 entries 100 name of_ours
	for i in 1 2 3; do
		bpftool map update pinned "$KVIEW_PIN_DIR-x/map" key hex 0$i 0 0 0 value hex $i$i 0 0 0
	done
	id=$(bpftool -j map show pinned "$KVIEW_PIN_DIR-x/map" | jq .id)
	[ "$(timeout 60 "$KVIEW" cat --iter-dir "$D" --map "$id" ours.elements | sort | xargs)" = "1=17 2=34 3=51" ]
	# Of another size: the kernel says no.
	bpftool map create "$KVIEW_PIN_DIR-x/small" type hash key 2 value 4 entries 1 name of_ours
	run -1 timeout 60 "$KVIEW" cat --iter-dir "$D" --map "$(bpftool -j map show pinned "$KVIEW_PIN_DIR-x/small" | jq .id)" ours.elements
	[[ $output == *"can't run view 'ours.elements': Permission denied"* ]]
	rm -r "$KVIEW_PIN_DIR-x"
	run -1 timeout 60 "$KVIEW" cat --iter-dir "$D" ours.elements
	[[ $output == *"shows the elements of one map"*"--map ID"* ]]
	run -1 timeout 60 "$KVIEW" cat --iter-dir "$D" --map 4294967295 ours.elements
	[[ $output == *"can't open the BPF map 4294967295: No such file"* ]]
	run -1 timeout 60 "$KVIEW" cat --map 1 task
	[[ $output == *"map"* ]]
	run -2 timeout 60 "$KVIEW" cat --map 1 --pid 1 task
	run -2 timeout 60 "$KVIEW" cat --map x task
	[[ $output == *"'x' is not a map id"* ]]
}

@test "cgroups from one of them on, parents first" {
	local top
	ours ours.o
	top=$(awk '$3 == "cgroup2" {print $2; exit}' /proc/mounts)
	[ -n "$top" ]
	GROUP=$top/kview-raw-$$
	mkdir -p "$GROUP/a/b" "$GROUP/c"
	[ "$(timeout 60 "$KVIEW" cat --iter-dir "$D" --cgroup "$GROUP" ours.groups | sort | xargs)" = \
		"$(find "$GROUP" -type d -printf '%i\n' | sort | xargs)" ]
	[ "$(timeout 60 "$KVIEW" cat --iter-dir "$D" --cgroup "$GROUP" ours.groups | head -n 1)" = "$(stat -c %i "$GROUP")" ]
	[ "$(timeout 60 "$KVIEW" cat --iter-dir "$D" ours.groups | grep -cx "$(stat -c %i "$GROUP/a/b")")" -eq 1 ]
	rmdir "$GROUP/a/b" "$GROUP/a" "$GROUP/c" "$GROUP"
	run -1 timeout 60 "$KVIEW" cat --iter-dir "$D" --cgroup "$DIR/none" ours.groups
	[[ $output == *"can't open the cgroup '$DIR/none'"* ]]
	run -1 timeout 60 "$KVIEW" cat --iter-dir "$D" --cgroup "$top" ours.pids
	[[ $output == *"'ours.pids' is not narrowed by a cgroup"* ]]
}

@test "the same object under two names, and names that are none" {
	ours ours.o
	cp "$D/ours.o" "$D/ours.bpf.o"
	cp "$D/ours.o" "$D/a-b.c.o"
	cp "$D/ours.o" "$D/two words.o"
	sed 's|\x00hello\x00|\x00he/lo\x00|g' "$D/ours.o" >"$D/slash.o"
	run -0 timeout 60 "$KVIEW" list --iter-dir "$D"
	[ "$(grep -c '^ours.hello ' <<<"$output")" -eq 2 ]
	grep -qF "there is an iterator of that name already" <<<"$output"
	grep -qE '^a-b.c.hello +yes +- ' <<<"$output"
	[ "$(grep -cF "its name has a slash, or bytes that are no visible ASCII" <<<"$output")" -ge 2 ]
	grep -qE '^slash.he/lo +no ' <<<"$output"
	grep -qE '^slash.pids +yes ' <<<"$output"
	timeout 60 "$KVIEW" cat --iter-dir "$D" a-b.c.hello | cmp - <(printf '\0a row\n\377')
}

@test "check --iter: one object, with the verifier's words" {
	ours ours.o
	run -1 timeout 60 "$KVIEW" check --iter "$D/ours.o"
	grep -qE '^raw ours.hello +yes *$' <<<"$output"
	grep -qE '^raw ours.elements +yes *$' <<<"$output"
	[ "$(grep -c "^raw ours.wrong .* no .*the verifier refuses it: R" <<<"$output")" -eq 1 ]
	# The log, once.
	[ "$(grep -c '^  processed [0-9]* insns' <<<"$output")" -eq 1 ]
	[ "$(grep -c '^  ; return ctx->task->pid; .*@ ours.bpf.c:[0-9]' <<<"$output")" -eq 1 ]
	[ "$(grep -c '^kview: ' <<<"$output")" -eq 1 ]
	run -0 timeout 60 "$KVIEW" check --iter "$TOOLS/iters/map_list.bpf.o"
	[[ $output =~ ^view\ map_list\ +yes ]]
	run -1 timeout 60 "$KVIEW" check --iter "$DIR/none.o"
	[[ $output == *"can't open '$DIR/none.o'"* ]]
	run -1 timeout 60 "$KVIEW" check --iter "$ROOT/README.md"
	[[ $output == *"is not called NAME.bpf.o or NAME.o"* ]]
	echo "no object" >"$DIR/text.o"
	run -1 timeout 60 "$KVIEW" check --iter "$DIR/text.o"
	[[ $output == *"not a BPF object"* ]]
}

@test "list --kinds: those of this kernel, their parameters and views" {
	ours ours.o
	timeout 60 "$KVIEW" list --kinds --iter-dir "$D" >"$DIR/kinds"
	bpftool btf dump file /sys/kernel/btf/vmlinux format c | grep -oE '^struct bpf_iter__[a-z0-9_]+ \{' |
		sed 's/struct bpf_iter__//; s/ {//' | grep -v __ | sort >"$DIR/want"
	[ "$(awk '$3 == "yes" {print $1}' "$DIR/kinds" | sort)" = "$(<"$DIR/want")" ]
	grep -qE '^task +5\.8 +yes +task +(.*, )?task, (.*, )?ours\.hello' "$DIR/kinds"
	grep -qE '^bpf_map_elem +5\.9 +yes +map +block_io, exit_totals, exits, oom_kills, page_faults, refused, run_queue, syscalls, tcp_events, traffic, ours\.elements$' "$DIR/kinds"
	grep -qE '^cgroup +6\.1 +yes +cgroup ' "$DIR/kinds"
}
