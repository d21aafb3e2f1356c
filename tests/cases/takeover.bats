#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# The worker of a mount is killed: the holder starts another, and readers see an
# error at most. The holder is killed: the mount is dead, and nobody hangs.
# shellcheck disable=SC2016 # awk's own
# shellcheck disable=SC2030,SC2031 # each test is a subshell
bats_require_minimum_version 1.5.0
# bats file_tags=slow
load common
load crowd

setup_file() {
	kview_setup
	# Listed half as well: more processes than one getdents(2) gives.
	crowd_start few -n 40 -m 150
}

teardown_file() {
	crowd_stop_all
	kview_teardown
}

setup() {
	LINKS=
	MNT=$DIR/$BATS_TEST_NUMBER
	KVIEW_PIN_DIR+=-$BATS_TEST_NUMBER
}

# What a failed test left must not fail the next.
teardown() {
	awk -v d="$MNT" 'index($2, d) == 1 {print $2}' /proc/self/mounts | xargs -r -n 1 umount -l
	"$KVIEW" unload
}

note_links() {
	local ids
	ids=$(sed -n 's/^link_id:[[:space:]]*//p' /proc/"$1"/fdinfo/* | sort -u)
	[ "$(wc -w <<<"$ids")" -ge 4 ]
	LINKS+=" $ids"
}

# up OPTION...: a mount of the test's own. Its links' ids are kept: they must not outlive it.
up() {
	kview_mount "$@" 3>&-
	HOLDER=$(daemon_pid)
	mine "$HOLDER"
	note_links "$HOLDER"
}

# takeover CASE ARG...: what it says, as comments of TAP.
takeover() {
	timeout 400 python3 -B "$BATS_TEST_DIRNAME/takeover.py" "$@" 3>&- >"$DIR/said"
	cat "$DIR/said" >&3
}

no_links() {
	local id
	for id in $LINKS; do
		! bpftool link show id "$id" >/dev/null 2>&1 || return 1
	done
}

no_process() {
	[ -z "$(pgrep -f "^$KVIEW mount.* $MNT\$")" ]
}

# No mount, process, pin or link.
nothing_left() {
	until_true no_process
	[ "$(grep -cE " ${MNT}[ .]" /proc/self/mounts)" -eq 0 ]
	[ ! -e "$KVIEW_PIN_DIR" ]
	until_true no_links
}

down() {
	kview_umount
	nothing_left
}

restarts() {
	awk '$1 == "restarts" {print $2}' "$MNT/status"
}

@test "an open behind kill -9 of the worker is served, 100 times" {
	local i mounts=()
	for i in {1..34}; do
		timeout 60 "$KVIEW" mount "$MNT.$i" 3>&-
		HOLDER=$(MNT=$MNT.$i daemon_pid)
		mine "$HOLDER"
		note_links "$HOLDER"
		mounts+=("$MNT.$i=$HOLDER")
	done
	takeover latency "$DIR/few" "${mounts[@]}"
	for i in {1..34}; do
		[ "$(MNT=$MNT.$i restarts)" -eq 3 ]
		timeout 60 "$KVIEW" umount "$MNT.$i"
	done
	[ -z "$(pgrep -f "^$KVIEW mount $MNT\.")" ]
	nothing_left
}

# A holder takes four kills within ten seconds.
@test "the worker is killed four times while 20 readers read: errors within a second, no short file" {
	up
	takeover flight "$MNT" "$HOLDER" "$DIR/few" 4
	[ "$(restarts)" -eq 4 ]
	down
}

@test "reads under way as the worker is killed fail within a second" {
	up
	takeover blocked "$MNT" "$HOLDER"
	down
}

@test "files and listings open over a kill are stale, or start over" {
	up
	takeover idle "$MNT" "$HOLDER"
	down
}

@test "a listing of pid/ half read over a kill fails, the next is whole" {
	up
	takeover listing "$MNT" "$HOLDER" "$DIR/few"
	down
}

@test "opens while the worker is stopped and killed, or not yet there, are answered by the next" {
	up
	takeover unserved "$MNT" "$HOLDER" "$DIR/few"
	down
}

@test "a bind mount in another mount and pid namespace goes on working" {
	up
	takeover container "$MNT" "$HOLDER" "$DIR"
	down
}

# A user's own process, and not this shell.
sees_own() {
	[ "$(as_user awk -v a=$own -v b=$$ '$1 == a || $1 == b {print $1}' "$MNT/task_file" | sort -u)" = "$own" ]
}

@test "readers of other users are judged by the next worker as by the first" {
	local own
	chmod 755 "$DIR"
	up -o allow_other
	setpriv --reuid 21001 --regid 21001 --clear-groups sleep 300 3>&- &
	own=$!
	mine $own
	until_true sees_own
	kill -KILL "$(worker_pid)"
	until_true sees_own
	run -1 as_user cat "$MNT/pid/$$/task_file"
	[[ $output == *"Permission denied"* ]]
	run -1 as_user cat "$MNT/kmem_cache"
	[[ $output == *"Permission denied"* ]]
	[ "$(restarts)" -eq 1 ]
	down
}

@test "five kills within ten seconds: unmounted, readers get errors, the reason is told" {
	local rc=0
	"$KVIEW" mount -f "$MNT" 2>"$DIR/front.err" 3>&- &
	HOLDER=$!
	mine "$HOLDER"
	until_true test -e "$MNT/task"
	note_links "$HOLDER"
	takeover crashes "$MNT" "$HOLDER"
	wait "$HOLDER" || rc=$?
	cat "$DIR/front.err"
	[ "$rc" -eq 1 ]
	# Four times another, then none.
	[ "$(grep -c '^kview: the worker was ended by signal 9 (Killed); the mount goes on' "$DIR/front.err")" -eq 4 ]
	grep -q "^kview: the mount on '$MNT' is given up: its worker .*signal 9.* 5 times within 10 seconds" \
		"$DIR/front.err"
	nothing_left
}

@test "kill -9 of the holder: nobody hangs, the worker is gone, the next mount repairs it" {
	up
	takeover holder "$MNT" "$HOLDER" SIGKILL
	until_true no_process
	run -1 cat "$MNT/task"
	[[ $output == *"not connected"* ]]
	up
	[ "$(awk '{print $1; exit}' "$MNT/task")" = PID ]
	[ "$(grep -cF " $MNT " /proc/self/mounts)" -eq 1 ]
	down
}

@test "SIGTERM of the holder: readers get errors, nothing is left" {
	up
	takeover holder "$MNT" "$HOLDER" SIGTERM
	nothing_left
}

@test "SIGTERM of the worker alone ends the mount as that of the holder" {
	up
	kill -TERM "$(worker_pid)"
	nothing_left
}

@test "kview umount after a takeover leaves nothing, and finds the holder" {
	up
	exec 7<"$MNT/task"
	read -r -u 7
	kill -KILL "$(worker_pid)"
	until_true cat "$MNT/schema/task"
	run -1 timeout 60 "$KVIEW" umount "$MNT"
	[[ $output == *"busy"* ]]
	exec 7<&-
	# It returns when the holder has ended: no wait here.
	kview_umount
	no_process
	nothing_left
}

@test "a holder whose log nobody reads any more goes on, and restarts workers" {
	local reader
	mkfifo "$DIR/log"
	cat "$DIR/log" >/dev/null 3>&- &
	reader=$!
	"$KVIEW" mount -f "$MNT" 2>"$DIR/log" 3>&- &
	HOLDER=$!
	mine "$HOLDER"
	until_true test -e "$MNT/task"
	kill "$reader"
	wait "$reader" || true
	kill -KILL "$(pgrep -P "$HOLDER")"
	until_true head -n 1 "$MNT/task"
	[ "$(timeout 30 awk '$1 == "restarts" {print $2}' "$MNT/status")" = 1 ]
	kill -TERM "$HOLDER"
	wait "$HOLDER"
}
