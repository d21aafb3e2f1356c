#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# The life of a mount: up, down, dead, busy, refused; and the tree it shows.
# shellcheck disable=SC2016 # scripts in single quotes expand in the shell they are for
# shellcheck disable=SC2030,SC2031 # each test is a subshell
bats_require_minimum_version 1.5.0
load common


setup() {
	kview_setup
}

teardown() {
	kview_teardown
}

is_mounted() {
	grep -qF " $MNT fuse.kview " /proc/self/mounts
}

# Nothing is left: no mount, no daemon, no worker, no pins.
all_gone() {
	local pid
	for pid; do
		until_true has_ended "$pid"
	done
	[ "$(grep -cF " $MNT " /proc/self/mounts)" -eq 0 ]
	[ ! -e "$KVIEW_PIN_DIR" ]
	# The mount point is a plain directory again.
	[ -z "$(ls -A "$MNT")" ]
}

# start_front: kview mount -f, whose pid is $FRONT.
start_front() {
	# A shell's background jobs ignore SIGINT.
	env --default-signal=INT "$KVIEW" mount -f "$MNT" 2>"$DIR/front.err" 3>&- &
	FRONT=$!
	mine $FRONT
	until_true is_mounted
	until_true test -e "$MNT/task"
}

# --- up and down ----------------------------------------------------------

@test "mount makes the directory and returns when the mount answers" {
	[ ! -e "$MNT" ]
	up
	# No waiting here: the first read must work.
	[ "$(awk '{print $1; exit}' "$MNT/task")" = PID ]
	kview_umount
}

@test "umount, umount(8), fusermount3 and SIGTERM end the daemon and leave nothing" {
	local pid worker way
	for way in '"$KVIEW" umount "$MNT"' 'umount "$MNT"' 'fusermount3 -u "$MNT"' 'kill $pid' \
		'kill -INT $pid' 'kill -HUP $pid'; do
		echo "$way"
		up
		pid=$(daemon_pid)
		worker=$(worker_pid)
		[ "$(wc -w <<<"$pid")" -eq 1 ]
		[ "$(wc -w <<<"$worker")" -eq 1 ]
		cat "$MNT/task" >/dev/null
		eval "timeout 60 $way" 2>&1 || eval "$way"
		all_gone "$pid" "$worker"
	done
}

@test "umount returns when the daemon has ended and its pins are gone" {
	local pid worker
	for _ in 1 2 3 4 5; do
		up
		pid=$(daemon_pid)
		worker=$(worker_pid)
		kview_umount
		has_ended "$pid"
		has_ended "$worker"
		[ ! -e "$KVIEW_PIN_DIR" ]
	done
}

@test "a mount in front ends at SIGTERM and SIGINT with status 0" {
	local signal rc
	for signal in TERM INT; do
		start_front
		kill -0 $FRONT
		[ "$(daemon_pid)" = $FRONT ]
		kill -$signal $FRONT
		rc=0
		wait $FRONT || rc=$?
		[ $rc -eq 0 ]
		all_gone $FRONT
		[ ! -s "$DIR/front.err" ]
	done
}

# As a terminal that is closed sends them.
@test "signals that come while a mount in front ends do not keep it from that" {
	local i rc
	for i in {1..8}; do
		start_front
		kill -HUP $FRONT
		sleep "0.00$i"
		kill -TERM $FRONT || true
		rc=0
		wait $FRONT || rc=$?
		[ $rc -eq 0 ]
		all_gone $FRONT
	done
}

@test "a mount in front ends with status 0 when it is unmounted" {
	local rc=0
	start_front
	kview_umount
	wait $FRONT || rc=$?
	[ $rc -eq 0 ]
	all_gone $FRONT
}

@test "the daemon keeps no terminal, directory or descriptor of its caller" {
	local pid fd holder
	mkdir "$DIR/cwd"
	exec 8<"$ROOT/Makefile"
	(cd "$DIR/cwd" && timeout 60 "$KVIEW" mount "$MNT" 3>&- 8<&8)
	exec 8<&-
	holder=$(daemon_pid)
	for pid in "$holder" "$(worker_pid)"; do
		[ "$(readlink "/proc/$pid/cwd")" = / ]
		for fd in 0 1 2; do
			[ "$(readlink "/proc/$pid/fd/$fd")" = /dev/null ]
		done
		[ -z "$(find "/proc/$pid/fd" -lname "$ROOT/Makefile")" ]
		[ "$(awk '{print $6, $7}' "/proc/$pid/stat")" = "$holder 0" ]
	done
	kview_umount
}

