#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# The view task_stack against /proc/PID/task/TID/stack, and who may read either.

bats_require_minimum_version 1.5.0

load mounted

# Runs until the case ends it: sleeper COMMAND...; its number is in SLEEPER.
sleeper() {
	"$@" 3>&- &
	SLEEPER=$!
	mine "$SLEEPER"
}

@test "task_stack: the columns of the contract, in its order" {
	columns task_stack pid tid stack comm
}

@test "task_stack: all threads that wait at one place have the frames of their files" {
	local pids=()
	sleeper sleep 300
	pids+=("$SLEEPER")
	sleeper python3 -c 'import threading, time
for i in range(8): threading.Thread(target=threading.Event().wait, daemon=True).start()
time.sleep(300)'
	pids+=("$SLEEPER")
	until_true eval "[ \$(ls /proc/$SLEEPER/task | wc -l) -eq 9 ]"
	mkfifo "$DIR/fifo"
	sleeper cat "$DIR/fifo" # waits in open(2)
	pids+=("$SLEEPER")
	sleeper sleep 300
	kill -STOP "$SLEEPER"
	until_true grep -q '^State:.T' "/proc/$SLEEPER/status"
	pids+=("$SLEEPER")
	timeout 120 python3 -B "$BATS_TEST_DIRNAME/stacks.py" same "$MNT/json/task_stack.json" 20 "${pids[@]}" 2
}

@test "task_stack: many readers at a time" {
	timeout 120 python3 -B "$BATS_TEST_DIRNAME/stacks.py" busy "$MNT/json/task_stack.json" 3
}

@test "task_stack: a zombie has none, its name may be hostile" {
	python3 - "$MNT" 3>&- <<-'P'
		import ctypes, json, os, sys, time
		names = (b"a\nb\\ \x1b[31m", b"-", b"\xff\"'")
		for name in names:
		    pid = os.fork()
		    if not pid:
		        ctypes.CDLL(None).prctl(15, name)
		        os._exit(0)
		    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
		    assert open(f"/proc/{pid}/stack").read() == ""
		    row, = map(json.loads, open(f"{sys.argv[1]}/pid/{pid}/json/task_stack.json"))
		    assert row["stack"] == [] and row["pid"] == row["tid"] == pid, row
		    assert row["comm"] == name.decode(errors="replace"), row
		    os.waitpid(pid, 0)
	P
}

@test "task_stack: text and csv have a row's frames in one field" {
	local frames
	sleeper sleep 300
	until_true grep -q nanosleep "/proc/$SLEEPER/stack"
	frames=$(sed 's/^\[<0>\] //' "/proc/$SLEEPER/stack")
	[ "$(tail -n +2 "$MNT/pid/$SLEEPER/task_stack" | awk '{print NF, $3}')" = \
		"4 $(tr '\n' ' ' <<<"$frames" | sed 's/ $//; s/ /\\040/g')" ]
	[ "$(tail -n +2 "$MNT/pid/$SLEEPER/csv/task_stack.csv")" = \
		"$SLEEPER,$SLEEPER,\"$(tr '\n' ' ' <<<"$frames" | sed 's/ $//')\",sleep" ]
}

# What one reader may: "PID proc" for a file of /proc that can be read, "PID kview" for a row.
may() {
	# shellcheck disable=SC2016 # the reader expands them
	"$@" timeout 60 bash -c 'for pid in $PIDS; do
		timeout 5 cat "/proc/$pid/stack" >/dev/null 2>&1 && echo "$pid proc"
		timeout 5 cat "$MNT/pid/$pid/csv/task_stack.csv" 2>/dev/null | grep -q "^[0-9]*,$pid," && echo "$pid kview"
		timeout 5 cat "$MNT/csv/task_stack.csv" | grep -q "^[0-9]*,$pid," && echo "$pid all"
	done; true'
}

without_caps() {
	setpriv --bounding-set="$1" --inh-caps="$1" "${@:2}"
}

# agrees N READER...: it may read so many in either place, and the same
agrees() {
	local n=$1
	shift
	may "$@" >"$DIR/may"
	[ "$(grep -c ' proc$' "$DIR/may")" -eq "$n" ] || { cat "$DIR/may" && return 1; }
	cmp <(sed -n 's/ proc$//p' "$DIR/may") <(sed -n 's/ kview$//p' "$DIR/may")
	cmp <(sed -n 's/ proc$//p' "$DIR/may") <(sed -n 's/ all$//p' "$DIR/may")
}

@test "task_stack: whoever may read the file has the row, and nobody else" {
	local user=(setpriv --reuid 21001 --regid 21001 --clear-groups)
	PIDS=
	sleeper sleep 300
	PIDS+=" $SLEEPER"
	sleeper "${user[@]}" sleep 300
	PIDS+=" $SLEEPER"
	sleeper setpriv --reuid 21002 --regid 21002 --clear-groups sleep 300
	PIDS+=" $SLEEPER"
	for pid in $PIDS; do
		until_true grep -q '^sleep$' "/proc/$pid/comm"
	done
	export PIDS
	agrees 3 env
	agrees 0 without_caps -sys_admin
	agrees 0 without_caps -sys_ptrace # they have more than the reader
	agrees 1 without_caps -dac_override,-dac_read_search
	agrees 0 "${user[@]}"
	agrees 0 unshare --user --map-root-user
	run -1 as_user cat "$MNT/pid/self/task_stack"
	[[ $output == *'Permission denied'* ]]
}

# own DUMPABLE: "proc" and "kview" if a user with CAP_SYS_ADMIN alone may read its own stack there
own() {
	setpriv --inh-caps=+sys_admin --ambient-caps=+sys_admin --reuid 21001 --regid 21001 --clear-groups \
		timeout 60 python3 - "$MNT" "$1" <<-'P'
			import ctypes, os, sys
			mnt, dumpable = sys.argv[1:]
			ctypes.CDLL(None).prctl(4, int(dumpable))
			for name, path in (("proc", "/proc/self/stack"),
			                   ("kview", f"{mnt}/pid/{os.getpid()}/csv/task_stack.csv")):
			    try:
			        if len(open(path).readlines()) > 1:
			            print(name)
			    except PermissionError:
			        pass
		P
}

@test "task_stack: one's own stack takes CAP_SYS_ADMIN, and a file of one's own" {
	[ "$(own 1 | xargs)" = "proc kview" ]
	[ -z "$(own 0)" ]
}

# Another one of the same user's is shown where /proc asks a security module: see kview(1).
@test "task_stack: other processes take CAP_SYS_PTRACE as well" {
	PIDS=
	sleeper setpriv --reuid 21001 --regid 21001 --clear-groups sleep 300
	until_true grep -q '^sleep$' "/proc/$SLEEPER/comm"
	export PIDS=$SLEEPER
	may setpriv --inh-caps=+sys_admin --ambient-caps=+sys_admin --reuid 21001 --regid 21001 \
		--clear-groups >"$DIR/may"
	run ! grep -E 'kview|all' "$DIR/may"
}
