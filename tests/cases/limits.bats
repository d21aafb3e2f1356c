#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# One user's files and reads leave the others theirs; and the status file, which
# tells what is in use.
# shellcheck disable=SC2154 # `run` sets stderr, stderr_lines
bats_require_minimum_version 1.5.0
# bats file_tags=alone
load common

setup() {
	kview_setup
	chmod 755 "$DIR"
}

teardown() {
	kview_teardown
}

# limits CASE ARG...: one of limits.py; what it says as comments of TAP.
limits() {
	timeout 60 python3 -B "$BATS_TEST_DIRNAME/limits.py" "$1" "$MNT" "${@:2}" 3>&- >"$DIR/said"
	cat "$DIR/said" >&3
}

stuck() {
	limits "$1" "$TOOLS/stuck" "$DIR/stuck"
}

# refused STATUS OPTIONS MESSAGE HINT
refused() {
	fails "$1" "$3" "$4" mount -o "$2" "$MNT"
	[ "$(grep -cF " $MNT " /proc/self/mounts)" -eq 0 ]
}

# --- open files -----------------------------------------------------------

@test "max_user_files: a flooder gets EMFILE, others and root don't notice; max_files: ENFILE" {
	up -o allow_other,max_files=64,max_user_files=16
	limits files
}

@test "open listings of pid/ have limits of their own" {
	up -o allow_other,max_files=64,max_user_files=16
	limits listings
}

@test "the limits are 4096, or as many as there can be, and 256 if not told, and a user's never above half" {
	local options most=$((($(ulimit -Hn) - 1300) / 10))
	up
	[ "$(value max_files)" -le 4096 ]
	[ "$(value max_files)" -ge $((most < 4096 ? most : 4096)) ]
	[ "$(value max_user_files)" -eq 256 ]
	kview_umount
	for options in max_files=100:50 max_files=512:256 max_files=1800:256 max_files=3:1 \
		max_files=10,max_user_files=9:9 max_user_files=1799:1799; do
		up -o "${options%:*}"
		[ "$(value max_user_files)" = "${options#*:}" ]
		kview_umount
	done
}

@test "with max_files=1 root can read one file at a time" {
	up -o max_files=1
	[ "$(awk '{print $1; exit}' "$MNT/task")" = PID ]
	until_true cat "$MNT/status"
}

@test "bad limits are wrong usage, and the hint says what is right" {
	local o
	for o in 0 -1 +1 abc 1x 0x10 "" " 1" 65537 99999999999999999999 1.5 4k; do
		refused 2 "max_files=$o" "bad value in mount option 'max_files=$o'*" "*1 to 65536*"
		refused 2 "max_user_files=$o" "bad value in mount option 'max_user_files=$o'*" "*1 to 65536*"
	done
	refused 2 "max_files=16,max_user_files=16" "*max_user_files=16 is not below max_files=16*" "*"
	refused 2 "max_user_files=4096" "*max_user_files=4096 is not below max_files=4096*" "*"
	refused 2 "max_user_files=20,max_files=10" "*max_user_files=20 is not below max_files=10*" "*"
	[ ! -e "$KVIEW_PIN_DIR" ]
}

# --- slow and stuck readers -----------------------------------------------

@test "1,000 slow readers do not stop others" {
	up -o allow_other
	limits slow
}

@test "kill -9 of readers whose read is stuck in the kernel takes effect within a second" {
	up -o allow_other
	stuck stuck
}

@test "a walk that gets stuck ahead of its reader is one of its user's, and who waits for it can be killed" {
	up -o allow_other
	stuck ahead
}

@test "stuck reads of one user's leave its other files and others served; those that wait can be interrupted" {
	up -o allow_other
	stuck lanes
}

@test "stuck reads of many users leave root served" {
	up -o allow_other
	stuck many
}

@test "a worker killed with stuck reads is replaced" {
	up -o allow_other
	stuck worker
}

