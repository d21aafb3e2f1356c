#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# A live mount is taken over by another daemon: nobody's open fails, and what is
# served from then on is the new daemon's.
# shellcheck disable=SC2016 # awk and sh have their own
# shellcheck disable=SC2030,SC2031 # each test is a subshell
bats_require_minimum_version 1.5.0
# bats file_tags=slow
load common

setup() {
	kview_setup
	chmod 755 "$DIR"
}

teardown() {
	kview_teardown
}

up() {
	kview_mount "$@" 3>&-
	mine "$(daemon_pid)"
}

# again OPTION...: with the daemon that was there gone, and one alone in its place
again() {
	local old
	old=$(daemon_pid)
	kview_mount --takeover "$@" 3>&-
	# It returns when the old one has ended: no waiting here.
	has_ended "$old"
	[ "$(wc -w <<<"$(daemon_pid)")" -eq 1 ]
	mine "$(daemon_pid)"
	[ "$(grep -cF " $MNT " /proc/self/mounts)" -eq 1 ]
}

# handover CASE ARG...: one of handover.py; what it says as comments of TAP.
handover() {
	told handover.py "$@"
}

link_ids() {
	sed -n 's/^link_id:[[:space:]]*//p' /proc/"$(daemon_pid)"/fdinfo/* | sort -n
}

@test "six takeovers under readers of all kinds: no open fails, reads are whole or ESTALE" {
	up -o allow_other
	handover running "$KVIEW" "$MNT" 6
	down
}

@test "the mount goes on with new links, and its status begins anew" {
	local before inode
	up
	head -c 1 "$MNT/task" >/dev/null
	before=$(link_ids)
	inode=$(stat -c %i "$MNT/task")
	again
	[ "$(value restarts) $(value task.reads)" = "0 0" ]
	[ "$(value holder)" = "$(daemon_pid)" ]
	[ "$(stat -c %i "$MNT/task")" = "$inode" ]
	[ -z "$(comm -12 <(sort <<<"$before") <(link_ids | sort))" ]
	# What the pins run is what the new daemon runs.
	timeout 60 cat "$KVIEW_PIN_DIR/task" >/dev/null
	kill -KILL "$(worker_pid)"
	until_true test "$(value restarts)" = 1
	down
}

@test "options are those of the takeover" {
	up -o allow_other,max_files=100
	[ "$(value max_files) $(value hidepid) $(stat -c %a "$MNT/kmem_cache" "$MNT/map" | xargs)" = "100 0 400 500" ]
	run -1 as_user head -n 1 "$MNT/kmem_cache"
	again -o allow_other,hidepid=2,mode=0444
	# Without the minute for which the kernel may keep attributes.
	[ "$(value max_files)" -gt 100 ]
	[ "$(value hidepid) $(stat -c %a "$MNT/kmem_cache" "$MNT/map" | xargs)" = "2 444 555" ]
	as_user head -n 1 "$MNT/kmem_cache"
	again -o allow_other
	[ "$(value hidepid) $(stat -c %a "$MNT/kmem_cache" "$MNT/map" | xargs)" = "0 400 500" ]
	run -1 as_user head -n 1 "$MNT/kmem_cache"
	down
}

@test "views come and go with a takeover, and names mean the same views as before" {
	mkdir "$DIR/iters"
	cp "$TOOLS/iters/map_list.bpf.o" "$DIR/iters/"
	up
	head -n 1 "$MNT/task" "$MNT/csv/task_vma.csv" >"$DIR/before"
	run -1 cat "$MNT/map_list"
	# Sorts before task: indexes of nodes change.
	again --iter-dir "$DIR/iters"
	head -n 1 "$MNT/task" "$MNT/csv/task_vma.csv" | cmp - "$DIR/before"
	[ "$(wc -l <"$MNT/map_list")" -gt 1 ]
	[ -f "$MNT/schema/map_list" ]
	again
	head -n 1 "$MNT/task" "$MNT/csv/task_vma.csv" | cmp - "$DIR/before"
	run -1 cat "$MNT/map_list"
	[[ $output == *"No such file or directory" ]]
	[ ! -e "$MNT/schema/map_list" ]
	down
}

@test "binds of the mount, of a directory and of a file go on" {
	local i
	up
	mkdir "$DIR/all" "$DIR/json" "$DIR/pid"
	touch "$DIR/task"
	mount --bind "$MNT" "$DIR/all"
	mount --bind "$MNT/json" "$DIR/json"
	mount --bind "$MNT/pid" "$DIR/pid"
	mount --bind "$MNT/task" "$DIR/task"
	for i in 1 2 3; do
		again
		[ "$(awk '{print $1; exit}' "$DIR/task")" = PID ]
		jq -e '.pid > 0' "$DIR/json/task.json" >/dev/null
		awk -v pid=$$ 'NR > 1 && $1 == pid {n++} END {exit !n}' "$DIR/pid/$$/task"
		[ "$(awk '{print $1; exit}' "$DIR/all/task_file")" = PID ]
	done
	umount "$DIR/all" "$DIR/json" "$DIR/pid" "$DIR/task"
	down
}

@test "a directory and files held open: the directory goes on, files and listings are stale" {
	up
	handover held "$KVIEW" "$MNT"
	down
}

@test "without a live mount it mounts; over a dead one it repairs" {
	local holder
	kview_mount --takeover 3>&-
	[ "$(awk '{print $1; exit}' "$MNT/task")" = PID ]
	holder=$(daemon_pid)
	kill -KILL "$holder"
	until_true no_daemon
	run -1 cat "$MNT/task"
	kview_mount --takeover 3>&-
	[ "$(awk '{print $1; exit}' "$MNT/task")" = PID ]
	[ "$(grep -cF " $MNT " /proc/self/mounts)" -eq 1 ]
	down
	mkdir -p "$MNT"
	mount -t tmpfs tmpfs "$MNT"
	fails 1 "'$MNT' is in use: *tmpfs*" "choose another*" mount --takeover "$MNT"
	umount "$MNT"
}

@test "what can't be taken over as asked is refused, and served on" {
	local holder
	up
	holder=$(daemon_pid)
	fails 1 "the mount on '$MNT' does not have allow_other*" "unmount*" mount --takeover -o allow_other "$MNT"
	fails 2 "unknown mount option 'nonsense'" "*" mount --takeover -o nonsense "$MNT"
	# Views that can't be loaded: none is left of the built-in ones.
	fails 1 "*" "*" mount --takeover --pin-dir /proc/nonsense "$MNT"
	run -1 as_user "$KVIEW" mount --takeover "$MNT"
	[ "$(daemon_pid)" = "$holder" ]
	[ "$(awk '{print $1; exit}' "$MNT/task")" = PID ]
	down
	up -o allow_other
	fails 1 "the mount on '$MNT' has allow_other*" "say it again*" mount --takeover "$MNT"
	down
}

@test "eight takeovers at once: one daemon is left, and serves" {
	local i pids=() rc won=0
	up
	for i in {1..8}; do
		timeout 30 "$KVIEW" mount --takeover "$MNT" 2>"$DIR/err.$i" 3>&- &
		pids+=($!)
	done
	for i in {1..8}; do
		rc=0
		wait "${pids[i - 1]}" || rc=$?
		[ $rc -ne 0 ] || won=$((won + 1))
		[ $rc -eq 0 ] || grep -q "^kview: can't take over '$MNT'" "$DIR/err.$i"
	done
	echo "# $won of 8 took it over" >&3
	[ $won -ge 1 ]
	[ "$(wc -w <<<"$(daemon_pid)")" -eq 1 ]
	[ "$(awk '{print $1; exit}' "$MNT/task")" = PID ]
	down
}

@test "a holder or worker that is stopped, or stuck in a read, is replaced all the same" {
	local old
	up
	old=$(daemon_pid)
	kill -STOP "$old"
	timeout 20 "$KVIEW" mount --takeover "$MNT" 3>&-
	has_ended "$old"
	[ "$(awk '{print $1; exit}' "$MNT/task")" = PID ]
	mine "$(daemon_pid)"
	kill -STOP "$(worker_pid)"
	again
	[ "$(awk '{print $1; exit}' "$MNT/task")" = PID ]
	old=$(daemon_pid)
	kill -STOP "$old"
	timeout 60 "$KVIEW" mount --takeover "$MNT" 3>&-
	has_ended "$old"
	[ "$(awk '{print $1; exit}' "$MNT/task")" = PID ]
	mine "$(daemon_pid)"
	handover stuck "$KVIEW" "$MNT" "$TOOLS/stuck" "$DIR/stuck"
	down
}

@test "a daemon in front hands over and ends with status 0; the next tells MAINPID first" {
	local front rc=0
	"$KVIEW" mount -f "$MNT" 2>"$DIR/front.err" 3>&- &
	front=$!
	mine $front
	until_true test -e "$MNT/task"
	handover notify "$KVIEW" "$MNT" "$front"
	wait $front || rc=$?
	[ $rc -eq 0 ]
	[ ! -s "$DIR/front.err" ]
	[ "$(awk '{print $1; exit}' "$MNT/task")" = PID ]
	down
}

@test "pins elsewhere: those of the old daemon go, those of the new are there" {
	local before=$KVIEW_PIN_DIR
	up
	KVIEW_PIN_DIR+=-new
	again
	[ ! -e "$before" ]
	timeout 60 cat "$KVIEW_PIN_DIR/task" >/dev/null
	down
}

@test "what its starter gave it is no harm: SIGCHLD ignored, a descriptor of /dev/fuse, a child" {
	local child
	env --ignore-signal=CHLD timeout 60 "$KVIEW" mount "$MNT" 3>&-
	mine "$(daemon_pid)"
	kill -KILL "$(worker_pid)"
	[ "$(timeout 30 awk '{print $1; exit}' "$MNT/task")" = PID ]
	[ "$(value restarts)" = 1 ]
	down
	sh -c 'exec 4<>/dev/fuse; sleep 60 & exec "$1" mount -f "$2"' sh "$KVIEW" "$MNT" 2>"$DIR/front.err" 3>&- &
	mine $!
	until_true test -e "$MNT/task"
	child=$(pgrep -P $! sleep)
	# It can't end by itself, and is killed with its worker, which is not that child.
	kill -STOP $!
	timeout 20 "$KVIEW" mount --takeover "$MNT" 3>&-
	[ "$(awk '{print $1; exit}' "$MNT/task")" = PID ]
	kill "$child"
	down
}

@test "users can't keep a takeover away" {
	up -o allow_other
	setpriv --reuid 21001 --regid 21001 --clear-groups flock --no-fork "$MNT" sleep 60 3>&- &
	mine $!
	until_true grep -qx sleep /proc/$!/comm
	again -o allow_other
	kill $!
	wait $! || true
	down
}

@test "from another mount or pid namespace it is refused" {
	local holder
	up
	holder=$(daemon_pid)
	run -1 unshare -m timeout 60 "$KVIEW" mount --takeover "$MNT" 3>&-
	[[ $output == *"can't take over '$MNT'"*"hint: process $holder serves it from another mount namespace"* ]]
	run -1 unshare -p --fork --kill-child --mount-proc timeout 60 "$KVIEW" mount --takeover "$MNT" 3>&-
	[[ $output == *"can't learn who serves '$MNT'"*"hint: it takes the user who mounted, in the same pid namespace"* ]]
	[ "$(daemon_pid)" = "$holder" ]
	[ "$(awk '{print $1; exit}' "$MNT/task")" = PID ]
	down
}

@test "what others have moved onto the mount is theirs" {
	up
	mkdir "$DIR/tmpfs"
	mount -t tmpfs tmpfs "$DIR/tmpfs"
	touch "$DIR/tmpfs/theirs"
	# Below in the tree, and above in the table: it was mounted before.
	kview_umount
	up
	mount --move "$DIR/tmpfs" "$MNT"
	run -1 timeout 60 "$KVIEW" umount "$MNT"
	[[ $output == *"no kview is mounted on '$MNT'"* ]]
	[ -e "$MNT/theirs" ]
	kill -TERM "$(daemon_pid)"
	until_true no_daemon
	[ -e "$MNT/theirs" ]
	umount "$MNT"
	umount -l "$MNT"
}
