#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The whole of kview once, in a guest: guest.sh RELEASE. Prints TAP without numbers.
# shellcheck disable=SC2016,SC2317 # awk's own; the functions are called through check
set -u
cd /mnt/tests/vm || exit 1
# shellcheck source=tests/vm/tap.bash
. ./tap.bash
KVIEW=/mnt/build/kview
PINS=/sys/fs/bpf/kview
M=/tmp/kview

kview() {
	timeout 200 "$KVIEW" "$@"
}

LIST=$(kview list)

# later VIEW: it says that it needs a later kernel than this one
later() {
	local needs
	needs=$(awk -v view="$1" '/^[a-z]/ {on = $1 == view} on' <<<"$LIST" | sed -n 's/.*it needs Linux \([0-9.]*\)$/\1/p')
	[ -n "$needs" ] && ! at_least "$needs"
}

# All that were built and can be here; those that need no collectors, and of these those of tasks.
ALL_VIEWS='' VIEWS='' TASK_VIEWS=''
for view in /mnt/build/iters/*.bpf.o; do
	name=$(basename "$view" .bpf.o)
	later "$name" && continue
	ALL_VIEWS+="${ALL_VIEWS:+ }$name"
	! grep -qa 'iter/bpf_map_elem' "$view" || continue
	VIEWS+="${VIEWS:+ }$name"
	! grep -qaE 'iter(\.s)?/task' "$view" || TASK_VIEWS+="${TASK_VIEWS:+ }$name"
done

# listed VIEW COLUMN: what `kview list` says of it
listed() {
	kview list | awk -v view="$1" -v column="$2" '$1 == view {print $column}'
}

list_gates_kmem_cache() {
	echo "$LIST"
	grep -q '^kmem_cache  *no ' <<<"$LIST" &&
		grep -A 1 '^kmem_cache ' <<<"$LIST" | grep -q 'needs Linux 6\.13$'
}

list_has_views() {
	local v
	for v in $ALL_VIEWS; do
		grep -q "^$v  *yes " <<<"$LIST" || { echo "$LIST" && return 1; }
	done
}

# The kernel's types say which kinds of iterators it has, and so does its release.
list_has_kinds() {
	local kind since here rest
	kview list --kinds >/tmp/kinds || return 1
	cat /tmp/kinds
	equal "$(grep -aoE 'bpf_iter__[a-z0-9_]+' /sys/kernel/btf/vmlinux | sed 's/bpf_iter__//' | grep -v __ | sort -u | xargs)" \
		"$(awk '$3 == "yes" {print $1}' /tmp/kinds | sort | xargs)" || return 1
	while read -r kind since here rest; do
		case $since in
		LINUX | '?') ;;
		*) equal "$kind $(at_least "$since" && echo yes || echo no) $rest" "$kind $here $rest" || return 1 ;;
		esac
	done </tmp/kinds
}

# cgroup_row_agrees GROUP: the view against that group's files, where all controllers are of v2
cgroup_row_agrees() {
	local dir=$1 row want
	value() { # FILE [NAME]
		if [ $# -eq 1 ]; then cat "$dir/$1"; else awk -v name="$2" '$1 == name {print $2}' "$dir/$1"; fi
	}
	row=$(awk -F , -v id="$(stat -c %i "$dir")" '$2 == id' "$M/csv/cgroup.csv")
	# level id parent populated frozen descendants dying memory memory_max pids pids_max controllers
	want="$(value cgroup.events populated),$(value cgroup.events frozen),$(value cgroup.stat nr_descendants)"
	equal "$want" "$(cut -d , -f 4-6 <<<"$row")" &&
		equal "$(value memory.max | sed 's/^max$//'),$(value pids.current),$(value pids.max | sed 's/^max$//'),$(value cgroup.controllers)" \
			"$(cut -d , -f 9-12 <<<"$row")" &&
		equal ok "$(awk -v have="$(cut -d , -f 8 <<<"$row")" -v want="$(value memory.current)" \
			'BEGIN {d = have - want; print (d * d < 1048576 * 1048576 ? "ok" : have " is not " want)}')"
}

cgroup_is_as_its_files() {
	local top=/sys/fs/cgroup group=/sys/fs/cgroup/kview-test pid rc=0
	mountpoint -q "$top" || mount -t cgroup2 cgroup "$top" || return 1
	cat "$top"/cgroup.controllers
	echo "+memory +pids" >"$top/cgroup.subtree_control" && mkdir -p "$group/below" || return 1
	echo 50000000 >"$group/memory.max" && echo 77 >"$group/pids.max" || return 1
	sleep 100 &
	pid=$!
	echo "$pid" >"$group/cgroup.procs"
	cgroup_row_agrees "$group" && cgroup_row_agrees "$group/below" || rc=1
	kill "$pid" && wait "$pid" 2>/dev/null
	rmdir "$group/below" "$group"
	return "$rc"
}

# Attaching patches the kernel's text, and QEMU may run on another CPU what stood there before.
on_one_cpu() {
	local cpu=/sys/devices/system/cpu/cpu1/online rc=0
	echo 0 >"$cpu"
	"$@" || rc=$?
	echo 1 >"$cpu"
	return "$rc"
}

check_passes() {
	local out v
	out=$(kview check 2>&1) || { echo "$out" && return 1; }
	echo "$out"
	for v in $ALL_VIEWS; do
		grep -qE "^view $v +yes" <<<"$out" || return 1
	done
	# Others take the place of tracepoints that are not there, or tell less.
	at_least 6.5 || out=$(grep -vE '^collector (sends|receives|sends_by_packet_sendmsg|io_begins|io_ends) ' <<<"$out")
	at_least 6.17 || out=$(grep -v '^collector retransmits ' <<<"$out")
	! grep -E '^[^ ].{27} no ' <<<"$out" | grep -v '^view [a-z_]* .*; it needs Linux [0-9.]*$'
}

mounts_quietly() {
	local out
	out=$(kview mount "$M" 2>&1) || { echo "$out" && return 1; }
	equal "" "$out" && equal fuse.kview "$(findmnt -n -o FSTYPE "$M")"
}

# But for the program that is pinned beside the views.
names() {
	(cd "$1" && echo * | sed -E 's/(^| )reader=[0-9a-f]*//; s/^ //')
}

