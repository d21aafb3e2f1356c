#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# The column detail of task_file against /proc/PID/fdinfo, fcntl(2) and lsfd, for all readers.

bats_require_minimum_version 1.5.0

load mounted

setup() {
	WORK=$(mktemp -d "$DIR/case.XXXXXX")
}

# details CASE ARG...: what details.py finds
details() {
	timeout 200 python3 -B "$BATS_TEST_DIRNAME/details.py" "$1" "$MNT" "${@:2}" 3>&-
}

@test "detail: a descriptor of every kind is as in fdinfo" {
	details kinds
}

@test "detail: from no target or watch to thousands; what has no room is said" {
	details watched "$WORK"
}

@test "detail: targets and watches that change while they are read" {
	details turns "$WORK" 10
}

@test "detail: epolls and inotifies that come and go" {
	details storm "$WORK" 10
}

@test "detail: a name alone makes no kind" {
	mkdir "$WORK/names"
	details fakes "$WORK/names"
}

@test "detail: of a socket its state, ends and path, as its process knows them" {
	timeout 60 python3 -B "$BATS_TEST_DIRNAME/detail_sockets.py" "$MNT" 3>&-
}

@test "detail: as lsfd has it" {
	details lsfd
}

# What these may not make.
FOR_ROOT="fanotify timerfd-realtime-alarm timerfd-boottime-alarm timerfd-alarm-of-day
	bpf-hash bpf-percpu-array bpf-lpm bpf-ringbuf bpf-filter bpf-raw-tracepoint bpf-link btf"

@test "detail: a user without rights has those of its own descriptors" {
	# The tests may lie where only root may look.
	chmod 755 "$WORK"
	cp "$BATS_TEST_DIRNAME"/detail*.py "$WORK"
	# shellcheck disable=SC2086 # words
	timeout 60 setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set=-all --inh-caps=-all \
		/usr/bin/python3 -B "$WORK/details.py" kinds "$MNT" $FOR_ROOT 3>&-
	# And of nobody else's.
	run ! setpriv --reuid 65534 --regid 65534 --clear-groups cat "$MNT/pid/$$/task_file"
}

@test "detail: in a user namespace" {
	# shellcheck disable=SC2086 # words
	timeout 60 unshare --user --map-root-user python3 -B "$BATS_TEST_DIRNAME/details.py" kinds "$MNT" $FOR_ROOT 3>&-
}

