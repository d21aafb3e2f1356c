#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# What the kernel may refuse a mount, at its start and while it serves: bpf(2),
# iterators, memory, descriptors, processes.
# shellcheck disable=SC2016 # the inner shell's own
# shellcheck disable=SC2153,SC2154 # the errnos are of faults.bash; run sets stderr
bats_require_minimum_version 1.5.0
load common
load faults

setup() {
	kview_setup
}

teardown() {
	rules
	kview_teardown
}

# --- as it starts ---------------------------------------------------------

# Whether it mounts or not, it says what failed; without a mount nothing is left.
start() {
	local rc=0
	rules "$@"
	faulty "$KVIEW" mount "$MNT" 2>"$DIR/err" || rc=$?
	was_hit
	printf '%s\n' "$*: status $rc" "$(<"$DIR/err")"
	[ "$(grep -c '^kview: ' "$DIR/err")" -eq "$(grep -c '^hint: ' "$DIR/err")" ]
	if [ $rc -eq 0 ]; then
		head -qn 1 "$MNT/task"* >"$DIR/heads"
		[ "$(grep -c '^ *PID' "$DIR/heads")" -ge 2 ]
		kview_umount
	else
		[ $rc -eq 1 ]
		grep -q '^kview: ' "$DIR/err"
	fi
	nothing_left
}

# refused RULE...: no mount
refused() {
	start "$@"
	grep -qE '^kview: (can.t|Cannot|Operation|Too many)' "$DIR/err"
	[ ! -s "$DIR/heads" ]
}

@test "bpf(2) that fails for all of a mount: an error with a hint, nothing is left" {
	local call error
	for call in MAP_CREATE LINK_CREATE OBJ_PIN; do
		for error in $ENOMEM $EMFILE $EPERM; do
			refused "$call $error"
		done
	done
	refused "PROG_LOAD $ENOMEM"
	refused "PROG_LOAD $EPERM"
}

@test "bpf(2) that fails once: mounted with all that could be loaded, or nothing is left" {
	local rule
	# Among them libbpf's own tests, such as whether maps can have names: the third.
	for rule in "PROG_LOAD $ENOMEM 3 3" "PROG_LOAD $ENOMEM 4 4" "PROG_LOAD $EMFILE 17 17" \
		"MAP_CREATE $ENOMEM 3 3" "MAP_CREATE $ENOMEM 4 4" "MAP_CREATE $EPERM 11 11" \
		"LINK_CREATE $ENOMEM 1 1" "LINK_CREATE $EMFILE 5 5" "LINK_CREATE $ENOMEM 6 6" \
		"LINK_CREATE $EPERM 7 7" "OBJ_PIN $ENOMEM 1 1" "OBJ_PIN $ENOMEM 4 4" \
		"ITER_CREATE $ENOMEM 1 1" "MAP_UPDATE_ELEM $ENOMEM 7 7" "fork $EAGAIN 2 2"; do
		start "$rule"
	done
}

# --- while it serves ------------------------------------------------------

# passing RULE READER-IS-TOLD LOG-IS-TOLD: and once it is over all is as before
passing() {
	: >"$DIR/log"
	rules "$1"
	fails_with "$2" cat "$MNT/task_file"
	was_hit
	until_true said "$3"
	rules
	serves
	kill -0 "$WORKER"
}

@test "bpf(2) failing in the worker: readers and the log are told, and it goes on" {
	faulty_front
	passing "PROG_TEST_RUN $ENOMEM" "Cannot allocate memory" "can't identify the reader"
	passing "PROG_TEST_RUN $EMFILE" "Too many open files" "can't identify the reader"
	passing "PROG_TEST_RUN $EPERM" "Permission denied" "can't identify the reader.*not permitted"
	passing "ITER_CREATE $ENOMEM" "Cannot allocate memory" "can't run view 'task_file'"
	passing "ITER_CREATE $EPERM" "Input/output error" "can't run view 'task_file'"
	passing "MAP_UPDATE_ELEM $ENOMEM" "Input/output error" "can't register as a reader"
	[ "$(value restarts)" -eq 0 ]
	down
}

@test "failures of all kinds are ten messages together, and the next one tells of the rest" {
	faulty_front
	SECONDS=0
	rules "PROG_TEST_RUN $ENOMEM"
	timeout 30 python3 -B "$BATS_TEST_DIRNAME/log.py" flood "$MNT/task" 500 ENOMEM
	rules "ITER_CREATE $EPERM"
	timeout 30 python3 -B "$BATS_TEST_DIRNAME/log.py" flood "$MNT/task" 500 EIO
	rules
	[ $SECONDS -lt 60 ] || { echo "too slow: another was due"; return 1; }
	[ "$(wc -l <"$DIR/log")" -eq 10 ]
	kill -KILL "$WORKER"
	until_true said "the worker was ended .* (messages dropped before this one: 990)$"
	serves
	down
}

