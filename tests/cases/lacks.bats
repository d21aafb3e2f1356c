#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# Kernels that lack a field of a struct: it costs a column, and not the view. They are
# made up: this kernel, under other types.
bats_require_minimum_version 1.5.0

setup() {
	load common
	kview_setup
}

teardown() {
	kview_teardown
}

# --- each field in turn ---------------------------------------------------

# By what no view can do without: who may see what. (An anonymous struct has no name.)
RIGHTS="task_struct.flags task_struct.mm task_struct.tgid task_struct.group_leader
	task_struct.thread_pid task_struct.start_boottime task_struct.real_cred
	task_struct.self_exec_id cred.uid cred.gid cred.suid cred.sgid cred.euid cred.egid
	cred.cap_permitted cred.user_ns .val pid.level pid.numbers user_namespace.uid_map
	user_namespace.gid_map user_namespace.parent user_namespace.level user_namespace.owner
	uid_gid_extent.first uid_gid_extent.lower_first uid_gid_extent.count .extent .nr_extents
	.forward .reverse .flags .__mm_flags .user_ns"
# Whose a row is, and for what threads share, which of them shows it.
NUMBERS="task_struct.pid task_struct.signal upid.nr upid.ns"
SHARED="task_struct.files task_struct.thread_node signal_struct.thread_head list_head.prev
	files_struct.count .counter"
# For names of kernel threads, which are (unreadable) without.
KTHREADS="task_struct.worker_private kthread.data kthread.full_name worker.current_work
	worker.desc worker.pool worker.rescue_wq workqueue_struct.name"
# Without these it is a kernel that never had them.
OLDER="task_struct.user_dumpable"

words() {
	xargs -n 1 <<<"$*" | sort -u
}

# fields RESULT: those that were taken away with that result
fields() {
	awk -F '\t' -v result="$1" '$2 == result && $1 != "all" {print $1}' "$DIR/out" | sort -u
}

# each VIEW REFUSED WHOLE [MAYBE]: without one of REFUSED there is no view; without one of WHOLE
# it has all columns, and so perhaps without one of MAYBE; any other field costs columns
each() {
	local pid
	sleep 300 3>&- &
	pid=$!
	mine $pid
	until_true grep -q '^State:.S (sleeping)' /proc/$pid/status
	bpftool gen min_core_btf /sys/kernel/btf/vmlinux "$DIR/types" "$BUILD/iters/$1.bpf.o"
	timeout 300 "$TOOLS/lacks" "$1" "$DIR/types" $pid >"$DIR/out" || {
		tail -n 3 "$DIR/out"
		return 1
	}
	[ "$(head -n 1 "$DIR/out")" = $'all\twhole' ]
	diff <(words "$2") <(fields refused)
	diff <(words "$3") <(fields whole | grep -vxF "$(words "${4:-none}")")
	[ "$(fields without | wc -l)" -gt 15 ]
	# It says for which field; of two kernels' alternatives, for the other one.
	[ -z "$(awk -F '\t' '$2 != "whole" {
		n = split($1, name, ".")
		if (name[n] !~ /^(__parent|__mm_flags)$/ &&
		    !match($NF, "this kernel has no [a-z_]+[a-z_.]*[.]" name[n]))
			print
	}' "$DIR/out" | tee /dev/stderr)" ]
}

@test "task without each field that it reads" {
	each task "$RIGHTS $NUMBERS signal_struct.pids" "$SHARED $KTHREADS $OLDER"
}

@test "task_file without each field that it reads" {
	each task_file "$RIGHTS $NUMBERS signal_struct.pids $SHARED
		files_struct.fdt fdtable.fd fdtable.max_fds" "$KTHREADS $OLDER"
}

@test "task_vma without each field that it reads" {
	# Names by prctl() are not in each kernel.
	each task_vma "$RIGHTS $NUMBERS signal_struct.pids $SHARED vm_area_struct.vm_mm" \
		"$KTHREADS $OLDER sched_entity.deadline" "vm_area_struct.shared anon_vma_name.name"
}

@test "kmem_cache without each field that it reads" {
	each kmem_cache "$RIGHTS" \
		"$NUMBERS $OLDER task_struct.files task_struct.thread_node signal_struct.thread_head
		files_struct.count .counter"
}

# --- the whole of kview on such a kernel ----------------------------------

