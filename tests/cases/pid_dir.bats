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
	local pid
	while read -r pid; do mine "$pid"; done <"$DIR/many"
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

@test "pid/ and stat tell the same inode numbers, and no two files share one" {
	start_family
	# A directory, json/, csv/, and a file of each view in each.
	python3 - "$MNT" "$LEADER" "$ZOMBIE" "$((3 + 3 * $(wc -w <<<"$TASK_VIEWS")))" <<-'PY'
		import os, sys
		mnt, leader, zombie, each = sys.argv[1:]
		def number(path):
		    try:
		        return os.stat(path, follow_symlinks=False).st_ino
		    except FileNotFoundError:
		        return None
		def below(path):
		    """Of everything below: what stat says; the listing must say the same."""
		    found = {path: number(path)}
		    with os.scandir(path) as entries:
		        for e in sorted(entries, key=lambda e: e.name):
		            assert e.inode() == number(e.path), e.path
		            found.update(below(e.path) if e.is_dir() else {e.path: number(e.path)})
		    return found
		with os.scandir(mnt + "/pid") as entries:
		    listed = {e.name: e.inode() for e in entries}
		stated = {name: number(f"{mnt}/pid/{name}") for name in listed}
		lasting = {n for n, ino in stated.items() if ino}
		assert {leader, zombie, "2", str(os.getpid()), "self"} <= lasting
		assert len({listed[n] for n in lasting}) == len(lasting)
		assert all(listed[n] == stated[n] for n in lasting)
		files = {}
		for pid in leader, zombie, "2":
		    files.update(below(f"{mnt}/pid/{pid}"))
		    assert files == {**files, **below(f"{mnt}/pid/{pid}")}  # and again
		assert len(files) == 3 * int(each), files
		assert len(set(files.values())) == len(files)
	PY
}

@test "a number that a later process has got is another directory" {
	python3 - "$MNT" <<-'PY'
		import ctypes, errno, os, signal, struct, sys
		libc = ctypes.CDLL(None, use_errno=True)
		SYS_CLONE3, TRIES = 435, 20
		def wait_for_end():
		    try:
		        signal.pause()
		    finally:
		        os._exit(1)
		def child():
		    pid = os.fork()
		    return pid or wait_for_end()
		def child_numbered(pid):
		    """Like fork, but the number is given: set_tid of clone3(2)."""
		    numbers = (ctypes.c_int * 1)(pid)
		    args = struct.pack("=11Q", 0, 0, 0, 0, signal.SIGCHLD, 0, 0, 0,
		                       ctypes.addressof(numbers), 1, 0)
		    got = libc.syscall(SYS_CLONE3, args, len(args))
		    return got if got else wait_for_end()
		def end(pid):
		    os.kill(pid, signal.SIGKILL)
		    os.waitpid(pid, 0)
		def fails(call, *args, **kw):
		    try:
		        got = call(*args, **kw)
		    except OSError as e:
		        assert e.errno in (errno.ENOENT, errno.ESTALE), e
		    else:
		        raise AssertionError(f"no error but {got!r}")
		def read_all(fd, got):
		    while chunk := os.read(fd, 4096):
		        got[0] += chunk
		def look(mnt):
		    pid = child()
		    path = f"{mnt}/pid/{pid}"
		    old = os.stat(path).st_ino
		    held = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
		    within = os.open("json", os.O_RDONLY | os.O_DIRECTORY, dir_fd=held)
		    unread, begun = (os.open(path + "/task", os.O_RDONLY) for _ in range(2))
		    assert os.read(begun, 100)
		    end(pid)
		    fails(os.stat, path)
		    if child_numbered(pid) != pid:
		        return False  # somebody took the number
		    try:
		        # By the old names there is nothing, by its own there is the new one.
		        for name in "task", "json", "json/task.json":
		            fails(os.stat, name, dir_fd=held)
		            fails(os.open, name, os.O_RDONLY, dir_fd=held)
		        fails(os.stat, "task.json", dir_fd=within)
		        os.lseek(begun, 0, os.SEEK_SET)
		        for fd in unread, begun:
		            got = [b""]
		            fails(read_all, fd, got)
		            assert got[0].count(b"\n") <= 1, got  # not a row under the header
		        assert os.stat(path).st_ino != old
		        with open(path + "/task") as f:
		            assert f.read().splitlines()[1].split()[0] == str(pid)
		    finally:
		        end(pid)
		    return True
		assert any(look(sys.argv[1]) for _ in range(TRIES)), "never got the number"
	PY
}

# As open(2) of /proc/N/maps says it; here who may not look learns it by reading.
@test "tables that a user has no right to are an error at the reader, not empty" {
	chmod 755 "$DIR"
	timeout 60 "$KVIEW" mount -o allow_other "$DIR/open" 3>&-
	sleep 300 3>&- &
	mine $!
	python3 - "$DIR/open" $! <<-'PY'
		import errno, os, sys
		mnt, other = sys.argv[1:]
		os.setgroups([])
		os.setresgid(65534, 65534, 65534)
		os.setresuid(65534, 65534, 65534)
		def attempt(path):
		    fd = os.open(path, os.O_RDONLY)
		    try:
		        return os.read(fd, 65536)
		    except OSError as e:
		        return e.errno
		    finally:
		        os.close(fd)
		def forms(pid, view):
		    base = f"{mnt}/pid/{pid}/"
		    return [base + view, base + f"json/{view}.json", base + f"csv/{view}.csv"]
		for view in "task_file", "task_vma":
		    for path in forms(other, view):
		        got = attempt(path)
		        assert got == errno.EACCES, (path, got)
		    for path in forms("self", view):
		        assert str(os.getpid()).encode() in attempt(path), path
		for path in forms(other, "task"):
		    assert other.encode() in attempt(path), path
		# It fails again until offset 0 is read, and then as well.
		fd = os.open(forms(other, "task_file")[0], os.O_RDONLY)
		for _ in range(3):
		    try:
		        got = os.read(fd, 100)
		    except OSError as e:
		        got = e.errno
		    assert got == errno.EACCES, got
		    os.lseek(fd, 0, os.SEEK_SET)
	PY
	# Who may look has the rows.
	[ "$(awk 'NR > 1 {print $1}' "$DIR/open/pid/$!/task_vma" | sort -u)" = $! ]
	timeout 60 "$KVIEW" umount "$DIR/open"
}

@test "a process that ended is not found, whoever looks, and not denied" {
	local n
	start_family
	chmod 755 "$DIR"
	timeout 60 "$KVIEW" mount -o allow_other "$DIR/open" 3>&-
	true &
	wait $!
	for n in $! "$THREAD"; do
		run ! setpriv --reuid 65534 --regid 65534 --clear-groups cat "$DIR/open/pid/$n/task_file"
		[[ $output == *"No such file or directory"* ]]
	done
	timeout 60 "$KVIEW" umount "$DIR/open"
}