@test "detail: in a pid namespace, where others have no number, and two deep" {
	local inside=(unshare --pid --fork --mount-proc)
	"${inside[@]}" timeout 60 python3 -B "$BATS_TEST_DIRNAME/details.py" kinds "$MNT" 3>&-
	"${inside[@]}" "${inside[@]}" timeout 60 python3 -B "$BATS_TEST_DIRNAME/details.py" kinds "$MNT" 3>&-
	# A pidfd from outside, seen inside; and those inside, seen from outside.
	cat >"$WORK/nested.py" <<-'P'
		import os, subprocess, sys
		tool, mnt = sys.argv[1:]
		outer = os.pidfd_open(os.getpid())
		os.set_inheritable(outer, True)
		code = """if True:
		    import os, subprocess, sys, time
		    own = os.pidfd_open(os.getpid())
		    child = subprocess.Popen(["sleep", "1000"])
		    fds = [sys.argv[3], str(own), str(os.pidfd_open(child.pid))]
		    told = subprocess.run(["python3", "-B", sys.argv[1], "pids", sys.argv[2], str(os.getpid()), *fds],
		                          stdout=subprocess.PIPE, check=True, timeout=60).stdout.decode()
		    print(*fds, flush=True)
		    print(told.count("pid=0 nspid=0"), told.count(","), flush=True)
		    sys.stdin.read()
		    child.kill()
		"""
		inner = subprocess.Popen(["unshare", "--pid", "--fork", "--mount-proc", "python3", "-B", "-c", code,
		                          tool, mnt, str(outer)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
		                         pass_fds=[outer], text=True)
		fds = inner.stdout.readline().split()
		assert inner.stdout.readline().split() == ["1", "0"]
		with open(f"/proc/{inner.pid}/task/{inner.pid}/children", encoding="ascii") as file:
		    pid = file.read().split()[0]
		told = subprocess.run(["python3", "-B", tool, "pids", mnt, pid, *fds], stdout=subprocess.PIPE, check=True,
		                      timeout=60).stdout.decode()
		print(told)
		assert told.count(",") == 2 and f"nspid={pid},1\n" in told and f"pid={os.getpid()} nspid={os.getpid()}\n" in told
		inner.stdin.close()
		assert inner.wait(60) == 0
	P
	timeout 100 python3 -B "$WORK/nested.py" "$BATS_TEST_DIRNAME/details.py" "$MNT" 3>&-
}

@test "detail: a descriptor of another is what its fdinfo says, whoever holds it" {
	cat >"$WORK/held.py" <<-'P'
		import os, sys, time
		tool, mnt = sys.argv[1:]
		sys.path.insert(0, os.path.dirname(tool))
		import details, detail_kinds
		made, _ = detail_kinds.make_all()
		pid = os.fork()
		if not pid:
		    time.sleep(1000)
		    os._exit(0)
		print(len(details.check(mnt, pid, made, made)))
		os.kill(pid, 9)
		os.waitpid(pid, 0)
	P
	timeout 60 python3 -B "$WORK/held.py" "$BATS_TEST_DIRNAME/details.py" "$MNT" 3>&-
}

@test "detail: the same in every format, and in the pin" {
	cat >"$WORK/formats.py" <<-'P'
		import csv, json, os, sys
		tool, mnt, pins = sys.argv[1:]
		sys.path.insert(0, os.path.dirname(tool))
		import details, detail_kinds
		made, _ = detail_kinds.make_all()
		# But for timers, whose time goes on.
		own = {fd for fd, name in made.items() if not name.startswith("timerfd")}
		want = {fd: d for fd, d in details.details(mnt).items() if fd in own}
		base = f"{mnt}/pid/{os.getpid()}"
		with open(f"{base}/csv/task_file.csv", encoding="utf-8", newline="") as file:
		    got = {int(r["fd"]): r["detail"] or None for r in csv.DictReader(file)}
		assert {fd: got[fd] for fd in own} == want
		for path, separator, escape in ((f"{base}/task_file", None, "\\040"), (f"{pins}/task_file", "\t", " ")):
		    with open(path, encoding="utf-8", errors="surrogateescape") as file:
		        lines = [line.split(separator) for line in file.read().split("\n")[:-1]]
		    at = {name.lower(): n for n, name in enumerate(lines[0])}
		    mine = [w for w in lines[1:] if w[at["pid"]] == str(os.getpid())]
		    got = {int(w[at["fd"]]): None if w[at["detail"]] == "-" else w[at["detail"]].replace(escape, " ") for w in mine}
		    assert {fd: got[fd] for fd in own} == want, path
	P
	timeout 60 python3 -B "$WORK/formats.py" "$BATS_TEST_DIRNAME/details.py" "$MNT" "$KVIEW_PIN_DIR" 3>&-
}

# Where types of BPF objects are by name they are so twice.
@test "detail: the names of types are those of the views of BPF objects" {
	local kind
	for kind in map prog link; do
		diff <(sed -n "/^enum ${kind}_type/,/^}/s/^\t[A-Z]*_\([A-Z0-9_]*\) = .*/\L\1/p" "$ROOT/iters/bpf_$kind.bpf.c") \
			<(sed -n "/^static const char kv_bpf_${kind}_names/,/^}/p" "$ROOT/iters/lib/bpf_words.h" | grep -o '"[^"]*"' | tr -d '"')
	done
}
