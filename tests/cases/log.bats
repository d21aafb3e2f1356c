#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# The daemon's words reach who listens, nobody waits for who does not, and no
# reader has it say much.
bats_require_minimum_version 1.5.0
load common

setup() {
	kview_setup
	chmod 755 "$DIR"
	export KVIEW
}

teardown() {
	kview_teardown
}

# log CASE ARG...: one of log.py
log() {
	timeout 60 python3 -B "$BATS_TEST_DIRNAME/log.py" "$@" 3>&-
}

# world NAME SCRIPT ARG...: mounts in a pid namespace of its own whose readers come from
# outside, so the worker complains of each. Its /dev is $DIR/NAME. SCRIPT is bash's.
world() {
	mkdir "$DIR/$1"
	mount -t tmpfs tmpfs "$DIR/$1"
	# shellcheck disable=SC2016
	unshare --mount --pid --fork --kill-child --propagation private bash -euc '
		mount -t proc proc /proc
		mknod -m 600 "$1/fuse" c 10 229
		mknod -m 666 "$1/null" c 1 3
		mount --bind "$1" /dev
		'"$2" "$1" "$DIR/$1" "${@:3}" 3>&- &
	mine $!
}

# Arguments: its /dev, log.py, what listens [, after how many messages it is restarted]
# shellcheck disable=SC2016
BY_SYSLOG='
	python3 -B "$2" listen /dev/log "${@:3}" &
	until [ -S /dev/log ]; do sleep 0.02; done
	"$KVIEW" mount "$MNT"
	touch /dev/up
	wait'

# Arguments: its /dev, and where standard error goes
# shellcheck disable=SC2016
IN_FRONT='
	exec 2>>"$2"
	exec "$KVIEW" mount -f "$MNT"'

by_syslog() {
	world "$1" "$BY_SYSLOG" "$BATS_TEST_DIRNAME/log.py" "$DIR/heard.$1" "${@:2}"
	until_true test -e "$DIR/$1/up"
}

# holder_of NAME: its number out here
holder_of() {
	local pid
	for pid in $(pgrep -f "^$KVIEW mount.* $MNT\$"); do
		[ "/proc/$pid/root/dev" -ef "$DIR/$1" ] || continue
		[ "$(pgrep -P "$pid" -x kview)" = "" ] || echo "$pid"
	done
}

in_front() {
	world "$1" "$IN_FRONT" "$2"
	until_true holder_is_up "$1"
}

holder_is_up() {
	[ -n "$(holder_of "$1")" ] && is_refused "$1"
}

# is_refused NAME: an open, by its worker, which complains
is_refused() {
	local said
	said=$(timeout 30 head -n 1 "/proc/$(holder_of "$1")/root$MNT/task" 2>&1) || true
	[[ $said == *"Permission denied"* ]]
}

# complaints N NAME: so many have been heard
complaints() {
	[ "$(grep -c 'outside of kview' "$DIR/heard.$2")" -ge "$1" ]
}

# --- words reach who listens ----------------------------------------------

@test "the worker's words reach syslog, also after syslog was restarted" {
	local n
	by_syslog here 1
	for n in 1 2 3; do
		until_true test -S "$DIR/here/log"
		is_refused here
		until_true complaints $n here
	done
}

@test "messages look as those of syslog(3)" {
	by_syslog here
	is_refused here
	until_true complaints 1 here
	nsenter --mount="/proc/$(holder_of here)/ns/mnt" python3 - "$(<"$DIR/heard.here")" <<-'END'
		import sys, syslog
		syslog.openlog("kview", syslog.LOG_PID, syslog.LOG_DAEMON)
		syslog.syslog(syslog.LOG_ERR, sys.argv[1].partition("]: ")[2])
	END
	until_true complaints 2 here
	sed -E 's/[0-9]{2}:[0-9]{2}:[0-9]{2} kview\[[0-9]+\]/TIME kview[PID]/' "$DIR/heard.here" |
		uniq -c >"$DIR/lines"
	cat "$DIR/lines"
	grep -qE "^ +2 <27>[A-Z][a-z]{2} [ 0-9][0-9] TIME kview\[PID\]: can't identify the reader, .*" \
		"$DIR/lines"
	grep -qF "kview[$(awk '$1 == "NSpid:" {print $NF}' "/proc/$(pgrep -P "$(holder_of here)")/status")]: " \
		"$DIR/heard.here"
}

# --- nobody waits for who does not ----------------------------------------

# compare: `free` with `full`, whose log takes nothing; $DROPPED: messages to it
compare() {
	log compare "$(holder_of free)" "$(holder_of full)" "$MNT/task" >"$DIR/said"
	grep '^#' "$DIR/said" >&3
	DROPPED=$(sed -n 's/^dropped //p' "$DIR/said")
}

# Its successor may be there before it is gone.
has_one_worker() {
	[ "$(pgrep -c -P "$(holder_of "$1")")" = 1 ]
}

# next_tells: the message of one more worker that ends
next_tells() {
	sleep 0.2 # until all that waited is taken
	until_true has_one_worker full
	kill -KILL "$(pgrep -P "$(holder_of full)")"
	until_true grep -q "by signal 9 .* (messages dropped before this one: $DROPPED)" "$DIR/heard.full"
}

@test "a log daemon that has stopped and a full queue keep nobody waiting" {
	local daemon
	by_syslog free
	by_syslog full
	daemon=$(pgrep -f "listen /dev/log $DIR/heard.full\$")
	mine "$daemon"
	kill -STOP "$daemon"
	log fill_socket "$DIR/full/log" >&3
	compare
	complaints 1 free
	run ! complaints 1 full
	kill -CONT "$daemon"
	until_true grep -q '<13>x' "$DIR/heard.full"
	next_tells
}

@test "in front: a full pipe that nobody reads keeps nobody waiting" {
	mkfifo "$DIR/pipe"
	exec 8<>"$DIR/pipe"
	in_front free "$DIR/heard.free" 8>&-
	in_front full "$DIR/pipe" 8>&-
	timeout 30 head -c 1 <&8 >"$DIR/first" # that of in_front is there
	log fill_pipe "$DIR/pipe"
	compare
	complaints 1 free
	cat <&8 >"$DIR/heard.full" 3>&- &
	mine $!
	until_true grep -q xxx "$DIR/heard.full"
	next_tells
	exec 8>&-
}

# --- no reader has it say much --------------------------------------------

# flood NAME N: so many opens by readers that can't be identified
flood() {
	log flood "/proc/$(holder_of "$1")/root$MNT/task" "$2" EACCES
}

@test "10,000 opens that fail are ten messages, and the next one tells how many were left out" {
	by_syslog here
	SECONDS=0
	flood here 10000
	[ $SECONDS -lt 60 ] || { echo "too slow: another was due"; return 1; }
	until_true complaints 10 here
	until_true has_one_worker here
	kill -KILL "$(pgrep -P "$(holder_of here)")"
	# The next worker does not begin anew.
	until_true flood here 1000
	[ $SECONDS -lt 60 ] || { echo "too slow: another was due"; return 1; }
	until_true grep -q 'the worker was ended .* (messages dropped before this one: 9990)$' "$DIR/heard.here"
	[ "$(wc -l <"$DIR/heard.here")" -eq 11 ]
}
