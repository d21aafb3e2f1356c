#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# Views of what collectors count. The oracle is who made it happen.
bats_require_minimum_version 1.5.0

load common

setup() {
	kview_setup
}

teardown() {
	kview_teardown
}

# Links of programs that run as things happen, of those that this test has pinned or holds.
attached() {
	bpftool -j link show | jq '[.[] | select(.type == "raw_tracepoint" or .type == "tracing")] | length'
}

# Others may attach some for a moment meanwhile.
no_more_than() {
	[ "$(attached)" -le "$1" ]
}

@test "off: the files are there and say so, and nothing is attached" {
	local before view
	before=$(attached)
	up
	for view in $COLLECT_VIEWS; do
		for file in "$view" "csv/$view.csv" "json/$view.json"; do
			[[ " $OPEN_VIEWS " == *" $view "* ]] || [ "$(stat -c %a "$MNT/$file")" = 400 ]
			run -1 cat "$MNT/$file"
			[[ $output == *"No data available"* ]]
		done
		[ -n "$(cat "$MNT/schema/$view")" ]
		[ "$(value "$view.iterator")" = - ]
		fails 1 "nothing is collected for view '$view'" "*-o collect=$view*--for SECONDS $view*" cat "$view"
	done
	until_true no_more_than "$before"
	[ "$(pinned)" = "$VIEWS" ]
	down
}

@test "words that name no collectors are refused, and nothing stays" {
	fails 1 "no view 'nope'" "*kview list*" mount -o collect=nope "$MNT"
	fails 1 "no view 'nope'" "*kview list*" mount -o collect=exits+nope "$MNT"
	fails 1 "view 'task' has no collectors" "*kview list*" mount -o collect=task "$MNT"
	fails 2 "bad value in mount option 'collect='" "collect=VIEW+VIEW*" mount -o collect= "$MNT"
	fails 2 "view 'task' has no collectors" "*kview list*" cat --for 1 task
	fails 2 "'0' is not a number of seconds" "*kview help cat*" cat --for 0 exits
	fails 2 "'1x' is not a number of seconds" "*kview help cat*" cat --for 1x exits
	fails 2 "'-1' is not a number of seconds" "*kview help cat*" cat --for -1 exits
	nothing_left
}

@test "exits: what wait4 says, whatever the process is called" {
	up -o collect=exits
	told collect.py truth "$MNT"
	told collect.py threads "$MNT"
	told collect.py args "$MNT"
	told collect.py each_once "$MNT"
	down
}

@test "a process whose threads end at once is counted once" {
	up -o collect=exits+exit_totals
	told collect.py at_once "$MNT"
	down
}

@test "exits: the last 4096, each once, also while more come" {
	up -o collect=exits
	told collect.py ring "$MNT"
	told collect.py storm "$MNT" 8
	told collect.py crowd "$MNT"
	[ "$(value exits.dropped)" = 0 ]
	down
}

@test "exits: the control group and the container of a process, after they are gone" {
	local group
	group=$(awk '$3 == "cgroup2" {print $2; exit}' /proc/self/mounts)
	[ -n "$group" ]
	up -o collect=exits
	told collect.py group "$MNT" "$group/docker-$(printf '%064d' $$).scope"
	told collect.py long_group "$MNT" "$group/kview-test-$$"
	mkdir "$DIR/v1"
	mount -t cgroup -o none,name=kview-test cgroup "$DIR/v1"
	told collect.py other_group "$MNT" "$DIR/v1/$(printf '%064d' 1$$)"
	umount "$DIR/v1"
	down
}

@test "exit_totals: all processes of a name, and names beyond the table in one row" {
	up -o collect=exit_totals
	told collect.py totals "$MNT"
	told collect.py names "$MNT"
	[ "$(value exit_totals.dropped)" -gt 200 ]
	down
}

# What was counted once stays in the view.
marked() {
	grep -q '"comm":"of all time"' "$1/json/exits.json"
}

