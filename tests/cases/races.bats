#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# What went wrong once when two things happened at the same time.

load common
bats_require_minimum_version 1.5.0

setup() {
	kview_setup
}

teardown() {
	kview_teardown
}

@test "threads that end amid a slow read of pid/PID/task are no silent end" {
	kview_mount 3>&-
	timeout 200 python3 - "$MNT" <<-'P'
		import os, sys, threading
		gate, late = threading.Event(), threading.Event()
		threads = [threading.Thread(target=(gate if i < 900 else late).wait) for i in range(1000)]
		for t in threads:
		    t.start()
		stay = {t.native_id for t in threads[900:]}
		fd = os.open(f"{sys.argv[1]}/pid/{os.getpid()}/task", os.O_RDONLY)
		got = os.read(fd, 4096)
		gate.set()
		for t in threads[:900]:
		    t.join()
		failed = False
		try:
		    while chunk := os.read(fd, 65536):
		        got += chunk
		except OSError as e:
		    failed = e.errno == 5
		rows = got.decode().splitlines()
		seen = {int(r.split()[1]) for r in rows[1:] if len(r.split()) > 1}
		late.set()
		if not failed and not stay <= seen:
		    sys.exit(f"an end without an error, {len(stay - seen)} threads that stayed are missing")
		# Starting over gives all of them.
		os.lseek(fd, 0, os.SEEK_SET)
		if not os.read(fd, 4096).startswith(b"    PID"):
		    sys.exit("offset 0 does not start over")
	P
}

@test "descriptors and mappings that go amid a slow read leave a whole file, no error" {
	kview_mount 3>&-
	timeout 200 python3 -B - "$MNT" <<-'P'
		import mmap, os, resource, sys, threading
		resource.setrlimit(resource.RLIMIT_NOFILE, (19000, 19000))
		maps = [mmap.mmap(-1, 4096, prot=mmap.PROT_READ | i % 2 * mmap.PROT_WRITE) for i in range(16000)]
		def file(view):
		    return os.open(f"{sys.argv[1]}/pid/{os.getpid()}/csv/{view}.csv", os.O_RDONLY)
		def rest(fd, got):
		    while chunk := os.read(fd, 65536):
		        got += chunk
		    os.close(fd)
		    rows = got.decode().splitlines()
		    assert got.endswith(b"\n") and len({r.count(",") for r in rows}) == 1, rows[-1]
		    return rows
		def numbers(rows, column):
		    at = rows[0].split(",").index(column)
		    return {row.split(",")[at] for row in rows[1:]}
		# Alone, and beside other threads with the same table.
		for threads in (0, 5):
		    stay = threading.Event()
		    for _ in range(threads):
		        threading.Thread(target=stay.wait, daemon=True).start()
		    for fd in range(100, 18000):
		        os.dup2(0, fd)
		    fd = file("task_file")
		    got = os.read(fd, 4096)
		    os.closerange(100, 18000)
		    left = {str(n) for n in range(100) if os.path.exists(f"/proc/self/fd/{n}")}
		    rows = rest(fd, got)
		    print(len(rows), "rows of descriptors")
		    assert len(rows) < 17900 and left and left <= numbers(rows, "fd")
		    stay.set()
		def starts():
		    with open("/proc/self/maps", encoding="ascii") as proc:
		        return {line.split("-")[0].zfill(16) for line in proc}
		before, fd = starts(), file("task_vma")
		got = os.read(fd, 4096)
		for m in maps:
		    m.close()
		rows = rest(fd, got)
		left = before & starts()
		print(len(rows), "rows of mappings")
		assert len(rows) < 15900 and left and left <= {n.zfill(16) for n in numbers(rows, "start")}
	P
}

@test "a thread that ends amid a slow read of its own descriptors is no silent end" {
	kview_mount 3>&-
	timeout 200 python3 -B - "$MNT" <<-'P'
		import ctypes, os, resource, sys, threading
		resource.setrlimit(resource.RLIMIT_NOFILE, (19000, 19000))
		libc, ready = ctypes.CDLL(None, use_errno=True), threading.Barrier(4)
		ends = [threading.Event() for _ in range(3)]
		def own_table(end):
		    assert libc.unshare(0x400) == 0  # CLONE_FILES
		    for fd in range(100, 18000):
		        os.dup2(0, fd)
		    ready.wait()
		    end.wait()
		threads = [threading.Thread(target=own_table, args=(end,), daemon=True) for end in ends]
		for t in threads:
		    t.start()
		ready.wait()
		first, *stay = sorted(t.native_id for t in threads)
		fd = os.open(f"{sys.argv[1]}/pid/{os.getpid()}/csv/task_file.csv", os.O_RDONLY)
		def tids(text):
		    return {row.split(",")[1] for row in text.decode().splitlines()[1:] if row.count(",") > 2}
		got, error = b"", None
		while str(first) not in tids(got):
		    got += os.read(fd, 4096)
		gone = next(i for i, t in enumerate(threads) if t.native_id == first)
		ends[gone].set()
		while os.path.exists(f"/proc/self/task/{first}"):
		    pass
		try:
		    while chunk := os.read(fd, 65536):
		        got += chunk
		except OSError as e:
		    error = e.errno
		seen = tids(got)
		print(f"error {error}, rows of {seen},", got.decode().count(f",{first},"), "of the one that ended")
		assert error == 5 or {str(t) for t in stay} <= seen
		for end in ends:
		    end.set()
	P
}

