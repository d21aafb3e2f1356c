#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# kview from inside containers: runc, bubblewrap, systemd-nspawn, podman. What a
# container's own /proc shows is what kview has to show there.
# shellcheck disable=SC2016 # scripts go to the container's shell

load containers

setup_file() {
	containers_setup
}

teardown_file() {
	containers_teardown
}

same() {
	diff -u <(printf '%s\n' "$1") <(printf '%s\n' "$2")
}

# Numbers, names and executables of all processes that sleep: /proc's word, and kview's.
BY_PROC='
	for p in /proc/[0-9]*; do
		read -r comm <$p/comm
		[ "$comm" = sleep ] && echo "${p#/proc/} $comm $(readlink $p/exe)"
	done'
BY_KVIEW='awk "NR > 1 && \$29 == \"sleep\" {print \$1, \$29, \$28}" /mnt/kview/task'

ONE_ASLEEP='sleep 100 & until read -r comm </proc/$!/comm && [ "$comm" = sleep ]; do :; done'

# What the first process has open.
FILES_BY_PROC='for fd in 0 1 2; do readlink /proc/1/fd/$fd; done'
FILES_BY_KVIEW='awk "\$1 == 1 && \$3 <= 2 {print \$NF}" /mnt/kview/task_file'

# agree COMMAND... SCRIPT SCRIPT: run one after another by the command, they say the same.
agree() {
	local out
	out=$("${@:1:$#-2}" "${*: -2:1}; echo --; ${*: -1}")
	same "$(sed '/^--$/,$d' <<<"$out" | sort -n)" "$(sed '1,/^--$/d' <<<"$out" | sort -n)"
	echo "$out"
}

# sees_itself COMMAND...: how a script runs in a container.
sees_itself() {
	local out
	# The script's own number, before it becomes the program that asks.
	out=$("$@" 'echo $$; exec readlink /mnt/kview/pid/self')
	[ "$(wc -l <<<"$out")" = 2 ]
	same "${out%%$'\n'*}" "${out##*$'\n'}"
	out=$(agree "$@" "$ONE_ASLEEP; $BY_PROC" "$BY_KVIEW; kill \$!")
	[ "$(grep -c '^[0-9]* sleep /bin/busybox$' <<<"$out")" -ge 2 ]
	agree "$@" "$FILES_BY_PROC" "$FILES_BY_KVIEW"
	out=$("$@" 'dd if=/mnt/kview/task_vma 2>/dev/null; dd if=/mnt/kview/task 2>/dev/null')
	grep -q ' /bin/busybox$' <<<"$out"
	if grep -F "$DIR" <<<"$out"; then return 1; fi
	! "$@" "head -n 1 /mnt/kview/pid/$$/task"
}

# --- runc ---

@test "a container sees its own processes, by its own numbers and paths" {
	start own
	same "1 sleep /bin/busybox" "$(inside own "$BY_KVIEW")"
	# As many as ps has: the first one and what asks.
	[ "$(inside own 'awk "END {print NR - 1}" /mnt/kview/task')" = 2 ]
	same "$(inside own 'ls /mnt/kview/pid' | head -n 1)" 1
	sees_itself inside own
	stop own
}