@test "an iterator that fails midway: EIO behind whole rows, never a short file" {
	local error
	faulty_front
	for error in $EIO $ENOMEM; do
		rules "iter $error 2"
		run ! --separate-stderr timeout 60 cat "$MNT/csv/task_vma.csv"
		was_hit
		[ ${#lines[@]} -gt 10 ]
		[[ $stderr == *"Input/output error" || $stderr == *"Cannot allocate memory" ]]
	done
	# These are no failure: it goes on where it was.
	for error in $EAGAIN $EINTR; do
		rules "iter $error 1 8"
		timeout 60 cat "$MNT/csv/kmem_cache.csv" >"$DIR/out"
		was_hit
		rules
		diff <(cut -d , -f 1 "$DIR/out" | sort) \
			<(cut -d , -f 1 "$MNT/csv/kmem_cache.csv" | sort)
	done
	# Unless there is no end of it.
	rules "iter $EAGAIN 1"
	fails_with "Input/output error" cat "$MNT/task_vma"
	said "view 'task_vma' makes no progress"
	rules
	serves
	down
}

@test "a request that can't be read while a read is stuck: the worker failed, and is replaced" {
	faulty_front
	timeout 60 python3 -B "$BATS_TEST_DIRNAME/limits.py" unread "$MNT" "$TOOLS/stuck" \
		"$DIR/stuck" "$DIR/rules" 3>&-
	was_hit
	said "the worker ended with status 1; the mount goes on"
	rules
	serves
	down
}

@test "a thread that can't be had: the others serve on" {
	faulty_front
	rules "thread $EAGAIN"
	seq 20 | timeout 60 xargs -P 20 -I {} sh -c 'cat "$1"/task_file >/dev/null || exit 255' _ "$MNT"
	was_hit
	rules
	serves
	down
}

# --- memory ---------------------------------------------------------------

# limit PID LIMIT: as the worker's user, who may without CAP_SYS_RESOURCE
limit() {
	setpriv --reuid 4000000000 --regid 4000000000 --clear-groups prlimit --pid "$1" "$2"
}

@test "a worker at its limit of memory: readers are told or served, and it goes on" {
	local i out
	front
	limit "$WORKER" --as=1048576:
	for i in {1..10}; do
		out=$(timeout 30 cat "$MNT/task_file" 2>&1 >/dev/null) ||
			[[ $out == *"Cannot allocate memory" || $out == *"Stale"* || $out == *"Input/output"* ]]
	done
	for i in $(pgrep -P "$HOLDER"); do
		limit "$i" --as=unlimited:
	done
	serves
	[ "$(value restarts)" -le 3 ]
	down
}

# Each open file keeps what it has read: 200 take some 30 MiB. Until one fails.
open_many() {
	timeout 30 python3 - "$1" <<-'END'
		import errno, os, sys
		fds = []
		for i in range(200):
		    try:
		        fds.append(os.open(sys.argv[1] + "/task_vma", os.O_RDONLY))
		        os.read(fds[-1], 131072), os.read(fds[-1], 131072)
		    except OSError as e:
		        if e.errno not in (errno.ESTALE, errno.ECONNABORTED, errno.ENOMEM, errno.EIO):
		            raise
		        print(e)
		        break
	END
}

@test "a worker that the OOM killer takes is replaced" {
	front
	make_group memory memory.limit_in_bytes memory.max
	echo "$WORKER" >"$GROUP/cgroup.procs"
	echo 8M >"$LIMIT"
	open_many "$MNT" >"$DIR/errors"
	until_true serves
	said "the worker was ended by signal 9 (Killed); the mount goes on"
	[ "$(value restarts)" -eq 1 ]
	[ "$(wc -l <"$DIR/errors")" -ge 1 ]
	until_true rmdir "$GROUP"
	down
}

# --- descriptors, processes -----------------------------------------------

@test "a worker without descriptors: EMFILE, and it goes on when there are some" {
	local fd=0
	front
	while [ -L "/proc/$WORKER/fd/$fd" ]; do
		fd=$((fd + 1))
	done
	limit "$WORKER" --nofile=$fd:
	fails_with "Too many open files" cat "$MNT/task"
	said "can't run view 'task'.*Too many open files"
	limit "$WORKER" --nofile=1024:
	serves
	[ "$(pgrep -P "$HOLDER")" = "$WORKER" ]
	down
}

@test "no process for the next worker: readers wait until there is, and are served" {
	local reader
	faulty_front
	rules "fork $EAGAIN"
	kill -KILL "$WORKER"
	until_true was_hit
	timeout 60 head -n 1 "$MNT/task" >"$DIR/read" 3>&- &
	reader=$!
	sleep 0.5
	[ ! -s "$DIR/read" ]
	rules
	wait $reader
	[ -s "$DIR/read" ]
	said "can't start a worker: Resource temporarily unavailable; trying on"
	[ "$(grep -c "can't start a worker" "$DIR/log")" -eq 1 ]
	down
}

@test "no process for the next worker, and SIGTERM: the mount is taken away" {
	faulty_front
	rules "fork $EAGAIN"
	kill -KILL "$WORKER"
	until_true was_hit
	kill -TERM "$HOLDER"
	wait "$HOLDER"
	nothing_left
}

@test "no process for the next worker for five seconds: the mount is given up" {
	local rc=0
	faulty_front
	rules "fork $EAGAIN"
	kill -KILL "$WORKER"
	run -1 timeout 30 head -n 1 "$MNT/task"
	[[ $output == *"connection abort" || $output == *"not connected" ]]
	wait "$HOLDER" || rc=$?
	[ $rc -eq 1 ]
	said "^kview: can't start a worker: Resource temporarily unavailable$"
	nothing_left
}
