#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# Rows that wait for their readers, in all open files of a mount: they have a bound, and what is
# beyond it fails as kview(1) says.
# bats file_tags=alone

load common

setup() {
	kview_setup
	mkdir "$DIR/iters"
	cp "$TOOLS/iters/waiting.bpf.o" "$DIR/iters"
}

teardown() {
	kview_teardown
}

@test "256 MiB of rows wait at most: a reader beyond gets ENOMEM, the others go on, and the memory comes back" {
	timeout 60 "$KVIEW" mount -f --iter-dir "$DIR/iters" "$MNT" 2>"$DIR/log" 3>&- &
	mine $!
	until_true [ -e "$MNT/waiting" ]
	told waiting.py "$MNT" "$(value worker)"
	grep -F "view 'waiting': no memory to keep its rows until they are read" "$DIR/log"
	[ "$(value restarts)" -eq 0 ]
	[ "$(value waiting.errors)" -ge 3 ]
	kview_umount
	nothing_left
}

@test "the manual says what a reader beyond the bound gets" {
	grep -A 4 -F '256 MiB of all open files.' "$ROOT/man/kview.1" | grep -qxF '.Er ENOMEM .'
	grep -B 2 -F 'more than 256 MiB of others' "$ROOT/man/kview-iters.7" | grep -qxF '.Er ENOMEM .'
	grep -qxF '#define KV_SPOOL_KEPT_MAX (256u << 20)' "$ROOT/src/stream/spool.h"
}