@test "the mount point may be relative, a link, end in a slash and have an odd name" {
	local odd
	mkdir "$DIR/real"
	ln -s real "$DIR/link"
	(cd "$DIR" && timeout 60 "$KVIEW" mount real/ 3>&-)
	[ -e "$DIR/real/task" ]
	fails 1 "kview is mounted on '$DIR/real' already" "*kview umount*" mount "$DIR/link"
	(cd "$DIR" && timeout 60 "$KVIEW" umount link/)
	[ ! -e "$DIR/real/task" ]
	for odd in "a b" $'tab\there' 'back\slash' 'é' $'new\nline' "-dash" "com,ma"; do
		echo "$odd"
		(cd "$DIR" && timeout 60 "$KVIEW" mount -- "$odd" 3>&-)
		[ -e "$DIR/$odd/task" ]
		(cd "$DIR" && timeout 60 "$KVIEW" umount -- "$odd")
		[ -z "$(ls -A "$DIR/$odd")" ]
	done
	[ ! -e "$KVIEW_PIN_DIR" ]
}

# --- refused --------------------------------------------------------------

@test "a live mount is refused and goes on" {
	up
	fails 1 "kview is mounted on '$MNT' already" "unmount it with: kview umount $MNT" mount "$MNT"
	[ "$(awk '{print $1; exit}' "$MNT/task")" = PID ]
	[ "$(grep -cF " $MNT " /proc/self/mounts)" -eq 1 ]
	[ "$(wc -w <<<"$(daemon_pid)")" -eq 1 ]
	kview_umount
	[ ! -e "$KVIEW_PIN_DIR" ]
}

@test "somebody else's mount is refused and left alone" {
	mkdir "$MNT"
	mount -t tmpfs tmpfs "$MNT"
	touch "$MNT/theirs"
	fails 1 "'$MNT' is in use: *tmpfs*" "choose another*" mount "$MNT"
	[ -e "$MNT/theirs" ]
	fails 1 "no kview is mounted on '$MNT'" "*fuse.kview*" umount "$MNT"
	[ -e "$MNT/theirs" ]
	umount "$MNT"
	[ ! -e "$KVIEW_PIN_DIR" ]
}

# The kernel lists the hidden mount of that path first.
@test "what lies above a kview that a mount higher up hides is left alone" {
	mkdir -p "$DIR/over/mnt"
	MNT=$DIR/over/mnt up
	mount -t tmpfs over "$DIR/over"
	mkdir "$DIR/over/mnt"
	mount -t tmpfs theirs "$DIR/over/mnt"
	touch "$DIR/over/mnt/theirs"
	fails 1 "no kview is mounted on '$DIR/over/mnt'" "*fuse.kview*" umount "$DIR/over/mnt"
	fails 1 "'$DIR/over/mnt' is in use: *tmpfs*" "choose another*" mount "$DIR/over/mnt"
	[ -e "$DIR/over/mnt/theirs" ]
	umount "$DIR/over/mnt"
	umount "$DIR/over"
	timeout 20 "$KVIEW" umount "$DIR/over/mnt"
}

@test "a mount point that can't be one is refused" {
	touch "$DIR/file"
	fails 1 "the mount point '$DIR/file' is not a directory" "*" mount "$DIR/file"
	fails 1 "can't use '$DIR/no/such/dir' as a mount point: No such file*" "*mkdir -p*" mount "$DIR/no/such/dir"
	fails 1 "can't use '$DIR/file/dir' as a mount point: Not a directory" "*" mount "$DIR/file/dir"
	ln -s nowhere "$DIR/dangling"
	fails 1 "*'$DIR/dangling'*" "*" mount "$DIR/dangling"
	# Whatever an empty name is taken for must not be a directory of somebody's.
	mkdir "$DIR/here"
	cd "$DIR/here"
	fails 1 "*''*" "*" mount ""
	fails 1 "*''*" "*" umount ""
	fails 1 "*'nowhere/.'*" "*" mount nowhere/.
	fails 1 "*'nowhere/..'*" "*" mount nowhere/..
	[ "$(grep -cF "$DIR" /proc/self/mounts)" -eq 0 ]
	[ -z "$(ls -A "$DIR/here")" ]
	[ ! -e "$KVIEW_PIN_DIR" ]
}

