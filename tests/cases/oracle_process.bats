#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# The view process against the files of /proc/PID, column by column.

load population

setup_file() {
	population_setup
}

teardown_file() {
	population_teardown
}

@test "process: the columns of the contract, in its order" {
	columns process pid ppid pgid sid tty uid euid suid gid egid state threads nice policy \
		oom_score_adj start start_boot utime stime cputime minflt majflt nvcsw nivcsw vsize rss \
		rss_anon rss_file rss_shmem rss_peak swap pagetables hugetlb fds fd_limit rchar wchar \
		read_bytes write_bytes loginuid seccomp no_new_privs cap_eff mntns netns pidns userns \
		cgroupns vpid container cgroup exe cwd root comm
}

@test "process: a row per process, zombies and dead leaders once, in order" {
	oracle rows process
}

@test "process: ids, terminal, state, scheduling are those of /proc" {
	oracle values process pid ppid pgid sid tty uid euid suid gid egid state threads nice policy \
		oom_score_adj
}

@test "process: times, faults and context switches are those of all threads" {
	oracle values process start start_boot utime stime cputime minflt majflt nvcsw nivcsw
}

@test "process: memory is that of stat and status, to the page" {
	oracle values process vsize rss rss_anon rss_file rss_shmem rss_peak swap pagetables hugetlb
}

@test "process: descriptors and their limit, I/O" {
	oracle values process fds fd_limit rchar wchar read_bytes write_bytes
}

@test "process: login, seccomp, capabilities, namespaces" {
	oracle values process loginuid seccomp no_new_privs cap_eff mntns netns pidns userns cgroupns \
		vpid
}

@test "process: cgroup, container and paths: deleted, long, hostile, in another root" {
	oracle values process container cgroup exe cwd root comm
}

# roles ROLE...: processes that are made for this, each compared with /proc.
roles() {
	timeout 120 python3 -B "$BATS_TEST_DIRNAME/process.py" compare "$MNT" "$@" 3>&-
}

@test "process: threads that have ended count" {
	roles threads
}

@test "process: seccomp, ids, login, capabilities, namespaces" {
	roles seccomp nobody few-caps namespaces user-namespace new-pid
}

@test "process: memory that was swapped out, huge pages, a peak, a tiny program" {
	roles swapped huge grown tiny
}

@test "process: 100,000 descriptors, a limit, I/O with storage" {
	roles descriptors limited readers
}

@test "process: a working directory that is gone, in another root" {
	roles elsewhere
}

# in_groups GROUP...: a sleeper in these directories below mounts of cgroup; its pid is $SLEEPER.
in_groups() {
	local group
	sleep 1000 3>&- &
	SLEEPER=$!
	mine "$SLEEPER"
	for group; do
		mkdir -p "$group"
		echo "$SLEEPER" >"$group/cgroup.procs"
	done
}

leave_groups() {
	kill "$SLEEPER"
	wait "$SLEEPER" || true
	until_true rmdir "$@"
}

# Nobody else's: other cases and other tests may run meanwhile.
ID=$(printf 'a%063x' $$)
OTHER=ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff

# container_is WANT: in each format; and it is found by it.
container_is() {
	local pid=$MNT/pid/$SLEEPER
	[ "$(jq -r .container "$pid/json/process.json")" = "$1" ]
	[ "$(timeout 10 "$KVIEW" cat -F json -c container --pid "$SLEEPER" process | jq -r .container)" = "$1" ]
	[ "$(awk 'NR == 2 {print $50}' "$pid/process")" = "${1/null/-}" ]
}

# The shapes that docker, containerd, CRI-O and podman give them, under both of their drivers.
@test "process: container is the id that the cgroup is named for, and nothing else is" {
	local base shape
	for base in "$(findmnt -n -t cgroup2 -o TARGET | head -n 1)" "$(v1)"; do
		[ -n "$base" ] || continue
		base=$base/kview-test-$BASHPID
		for shape in "$ID" "docker-$ID.scope" "cri-containerd-$ID.scope" "crio-$ID.scope" "libpod-$ID.scope" \
			"$OTHER/docker/$ID" "libpod-$ID.scope/container" "docker-$ID.scope/init.scope"; do
			in_groups "$base/$shape"
			container_is "$ID"
			leave_groups "$base/$shape"
			find "$base" -depth -type d -delete
		done
		for shape in "${ID%?}" "${ID}0" "docker-${ID^^}.scope" "x" "${ID:0:32}-${ID:32}"; do
			in_groups "$base/$shape"
			container_is null
			leave_groups "$base/$shape" "$base"
		done
	done
}

# A mount of a hierarchy of v1; where the machine has none, one is made.
v1() {
	local mount=$DIR/v1
	if ! findmnt -n -t cgroup -o TARGET | head -n 1 | grep .; then
		mkdir -p "$mount"
		mount -t cgroup -o none,name=kview-test cgroup "$mount" 2>/dev/null && echo "$mount"
	fi
}

@test "process: the container's id in the v2 hierarchy comes before one of v1" {
	local two one
	two=$(findmnt -n -t cgroup2 -o TARGET | head -n 1)/kview-test-$BASHPID
	one=$(v1)/kview-test-$BASHPID
	[ "$one" != "/kview-test-$BASHPID" ] || skip "no hierarchy of v1 can be mounted"
	in_groups "$two/$ID" "$one/$OTHER"
	container_is "$ID"
	leave_groups "$two/$ID" "$two" "$one/$OTHER" "$one"
}

# The path of the first is too long to be shown; the rows behind it are of no container.
@test "process: a container is not that of another process" {
	local top i
	top=$(findmnt -n -t cgroup2 -o TARGET | head -n 1)/kview-test-$BASHPID
	mkdir "$top"
	(
		cd "$top"
		for i in {10..26}; do
			mkdir "$i$(printf 'x%.0s' {1..240})"
			cd "$i"*
		done
		mkdir "$ID"
		sleep 1000 3>&- &
		echo $! >"$ID/cgroup.procs"
		echo $! >"$DIR/long"
	)
	mine "$(cat "$DIR/long")"
	sleep 1000 3>&- &
	mine $!
	[ "$(jq -r "select(.pid == $(cat "$DIR/long")) | .cgroup, .container" "$MNT/json/process.json" | xargs)" = "(too long) $ID" ]
	[ "$(jq -r "select(.container == \"$ID\").pid" "$MNT/json/process.json")" = "$(cat "$DIR/long")" ]
	kill "$(cat "$DIR/long")" $!
	until_true find "$top" -depth -type d -delete
}

@test "process: a reader in a cgroup namespace sees no container of a v1 hierarchy" {
	local one
	one=$(v1)/kview-test-$BASHPID
	[ "$one" != "/kview-test-$BASHPID" ] || skip "no hierarchy of v1 can be mounted"
	in_groups "$one/$ID"
	container_is "$ID"
	timeout 30 nsenter -t "$SLEEPER" --cgroup unshare --cgroup \
		jq -c ".container" "$MNT/pid/$SLEEPER/json/process.json" 3>&- >"$DIR/inside"
	[ "$(cat "$DIR/inside")" = null ]
	leave_groups "$one/$ID" "$one"
}