tree_has_views() {
	local v tasks
	read -ra v <<<"$ALL_VIEWS"
	read -ra tasks <<<"$TASK_VIEWS"
	equal "$(printf '%s\n' csv json map pid schema status "${v[@]}" | sort | xargs)" "$(names "$M")" &&
		equal "${v[*]/%/.csv}" "$(names "$M"/csv)" &&
		equal "${v[*]/%/.json}" "$(names "$M"/json)" &&
		equal "$ALL_VIEWS" "$(names "$M"/schema)" &&
		equal "csv json $TASK_VIEWS" "$(names "$M"/pid/$$)" &&
		equal "${tasks[*]/%/.csv}" "$(names "$M"/pid/$$/csv)"
}

no_kmem_cache_anywhere() {
	local f
	for f in kmem_cache json/kmem_cache.json csv/kmem_cache.csv schema/kmem_cache; do
		[ ! -e "$M/$f" ] || { echo "there is $M/$f" && return 1; }
	done
	[ ! -e "$PINS"/kmem_cache ] || return 1
	equal "" "$(find "$M" "$PINS" -path "$M"/pid -prune -o -name '*kmem_cache*' -print)"
}

# Column names: the same in schema/, in the table, in csv and in the pin.
headers_agree() {
	local v want
	lower() {
		head -n 1 "$1" | tr '[:upper:]' '[:lower:]' | xargs
	}
	for v in $VIEWS; do
		want=$(cut -f 1 "$M/schema/$v" | xargs)
		[ -n "$want" ] && equal "$(kview schema "$v" | cut -f 1 | xargs)" "$want" &&
			equal "$want" "$(lower "$M/$v")" &&
			# One is a program that is called: nobody reads its pin.
			{ [ "$v" = cgroup ] || equal "$want" "$(lower "$PINS/$v")"; } &&
			equal "$want" "$(head -n 1 "$M/csv/$v.csv" | tr , ' ')" || return 1
	done
}

# The reader is whoever opens the file.
self_is_the_reader() {
	local out
	out=$(cat "$M"/pid/self/task)
	echo "$out"
	equal 2 "$(wc -l <<<"$out")" && equal cat "$(awk 'NR == 2 {print $NF}' <<<"$out")"
}

cat_gives() {
	local format=$1 view=$2 pid=$3 file=$M/pid/$3/$4
	kview cat -F "$format" --pid "$pid" "$view" >/tmp/cat && cmp /tmp/cat "$file" &&
		[ -s /tmp/cat ]
}