@test "a container's id is seen from the host, by the cgroup that an engine makes for it" {
	local id=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
	start named ".linux.cgroupsPath = \"/docker/$id\""
	[ "$(jq -r .container "$MNT/pid/$(first_of named)/json/process.json")" = "$id" ]
	[ "$(jq -r "select(.container == \"$id\").comm" "$MNT/json/process.json")" = sleep ]
	# Within a cgroup namespace of its own it has no name.
	inside named 'grep -q '"$id"' /proc/1/cgroup' && want=$id || want=-
	same "$want" "$(inside named 'awk "\$1 == 1 {print \$50}" /mnt/kview/process')"
	stop named
}

@test "a container finds a process below pid/, and none of the host's" {
	start dirs
	agree inside dirs "$FILES_BY_PROC" 'awk "NR > 1 {print \$NF}" /mnt/kview/pid/1/task_file' | grep -qx /dev/null
	run inside dirs 'ls /mnt/kview/pid/$0' "$$"
	[ "$status" != 0 ]
	[[ $output == *'No such file'* ]]
	stop dirs
}

@test "busybox reads the mount with dd, head and awk" {
	start tools
	for c in 'dd if=/mnt/kview/task 2>/dev/null' 'head -n 99 /mnt/kview/task' 'awk 1 /mnt/kview/task'; do
		[ "$(inside tools "$c" | wc -l)" = 3 ]
	done
	stop tools
}

@test "a container without a pid namespace sees the host's processes by the host's numbers" {
	local listed
	start hostpid "$HOST_PIDS"
	sleeper env
	listed=$(inside hostpid 'awk "NR > 1 {print \$1}" /mnt/kview/task')
	grep -qx "$SLEEPER" <<<"$listed"
	grep -qx "$$" <<<"$listed"
	grep -qx "$(first_of hostpid)" <<<"$listed"
	same "$SLEEPER" "$(inside hostpid 'awk "\$1 == $0 {print \$1}" /mnt/kview/pid/$0/task' "$SLEEPER")"
	stop hostpid
}

# judged NAME WHO WANTED: /proc and kview in the container agree about the sleeper, in this.
judged() {
	local out
	out=$(inside "$1" "$ASK" ask "$SLEEPER")
	same "$(printf 'proc %s\nkview %s' "$2" "$2")" "$out"
}

@test "without CAP_SYS_PTRACE its root looks into what has its ids and no more capabilities" {
	start plain "$HOST_PIDS"
	sleeper env
	judged plain 'files=no maps=no exe=no'
	run inside plain 'dd if=/mnt/kview/pid/$0/task_file' "$SLEEPER"
	[ "$status" != 0 ]
	[[ $output == *'Permission denied'* ]]
	sleeper setpriv --bounding-set=-all --inh-caps=-all
	judged plain 'files=yes maps=yes exe=yes'
	sleeper setpriv --reuid=65534 --regid=65534 --clear-groups
	judged plain 'files=no maps=no exe=no'
	stop plain
}

@test "with CAP_SYS_PTRACE it looks into all, but others' descriptors want CAP_DAC_OVERRIDE too" {
	start ptrace "$HOST_PIDS | $PTRACE"
	start both "$HOST_PIDS | $PTRACE | $DAC"
	sleeper env
	judged ptrace 'files=yes maps=yes exe=yes'
	sleeper setpriv --reuid=65534 --regid=65534 --clear-groups
	judged ptrace 'files=no maps=yes exe=yes'
	judged both 'files=yes maps=yes exe=yes'
	stop ptrace
	stop both
}

@test "with CAP_PERFMON it sees maps where /proc shows them" {
	local out
	start perfmon "$HOST_PIDS | $PERFMON"
	sleeper env
	out=$(inside perfmon "$ASK" ask "$SLEEPER")
	same "$(sed -n 's/^proc //p' <<<"$out")" "$(sed -n 's/^kview //p' <<<"$out")"
	stop perfmon
}

@test "a container with a user namespace sees ids as inside, others' as 65534" {
	start users "$USERS"
	same '0 0' "$(inside users 'awk "\$1 == 1 {print \$7, \$9}" /mnt/kview/task')"
	same '7 0' "$(inside_as 7:0 users 'awk "\$29 == \"awk\" {print \$7, \$9}" /mnt/kview/task')"
	same "$(inside users 'readlink /proc/1/exe')" \
		"$(inside users 'awk "\$1 == 1 {print \$28}" /mnt/kview/task')"
	start users_host "$USERS | $HOST_PIDS | $HOST_PROC"
	sleeper env
	judged users_host 'files=no maps=no exe=no'
	same 65534 "$(inside users_host 'awk "\$1 == $0 {print \$7}" /mnt/kview/task' "$SLEEPER")"
	stop users
	stop users_host
}

@test "slab caches are for root of a container, as /proc/slabinfo, but not in a user namespace" {
	local ask='head -n 1 /proc/slabinfo >/dev/null 2>&1 && echo yes || echo no
		head -n 1 /mnt/kview/kmem_cache >/dev/null 2>&1 && echo yes || echo no'
	start slab
	start slab_users "$USERS"
	same $'yes\nyes' "$(inside slab "$ask")"
	same $'no\nno' "$(inside_as 7:7 slab "$ask")"
	same $'no\nno' "$(inside slab_users "$ask")"
	same '65534 65534 400' "$(inside slab_users 'stat -c "%u %g %a" /mnt/kview/kmem_cache')"
	stop slab
	stop slab_users
}

@test "view=host shows a container the host's processes, numbers, ids and files" {
	local all=$HOST/all
	timeout 60 "$KVIEW" mount -o allow_other,view=host "$all" 3>&-
	sleeper setpriv --reuid=65534 --regid=65534 --clear-groups
	start monitor "$USERS | .mounts[-1].source = \"$all\""
	same "$SLEEPER 65534" "$(inside monitor 'awk "\$1 == $0 {print \$1, \$7}" /mnt/kview/task' "$SLEEPER")"
	same "$DIR/open" "$(inside monitor 'awk "\$3 == 9 {print \$NF}" /mnt/kview/pid/$0/task_file' "$SLEEPER")"
	[ "$(inside monitor 'awk "\$1 == $0" /mnt/kview/task_vma | head -n 1' "$SLEEPER" | wc -l)" = 1 ]
	# Its own processes are there as the host numbers them.
	inside monitor 'awk "\$1 == $0 && \$29 == \"sleep\" {n++} END {exit n != 1}" /mnt/kview/task' "$(first_of monitor)"
	stop monitor
	timeout 60 "$KVIEW" umount "$all"
}

@test "without allow_other only a container of the same user gets in" {
	local own=$HOST/own
	timeout 60 "$KVIEW" mount "$own" 3>&-
	start mine ".mounts[-1].source = \"$own\""
	inside mine 'head -n 1 /mnt/kview/task' | grep -q PID
	run inside_as 7:7 mine 'head -n 1 /mnt/kview/task'
	[ "$status" != 0 ]
	start theirs "$USERS | .mounts[-1] |= (.source = \"$HOST\" | .destination = \"/mnt/host\" |
		.options = [\"rbind\", \"ro\"])"
	run inside theirs 'head -n 1 /mnt/host/own/task'
	[ "$status" != 0 ]
	[[ $output == *'Permission denied'* ]]
	stop mine
	stop theirs
	timeout 60 "$KVIEW" umount "$own"
}

# --- mounts that come and go ---

@test "with rslave on the parent directory a later mount appears in the container and goes" {
	local later=$HOST/later
	start slave "$(with_parent rslave)"
	start private "$(with_parent rprivate)"
	run inside slave 'ls /mnt/host/later'
	[ "$status" != 0 ]
	timeout 60 "$KVIEW" mount -o allow_other "$later" 3>&-
	same 1 "$(inside slave 'awk "\$29 == \"sleep\" {print \$1}" /mnt/host/later/task')"
	same '' "$(inside private 'ls /mnt/host/later')"
	timeout 60 "$KVIEW" umount "$later"
	run inside slave 'ls /mnt/host/later/task'
	[ "$status" != 0 ]
	stop slave
	stop private
}

@test "after the daemon was killed and kview mounted again, rslave follows, a bind stays dead" {
	local again=$HOST/again daemon
	timeout 60 "$KVIEW" mount -o allow_other "$again" 3>&-
	start follows "$(with_parent rslave) | .mounts[-2].source = \"$again\""
	inside follows 'head -n 1 /mnt/kview/task' | grep -q PID
	daemon=$(MNT=$again daemon_pid)
	kill -KILL "$daemon"
	run inside follows 'head -n 1 /mnt/kview/task'
	[ "$status" != 0 ]
	timeout 60 "$KVIEW" mount -o allow_other "$again" 3>&-
	inside follows 'head -n 1 /mnt/host/again/task' | grep -q PID
	run inside follows 'head -n 1 /mnt/kview/task'
	[ "$status" != 0 ]
	[[ $output == *'not connected'* ]]
	stop follows
	timeout 60 "$KVIEW" umount "$again"
}

@test "unmounted on the host, a container's bind is served on until the container ends" {
	local held=$HOST/held daemon
	timeout 60 "$KVIEW" mount -o allow_other "$held" 3>&-
	daemon=$(MNT=$held daemon_pid)
	start holds ".mounts[-1].source = \"$held\""
	run timeout 60 "$KVIEW" umount "$held"
	[ "$status" = 1 ]
	[[ $output == *'is unmounted, but its daemon has not ended'* ]]
	run mountpoint -q "$held"
	[ "$status" != 0 ]
	inside holds 'head -n 1 /mnt/kview/task' | grep -q PID
	stop holds
	timeout 30 tail --pid="$daemon" -f /dev/null
}

# --- others that make containers ---

in_bwrap() {
	timeout 30 bwrap --unshare-pid --ro-bind "$BOX" / --proc /proc --dev /dev \
		--ro-bind "$MNT" /mnt/kview sh -c "$1" </dev/null 3>&-
}

@test "bubblewrap: a process sees its sandbox" {
	sees_itself in_bwrap
	run in_bwrap 'ls /mnt/kview/pid/$$ >/dev/null && head -n 1 /mnt/kview/kmem_cache'
	[[ $output == NAME* ]]
}

in_user_bwrap() {
	timeout 30 setpriv --reuid=65534 --regid=65534 --clear-groups bwrap --unshare-all --uid 0 --gid 0 \
		--ro-bind "$BOX" / --proc /proc --dev /dev --ro-bind "$MNT" /mnt/kview sh -c "$1" </dev/null 3>&-
}

@test "bubblewrap, started by a user: its root sees its sandbox, and no slab caches" {
	sees_itself in_user_bwrap
	same '0 0' "$(in_user_bwrap 'awk "\$1 == 1 {print \$7, \$9}" /mnt/kview/task')"
	run in_user_bwrap 'head -n 1 /mnt/kview/kmem_cache'
	[ "$status" != 0 ]
	[[ $output == *'Permission denied'* ]]
}

# Without systemd as init there is nobody to register with; a scope for it neither.
# It may fail to start one on a busy machine, before the script begins: then again.
in_nspawn() {
	local rc
	for _ in 1 2 3; do
		rc=0
		timeout 60 systemd-nspawn --quiet --register=no --keep-unit --pipe --read-only \
			--timezone=off --resolv-conf=off -D "$BOX" --bind-ro="$MNT:/mnt/kview" \
			sh -c "echo begun >&2; $1" </dev/null 2>"$DIR/nspawn.log" 3>&- || rc=$?
		! grep -qx begun "$DIR/nspawn.log" || return "$rc"
		cat "$DIR/nspawn.log" >&3
	done
	return 1
}

@test "systemd-nspawn: a container sees its own" {
	sees_itself in_nspawn
	in_nspawn 'head -n 1 /mnt/kview/kmem_cache' | grep -q ^NAME
}

# podman_run [OPTION...] SCRIPT: storage of its own; limits that may be set everywhere.
podman_run() {
	local script=${*: -1}
	timeout 60 podman --root "$DIR/podman/root" --runroot "$DIR/podman/run" --tmpdir "$DIR/podman/tmp" \
		--storage-driver vfs --cgroup-manager=cgroupfs --runtime runc --events-backend=none \
		run --rm --network none --ulimit nofile=1000:1000 --ulimit nproc=1000:1000 \
		"${@:1:$#-1}" --rootfs "$BOX" sh -c "$script" </dev/null 2>"$DIR/podman.log" 3>&-
}

in_podman() {
	podman_run -v "$MNT:/mnt/kview:ro" "$1"
}

@test "podman -v /mnt/kview:/mnt/kview:ro: a container sees its own" {
	sees_itself in_podman || { cat "$DIR/podman.log"; return 1; }
}

@test "podman -v PARENT:...:ro,rslave, --pid=host and --cap-add" {
	sleeper env
	podman_run -v "$HOST:/mnt/host:ro,rslave" 'head -n 1 /mnt/host/kview/task' | grep -q PID
	same "$SLEEPER" "$(podman_run --pid=host -v "$MNT:/mnt/kview:ro" "awk '\$1 == $SLEEPER {print \$1}' /mnt/kview/task")"
	same '' "$(podman_run --pid=host -v "$MNT:/mnt/kview:ro" "awk '\$1 == $SLEEPER && \$3 == 9 {print \$3}' /mnt/kview/task_file")"
	same 9 "$(podman_run --pid=host --cap-add SYS_PTRACE -v "$MNT:/mnt/kview:ro" "awk '\$1 == $SLEEPER && \$3 == 9 {print \$3}' /mnt/kview/task_file")"
}
