# SPDX-License-Identifier: GPL-2.0-only
# A mount whose system calls fail as a file says: load it after common.
# shellcheck disable=SC2016,SC2119,SC2120 # awk's own; rules takes none, or some

ENOMEM=12 EMFILE=24 EPERM=1 EIO=5 EAGAIN=11 EINTR=4

# rules LINE...: what fails from now on, see fault.c; none: nothing.
rules() {
	printf '%s\n' "$@" >"$DIR/rules.new"
	rm -f "$DIR/rules.hits"
	mv "$DIR/rules.new" "$DIR/rules"
}

# That has happened, so a test of it tells something.
was_hit() {
	[ -s "$DIR/rules.hits" ]
}

# faulty COMMAND...: under the rules
faulty() {
	timeout 60 "$TOOLS/fault" "$DIR/rules" "$@" 3>&-
}

# front [OPTION...]: a mount in front, whose log is $DIR/log; $HOLDER, $WORKER
front() {
	"$KVIEW" mount -f "$@" "$MNT" 2>>"$DIR/log" 3>&- &
	served $!
}

faulty_front() {
	rules
	"$TOOLS/fault" "$DIR/rules" "$KVIEW" mount -f "$@" "$MNT" 2>>"$DIR/log" 3>&- &
	served $!
}

served() {
	HOLDER=$1
	mine "$HOLDER"
	until_true cat "$MNT/schema/task" # a dead mount's name may be cached
	WORKER=$(pgrep -P "$HOLDER")
}

# The mount works, by whichever worker.
serves() {
	[ "$(timeout 30 awk '{print $1; exit}' "$MNT/task")" = PID ]
}

# Of $DIR/log, by what is said.
said() {
	[ "$(grep -c -- "$1" "$DIR/log")" -ge "${2:-1}" ]
}

# fails_with TEXT COMMAND...
fails_with() {
	local text=$1
	shift
	run -1 timeout 60 "$@" 3>&-
	# shellcheck disable=SC2154 # `run` sets it
	[[ ${lines[-1]} == *"$text" ]] || { printf '%s\n' "$* said:" "$output"; return 1; }
}