# --- status ---------------------------------------------------------------

# collectors_of OBJECT: its functions in sections that say so
collectors_of() {
	readelf -SsW "$1" | awk '
		/^ +\[ *[0-9]+\]/ {sub(/^ +\[ */, ""); sub(/\]/, ""); section[$1] = $2}
		$4 == "FUNC" && section[$7] ~ /^\??(tp_btf|raw_tp|raw_tracepoint|fentry|fexit|fmod_ret)(\.s)?\// {print $8}'
}

@test "status has lines of name, tab, value, each once" {
	up -o allow_other,hidepid=1
	cat "$MNT/status" >"$DIR/status"
	cat >"$DIR/names" <<-END
		version uptime holder worker restarts dying_workers seccomp view hidepid resend
		perfmon_reads_maps open_files max_files max_user_files cpu open_listings reads_running
		reads_waiting reads_stuck
	END
	xargs -n 1 <"$DIR/names" >"$DIR/want"
	for v in $ALL_VIEWS; do
		printf "$v.%s\n" iterator reads rows bytes errors
		collectors_of "$BUILD/iters/$v.bpf.o" | sed "s/.*/$v.&.attached/"
	done >>"$DIR/want"
	diff <(sort "$DIR/want") <(cut -f 1 "$DIR/status" | sort)
	[ "$(grep -cvP '^[a-z0-9_.]+\t[^\t]+$' "$DIR/status")" -eq 0 ]
	[ "$(value version)" = "$("$KVIEW" --version | awk '{print $2}')" ]
	[ "$(value holder)" = "$(daemon_pid)" ]
	[ "$(value worker)" = "$(worker_pid)" ]
	[ "$(value restarts) $(value view) $(value hidepid)" = "0 reader 1" ]
	[ "$(value open_files) $(value open_listings)" = "1 0" ]
	[ "$(value reads_running) $(value reads_waiting)" = "1 0" ]
	[ "$(value task.iterator) $(value kmem_cache.iterator)" = "task kmem_cache" ]
	awk -v a="$(value uptime)" -v b="$(sleep 0.3; value uptime)" 'BEGIN {exit !(b - a >= 0.3 && b - a < 5)}'
	kview_umount
	up -o view=host
	[ "$(value view) $(value hidepid)" = "host 0" ]
}

@test "status is root's: mode 0400, EACCES for others" {
	up -o allow_other
	[ "$(stat -c '%a %u %g %s' "$MNT/status")" = "400 0 0 0" ]
	run -1 as_user cat "$MNT/status"
	[[ $output == *"Permission denied"* ]]
	install -m 755 "$KVIEW" "$DIR/kview"
	run -1 as_user "$DIR/kview" status "$MNT"
	[[ $output == "kview: "*"Permission denied"* ]]
	run ! as_user ls "$MNT/pid/1/status"
}

# as_container COMMAND...: root with a pid namespace of its own, and its /proc
as_container() {
	timeout 60 unshare --pid --fork --mount-proc "$@" 3>&-
}

@test "status tells root of a container no number of a process outside" {
	local pids
	up -o allow_other
	pids="$(daemon_pid) $(worker_pid)"
	[ "$(value holder) $(value worker)" = "$pids" ]
	as_container cat "$MNT/status" >"$DIR/status"
	grep -qxP 'holder\t-' "$DIR/status"
	grep -qxP 'worker\t-' "$DIR/status"
	diff <(cut -f 1 "$MNT/status") <(cut -f 1 "$DIR/status")
	as_container "$KVIEW" status "$MNT" | grep -qxP 'worker\t-'
	# With the host's there is nothing to hide.
	[ "$(timeout 60 unshare --mount cat "$MNT/status" | awk '$1 == "holder" || $1 == "worker" {print $2}' | xargs)" = "$pids" ]
}

