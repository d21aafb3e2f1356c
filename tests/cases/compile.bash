# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Views of users, compiled into $D, and what a mount says of them. Load it with: load compile

load common

setup() {
	kview_setup
	OBJECTS=$TOOLS/iters # those of the build
	D=$DIR/iters
	mkdir "$D"
}

teardown() {
	kview_teardown
}

# A whole view in $1, its record's members in $2: what the broken ones vary.
source_of() {
	cat <<-C
		#include "kview.h"
		struct row {
		$2
		};
		KV_VIEW(row, "a row per thread", "5.8");
		SEC("iter/task")
		int $1(struct bpf_iter__task *ctx)
		{
			struct kv_call c;
			struct row *r;
			int verdict = kv_begin_task(&c, ctx->meta, ctx->task, KV_PUBLIC);
			if (verdict != KV_SHOW)
				return verdict & 1;
			r = kv_record(&c, struct row);
			return kv_emit(&c);
		}
	C
}

# compile NAME <SOURCE: the way the manual says, into $D.
compile() {
	cat >"$DIR/$1.bpf.c"
	clang -g -O2 -target bpf -Wno-undefined-internal -I "$ROOT/iters/include/kview" -idirafter "/usr/include/$(uname -m)-linux-gnu" \
		-c "$DIR/$1.bpf.c" -o "$D/$1.bpf.o"
}

# says NAME PATTERN: mounting with $D names the file of view NAME, says why in
# those words and hints at what to do, and serves all else.
says() {
	grep -qF "kview: " "$DIR/err"
	# shellcheck disable=SC2053 # a pattern
	[[ $(grep -F "$D/$1" "$DIR/err") == "kview: "*$2* ]] || {
		echo "of $1 it said: $(grep -F "$D/$1" "$DIR/err"), not: $2"
		return 1
	}
}

# mount_all: with $D, stderr in $DIR/err; the built-in views must be there.
mount_all() {
	local v
	timeout 60 "$KVIEW" mount --iter-dir "$D" "$MNT" 2>"$DIR/err" 3>&-
	cat "$DIR/err"
	for v in $VIEWS; do
		[ -e "$MNT/$v" ]
	done
	[ "$(jq .pid "$MNT/pid/$$/json/task.json")" = $$ ]
}

# What a mount of the good views alone shows, and not a file more.
only() {
	# shellcheck disable=SC2086 # words
	[ "$(cd "$MNT" && sorted ./* | sed 's|\./||g')" = "$(sorted csv json map pid schema status $ALL_VIEWS "$@")" ]
	# shellcheck disable=SC2086
	[ "$(pinned)" = "$(sorted $VIEWS "$@")" ]
}
