# SPDX-License-Identifier: GPL-2.0-only
# A crowd of processes that hold still, and python readers. Load it after common.

# wait_until COMMAND...: polls, a minute at most
wait_until() {
	local end=$((SECONDS + 60))
	until "$@"; do
		[ $SECONDS -lt $end ] || { echo "never came true: $*" >&2; return 1; }
		sleep 0.02
	done
}

# crowd_start NAME ARG...: the pids and a line "ready" are in $DIR/NAME. It
# keeps its own stdin open, so that only a signal ends it.
crowd_start() {
	local name=$1
	shift
	mkfifo "$DIR/$name.stdin"
	"$TOOLS/crowd" "$@" <>"$DIR/$name.stdin" >"$DIR/$name" 3>&- &
	echo $! >"$DIR/$name.pid"
	mine $!
	wait_until grep -q ready "$DIR/$name"
}

crowd_stop() {
	local pid
	pid=$(cat "$DIR/$1.pid")
	kill -TERM "$pid"
	# it takes its children along before it ends
	wait_until gone "$pid"
	rm -f "$DIR/$1" "$DIR/$1.stdin" "$DIR/$1.pid"
}

# For teardown_file: whatever a failed case left. Killed by kview_teardown, a
# crowd would leave its dead to a PID 1 that in containers may not care.
crowd_stop_all() {
	local f
	for f in "$DIR"/*.stdin; do
		[ -p "$f" ] || continue
		f=${f##*/}
		crowd_stop "${f%.stdin}" || true
	done
}

# Has ended, reaped or not.
gone() {
	! grep -qs '^State:[[:space:]]*[^ZX]' "/proc/$1/status"
}

# py PROGRAM CASE MOUNT ARG...
py() {
	local program=$1
	shift
	timeout 400 python3 -B "$BATS_TEST_DIRNAME/$program.py" "$@"
}