# without MEMBERS COMMAND...: no struct has members of that name there
without() {
	local members=$1
	shift
	# shellcheck disable=SC2086 # words
	python3 - "$DIR/vmlinux" $members <<-'END'
		import sys
		types = open("/sys/kernel/btf/vmlinux", "rb").read()
		for name in sys.argv[2:]:
		    name = b"\0%s\0" % name.encode()
		    assert types.count(name) == 1
		    types = types.replace(name, name.upper())
		open(sys.argv[1], "wb").write(types)
	END
	# shellcheck disable=SC2016 # bash expands it
	unshare --mount --propagation private \
		bash -c 'mount --bind "$0" /sys/kernel/btf/vmlinux && exec "$@"' "$DIR/vmlinux" "$@"
}

# What is asked there: of view task the row of this process.
ask() {
	"$KVIEW" list >"$DIR/list"
	"$KVIEW" check >"$DIR/check" || true
	"$KVIEW" cat --pid $$ -c pid,nvcsw,exe,comm,state task >"$DIR/text"
	"$KVIEW" cat --pid $$ -F csv -c pid,nvcsw,exe,comm,state task >"$DIR/csv"
	"$KVIEW" cat --pid $$ -F json -c pid,nvcsw,exe,comm,nivcsw task >"$DIR/json"
	"$KVIEW" load
	cat "$KVIEW_PIN_DIR/task" >"$DIR/pin"
	"$KVIEW" list >"$DIR/list-pinned"
	"$KVIEW" cat --pid $$ -F json -c pid,nvcsw,exe,comm,nivcsw task >"$DIR/json-pinned"
	"$KVIEW" unload
}

@test "list and check name the columns, and every format has no value there" {
	export -f ask
	export KVIEW
	without "nvcsw d_parent" bash -euc ask
	grep -A 2 '^task ' "$DIR/list"
	[ "$(grep -A 2 '^task ' "$DIR/list" | sed 1d | sed 's/^ *//')" = \
		"without nvcsw: this kernel has no task_struct.nvcsw
without exe: this kernel has no dentry.d_parent" ]
	[ "$(grep -c ' without path: this kernel has no dentry.d_parent$' "$DIR/list")" -eq 2 ]
	[[ $(grep '^view task ' "$DIR/check") =~ yes\ +"without nvcsw, exe"$ ]]
	[[ $(grep '^view kmem_cache ' "$DIR/check") =~ yes$ ]]
	[[ $(tail -n 1 "$DIR/text") =~ ^\ *[0-9]+\ +-\ +-\ +bash\ +[RS]$ ]]
	[[ $(tail -n 1 "$DIR/csv") =~ ^[0-9]+,,,bash,[RS]$ ]]
	jq -e '.nvcsw == null and .exe == null and .comm == "bash" and .nivcsw >= 0' "$DIR/json"
	jq -e '.nvcsw == null and .exe == null and .comm == "bash" and .nivcsw >= 0' "$DIR/json-pinned"
	[ "$(awk -F '\t' 'NR == 1 {for (i = 1; i <= NF; i++) if ($i == "NVCSW" || $i == "EXE") at[i]}
		NR > 1 {for (i in at) print $i}' "$DIR/pin" | sort -u)" = - ]
	diff "$DIR/list" <(sed 's/  yes     a row/  no      a row/' "$DIR/list-pinned")
}

@test "a mount serves such a kernel, and its pins are used by others" {
	# shellcheck disable=SC2016 # sh expands it
	without "nvcsw d_parent" sh -c '
		"$1" mount "$2" && cat "$2/pid/$$/csv/task.csv" && "$1" cat --pid $$ -F csv task &&
		"$1" umount "$2"' sh "$KVIEW" "$MNT" >"$DIR/out" 3>&-
	python3 - "$DIR/out" <<-'END'
		import csv, sys
		lines = open(sys.argv[1]).read().splitlines()
		assert lines[0] == lines[2] and len(lines) == 4, lines
		for row in csv.DictReader(lines[:2] + lines[3:]):
		    assert row["nvcsw"] == row["exe"] == "", row
		    assert int(row["vsize"]) > 0 and int(row["nivcsw"]) >= 0, row
	END
}

@test "without what rights are decided by nothing is served, and it says for which field" {
	local command
	for command in check "cat task" "mount $MNT" load; do
		# shellcheck disable=SC2086 # words
		run without real_cred timeout 60 "$KVIEW" $command
		echo "$output"
		[ "$status" -eq 1 ]
		[[ $output == *"this kernel has no task_struct.real_cred"* ]]
	done
	run without real_cred timeout 60 "$KVIEW" list
	echo "$output"
	[ "$status" -eq 0 ]
	[ "$(grep -c "^[a-z_]* *no " <<<"$output")" -eq 4 ]
	[ "$(grep -c "this kernel has no task_struct.real_cred; kview can't do without" <<<"$output")" -eq 4 ]
	[ ! -e "$KVIEW_PIN_DIR" ]
	run mountpoint -q "$MNT"
	[ "$status" -ne 0 ]
}
