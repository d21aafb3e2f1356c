#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# Threads that share file tables oddly: each table and each mapping is there once, and costs
# no more than those of ordinary processes.

bats_require_minimum_version 1.5.0
# bats file_tags=alone
load common
load crowd

setup_file() {
	kview_setup
	chmod 755 "$DIR"
	kview_mount -o allow_other
}

teardown() {
	[ ! -f "$DIR/tables.pid" ] || tables_stop
	crowd_stop_all
}

teardown_file() {
	kview_teardown
}

# tables_start ARG...: $SUBJECT is the process
tables_start() {
	mkfifo "$DIR/tables.stdin.pipe"
	"$TOOLS/tables" "$@" <>"$DIR/tables.stdin.pipe" >"$DIR/tables" 3>&- &
	echo $! >"$DIR/tables.pid"
	mine $!
	wait_until grep -q ready "$DIR/tables"
	SUBJECT=$(head -n 1 "$DIR/tables")
	mine "$SUBJECT"
}

tables_stop() {
	local pid
	pid=$(cat "$DIR/tables.pid")
	kill -KILL "$(head -n 1 "$DIR/tables")" "$pid" || true
	wait_until gone "$pid"
	rm -f "$DIR"/tables "$DIR"/tables.*
}

# costs MOST VIEW: a row of the subject costs at most MOST times one of the ordinary process
costs() {
	local ordinary
	ordinary=$(head -n 1 "$DIR/ordinary")
	py tables cost "$(worker_pid)" "$1" "$MNT/pid/$ordinary/$2" "$MNT/pid/$SUBJECT/$2" "$MNT/$2"
}

# Each place has the subject's tables and its mappings once.
all_once() {
	"$KVIEW" cat -F csv task_file >"$DIR/tables.cat"
	cat "$KVIEW_PIN_DIR/task_file" >"$DIR/tables.pin"
	py tables files "$SUBJECT" "$MNT/csv/task_file.csv" "$MNT/pid/$SUBJECT/csv/task_file.csv" \
		"$DIR/tables.cat" "$DIR/tables.pin"
	"$KVIEW" cat -F csv --pid "$SUBJECT" task_vma >"$DIR/tables.cat"
	py tables maps "$SUBJECT" "$MNT/csv/task_vma.csv" "$MNT/pid/$SUBJECT/csv/task_vma.csv" \
		"$DIR/tables.cat"
}

@test "threads with tables of their own: every descriptor and mapping is there once" {
	tables_start -m own 1500 3
	all_once
}

@test "tables shared by two threads far apart are there once" {
	tables_start pairs 1500 3
	all_once
}

@test "tables shared by any threads are there once" {
	tables_start mixed 1500 3
	all_once
}

@test "behind a leader that has exited, a table that all share is there once" {
	tables_start -z shared 1500 20
	all_once
}

@test "behind a leader that has exited, tables of every kind are there once" {
	tables_start -z -m mixed 1500 3
	all_once
}

# A process whose leader exits at SIGUSR1, and leaves a thread; $LEADER.
start_leader() {
	python3 - <<-'P' 3>&- &
		import ctypes, os, signal, threading
		for _ in range(40):
		    os.dup(1)
		threading.Thread(target=signal.sigwait, args=([signal.SIGUSR2],)).start()
		signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
		open("/proc/self/comm", "w").write("leader")
		signal.sigwait([signal.SIGUSR1])
		ctypes.CDLL(None).pthread_exit(None)
	P
	LEADER=$!
	mine $LEADER
	wait_until grep -qx leader "/proc/$LEADER/comm"
}

@test "a table is there once though the leader that was to show it exits before" {
	local reader filler
	for reader in mount command; do
		tables_start -z pairs 1500 3
		crowd_start filler -n 1 -f 15000
		filler=$(head -n 1 "$DIR/filler")
		start_leader
		if [ $reader = mount ]; then
			timeout 60 cat "$MNT/csv/task_file.csv"
		else
			timeout 60 "$KVIEW" cat -F csv task_file
		fi | py tables leader "$filler" "$LEADER"
		kill -KILL "$LEADER"
		crowd_stop filler
		tables_stop
	done
}

# The numbers by which the walk goes say nothing then of those by which kview goes.
@test "in a pid namespace where later threads have lower numbers, every table is there once" {
	run -0 timeout 100 unshare --pid --fork --mount-proc bash "$BATS_TEST_DIRNAME/tables_nested.bash" \
		"$KVIEW" "$TOOLS/tables" "$BATS_TEST_DIRNAME/tables.py" "$DIR"
	# shellcheck disable=SC2154
	echo "$output"
	[ "$(grep -c ' rows$' <<<"$output")" -eq 12 ]
}

@test "who may not look into such a process sees none of it" {
	tables_start -m pairs 1500 3
	for view in task_file task_vma; do
		as_user bash -c "exec 9<'$MNT/schema/task'; exec cat '$MNT/csv/$view.csv'" >"$DIR/seen"
		[ "$(wc -l <"$DIR/seen")" -gt 3 ] # its own
		run -1 grep "^$SUBJECT," "$DIR/seen"
	done
	run -1 as_user cat "$MNT/pid/$SUBJECT/task_file"
	[[ $output == *"Permission denied" ]]
	run -1 as_user cat "$MNT/pid/$SUBJECT/task_vma"
	[[ $output == *"Permission denied" ]]
}

@test "rows of 8,000 threads with tables of their own cost at most twice what others do" {
	crowd_start ordinary -n 1 -f 15000 -m 16000
	tables_start -m own 8000 3
	costs 2 task_file
	costs 2 task_vma
}

@test "rows of 16,000 threads with tables of their own cost at most twice what others do" {
	crowd_start ordinary -n 1 -f 15000 -m 16000
	tables_start -m own 16000 3
	costs 2 task_file
	costs 2 task_vma
}

# Each of half of them gets an iterator of its own, for three rows.
@test "rows of 8,000 threads that share tables by twos cost at most six times as much" {
	crowd_start ordinary -n 1 -f 15000 -m 16000
	tables_start -z pairs 8000 3
	costs 6 task_file
}

@test "8,000 threads that share one table behind a dead leader cost little" {
	crowd_start ordinary -n 1 -f 15000 -m 16000
	tables_start -z -m shared 8000 500
	costs 60 task_file
	costs 3 task_vma
}