@test "umount of what is not mounted says so" {
	mkdir "$MNT"
	fails 1 "no kview is mounted on '$MNT'" "*fuse.kview*" umount "$MNT"
	fails 1 "no kview is mounted on '$DIR/none'" "*fuse.kview*" umount "$DIR/none"
	fails 1 "no kview is mounted on '/proc'" "*fuse.kview*" umount /proc
	fails 1 "*'/no/such'*" "*" umount /no/such
}

@test "a user without rights can't mount, unmount or look" {
	chmod 755 "$DIR"
	install -m 755 "$KVIEW" "$DIR/kview"
	mkdir -m 777 "$DIR/theirs"
	run -1 timeout 60 setpriv --reuid 65534 --regid 65534 --clear-groups \
		"$DIR/kview" mount "$DIR/theirs/mnt"
	[[ $output == *"kview: "*"hint: "*root* ]]
	up
	run -1 timeout 60 setpriv --reuid 65534 --regid 65534 --clear-groups "$DIR/kview" umount "$MNT"
	[[ $output == *"kview: can't unmount '$MNT': Operation not permitted"*"hint: "*root* ]]
	run -1 setpriv --reuid 65534 --regid 65534 --clear-groups cat "$MNT/task"
	[[ $output == *"Permission denied"* ]]
	is_mounted
	kview_umount
}

@test "a pin directory outside a BPF file system is refused and not left behind" {
	fails 1 "the pin directory '$DIR/pins' is not in a BPF file system" "*sys/fs/bpf*" \
		mount --pin-dir "$DIR/pins" "$MNT"
	[ ! -e "$DIR/pins" ]
	mkdir "$DIR/pins"
	fails 1 "the pin directory '$DIR/pins' is not in a BPF file system" "*sys/fs/bpf*" \
		mount -o "pin_dir=$DIR/pins" "$MNT"
	[ -z "$(ls -A "$DIR/pins")" ]
	fails 1 "can't create the pin directory '$KVIEW_PIN_DIR/a/b': No such file*" "*" \
		load --pin-dir "$KVIEW_PIN_DIR/a/b"
	# bpffs takes no dot in a name.
	fails 1 "can't create the pin directory '$KVIEW_PIN_DIR.x': *" "*" load --pin-dir "$KVIEW_PIN_DIR.x"
	[ "$(grep -cF " $MNT " /proc/self/mounts)" -eq 0 ]
}

# --- dead, shared, busy ---------------------------------------------------

# The kernel may say "connection abort" first.
is_dead() {
	stat -f "$MNT" 2>&1 | grep -q "not connected"
}

@test "a dead mount is replaced by mount and taken away by umount" {
	local pid
	up
	pid=$(daemon_pid)
	kill -KILL "$pid"
	until_true no_daemon
	until_true is_dead
	up
	[ "$(awk '{print $1; exit}' "$MNT/task")" = PID ]
	[ "$(grep -cF " $MNT " /proc/self/mounts)" -eq 1 ]
	pid=$(daemon_pid)
	kill -KILL "$pid"
	until_true has_ended "$pid"
	kview_umount
	[ "$(grep -cF " $MNT " /proc/self/mounts)" -eq 0 ]
	"$KVIEW" unload
	[ ! -e "$KVIEW_PIN_DIR" ]
}