# `kview cat` of a frozen process gives the bytes of the mount's files.
cat_is_the_mount() {
	local pid=$1 v
	wait_for grep -qx sleep "/proc/$pid/comm" && wait_for grep -q '^State:.S' "/proc/$pid/status" || return 1
	for v in $TASK_VIEWS; do
		cat_gives text "$v" "$pid" "$v" && cat_gives csv "$v" "$pid" "csv/$v.csv" &&
			cat_gives json "$v" "$pid" "json/$v.json" || return 1
	done
	equal "{\"comm\":\"sleep\",\"pid\":$pid}" \
		"$(kview cat -F json -c comm,pid --pid "$pid" task)"
}

# tables_once PID files|maps VIEW: in both places
tables_once() {
	# An emulated CPU takes its time.
	timeout 200 python3 /mnt/tests/cases/tables.py "$2" "$1" "$M/csv/$3.csv" "$M/pid/$1/csv/$3.csv"
}

# odd_tables ARG...: what threads share oddly is there once, and so is what all share.
odd_tables() {
	local subject tables rc=0
	mkfifo /tmp/tables.stdin
	/mnt/build/tests/cases/tables "$@" <>/tmp/tables.stdin >/tmp/tables &
	tables=$!
	wait_for grep -q ready /tmp/tables || return 1
	subject=$(head -n 1 /tmp/tables)
	tables_once "$subject" files task_file && tables_once "$subject" maps task_vma || rc=1
	kill -KILL "$subject" "$tables"
	rm /tmp/tables /tmp/tables.stdin
	return "$rc"
}

# Since a later kernel they read nothing at all: see README, Limits.
async_reads() {
	local by n
	for by in aio uring async; do
		n=$(/mnt/build/tests/cases/async_read "$by" cached "$M/task" | wc -c)
		echo "$by read $n bytes"
		if at_least 6.18; then
			equal 0 "$n" || return 1
		else
			[ "$n" -gt 5000 ] || return 1
		fi
		equal 0 "$(/mnt/build/tests/cases/async_read "$by" direct "$M/task" | wc -c)" || return 1
	done
}

# checks_of SECONDS SCRIPT ARGS...: what that prints are checks as well.
checks_of() {
	local seconds=$1 script=$2 rc=0
	shift 2
	timeout "$seconds" python3 "$script" "$@" >/tmp/checks 2>&1 || rc=$?
	grep -E '^((not )?ok - |#)' /tmp/checks
	# A run that died halfway is a failure of its own.
	check "$script came to its end" sh -c 'tail -n 20 /tmp/checks; grep -q "^done" /tmp/checks'
	[ $rc -eq 0 ] || RC=1
}

can_resend() {
	if at_least 6.9; then
		equal yes "$(status_of resend)"
	else
		equal no "$(status_of resend)"
	fi
}

# Programs that are loaded have symbols of their own.
programs() {
	grep -cE 'bpf_prog_[0-9a-f]+_(task|task_file|task_vma|reader|processes)\b' /proc/kallsyms
}

no_programs() {
	[ "$(programs)" -eq 0 ]
}

no_daemon() {
	! pgrep -x kview
}

umount_leaves_nothing() {
	[ "$(programs)" -ge 5 ] || { echo "loaded programs can't be seen" && return 1; }
	kview umount "$M" && no_daemon && ! findmnt "$M" &&
		equal "*" "$(names "$M")" && [ ! -e "$PINS" ] && wait_for no_programs
}

# A hard limit of 4096 would be enough for 400 files.
limit_is_raised() {
	local limit
	limit=$(awk '/^Max open files/ {print $5}' "/proc/$(worker)/limits")
	echo "hard limit of the worker: $limit, ours: $(ulimit -Hn)"
	equal 4096 "$(status_of max_files)" && [ "$limit" -ge 36864 ] && [ "$(ulimit -Hn)" -lt 36864 ]
}

status_of() {
	awk -v name="$1" '$1 == name {print $2}' "$M/status"
}

worker() {
	pgrep -P "$(status_of holder)"
}

serves() {
	[ "$(timeout 20 awk '{print $1; exit}' "$M/task")" = PID ]
}

# is_asked_by WORKER: until it is, or is no more
is_asked_by() {
	mountpoint -q /sys/fs/fuse/connections || mount -t fusectl fusectl /sys/fs/fuse/connections || return 1
	until [ "$(cat /sys/fs/fuse/connections/*/waiting)" -gt 0 ]; do
		kill -0 "$1" && sleep 0.05 || return 1
	done
}

