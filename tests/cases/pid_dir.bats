#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# pid/: which processes it lists, and what becomes of those that die.
# shellcheck disable=SC2030,SC2031 # each test is a subshell
bats_require_minimum_version 1.5.0

setup() {
	load common
	kview_setup
	kview_mount 3>&-
}

teardown() {
	kview_teardown
}

# start_family: a process $LEADER with a thread $THREAD, and a dead child $ZOMBIE.
start_family() {
	python3 - "$DIR/family" 3>&- <<-'PY' &
		import os, signal, sys, threading
		t = threading.Thread(target=threading.Event().wait, daemon=True)
		t.start()
		child = os.fork()
		if child == 0:
		    os._exit(0)
		os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
		with open(sys.argv[1] + "~", "w") as f:
		    f.write(f"{t.native_id} {child}\n")
		os.rename(sys.argv[1] + "~", sys.argv[1])
		signal.pause()
	PY
	LEADER=$!
	mine $LEADER
	until_true test -e "$DIR/family"
	read -r THREAD ZOMBIE <"$DIR/family"
}

# The names in pid/, without a look at what they name: that may just have died.
names() {
	python3 -c 'import os, sys; print(*os.listdir(sys.argv[1]), sep="\n")' "$MNT/pid"
}

# finds_nothing NAME: pid/NAME does not exist for stat, ls and open.
finds_nothing() {
	local what
	for what in "stat -- $MNT/pid/$1" "ls -- $MNT/pid/$1/json" "cat -- $MNT/pid/$1/task"; do
		# shellcheck disable=SC2086 # words
		run ! $what
		[[ $output == *"No such file or directory"* ]]
	done
}

@test "pid/ lists the processes that are there, zombies too, and no threads" {
	local i listed mine
	start_family
	mine="$LEADER $ZOMBIE $$"
	for i in {1..20}; do
		sleep 300 3>&- &
		mine $!
		mine+=" $!"
	done
	listed=$(names)
	for i in $mine; do
		[ "$(grep -cx "$i" <<<"$listed")" -eq 1 ]
	done
	[ "$(grep -cx "$THREAD" <<<"$listed")" -eq 0 ]
	[ "$(grep -cx self <<<"$listed")" -eq 1 ]
	[ "$(grep -cvxE 'self|[1-9][0-9]*' <<<"$listed")" -eq 0 ]
	[ -z "$(sort <<<"$listed" | uniq -d)" ]
}

@test "pid/ lists no process that /proc does not have, but for those that just died" {
	local before after listed p
	before=$(cd /proc && echo [1-9]*)
	listed=$(names | grep -vx self)
	after=$(cd /proc && echo [1-9]*)
	[ "$(wc -l <<<"$listed")" -gt 3 ]
	for p in $listed; do
		# A process that came and went between the two readings is python's own.
		[[ " $before $after " == *" $p "* ]] || [ ! -e "/proc/$p" ]
	done
}

@test "pid/ lists 500 processes, more than one buffer's worth" {
	local listed
	python3 - "$DIR/many" 3>&- <<-'PY' &
		import os, signal, sys
		children = []
		for _ in range(500):
		    child = os.fork()
		    if child == 0:
		        signal.pause()
		    children.append(child)
		with open(sys.argv[1] + "~", "w") as f:
		    f.write("".join(f"{c}\n" for c in children))
		os.rename(sys.argv[1] + "~", sys.argv[1])
		signal.signal(signal.SIGTERM, lambda *_: None)
		signal.pause()
		for c in children:
		    os.kill(c, signal.SIGKILL)
	PY
	mine $!
	until_true test -e "$DIR/many"
	listed=$(names | sort)
	[ "$(wc -l <"$DIR/many")" -eq 500 ]
	comm -13 <(echo "$listed") <(sort "$DIR/many") >"$DIR/missing"
	cat "$DIR/many" >>"$DIR/pids"
	[ ! -s "$DIR/missing" ]
}

@test "pid/self is the process that looks, not its thread" {
	python3 - "$MNT" <<-'PY'
		import os, sys, threading
		mnt, seen = sys.argv[1], []
		def look():
		    seen.append(os.readlink(mnt + "/pid/self"))
		    rows = open(mnt + "/pid/self/task").read().splitlines()[1:]
		    seen.append({r.split()[0] for r in rows})
		look()
		t = threading.Thread(target=look)
		t.start()
		t.join()
		me = str(os.getpid())
		assert seen == [me, {me}] * 2, seen
		child = os.fork()
		if child == 0:
		    os._exit(os.readlink(mnt + "/pid/self") != str(os.getpid()))
		assert os.waitpid(child, 0)[1] == 0
	PY
	run ! readlink "$MNT/pid/$$"
	run -0 stat -c %F "$MNT/pid/self"
	[ "$output" = "symbolic link" ]
}

