#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# One more built-in view takes a file of its own, a case of its own and a paragraph in kview(1):
# no other file names all views, and what holds for each view is tested of this one as well.
# shellcheck disable=SC2016 # the $ of others
bats_require_minimum_version 1.5.0
# bats file_tags=slow

setup() {
	load common
	kview_setup
	TREE=$DIR/tree
}

teardown() {
	kview_teardown
}

add_view() {
	cat >"$TREE/iters/task_more.bpf.c" <<-'C'
		// SPDX-License-Identifier: GPL-2.0-only
		/* The view task_more. */
		#include "kview.h"
		#include "process.h"

		struct task_more {
			struct kv_head _head;
			__s32 pid KV_MEANS("process id") KV_ROLE(key) KV_WIDTH(7);
			__s32 tid KV_MEANS("thread id") KV_ROLE(key) KV_WIDTH(7);
			__s32 nice KV_MEANS("nice value") KV_WIDTH(4);
			struct kv_str comm KV_MEANS("name");
		};

		KV_VIEW(task_more, "a row per thread: its nice value", "5.8");

		SEC("iter/task")
		int task_more(struct bpf_iter__task *ctx)
		{
			struct task_struct *task = ctx->task;
			struct task_more *r;
			struct kv_call c;
			int verdict = kv_begin_task(&c, ctx->meta, task, KV_PUBLIC);

			if (verdict != KV_SHOW || !task)
				return verdict & 1;
			r = kv_record(&c, struct task_more);
			r->pid = kv_tgid(&c, task);
			r->tid = kv_tid(&c, task);
			r->nice = task->static_prio - 120;
			kv_put_comm(&c, &r->comm, task);
			return kv_emit(&c);
		}
	C
	sed 's/^TEST/@test/' >"$TREE/tests/cases/oracle_task_more.bats" <<-'B' # or bats takes it for one of this file
		load common

		setup() {
			kview_setup
		}

		teardown() {
			kview_teardown
		}

		TEST "task_more: the columns, and the nice value of /proc" {
			columns task_more pid tid nice comm
			[ "$("$KVIEW" cat -F csv --pid $$ -c tid,nice task_more | tail -n +2)" = "$$,$(ps -o ni= $$ | tr -d ' ')" ]
		}
	B
	sed -i '/^\.Sh COLLECTORS/{
		i .Ss task_more
		i A row per thread.
		i .Bl -column "comm" "integer" "meaning"
		i .It Sy column Ta Sy type Ta Sy meaning
		i .It Li pid Ta integer Ta process id
		i .It Li tid Ta integer Ta thread id
		i .It Li nice Ta integer Ta nice value
		i .It Li comm Ta string Ta name
		i .El
	}' "$TREE/man/kview.1"
}

# there COMMAND...: as from a shell of no case, in that tree; with the helper programs of this one
there() {
	(cd "$TREE" && timeout 1000 env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME="$HOME" BUILD=build KVIEW_TEST_TOOLS="$TOOLS" "$@" 3>&-)
}

@test "a view more is one file, one case and one paragraph: what holds for each view holds for it" {
	copy_tree "$TREE"
	cp -a "$ROOT"/{LICENSE,README.md,man,tests} "$TREE"
	add_view
	make_in "$TREE" all build/tests/unit/builtin_test
	there build/tests/unit/builtin_test
	there mandoc -T lint -W warning man/kview.1
	# Its own case, and all that are generic over views.
	there bats --formatter tap -f 'task_more|formats:|every view|every column|views are there|tree|list tells|list works|schema has|status has lines|names mean the same' \
		tests/cases/{oracle_task_more,formats,docs,mount,commands,limits,handover}.bats >"$DIR/out" || { cat "$DIR/out"; return 1; }
	[ "$(grep -c "^ok" "$DIR/out")" -ge 20 ]
	grep -q '^ok .*task_more' "$DIR/out"
}
