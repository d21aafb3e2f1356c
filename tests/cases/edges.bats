#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# The edges of what the kernel has: tasks that end meanwhile, paths and numbers
# as large as they can be, text and records read at once, little to live on.

bats_require_minimum_version 1.5.0
load common
load crowd

setup_file() {
	kview_setup
	kview_mount
}

teardown_file() {
	crowd_stop_all
	kview_teardown
}

@test "tasks that end during the walk take nobody else's rows along" {
	crowd_start dying -n 300 -t 2 -f 5
	crowd_start staying -n 50 -t 2 -f 5 -m 5
	py edges dying "$MNT" "$DIR/dying" "$DIR/staying"
	crowd_stop staying
	crowd_stop dying
}

@test "zombies have a row in task and none elsewhere; a zombie leader's rows come once" {
	py edges zombies "$MNT"
}

@test "paths around 4096 bytes, of open, deleted and mapped files, in all formats" {
	mkdir "$DIR/long"
	py edges long_paths "$MNT" "$DIR/long"
}

@test "a row with exe and cgroup of 4 KiB each" {
	mkdir "$DIR/huge" "$DIR/cgroups"
	mount -t cgroup2 none "$DIR/cgroups"
	py edges huge_row "$MNT" "$DIR/huge" "$DIR/cgroups"
	umount "$DIR/cgroups"
}

@test "offsets and sizes of 63 bits are exact in every format" {
	py edges far "$MNT"
}

@test "text from the pins and records through the mount, at once, never mix" {
	py edges pins "$MNT" "$KVIEW_PIN_DIR"
}

@test "a process that is gone: ENOENT, and kview cat says so with status 1" {
	sleep 0 &
	wait $!
	run -1 cat "$MNT/pid/$!/task"
	[[ $output == *"No such file or directory"* ]]
	run -1 timeout 30 "$KVIEW" cat --pid $! task
	[[ $output == "kview: "*"$!"* ]]
}

@test "kernel threads have neither files nor mappings" {
	kthread=$(pgrep -o -P 2)
	for v in task_file task_vma; do
		[ "$(wc -l <"$MNT/pid/$kthread/$v")" = 1 ]
		[ "$(wc -c <"$MNT/pid/$kthread/json/$v.json")" = 0 ]
		[ "$(wc -l <"$MNT/pid/$kthread/csv/$v.csv")" = 1 ]
	done
	[ "$(wc -l <"$MNT/pid/$kthread/task")" = 2 ]
}

@test "kview cat with few descriptors works or says what it lacks" {
	worked=0
	# shellcheck disable=SC2154 # status, output, stderr are made by run
	for n in {6..20}; do
		run --separate-stderr timeout 60 prlimit --nofile="$n" "$KVIEW" cat -c pid task
		if [ "$status" = 0 ]; then
			[ "${#lines[@]}" -gt 5 ]
			worked=$((worked + 1))
			continue
		fi
		echo "$n: $status $stderr"
		[ "$status" = 1 ]
		[ -z "$output" ]
		[[ $stderr == *"Too many open files"* ]]
	done
	[ "$worked" -ge 4 ]
}

@test "kview cat works without /proc" {
	timeout 60 unshare -m sh -c "umount -l /proc && exec '$KVIEW' cat -F csv task" >"$DIR/rows"
	[ "$(wc -l <"$DIR/rows")" -gt 5 ]
	grep -q ',kthreadd$' "$DIR/rows"
}

@test "in a pid namespace of its own kview cat shows that namespace, by its numbers" {
	cat >"$DIR/inside" <<-'END'
		sleep 1000 &
		until grep -qx sleep /proc/$!/comm; do :; done
		"$KVIEW" cat -F csv -c tid,ppid,comm task >"$DIR/inside.rows"
		sh -c 'echo $$ >"$DIR/inside.cat" && exec "$KVIEW" cat -F csv -c pid,fd task_file' \
			>"$DIR/inside.files"
		echo $$ $! >"$DIR/inside.pids"
	END
	KVIEW=$KVIEW timeout 30 unshare -pf --mount-proc sh "$DIR/inside" 3>&-
	read -r shell sleeper <"$DIR/inside.pids"
	[ "$shell" = 1 ]
	cat "$DIR/inside.rows"
	grep -qx "$sleeper,1,sleep" "$DIR/inside.rows"
	grep -qx '1,0,sh' "$DIR/inside.rows"
	# header, the shell, sleep and kview itself
	[ "$(wc -l <"$DIR/inside.rows")" = 4 ]
	[ "$(cut -d, -f1 "$DIR/inside.files" | sort -nu | paste -sd,)" = "pid,1,$sleeper,$(<"$DIR/inside.cat")" ]
}
