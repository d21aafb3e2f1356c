# SPDX-License-Identifier: GPL-2.0-only
# What every case needs: a kview of its own, with pins and mount point nobody
# else uses, and a clean-up that can't hang. Load it with: load common

ROOT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$ROOT/$BUILD ;; esac
KVIEW=$BUILD/kview
# Built without sanitizers, whose threads and files the oracles would find.
TOOLS=${KVIEW_TEST_TOOLS:-$BUILD/tests/cases}

# Each file of cases has a directory, a mount point and a pin directory.
kview_setup() {
	[ "$(id -u)" = 0 ] || { echo "the cases need root" >&2; return 1; }
	mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf
	DIR=$(mktemp -d /tmp/kview-test.XXXXXX)
	MNT=$DIR/mnt
	KVIEW_PIN_DIR=/sys/fs/bpf/kview-test-$$-$RANDOM
	export DIR MNT KVIEW_PIN_DIR
}

# Ends what the file started: processes noted with `mine PID`, mounts, pins.
kview_teardown() {
	local pid
	if [ -f "$DIR/.started" ]; then
		while read -r pid; do
			kill -CONT "$pid" 2>/dev/null
			kill -KILL "$pid" 2>/dev/null
		done <"$DIR/.started"
	fi
	awk -v d="$DIR" 'index($2, d) == 1 {print $2}' /proc/self/mounts | sort -r |
		while read -r m; do
			timeout 10 umount "$m" 2>/dev/null || umount -l "$m"
		done
	timeout 10 "$KVIEW" unload || true
	rm -rf "$DIR"
}

mine() {
	echo "$1" >>"$DIR/.started"
}

kview_mount() {
	timeout 20 "$KVIEW" mount "$@" "$MNT"
}

kview_umount() {
	timeout 20 "$KVIEW" umount "$MNT"
}

# The daemon that holds $MNT. Its worker has the same command line.
daemon_pid() {
	local pids pid
	pids=$(pgrep -f "^$KVIEW mount.* $MNT\$") || return 1
	for pid in $pids; do
		grep -qxF "$(awk '$1 == "PPid:" {print $2}' "/proc/$pid/status")" <<<"$pids" ||
			echo "$pid"
	done
}

# Its child, which serves: descriptors, threads and memory are this one's.
worker_pid() {
	pgrep -P "$(daemon_pid)"
}

# until_true COMMAND...: wait for a condition, 10 seconds at most.
until_true() {
	local i
	for ((i = 0; i < 500; i++)); do
		if "$@" >/dev/null 2>&1; then
			return 0
		fi
		sleep 0.02
	done
	echo "never true: $*"
	return 1
}

# Gone, or dead and waiting for whoever adopted it to notice.
has_ended() {
	[ ! -e "/proc/$1/stat" ] || [[ $(<"/proc/$1/stat") == *") Z "* ]]
}
