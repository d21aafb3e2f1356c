#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# What must not get to a reader who has no right to it, by whatever gap.
bats_require_minimum_version 1.5.0

setup() {
	load common
	kview_setup
	chmod 755 "$DIR"
}

teardown() {
	kview_teardown
}

# readers_map VIEW: the map kv_readers of its pin
readers_map() {
	local prog map
	prog=$(bpftool -j link show pinned "$KVIEW_PIN_DIR/$1" | jq .prog_id)
	for map in $(bpftool -j prog show id "$prog" | jq '.map_ids[]'); do
		bpftool -j map show id "$map" | jq -r 'select(.name == "kv_readers") | .id'
	done
}

# registered MAP: processes
registered() {
	bpftool -j map dump id "$1" | jq '.[].formatted.key / 4294967296 | floor'
}

# A process with so many mappings that a walk through them takes a while.
many_mappings() {
	python3 - <<-'P' 3>&- &
		import mmap, signal
		kept = [mmap.mmap(-1, 4096, prot=mmap.PROT_READ if i & 1 else mmap.PROT_WRITE) for i in range(30000)]
		print("ready", file=open("/proc/self/comm", "w"))
		signal.pause()
	P
	mine $!
	until_true grep -qx ready "/proc/$!/comm"
}

@test "what a killed kview cat left is not taken by who gets its number" {
	local map pid i
	"$KVIEW" load
	map=$(readers_map task_vma)
	many_mappings
	for ((i = 0; i < 300; i++)); do
		"$KVIEW" cat task_vma >/dev/null 3>&- &
		pid=$!
		sleep "0.0$((RANDOM % 60 + 20))"
		kill -KILL "$pid" || true
		wait "$pid" || true
		registered "$map" | grep -qx "$pid" && break
	done
	# It is still there: what follows is about it.
	[ "$(registered "$map")" -eq "$pid" ]
	"$TOOLS/same_pid" "$pid" sed 1q "$KVIEW_PIN_DIR/task_vma" >"$DIR/out"
	[ "$(registered "$map")" -eq "$pid" ]
	sed 1q "$KVIEW_PIN_DIR/task_vma" | cmp - "$DIR/out"
}

@test "times of others' tasks are ticks, as in /proc, and exact for who may ptrace them" {
	kview_mount -o allow_other 3>&-
	local i
	for i in 1 2 3 4 5 6; do
		sleep 60 3>&- &
		mine $!
		setpriv --reuid 21001 --regid 21001 --clear-groups sleep 60 3>&- &
		mine $!
		until_true grep -qx sleep "/proc/$!/comm"
	done
	cat "$MNT/csv/task.csv" >"$DIR/root.csv"
	as_user cat "$MNT/csv/task.csv" >"$DIR/user.csv"
	timeout 60 python3 - "$DIR" <<-'P'
		import csv, os, sys
		from decimal import Decimal
		TICK = Decimal("0.01")
		sleepers = open(f"{sys.argv[1]}/.started").read().split()[::2]
		def read(name):
		    with open(f"{sys.argv[1]}/{name}.csv", newline="", errors="replace") as f:
		        return {r["tid"]: r for r in csv.DictReader(f) if r["tid"] in sleepers}
		def stat(pid):  # utime, stime and start in ticks
		    f = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()
		    return Decimal(f[11]), Decimal(f[12]), Decimal(f[19])
		root, user = read("root"), read("user")
		mine = [t for t in user if user[t]["uid"] == "21001"]
		others = [t for t in user if user[t]["uid"] == "0"]
		assert len(mine) == 6 and len(others) == 6, (mine, others)
		first = others[0]
		for t in others:
		    utime, stime, start = stat(t)
		    times = {c: Decimal(user[t][c]) for c in ("utime", "stime", "start", "cputime")}
		    exact = {c: Decimal(root[t][c]) for c in times}
		    assert times["start"] - Decimal(user[first]["start"]) == (start - stat(first)[2]) * TICK, t
		    assert times["utime"] == utime * TICK and times["stime"] == stime * TICK, t
		    assert all(0 <= exact[c] - times[c] < TICK for c in times), t
		    assert times["cputime"] * 10**9 == int(open(f"/proc/{t}/schedstat").read().split()[0]), t
		for t in mine:
		    assert user[t] == root[t], t
		# By chance none but one in a million is a whole tick away from another.
		assert any((Decimal(root[t]["start"]) - Decimal(root[first]["start"])) % TICK for t in others)
	P
}
