#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# Views made for another kview: who reads is told to programs in a way that
# both must understand alike, so those of other headers are never run.
# shellcheck disable=SC2030,SC2031 # each test is a subshell
# shellcheck disable=SC2154 # `run` sets stderr_lines
bats_require_minimum_version 1.5.0

load compile

# with_headers NAME SED SCRIPT HEADER: a view built with that header changed.
with_headers() {
	local headers=$DIR/headers-$1
	mkdir "$headers"
	cp "$ROOT"/iters/include/kview/*.h "$headers"
	sed -i "$2" "$headers/$3"
	if cmp -s "$ROOT/iters/$3" "$headers/$3"; then
		echo "nothing is other in $3 for $1"
		return 1
	fi
	source_of prog 'struct kv_head _head; __u32 pid;' >"$DIR/$1.bpf.c"
	clang -g -O2 -target bpf -Wno-undefined-internal -I "$headers" \
		-idirafter "/usr/include/$(uname -m)-linux-gnu" -c "$DIR/$1.bpf.c" -o "$D/$1.bpf.o"
}

@test "a view built with other headers is refused by every command" {
	local v refused="built with other headers than this kview's"
	with_headers same 's/^ \* The border/& /' abi.h
	with_headers columns 's/^#define KV_MAX_COLUMNS .*/#define KV_MAX_COLUMNS 40/' abi.h
	with_headers older 's/^#define KV_ABI_VERSION .*/#define KV_ABI_VERSION 1/' abi.h
	with_headers newer 's/^#define KV_ABI_VERSION .*/#define KV_ABI_VERSION 99/' abi.h
	with_headers scope 's/__u8 _pad\[[0-9]*\];/__u8 _pad[17];/' abi.h
	with_headers flag 's/__type(value, struct kv_reading);/__type(value, __u32);/' reader.h
	with_headers nameless 's/\bkv_readers\b/kv_others/' reader.h
	mount_all
	# Not a byte of the headers is compared: what they mean is.
	only same
	for v in columns older newer scope flag nameless; do
		says $v "$refused"
		run -1 --separate-stderr timeout 60 "$KVIEW" cat --iter-dir "$D" $v
		[[ ${stderr_lines[0]} == "kview: "*"$D/$v.bpf.o"*"$refused" ]]
		[[ ${stderr_lines[1]} == "hint: build it again"* ]]
		[ -z "$output" ]
	done
	[ "$(grep -c '^kview: ' "$DIR/err")" -eq 6 ]
	[ "$(wc -l <"$MNT/same")" -gt 5 ]
	kview_umount
	run -0 --separate-stderr timeout 60 "$KVIEW" list --iter-dir "$D"
	[ "$(grep -cE '^(columns|older|newer|scope|flag|nameless) +no +no ' <<<"$output")" -eq 6 ]
	run -0 --separate-stderr timeout 60 "$KVIEW" load --iter-dir "$D"
	# shellcheck disable=SC2086 # words
	[ "$(pinned)" = "$(sorted $VIEWS same)" ]
}

@test "a view of tasks that does not ask who reads is not compiled" {
	sed 's/kv_begin_task(\(.*\), KV_PUBLIC)/kv_begin(\1)/' \
		< <(source_of prog 'struct kv_head _head; __u32 pid;') >"$DIR/source"
	grep -q 'kv_begin(&c, ctx->meta, ctx->task)' "$DIR/source"
	run ! compile unasked <"$DIR/source"
	[[ $output == *"a view of tasks begins with kv_begin_task()"* ]]
	[ ! -e "$D/unasked.bpf.o" ]
}

# Its pin would be taken for ours if only the bytes of the object were compared.
@test "a user's pin made by a kview of another ABI is neither used nor in the way" {
	local tree=$DIR/other other=$DIR/other/build/kview
	copy_tree "$tree"
	sed -i 's/^#define KV_ABI_VERSION .*/#define KV_ABI_VERSION 1/' "$tree/iters/include/kview/abi.h"
	make_in "$tree" all
	with_headers older 's/^#define KV_ABI_VERSION .*/#define KV_ABI_VERSION 1/' abi.h
	timeout 60 "$other" load --iter-dir "$D"
	[ "$(head -n 1 "$KVIEW_PIN_DIR/older")" = PID ]
	[ "$("$other" list --iter-dir "$D" | awk '$1 == "older" {print $2, $3}')" = "yes yes" ]
	[ "$("$KVIEW" list --iter-dir "$D" | awk '$1 == "older" {print $2, $3}')" = "no stale" ]
	run -1 timeout 60 "$KVIEW" cat --iter-dir "$D" older
	[[ $output == *"built with other headers than this kview's"* ]]
	mount_all
	[ ! -e "$MNT/older" ]
	says older "built with other headers than this kview's"
	[ "$("$KVIEW" list | awk 'NR > 1 && $3 == "yes" {print $1}' | xargs)" = "$VIEWS" ]
	kview_umount
	"$KVIEW" unload
	[ ! -e "$KVIEW_PIN_DIR" ]
}