# hidden COMMAND...: root without CAP_SYS_PTRACE and root's group, and a /proc with hidepid=2
hidden() {
	timeout 60 unshare --mount sh -c 'mount -t proc -o hidepid=2 proc /proc && exec "$@"' _ \
		setpriv --regid 21001 --clear-groups --bounding-set=-sys_ptrace --inh-caps=-sys_ptrace "$@" 3>&-
}

@test "status tells of processes as /proc with the same hidepid does" {
	up -o allow_other,hidepid=2
	hidden cat "$MNT/status" >"$DIR/status"
	for name in holder worker; do
		if hidden test -e "/proc/$(value $name)"; then
			grep -qxP "$name\t$(value $name)" "$DIR/status"
		else
			grep -qxP "$name\t-" "$DIR/status"
		fi
	done
	grep -qxP 'worker\t-' "$DIR/status"
}

@test "status counts reads, rows and bytes, and as errors only our own" {
	local n dead
	up
	[ "$(value task.reads) $(value task.rows) $(value task.bytes) $(value task.errors)" = "0 0 0 0" ]
	cat "$MNT/task" >"$DIR/task"
	[ "$(value task.bytes)" -eq "$(wc -c <"$DIR/task")" ]
	[ "$(value task.rows)" -eq $(($(wc -l <"$DIR/task") - 1)) ]
	n=$(value task.reads)
	[ "$n" -ge 2 ]
	cat "$MNT/csv/task.csv" "$MNT/json/task.json" "$MNT/pid/$$/task" >/dev/null
	[ "$(value task.reads)" -ge $((n + 6)) ]
	[ "$(value task.errors) $(value task_vma.reads)" = "0 0" ]
	sleep 300 3>&- &
	dead=$!
	mine $dead
	exec 7<"$MNT/pid/$dead/task"
	kill -KILL $dead
	wait $dead || true
	run ! cat <&7
	exec 7<&-
	# What readers bring about at will is no error of ours.
	run ! runuser -u nobody -- cat "$MNT/pid/$$/task_file"
	[ "$(value task.errors) $(value task_file.errors)" = "0 0" ]
}

@test "status counts restarts, and keeps the counters over them" {
	local rows i
	up
	cat "$MNT/task_file" >/dev/null
	rows=$(value task_file.rows)
	[ "$rows" -gt 10 ]
	for i in 1 2 3; do
		kill -KILL "$(worker_pid)"
		until_true cat "$MNT/status"
		[ "$(value restarts)" -eq $i ]
		[ "$(value worker)" = "$(worker_pid)" ]
		[ "$(value holder)" = "$(daemon_pid)" ]
		[ "$(value task_file.rows)" -eq "$rows" ]
		[ "$(value open_files)" -eq 1 ]
	done
}

@test "kview status prints the file; of no mount it fails with a hint" {
	up
	run -0 --separate-stderr timeout 60 "$KVIEW" status "$MNT"
	[ -z "$stderr" ]
	diff <(cut -f 1 <<<"$output") <(cut -f 1 "$MNT/status")
	diff <(grep -E '^(version|holder|worker|max_)' <<<"$output") \
		<(grep -E '^(version|holder|worker|max_)' "$MNT/status")
	(cd "$DIR" && timeout 60 "$KVIEW" status mnt/ | grep -q ^uptime)
	kview_umount
	for m in "$MNT" /proc "$DIR/none"; do
		run -1 --separate-stderr timeout 60 "$KVIEW" status "$m"
		[ -z "$output" ]
		[[ ${stderr_lines[0]} == "kview: no kview is mounted on '$m'"* ]]
		[[ ${stderr_lines[1]} == "hint: "* ]]
	done
	run -2 timeout 60 "$KVIEW" status a b
}

@test "kview status of a dead mount fails and does not hang" {
	local pid
	up
	pid=$(daemon_pid)
	kill -KILL "$pid"
	run -1 --separate-stderr timeout 60 "$KVIEW" status "$MNT"
	[[ ${stderr_lines[0]} == "kview: "*"$MNT"* ]]
}