@test "a number that is no process of now is not found" {
	local n gone
	start_family
	true &
	gone=$!
	wait $gone
	for n in "$THREAD" $gone 0 01 -1 +1 99999999 4194305 4294967296 18446744073709551617 \
		1x 0x1 " 1" "1 " "$$ " "0$$" "٣"; do
		echo "'$n'"
		run ! stat -- "$MNT/pid/$n"
		[[ $output == *"No such file or directory"* ]]
		run ! cat -- "$MNT/pid/$n/task"
		[[ $output == *"No such file or directory"* ]]
	done
	finds_nothing "$THREAD"
	finds_nothing $gone
}

@test "pid/PID has rows of that process alone, in every format" {
	local p
	start_family
	for p in $LEADER $$; do
		[ "$(awk 'NR > 1 {print $1}' "$MNT/pid/$p/task_file" | sort -u)" = "$p" ]
		[ "$(jq .pid "$MNT/pid/$p/json/task_vma.json" | sort -u)" = "$p" ]
		[ "$(tail -n +2 "$MNT/pid/$p/csv/task.csv" | cut -d , -f 1 | sort -u)" = "$p" ]
	done
	[ "$(awk 'NR > 1 {print $2}' "$MNT/pid/$LEADER/task" | sort -n | paste -sd ' ')" = \
		"$(printf '%s\n' "$LEADER" "$THREAD" | sort -n | paste -sd ' ')" ]
	[ "$(find "/proc/$LEADER/fd" -type l | wc -l)" -eq \
		"$(tail -n +2 "$MNT/pid/$LEADER/task_file" | wc -l)" ]
	# A zombie has a row, but neither files nor memory.
	[ "$(jq -r .state "$MNT/pid/$ZOMBIE/json/task.json")" = Z ]
	[ "$(wc -l <"$MNT/pid/$ZOMBIE/task_file")" -eq 1 ]
	[ "$(wc -c <"$MNT/pid/$ZOMBIE/json/task_vma.json")" -eq 0 ]
}

# The link of each open is of a process, not of a number: a process that dies
# must never be shown as empty, or as whoever got its number next.
@test "a process that dies between open and read is an error at the reader" {
	python3 - "$MNT" <<-'PY'
		import errno, os, signal, sys
		def child():
		    pid = os.fork()
		    if pid == 0:
		        signal.pause()
		    return pid
		def end(pid):
		    os.kill(pid, signal.SIGKILL)
		    os.waitpid(pid, 0)
		for name in "task", "task_file", "json/task.json", "csv/task_vma.csv":
		    pid = child()
		    fd = os.open(f"{sys.argv[1]}/pid/{pid}/{name}", os.O_RDONLY)
		    end(pid)
		    try:
		        got = os.read(fd, 65536)
		    except OSError as e:
		        assert e.errno in (errno.ENOENT, errno.ESRCH), e
		    else:
		        raise AssertionError(f"{name}: no error but {got!r}")
		    os.close(fd)
		    # And one that dies after the first read: the end, or an error.
		    pid = child()
		    fd = os.open(f"{sys.argv[1]}/pid/{pid}/{name}", os.O_RDONLY)
		    assert os.read(fd, 200)
		    end(pid)
		    try:
		        while os.read(fd, 65536):
		            pass
		    except OSError as e:
		        assert e.errno in (errno.ENOENT, errno.ESRCH), e
		    # Polled again from the start, it is gone.
		    os.lseek(fd, 0, os.SEEK_SET)
		    try:
		        got = os.read(fd, 65536)
		    except OSError as e:
		        assert e.errno in (errno.ENOENT, errno.ESRCH), e
		    else:
		        raise AssertionError(f"{name}: no error but {got!r}")
		    os.close(fd)
	PY
}

@test "a directory of a process that is held open turns empty of files when it dies" {
	python3 - "$MNT" <<-'PY'
		import errno, os, signal, sys
		pid = os.fork()
		if pid == 0:
		    signal.pause()
		fd = os.open(f"{sys.argv[1]}/pid/{pid}", os.O_RDONLY | os.O_DIRECTORY)
		assert os.stat("task", dir_fd=fd)
		os.kill(pid, signal.SIGKILL)
		os.waitpid(pid, 0)
		for name in "task", "json", "json/task.json":
		    try:
		        os.stat(name, dir_fd=fd)
		    except OSError as e:
		        assert e.errno == errno.ENOENT, e
		    else:
		        raise AssertionError(name)
	PY
}

@test "reading pid/ while processes come and go never fails and never repeats" {
	local i churn listed
	(while :; do /bin/true; done) 3>&- &
	churn=$!
	mine $churn
	for i in {1..50}; do
		listed=$(names)
		[ -z "$(sort <<<"$listed" | uniq -d)" ]
		[ "$(grep -cx $churn <<<"$listed")" -eq 1 ]
	done
}
