#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# The view task against /proc/PID/task/TID, column by column.

load population

setup_file() {
	population_setup
}

teardown_file() {
	population_teardown
}

@test "task: the columns of the contract, in its order" {
	columns task pid tid ppid pgid sid tty uid euid gid state cpu prio nice policy threads start \
		utime stime cputime minflt majflt nvcsw nivcsw vsize rss pidns cgroup exe comm
}

@test "task: a row per thread, zombies and dead leaders once, in order" {
	oracle rows task
}

@test "task: the population has every state and policy" {
	oracle covers task state S T t Z
	oracle covers task policy 0 1 2 3 5 6
	oracle covers task comm - '' 'new
line' 123456789012345
}

@test "task: ids are those of /proc" {
	oracle values task pid tid ppid pgid sid uid euid gid
}

@test "task: tty is /proc's, and what ps says" {
	oracle values task tty
	pid=$(pid_of terminal)
	tty=$(ps -o tty= -p "$pid")
	[[ $tty == pts/* ]]
	[ "$(jq -r .tty "$MNT/pid/$pid/json/task.json")" = "$tty" ]
	pid=$(pid_of session)
	[ "$(ps -o tty= -p "$pid")" = "?" ]
	[ "$(jq -r .tty "$MNT/pid/$pid/json/task.json")" = null ]
}

@test "task: state, processor, priorities and thread count are those of /proc" {
	oracle values task state cpu prio nice policy threads
}

@test "task: start is within a tick of /proc's" {
	oracle values task start
}

@test "task: utime and stime are /proc's ticks, cputime is exact" {
	oracle values task utime stime cputime
}

@test "task: the busy processes have both kinds of time" {
	for role in busy-user busy-kernel busy-both busy-asked; do
		jq -e '.cputime > 0.1' "$MNT/pid/$(pid_of "$role")/json/task.json"
	done
	jq -e '.utime > 0.05' "$MNT/pid/$(pid_of busy-user)/json/task.json"
	jq -e '.stime > 0.05' "$MNT/pid/$(pid_of busy-kernel)/json/task.json"
}

@test "task: faults and context switches are those of /proc" {
	oracle values task minflt majflt nvcsw nivcsw
	jq -e '.minflt > 2900 and .majflt > 0' "$MNT/pid/$(pid_of faults)/json/task.json"
}

@test "task: vsize is that of /proc/PID/stat, rss that of status, to the page" {
	oracle values task vsize rss
}

@test "task: pid namespace is that of /proc/PID/ns/pid" {
	oracle values task pidns
	other=$(jq .pidns "$MNT/pid/$(pid_of pidns)/json/task.json")
	own=$(jq .pidns "$MNT/pid/$(pid_of still)/json/task.json")
	[ "$other" != "$own" ]
}

@test "task: cgroup is the v2 path, deep and with a hostile name" {
	oracle values task cgroup
	jq -e '.cgroup | length > 600' "$MNT/pid/$(pid_of cgroup-deep)/json/task.json"
}

@test "task: exe is what readlink says: deleted, memfd, long, hostile, adrift" {
	oracle values task exe
}

@test "task: comm holds its bytes, whatever they are" {
	oracle values task comm
}

# By two words of eight bytes, whose end is looked for: bytes of 0x01, 0x7f, 0x80 and 0xff
# are those that a careless search takes for the end.
@test "task: comm of every length, with bytes next to zero in all places" {
	timeout 30 python3 -B - "$MNT" 3>&- <<-'END'
		import ctypes, json, os, sys, threading

		libc = ctypes.CDLL(None)
		names = [bytes([b]) * n for n in range(16) for b in (0x01, 0x7f, 0x80, 0xff, 0x61)]
		names += [b"\x80" * i + b"\x01" + b"\xff" * (14 - i) for i in range(15)]
		ready, done = threading.Barrier(len(names) + 1), threading.Event()

		def be(name):
		    libc.prctl(15, name, 0, 0, 0)
		    ready.wait()
		    done.wait()

		for name in names:
		    threading.Thread(target=be, args=(name,), daemon=True).start()
		ready.wait()
		pid = os.getpid()
		with open(f"{sys.argv[1]}/pid/{pid}/csv/task.csv", "rb") as f:
		    rows = f.read()
		ours, theirs = [], []
		for tid in sorted(map(int, os.listdir("/proc/self/task"))):
		    with open(f"/proc/self/task/{tid}/comm", "rb") as f:
		        theirs.append(f.read()[:-1])
		for line in rows.split(b"\n")[1:-1]:
		    ours.append(line.rsplit(b",", 1)[1].strip(b'"'))
		done.set()
		assert len(theirs) == len(names) + 1, len(theirs)
		assert set(names) <= set(theirs)
		assert ours == theirs, [x for x in zip(ours, theirs) if x[0] != x[1]]
	END
}

@test "task: kernel threads have their whole name and state, no exe and no memory" {
	timeout 60 python3 "$BATS_TEST_DIRNAME/oracle.py" kthreads "$MNT"
}

@test "task: rss of a process so small that all of it lies in the parts of CPUs" {
	busybox sleep 100 3>&- &
	mine $!
	until_true grep -q '^State:.S' "/proc/$!/status"
	[ "$(jq .rss "$MNT/pid/$!/json/task.json")" = $(($(awk '$1 == "VmRSS:" {print $2}' "/proc/$!/status") * 1024)) ]
	[ "$(jq .rss "$MNT/pid/$!/json/task.json")" -gt 0 ]
	kill $!
}

# start_of FILE_OR_COMMAND...: seconds, of this process, as it prints them.
start_of() {
	"$@" | awk 'NR == 2 {printf "%d\n", $1}'
}

@test "task: start is ps's in time namespaces too, by kview cat and a mount made there" {
	local want got shift run_there mnt=$DIR/other
	want=$(date -d "$(ps -o lstart= -p $$)" +%s)
	mkdir "$mnt"
	for shift in "86400 0" "5 777777" "0 99"; do
		run_there=(unshare --time --boottime "${shift% *}" --monotonic "${shift#* }" --fork)
		got=$(start_of "${run_there[@]}" "$KVIEW" cat -c start --pid $$ task)
		[ $((got - want)) -le 1 ]
		[ $((want - got)) -le 1 ]
		KVIEW_PIN_DIR=$KVIEW_PIN_DIR-there "${run_there[@]}" timeout 60 "$KVIEW" mount "$mnt" 3>&-
		[ "$(jq .start "$mnt/pid/$$/json/task.json")" = "$(jq .start "$MNT/pid/$$/json/task.json")" ]
		KVIEW_PIN_DIR=$KVIEW_PIN_DIR-there timeout 60 "$KVIEW" umount "$mnt"
		# What is for its children is not for itself.
		unset 'run_there[-1]'
		[ "$(start_of "${run_there[@]}" "$KVIEW" cat -c start --pid $$ task)" = "$got" ]
	done
}