@test "a first thread that ends amid a slow read of its mappings is no silent end" {
	kview_mount 3>&-
	mkfifo "$DIR/go"
	python3 -B - "$DIR/go" >"$DIR/ready" 3>&- <<-'P' &
		import ctypes, mmap, sys, threading, time
		maps = [mmap.mmap(-1, 4096, prot=mmap.PROT_READ | i % 2 * mmap.PROT_WRITE) for i in range(16000)]
		threading.Thread(target=time.sleep, args=(300,)).start()
		print("ready", flush=True)
		open(sys.argv[1]).read()
		ctypes.CDLL(None).pthread_exit(None)
	P
	mine $!
	until_true grep -q ready "$DIR/ready"
	timeout 60 python3 -B - "$MNT/pid/$!/csv/task_vma.csv" "$DIR/go" "/proc/$!" <<-'P'
		import sys, time
		path, go, proc = sys.argv[1:]
		with open(path, "rb", buffering=0) as file:
		    got, error = file.read(4096), None
		    open(go, "w").close()
		    while open(f"{proc}/stat").read().rpartition(") ")[2][0] != "Z":
		        time.sleep(0.01)
		    try:
		        while chunk := file.read(65536):
		            got += chunk
		    except OSError as e:
		        error = e.errno
		print(f"error {error} after {got.count(10)} lines")
		assert error == 5 or got.count(10) > 16000
		# Another thread has them.
		with open(path, "rb", buffering=0) as file:
		    assert len(file.readall().splitlines()) > 16000
	P
}

@test "kview cat ended by a signal leaves nobody registered as a reader" {
	local i map prog
	"$KVIEW" load
	for i in $(seq 60); do
		timeout -s INT "0.0$((i % 40 + 10))" "$KVIEW" cat task_vma >"$DIR/out" || true
	done
	# Of these pins: others on the machine may be reading just now.
	prog=$(bpftool -j link show pinned "$KVIEW_PIN_DIR/task_vma" | jq .prog_id)
	for map in $(bpftool -j prog show id "$prog" | jq '.map_ids[]'); do
		[ "$(bpftool -j map show id "$map" | jq -r .name)" = kv_readers ] || continue
		run -0 bpftool -j map dump id "$map"
		[ "$(jq length <<<"$output")" -eq 0 ]
		i=found
	done
	[ "$i" = found ]
}

@test "umount of an older mount leaves the pins of a later load alone" {
	kview_mount 3>&-
	"$KVIEW" unload
	"$KVIEW" load
	kview_umount
	[ -e "$KVIEW_PIN_DIR/task" ]
	head -n 1 "$KVIEW_PIN_DIR/task" | grep -q '^PID'
}

@test "a pin directory inside another that is in use is no deadlock" {
	kview_mount 3>&-
	run -0 timeout 60 "$KVIEW" load --pin-dir "$KVIEW_PIN_DIR/sub"
	run -0 timeout 60 "$KVIEW" unload --pin-dir "$KVIEW_PIN_DIR/sub"
	kview_umount
}

@test "a mistyped command with a path mounts nothing" {
	mkdir "$MNT"
	run -2 timeout 60 "$KVIEW" unmount "$MNT"
	run ! grep -q " $MNT " /proc/self/mounts
}

@test "of two mounts on one directory at once one is refused" {
	local i rcs a b
	for i in 1 2 3 4 5; do
		timeout 60 "$KVIEW" mount "$MNT" 2>>"$DIR/errors" 3>&- &
		a=$!
		timeout 60 "$KVIEW" mount "$MNT" 2>>"$DIR/errors" 3>&- &
		b=$!
		rcs=0
		wait $a || rcs=$((rcs + 1))
		wait $b || rcs=$((rcs + 1))
		[ "$rcs" -eq 1 ]
		[ "$(grep -c " $MNT fuse.kview" /proc/self/mounts)" -eq 1 ]
		kview_umount
	done
	grep -qE 'about to mount|mounted on' "$DIR/errors"
}