@test "counts go on through a worker's death, a takeover and a second mount, and end with the last" {
	local before worker second=$DIR/second
	before=$(attached)
	up -o collect=all
	bash -c 'echo -n "of all time" >/proc/self/comm'
	marked "$MNT"
	worker=$(worker_pid)
	kill -KILL "$worker"
	until_true marked "$MNT"
	[ "$(worker_pid)" != "$worker" ]
	timeout 60 "$KVIEW" mount --takeover -o collect=exits+exit_totals "$MNT" 3>&-
	marked "$MNT"
	timeout 60 "$KVIEW" mount "$second" 3>&-
	marked "$second"
	timeout 60 "$KVIEW" umount "$MNT"
	marked "$second"
	[ -e "$KVIEW_PIN_DIR/exits+exits_end" ]
	# Who takes over without the words does not collect.
	timeout 60 "$KVIEW" mount --takeover "$second" 3>&-
	run -1 cat "$second/exits"
	[ "$(pinned)" = "$VIEWS" ]
	timeout 60 "$KVIEW" umount "$second"
	until_true no_more_than "$before"
	nothing_left
}

@test "a takeover without the words leaves what another mount collects" {
	local second=$DIR/second third=$DIR/third
	up -o collect=exits+traffic
	timeout 60 "$KVIEW" mount -o collect=traffic "$second" 3>&-
	bash -c 'echo -n "of all time" >/proc/self/comm'
	timeout 60 "$KVIEW" mount --takeover "$second" 3>&-
	run -1 cat "$second/exits"
	# Nothing is lost to those that come behind: a third mount, and who takes the first one over.
	timeout 60 "$KVIEW" mount "$third" 3>&-
	marked "$third"
	timeout 60 "$KVIEW" mount --takeover -o collect=exits "$MNT" 3>&-
	marked "$MNT"
	# Now nobody is asked for the other one.
	[ ! -e "$KVIEW_PIN_DIR/traffic" ]
	[ -e "$KVIEW_PIN_DIR/exits" ]
	timeout 60 "$KVIEW" umount "$second"
	timeout 60 "$KVIEW" umount "$third"
	down
}

@test "kview cat --for collects for a while, in each format" {
	local before file
	before=$(attached)
	for file in text csv json; do
		timeout 60 "$KVIEW" cat --for 2 -F "$file" -c code,comm exits >"$DIR/$file" 2>"$DIR/err" 3>&- &
		while kill -0 $! 2>/dev/null; do # it may take long to begin
			(exec bash -c 'echo -n "for a while" >/proc/self/comm; exit 3') 3>&- || sleep 0.2
		done
		wait $!
		[ ! -s "$DIR/err" ]
	done
	grep -qxF '   3 for\040a\040while' "$DIR/text"
	grep -qx '3,for a while' "$DIR/csv"
	grep -qx '{"code":3,"comm":"for a while"}' "$DIR/json"
	# Ended on the way: nothing stays.
	run -124 timeout -s INT 1 "$KVIEW" cat --for 60 exits
	until_true no_more_than "$before"
	[ ! -e "$KVIEW_PIN_DIR" ]
}

@test "list and status tell what collectors do" {
	local before
	run -0 "$KVIEW" list
	[[ $output == *"collects: exits_end (tp_btf/sched_process_exit): off"* ]]
	up -o collect=exits
	/bin/true
	run -0 "$KVIEW" list
	[[ $output == *"collects: exits_end (tp_btf/sched_process_exit): on, 0 missed"* ]]
	[[ $output == *"collects: totals_end (tp_btf/sched_process_exit): off"* ]]
	[[ $output =~ "collected: "[1-9][0-9]*", dropped: 0" ]]
	[ "$(value exits.exits_end.attached)" = yes ]
	[ "$(value exit_totals.totals_end.attached)" = no ]
	[ "$(value exits.collected)" -ge 1 ]
	# The kernel counts runs while somebody wants to know.
	before=$(sysctl -n kernel.bpf_stats_enabled)
	sysctl -q -w kernel.bpf_stats_enabled=1
	/bin/true
	sysctl -q -w "kernel.bpf_stats_enabled=$before"
	[ "$(value exits.exits_end.runs)" -ge 1 ]
	[ "$(value exits.exits_end.ns)" -ge 100 ]
	[[ $("$KVIEW" list) =~ "exits_end (tp_btf/sched_process_exit): "[0-9]+" runs, "[0-9]+" ns each" ]]
	# Without the mount it is the same map, and a reader of the pin has the same rows.
	"$KVIEW" cat -F json exits | jq -c '[.pid, .start_boot]' >"$DIR/cat"
	jq -c '[.pid, .start_boot]' "$MNT/json/exits.json" >"$DIR/mount"
	[ -s "$DIR/cat" ]
	run ! grep -vxFf "$DIR/mount" "$DIR/cat"
	head -n 1 "$KVIEW_PIN_DIR/exits" | grep -q '^PID'
	down
}