# Numbers of the BPF links that a process holds.
link_ids() {
	grep -hs '^link_id' /proc/"$1"/fdinfo/* | sort -u
}

@test "a second mount shares the pins and outlives the first" {
	local first second
	up
	first=$(daemon_pid)
	timeout 60 "$KVIEW" mount "$DIR/second" 3>&-
	second=$(MNT=$DIR/second daemon_pid)
	# One link per view is common, each has another for listing pid/.
	[ "$(comm -12 <(link_ids "$first") <(link_ids "$second") | wc -l)" -eq "$(wc -w <<<"$LINKED_VIEWS")" ]
	kview_umount
	[ "$(pinned)" = "$VIEWS" ]
	[ "$(awk '$1 == '$$' {print $1; exit}' "$DIR/second/task")" = $$ ]
	# And a third that comes while only the second is there uses them again.
	up
	[ "$(comm -12 <(link_ids "$(daemon_pid)") <(link_ids "$second") | wc -l)" -eq "$(wc -w <<<"$LINKED_VIEWS")" ]
	timeout 60 "$KVIEW" umount "$DIR/second"
	[ "$(awk '$1 == '$$' {print $1; exit}' "$MNT/task")" = $$ ]
	kview_umount
	[ ! -e "$KVIEW_PIN_DIR" ]
}

@test "umount of a mount in use fails, says who to ask, and the mount goes on" {
	up
	exec 7<"$MNT/task"
	fails 1 "can't unmount '$MNT': Device or resource busy" "*fuser -m $MNT*" umount "$MNT"
	[ "$(awk '{print $1; exit}' "$MNT/task")" = PID ]
	read -r -u 7
	[[ $REPLY == *PID* ]]
	exec 7<&-
	(cd "$MNT/json" && fails 1 "can't unmount '$MNT': Device or resource busy" "*" umount "$MNT")
	kview_umount
	[ ! -e "$KVIEW_PIN_DIR" ]
}

# --- the tree -------------------------------------------------------------

@test "the mount has the type, source and options of the contract" {
	local source type options
	up -o rw,dev,suid,exec
	read -r source type options < <(awk -v m="$MNT" '$2 == m {print $1, $3, $4}' /proc/self/mounts)
	[ "$source" = kview ]
	[ "$type" = fuse.kview ]
	local o
	for o in ro nosuid nodev noexec default_permissions; do
		[[ ,$options, == *,$o,* ]]
	done
	[[ ,$options, != *,allow_other,* ]]
	kview_umount
}

@test "the tree is exactly that of the contract" {
	local v
	up
	{
		echo "d 555 ."
		for v in csv json pid schema; do echo "d 555 $v"; done
		echo "d 500 map"
		for v in $ALL_VIEWS; do
			mode=400
			[[ " $OPEN_VIEWS " != *" $v "* ]] || mode=444
			printf "f $mode %s\n" "$v" "json/$v.json" "csv/$v.csv"
			echo "f 444 schema/$v"
		done
		echo "f 400 status"
		echo "l 777 pid/self"
	} | sort >"$DIR/want"
	(cd "$MNT" && find . -regex '\./\(pid\|map\)/[0-9]+.*' -prune -o -printf '%y %m %P\n') |
		sed 's/ $/ ./' | sort >"$DIR/got"
	diff -u "$DIR/want" "$DIR/got"
	{
		for v in . csv json; do echo "d 555 $v"; done
		for v in $TASK_VIEWS; do
			printf 'f 444 %s\n' "$v" "json/$v.json" "csv/$v.csv"
		done
	} | sort >"$DIR/want"
	(cd "$MNT/pid/$$" && find . -printf '%y %m %P\n') | sed 's/ $/ ./' | sort >"$DIR/got"
	diff -u "$DIR/want" "$DIR/got"
	# Size 0 and root's, all of them; nlink as find's leaf optimisation needs it.
	[ "$(find "$MNT" -path "$MNT/pid/*" -prune -o -printf '%s %U %G\n' | sort -u)" = "0 0 0" ]
	[ "$(stat -c %h "$MNT" "$MNT/json" "$MNT/pid/$$" | paste -sd ' ')" = "7 2 4" ]
	[ "$(find "$MNT" -path "$MNT/pid/*" -prune -o -printf '%i\n' | sort | uniq -d)" = "" ]
	kview_umount
}

@test "every directory can be listed, also with ls -la, twice, and from the middle" {
	local d
	up
	for d in . json csv schema "pid/$$" "pid/$$/json" "pid/$$/csv"; do
		ls -la "$MNT/$d" >/dev/null
		[ "$(ls "$MNT/$d")" = "$(ls "$MNT/$d")" ]
	done
	ls -f "$MNT/pid" >/dev/null
	ls -la "$MNT/pid" >/dev/null 2>&1 || true # some process may just have died
	# Rewound in the middle, a directory starts over: libc's own seekdir and rewinddir.
	python3 - "$MNT" <<-'PY'
		import ctypes, os, sys
		libc = ctypes.CDLL(None, use_errno=True)
		class dirent(ctypes.Structure):
		    _fields_ = [("ino", ctypes.c_uint64), ("off", ctypes.c_int64),
		                ("len", ctypes.c_uint16), ("type", ctypes.c_uint8),
		                ("name", ctypes.c_char * 256)]
		libc.opendir.restype = ctypes.c_void_p
		libc.readdir.restype = ctypes.POINTER(dirent)
		libc.telldir.restype = ctypes.c_long
		for f in "readdir", "rewinddir", "telldir", "closedir":
		    getattr(libc, f).argtypes = [ctypes.c_void_p]
		libc.seekdir.argtypes = [ctypes.c_void_p, ctypes.c_long]
		for sub in "", "/json", "/pid":
		    d = libc.opendir((sys.argv[1] + sub).encode())
		    assert d
		    def names():
		        out = []
		        while True:
		            e = libc.readdir(d)
		            if not e:
		                return out
		            out.append((e.contents.name, libc.telldir(d)))
		    first = names()
		    assert len(first) >= 5, first
		    assert [n for n, _ in first[:2]] == [b".", b".."], first
		    libc.rewinddir(d)
		    again = names()
		    if sub != "/pid":
		        assert first == again, (first, again)
		    libc.seekdir(d, first[2][1])
		    rest = [n for n, _ in names()]
		    assert rest[0] == first[3][0], (rest[:3], first[:5])
		    libc.closedir(d)
	PY
	kview_umount
}

@test "nothing can be written, made, removed or changed" {
	local f command
	up
	# shellcheck disable=SC2034 # the commands use it
	for f in task json/task.json schema/task "pid/$$/task"; do
		for command in ': >"$MNT/$f"' ': >>"$MNT/$f"' 'rm "$MNT/$f"' 'chmod 600 "$MNT/$f"' \
			'mv "$MNT/$f" "$MNT/x"' 'ln "$MNT/$f" "$MNT/x"' 'touch "$MNT/$f"' \
			'chown 1 "$MNT/$f"' 'truncate -s 1 "$MNT/$f"' 'python3 -c "open(\"$MNT/$f\", \"r+\")"'; do
			run ! eval "$command"
			[[ $output == *"Read-only file system"* ]]
		done
	done
	for command in 'mkdir "$MNT/x"' ': >"$MNT/x"' 'ln -s x "$MNT/x"' 'mkfifo "$MNT/x"' \
		'rmdir "$MNT/json"' 'mkdir "$MNT/pid/999"' 'mv "$MNT/json" "$MNT/x"' ': >"$MNT/json/x"'; do
		run ! eval "$command"
		[[ $output == *"Read-only file system"* || $output == *"File exists"* ]]
	done
	# Not executable either, and without extended attributes.
	run ! "$MNT/task"
	run ! python3 -c 'import os, sys; os.getxattr(sys.argv[1], "user.x")' "$MNT/task"
	[[ $output == *"not supported"* ]]
	run ! mount -o remount,rw "$MNT" || true
	kview_umount
}

@test "names that are not there are not found" {
	local n
	up
	for n in nosuch Task task.json json/task json/task.csv csv/task.json schema/task.json json/nosuch.json \
		pid/nosuch pid/self/nosuch pid/self/kmem_cache pid/self/schema pid/self/pid pid/self/json/kmem_cache.json; do
		[ ! -e "$MNT/$n" ]
		run ! cat "$MNT/$n"
		[[ $output == *"No such file or directory"* ]]
	done
	run ! cat "$MNT/task/x"
	[[ $output == *"Not a directory"* ]]
	run ! stat "$MNT/$(printf 'x%.0s' {1..255})"
	[[ $output == *"No such file or directory"* ]]
	kview_umount
}

@test "df and stat -f take the mount for an empty file system" {
	up
	[ "$(stat -f -c '%b %f %a %c %d %l' "$MNT")" = "0 0 0 0 0 255" ]
	timeout 60 df "$MNT" | grep -qE "^kview +0 +0 +0 +- +$MNT\$"
	timeout 60 df -a | grep -qF "$MNT"
	kview_umount
}

@test "find over the whole tree ends, also while processes come and go" {
	local churn
	up
	(while :; do /bin/true; done) 3>&- &
	churn=$!
	mine $churn
	timeout 60 find "$MNT" >"$DIR/found" 2>"$DIR/errors" || true
	kill $churn
	[ "$(grep -c "^$MNT/pid/$$/" "$DIR/found")" -eq $((2 + 3 * $(wc -w <<<"$TASK_VIEWS"))) ]
	[ "$(grep -cvF 'No such file or directory' "$DIR/errors")" -eq 0 ]
	[ "$(grep -cE "^$MNT/pid/[0-9]+$" "$DIR/found")" -gt 5 ]
	kview_umount
}