@test "started with standard streams closed, a mount keeps its pins and its locks" {
	kview_mount 3>&-
	timeout 60 "$KVIEW" mount "$DIR/second" <&- >&- 2>&- 3>&-
	timeout 60 "$KVIEW" umount "$DIR/second"
	[ -e "$KVIEW_PIN_DIR/task" ]
	kview_umount
	[ ! -e "$KVIEW_PIN_DIR" ]
	run -1 bash -c "'$KVIEW' cat task >&-"
}

@test "a daemon started with few descriptors serves many files" {
	prlimit --nofile=256:8192 timeout 60 "$KVIEW" mount "$MNT" 3>&-
	timeout 200 python3 - "$MNT" <<-'P'
		import os, resource, sys
		resource.setrlimit(resource.RLIMIT_NOFILE, (2048, 8192))
		fds = [os.open(f"{sys.argv[1]}/task_file", os.O_RDONLY) for _ in range(600)]
		for fd in fds:
		    assert os.read(fd, 512).startswith(b"    PID")
		assert os.readlink(f"{sys.argv[1]}/pid/self") == str(os.getpid())
	P
}

@test "neighbours of the heap are not the heap" {
	kview_mount 3>&-
	timeout 200 python3 - "$MNT" <<-'P'
		import ctypes, os, sys
		libc = ctypes.CDLL(None, use_errno=True)
		libc.mmap.restype = ctypes.c_void_p
		libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
		libc.sbrk.restype = ctypes.c_void_p
		heap = [l.split()[0] for l in open("/proc/self/maps") if "[heap]" in l]
		start, end = int(heap[0].split("-")[0], 16), int(heap[-1].split("-")[1], 16)
		ANON_PRIVATE_FIXED_NOREPLACE = 0x100022
		made = [libc.mmap(at, 4096, 3, ANON_PRIVATE_FIXED_NOREPLACE, -1, 0) for at in (start - 4096, end)]
		assert start - 4096 in made or end in made
		want = [(l.split()[0], " ".join(l.split()[5:]) or "-") for l in open("/proc/self/maps")]
		for line in open(f"{sys.argv[1]}/pid/self/task_vma").readlines()[1:]:
		    f = line.split()
		    name = dict(want).get(f"{f[1]}-{f[2]}")
		    if (f[8] == "[heap]") != (name == "[heap]"):
		        sys.exit(f"{f[1]}-{f[2]}: {f[8]}, but {name} in maps")
	P
}

# The last row of a process is written when there are no more mappings, and has no place then.
@test "a walk that ends just where the kernel's buffer does is whole" {
	kview_mount 3>&-
	timeout 200 python3 - "$MNT" <<-'P'
		import ctypes, os, subprocess, sys
		SUBJECT = """
		import ctypes, sys
		libc = ctypes.CDLL(None)
		libc.mmap.restype = ctypes.c_void_p
		libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
		for i, line in enumerate(sys.stdin):
		    libc.mmap(0x600000000000 + i * 8192, 4096, 1 + i % 2 * 2, 0x100022, -1, 0)
		    print(i, flush=True)
		"""
		subject = subprocess.Popen([sys.executable, "-c", SUBJECT.replace("\n\t\t", "\n")],
		                           stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
		for i in range(1000):
		    subject.stdin.write("\n")
		    assert subject.stdout.readline() == f"{i}\n"
		    if i < 200:
		        continue
		    with open(f"/proc/{subject.pid}/maps") as f:
		        want = [line.split()[0] for line in f]
		    with open(f"{sys.argv[1]}/pid/{subject.pid}/csv/task_vma.csv") as f:
		        got = ["-".join(line.split(",")[1:3]) for line in f][1:]
		    assert got == want, (i, got[-2:], want[-2:])
		subject.stdin.close()
		subject.wait()
	P
}

# Its memory is not what it will be, and its rights are not yet: maps waits for that.
@test "a process that is just executing another program shows nothing half done" {
	grep -qF '[vsyscall]' /proc/self/maps || skip "this machine has no [vsyscall]"
	kview_mount 3>&-
	# In a pid namespace of their own: other processes have too many rows.
	timeout 200 unshare --pid --fork --kill-child --mount-proc python3 - "$MNT/csv/task_vma.csv" 3>&- <<-'P'
		import csv, subprocess, sys
		blocks = 0
		for i in range(4):
		    subprocess.Popen(["bash", "-c", "while :; do /bin/true; done"])
		for _ in range(100):
		    last = {}
		    with open(sys.argv[1], newline="", errors="replace") as f:
		        for row in csv.DictReader(f):
		            assert row["pid"] not in last or last[row["pid"]] != "[vsyscall]", row
		            last[row["pid"]] = row["path"]
		    blocks += len(last)
		    without = {pid: path for pid, path in last.items() if path != "[vsyscall]"}
		    assert not without, without
		assert blocks > 300, blocks
	P
}