@test "they are for root, or whom the operator names" {
	chmod 755 "$DIR"
	up -o collect=exits,allow_other
	run -1 as_user cat "$MNT/exits"
	[[ $output == *"Permission denied"* ]]
	# Nor for root of a container that has no more than Docker gives it.
	run -1 setpriv --bounding-set=-sys_admin --inh-caps=-sys_admin cat "$MNT/exits"
	[[ $output == *"Operation not permitted"* ]]
	down
	up -o collect=exits,allow_other,gid=21001,mode=0440
	as_user head -n 1 "$MNT/exits" | grep -q PID
	down
}

# compile NAME <SOURCE: the way the manual says
compile() {
	mkdir -p "$DIR/iters"
	cat >"$DIR/$1.bpf.c"
	clang -g -O2 -target bpf -mcpu=v3 -Wno-undefined-internal -I "$ROOT/iters/include/kview" -I "$ROOT/iters/lib" \
		-idirafter "/usr/include/$(uname -m)-linux-gnu" -c "$DIR/$1.bpf.c" -o "$DIR/iters/$1.bpf.o"
}

@test "a user's object has collectors as well; those that the kernel refuses are named, the others run" {
	{
		cat "$ROOT/tests/cases/iters/forks.bpf.c"
		echo 'SEC("tp_btf/no_such_tracepoint") int missing(__u64 *ctx) { return 0; }'
		echo 'SEC("raw_tp/sched_process_fork") int refused(__u64 *ctx) { return *(int *)ctx[0]; }'
	} | compile forks
	run -1 cat "$MNT/forks"
	up --iter-dir "$DIR/iters"
	run -1 cat "$MNT/forks"
	down
	up --iter-dir "$DIR/iters" -o collect=forks
	as_user bash -c 'for i in 1 2 3 4 5; do /bin/true; done'
	[ "$(jq 'select(.uid == 21001) | .forks' "$MNT/json/forks.json")" = 5 ]
	[ "$(value forks.count.attached)" = yes ]
	[ "$(value forks.missing.attached)" = no ]
	run -0 "$KVIEW" list --iter-dir "$DIR/iters"
	[[ $output == *"collects: count (tp_btf/sched_process_fork): on, 0 missed"* ]]
	[[ $output =~ "collects: missing (tp_btf/no_such_tracepoint): "[^o] ]]
	[[ $output =~ "collects: refused (raw_tp/sched_process_fork): "[^o].*"invalid mem access" ]]
	down
	run -0 "$KVIEW" check --iter-dir "$DIR/iters"
	grep -qE '^collector count +yes' <<<"$output"
	grep -qE '^collector missing +no  +[^ ]' <<<"$output"
}

@test "an object whose rows are of a map that it lacks, or whose collectors all fail, is an error" {
	sed 's/OF_MAP(totals,/OF_MAP(no_map,/; s/^int exit_totals(/int lost(/' "$ROOT/iters/exit_totals.bpf.c" | compile lost
	fails 1 "*its rows are of a map 'no_map', which it does not have" "*" cat --iter-dir "$DIR/iters" --for 1 lost
	rm "$DIR/iters/lost.bpf.o"
	compile none <<-'C'
		#include "kview.h"
		#include "collect.h"
		struct none { struct kv_head _head; __u32 n; };
		KV_VIEW_OF_MAP(m, none, "nothing", "6.1");
		struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, __u32); __type(value, __u32); } m SEC(".maps");
		SEC("tp_btf/no_such_tracepoint") int missing(__u64 *ctx) { return 0; }
		SEC("iter/bpf_map_elem") int none(struct bpf_iter__bpf_map_elem *ctx) { return 0; }
	C
	run -1 timeout 60 "$KVIEW" cat --iter-dir "$DIR/iters" --for 1 none
	[[ $output == *"this kernel runs none of its collectors: "* ]]
	# The other views are served.
	timeout 60 "$KVIEW" mount --iter-dir "$DIR/iters" -o collect=all "$MNT" 2>"$DIR/err" 3>&-
	grep -q "none of its collectors" "$DIR/err"
	[ ! -e "$MNT/none" ]
	head -n 1 "$MNT/exits" | grep -q PID
	down
}