# This kernel gives nothing that the last worker had begun to the next: it fails.
killed_worker_is_replaced() {
	local old
	old=$(worker)
	kill -KILL "$old"
	wait_for serves && equal 1 "$(status_of restarts)" && [ "$(worker)" != "$old" ]
}

# What no worker has read yet is the next one's.
stopped_worker_is_replaced() {
	local old
	old=$(worker)
	# One that is stopped for a second is killed in any case.
	kill -STOP "$old"
	timeout 20 cat "$M/task" >/tmp/read 2>/tmp/error &
	is_asked_by "$old" && kill -KILL "$old"
	wait $! || { cat /tmp/error && return 1; }
	[ -s /tmp/read ] && equal 2 "$(status_of restarts)"
}

# What was under way fails, at once.
readers_are_told() {
	local i rc bad=0 began=$SECONDS pids=()
	for i in {1..8}; do # who waits in vain waits for ever; others may take half a minute under emulation
		timeout 100 cat "$M/task_vma" >/dev/null 2>"/tmp/error.$i" &
		pids+=($!)
	done
	sleep 0.3
	kill -KILL "$(worker)"
	for i in "${pids[@]}"; do
		rc=0
		wait "$i" || rc=$?
		[ "$rc" -le 1 ] || bad=$rc
	done
	cat /tmp/error.*
	[ "$bad" -eq 0 ] || { echo "status $bad after $((SECONDS - began)) s" && return 1; }
	! grep -hvE 'Software caused connection abort|Stale file handle' /tmp/error.* &&
		wait_for serves
}

# Half a file is read, and its descriptor kept over both.
open_files_are_stale() {
	local out
	exec 7<"$M/task"
	read -r -u 7 && kill -KILL "$(worker)" && wait_for serves
	out=$(cat <&7 2>&1)
	exec 7<&-
	grep -q 'Stale file handle' <<<"$out"
}

is_taken_over() {
	local old
	old=$(status_of holder)
	kview mount --takeover "$M" && serves && [ ! -e "/proc/$old" ] &&
		[ "$(status_of holder)" != "$old" ] && equal 0 "$(status_of restarts)" &&
		equal 1 "$(grep -c " $M fuse.kview " /proc/mounts)" &&
		killed_worker_is_replaced
}

load_pins() {
	kview load && equal "$VIEWS" "$(names "$PINS")" &&
		kview load && equal "$VIEWS" "$(names "$PINS")" &&
		equal yes "$(listed task 3)"
}

umount_keeps_loaded_pins() {
	kview mount "$M" && kview umount "$M" && no_daemon && equal "$VIEWS" "$(names "$PINS")"
}

unload_leaves_nothing() {
	kview unload && [ ! -e "$PINS" ] && wait_for no_programs
}

# On another architecture the root has no mkfs: that overlayfs is known must do there.
FILE_SYSTEMS=
[ "$(uname -m)" != x86_64 ] || FILE_SYSTEMS="xfs btrfs overlay-two idmapped"

as_fstat() {
	timeout 120 unshare --mount --propagation private \
		python3 /mnt/tests/cases/stat.py "$M/pid/self/csv/task_file.csv" "$1" "/tmp/$1"
}

