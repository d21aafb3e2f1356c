# SPDX-License-Identifier: GPL-2.0-only
# What every case needs: a kview of its own, with pins and mount point nobody
# else uses, and a clean-up that can't hang. Load it with: load common

ROOT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$ROOT/$BUILD ;; esac
KVIEW=$BUILD/kview
# Built without sanitizers, whose threads and files the oracles would find.
TOOLS=${KVIEW_TEST_TOOLS:-$BUILD/tests/cases}

# The built-in views, in the order of kview list: all; those that show what is, not what collectors
# have counted; and of these those of tasks, which are in pid/ too.
ALL_VIEWS=$(cd "$ROOT/iters" && printf '%s\n' *.bpf.c | sed 's/\.bpf\.c$//' | xargs)
COLLECT_VIEWS=$(cd "$ROOT/iters" && grep -lE '^KV_VIEW_OF_(MAP|PROCESS_ROWS)' ./*.bpf.c | sed 's|^\./||; s/\.bpf\.c$//' | xargs)
# Those whose programs are on functions of the kernel: some kernels let nobody attach to these.
FUNCTION_VIEWS=refused
VIEWS=$(comm -23 <(xargs -n 1 <<<"$ALL_VIEWS") <(xargs -n 1 <<<"$COLLECT_VIEWS") | xargs)
TASK_VIEWS=$(cd "$ROOT/iters" && grep -lE '^SEC\("iter(\.s)?/task' ./*.bpf.c | sed 's|^\./||; s/\.bpf\.c$//' | xargs)
# Those that every user may read; the others are for root. Those that are iterators, with a link.
OPEN_VIEWS=$(cd "$ROOT/iters" && grep -lE '^SEC\("iter(\.s)?/(task|tcp|udp|unix|netlink|ipv6_route)|^KV_VIEW_(FOR_ALL|OF_PROCESS_ROWS)' ./*.bpf.c | sed 's|^\./||; s/\.bpf\.c$//' | xargs)
LINKED_VIEWS=$(comm -12 <(cd "$ROOT/iters" && grep -lE '^SEC\("iter' ./*.bpf.c | sed 's|^\./||; s/\.bpf\.c$//') <(xargs -n 1 <<<"$VIEWS") | xargs)

# sorted NAME...: one line of them, as listings have them
sorted() {
	printf '%s\n' "$@" | LC_ALL=C sort | xargs
}

# The views' links in the pin directory, and others' files; not the program that identifies readers.
pinned() {
	find "$KVIEW_PIN_DIR" -mindepth 1 -maxdepth 1 ! -name 'reader=*' -printf '%f\n' | LC_ALL=C sort | xargs
}

# Each file of cases has a directory, a mount point and a pin directory.
kview_setup() {
	[ "$(id -u)" = 0 ] || { echo "the cases need root" >&2; return 1; }
	mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf
	DIR=$(mktemp -d /tmp/kview-test.XXXXXX)
	MNT=$DIR/mnt
	KVIEW_PIN_DIR=/sys/fs/bpf/kview-test-$$-$RANDOM
	export DIR MNT KVIEW_PIN_DIR
}

# Ends what the file started: processes noted with `mine PID`, mounts, pins. Without a directory
# of its own there is nothing: every mount of the machine begins with an empty name.
kview_teardown() {
	local pid since
	[[ ${DIR:-} == /tmp/kview-test.?* ]] || return 0
	if [ -f "$DIR/.started" ]; then
		while read -r pid since; do
			[ "$(start_of "$pid")" = "$since" ] || continue # or it is another's by now
			kill -CONT "$pid" 2>/dev/null
			kill -KILL "$pid" 2>/dev/null
		done <"$DIR/.started"
	fi
	awk -v d="$DIR" '$2 == d || index($2, d "/") == 1 {print $2}' /proc/self/mounts | sort -r |
		while read -r m; do
			timeout 30 umount "$m" 2>/dev/null || umount -l "$m"
		done
	timeout 30 "$KVIEW" unload || true
	rm -rf "$DIR"
}

# When process $1 started, in ticks since boot; nothing if it has ended.
start_of() {
	# Its name may have newlines and parentheses.
	sed -n '$s/.*) //p' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 20
}

mine() {
	echo "$1 $(start_of "$1")" >>"$DIR/.started"
}

kview_mount() {
	timeout 60 "$KVIEW" mount "$@" "$MNT"
}

kview_umount() {
	timeout 60 "$KVIEW" umount "$MNT"
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
# here "VIEW...": without those that this kernel refuses, if it says so for each.
here() {
	local view views=" $1 "
	for view in $FUNCTION_VIEWS; do
		! "$KVIEW" list | grep -qxF "$(printf '%32s' '')can't load view '$view': this kernel runs none of its collectors: Operation not permitted" ||
			views=${views/ $view / }
	done
	xargs <<<"$views"
}

worker_pid() {
	pgrep -P "$(daemon_pid)"
}

# Is there a device that makes DMA buffers?
makes_dmabufs() {
	[ -e /dev/udmabuf ] || [ -e /dev/dma_heap/system ]
}

# make_group CONTROLLER FILE...: a control group of either version in GROUP; in LIMIT the
# one of these files that it has.
make_group() {
	local controller=$1 dir file
	shift
	for dir in "/sys/fs/cgroup/$controller" /sys/fs/cgroup/unified /sys/fs/cgroup; do
		[ "$(stat -f -c %T "$dir" 2>/dev/null)" != tmpfs ] || continue
		GROUP=$dir/kview-test-$$
		mkdir "$GROUP" 2>/dev/null || continue
		for file; do
			LIMIT=$GROUP/$file
			[ ! -e "$LIMIT" ] || return 0
		done
		rmdir "$GROUP"
	done
	echo "no $controller controller"
	return 1
}

# told PROGRAM ARG...: what one of the programs here says, as comments of TAP
told() {
	local rc=0
	timeout 400 python3 -B "$BATS_TEST_DIRNAME/$1" "${@:2}" 3>&- >"$DIR/said" || rc=$?
	cat "$DIR/said" >&3
	return $rc
}

# until_true COMMAND...: wait for a condition, 30 seconds at most.
until_true() {
	local i
	for ((i = 0; i < 1500; i++)); do
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
	local stat
	stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 0 # it may go between two looks
	[[ $stat == *") Z "* ]]
}

# up OPTION...: a mount whose daemon does not keep the test's own descriptors
up() {
	kview_mount "$@" 3>&-
}

down() {
	kview_umount
	nothing_left
}

no_daemon() {
	[ -z "$(pgrep -f "^$KVIEW mount.* $MNT\$")" ]
}

# No process, mount or pins.
nothing_left() {
	until_true no_daemon
	[ "$(grep -cF " $MNT " /proc/self/mounts)" -eq 0 ]
	[ ! -e "$KVIEW_PIN_DIR" ]
}

# copy_tree DIR: the sources, and what was built of them, so that only what a case changes is
# built in DIR/build.
copy_tree() {
	mkdir "$1"
	cp -a "$ROOT"/{Makefile,src,fuse,iters} "$1"
	# Dependencies are kept by these names.
	[ "$BUILD" = "$ROOT/build" ] || return 0
	mkdir "$1/build"
	cp -a "$BUILD"/{flags,src,fuse,iters,embed.S,embed.o} "$1/build"
}

# make_in DIR WORD...: as from a shell of one's own, not from below `make check`
make_in() {
	timeout 300 env -u BUILD -u MAKEFLAGS -u MAKELEVEL make -s -C "$1" -j "$(nproc)" "${@:2}" 3>&-
}

# columns VIEW COLUMN...: it has these and no others, in this order
columns() {
	[ "$("$KVIEW" schema "$1" | cut -f 1 | xargs)" = "${*:2}" ]
}

# value NAME [MOUNT]: of the status file
value() {
	awk -F '\t' -v name="$1" '$1 == name {print $2}' "${2:-$MNT}/status"
}

# A user that nobody else is.
as_user() {
	setpriv --reuid 21001 --regid 21001 --clear-groups "$@"
}

# fails STATUS MESSAGE HINT WORD...: kview WORD... prints nothing but that
# message and that hint, both glob patterns.
fails() {
	local status=$1 message=$2 hint=$3
	shift 3
	run --separate-stderr "-$status" timeout 60 "$KVIEW" "$@" 3>&-
	# shellcheck disable=SC2154 # `run` sets it
	printf '%s\n' "$* said:" "$output" "$stderr"
	[ -z "$output" ]
	# shellcheck disable=SC2154
	[ "${#stderr_lines[@]}" -eq 2 ]
	# shellcheck disable=SC2053 # patterns
	[[ ${stderr_lines[0]} == "kview: "$message ]]
	# shellcheck disable=SC2053
	[[ ${stderr_lines[1]} == "hint: "$hint ]]
}

# without NAMES COMMAND...: under made-up types of the kernel, in which nothing has these names
without() {
	local names=$1
	shift
	# shellcheck disable=SC2086 # words
	python3 - "$DIR/vmlinux" $names <<-'END'
		import sys
		types = open("/sys/kernel/btf/vmlinux", "rb").read()
		for name in sys.argv[2:]:
		    name = b"\0%s\0" % name.encode()
		    assert types.count(name) == 1
		    types = types.replace(name, name.swapcase())
		open(sys.argv[1], "wb").write(types)
	END
	# shellcheck disable=SC2016 # bash expands it
	unshare --mount --propagation private \
		bash -c 'mount --bind "$0" /sys/kernel/btf/vmlinux && exec "$@"' "$DIR/vmlinux" "$@"
}