# Directories of overlayfs tell that nothing is known of it.
learns_of_modules() {
	local module
	for module in /run/late/*; do
		busybox insmod "$module" || true # it may need something of this machine's
	done
	equal stale "$(listed task_file 3)" && ! as_fstat overlay-tmpfs &&
		kview mount --takeover "$M" && equal yes "$(listed task_file 3)" &&
		as_fstat overlay-tmpfs
}

# starts_of PID: in the pin, the mount and kview cat, in seconds; by a shell's own reads.
starts_of() {
	local file line
	kview cat --pid "$1" task >/tmp/start || return 1
	for file in "$PINS/task" "$M/task" /tmp/start; do
		while read -ra line; do
			[ "${line[0]}" != "$1" ] || echo "${line[15]%.*}"
		done <"$file"
	done
}

# start_is_btime PID: each of these is as /proc/stat and /proc/PID/stat add up.
start_is_btime() {
	local want got n=0
	want=$(($(awk '$1 == "btime" {print $2}' /proc/stat) + $(awk '{print int($22 / 100)}' "/proc/$1/stat")))
	for got in $(starts_of "$1"); do
		echo "start is $got, in /proc $want"
		n=$((n + 1))
		[ $((got - want)) -ge 0 ] && [ $((got - want)) -le 1 ] || return 1
	done
	equal 3 "$n"
}

set_clock() {
	date -s "@$(($(date +%s) + $1))" >/dev/null
}

start_follows_the_clock() {
	start_is_btime $$ && set_clock 86400 && start_is_btime $$ && set_clock -86400 &&
		start_is_btime $$
}

# The timers of a CPU that is off do not learn of it; a reader's may be there.
start_follows_without_a_cpu() {
	local cpu=/sys/devices/system/cpu/cpu1/online
	echo 0 >"$cpu" && start_follows_the_clock
	local rc=$?
	echo 1 >"$cpu"
	return "$rc"
}

# A process that is made there has its timer there.
from_cpu_1() {
	export -f kview equal starts_of start_is_btime set_clock start_follows_the_clock \
		start_follows_without_a_cpu
	export KVIEW PINS M
	taskset -c 1 bash -c "bash -c '$*; exit'; exit"
}

check "the kernel is the one that was asked for" equal "$1" "$(uname -r)"
check "check passes" on_one_cpu check_passes
check "list has the views as supported" list_has_views
check "list --kinds has the kernel's kinds of iterators" list_has_kinds
if ! at_least 6.13; then
	check "list says that kmem_cache needs Linux 6.13" list_gates_kmem_cache
	check "schema of kmem_cache is known all the same" \
		sh -c "timeout 20 $KVIEW schema kmem_cache | grep -q ^objsize"
	check "cat of kmem_cache fails and says why" \
		fails_saying 1 "it needs Linux 6.13" kview cat kmem_cache
fi
check "mount works without a word" mounts_quietly
check "the tree has the views" tree_has_views
at_least 6.13 || check "kmem_cache is nowhere" no_kmem_cache_anywhere
check "list says that the views are pinned" equal yes "$(listed task_vma 3)"
# shellcheck source=tests/vm/worlds.bash
. ./worlds.bash
check "headers agree with the schema" headers_agree
check "pid/self is the reader" self_is_the_reader
check "cgroup: as the files of its groups" cgroup_is_as_its_files
# With a socket, so that each view has a row of it.
python3 -c 'import os, socket
s = socket.socket()
os.set_inheritable(s.fileno(), True)
os.execvp("sleep", ["sleep", "1000"])' &
check "kview cat gives the bytes of the mount" cat_is_the_mount $!
kill $!
checks_of 300 values.py "$M" "$PINS"
if at_least 6.13; then
	for what in slabinfo sysfs users; do
		check "kmem_cache: as in $what" timeout 60 python3 /mnt/tests/cases/oracle_slab.py $what "$M"
	done
fi
# Rights are judged by the same code on each architecture.
[ "$(uname -m)" != x86_64 ] || checks_of 400 readers.py "$KVIEW"
check "the worker may have more descriptors than its starter" limit_is_raised
check "tables of single threads are there once" odd_tables -m own 400 3
check "tables that threads share by twos are there once" odd_tables pairs 400 3
check "tables behind a dead leader are there once" odd_tables -z -m mixed 400 3
check "io_submit and io_uring read, unless the file was opened with O_DIRECT" async_reads
check "status says whether this kernel can send requests again" can_resend
check "a worker that is killed is replaced" killed_worker_is_replaced
check "a worker that is stopped and killed is replaced, its reader served" stopped_worker_is_replaced
check "readers as a worker is killed are told, and none waits" readers_are_told
check "files that were open over that are stale" open_files_are_stale
check "the mount is taken over, and its worker replaced as well" is_taken_over
check "file systems whose modules come late have no value until a takeover" learns_of_modules
for what in $FILE_SYSTEMS; do
	check "files on $what: as fstat" as_fstat "$what"
done
check "start follows the clock" start_follows_the_clock
check "start follows the clock where the reader's timer does not" \
	from_cpu_1 start_follows_without_a_cpu
check "umount leaves nothing" umount_leaves_nothing
# shellcheck source=tests/vm/collected.bash
. ./collected.bash
check "load pins, again as well" load_pins
check "umount leaves pins that load made" umount_keeps_loaded_pins
check "unload leaves nothing" unload_leaves_nothing
check "the kernel has nothing to complain of" kernel_is_calm
exit "$RC"
