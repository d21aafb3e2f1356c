#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# The view cgroup against find and the files of each group, in groups that the case makes.

bats_require_minimum_version 1.5.0

load common

setup_file() {
	kview_setup
	V2=$(awk '$3 == "cgroup2" {print $2; exit}' /proc/self/mounts)
	TOP=$V2/kview-test-$$
	mkdir "$TOP"
	export V2 TOP
	chmod 755 "$DIR"
	kview_mount -o allow_other
}

teardown_file() {
	local what
	for what in load rcu; do
		KVIEW_PIN_DIR=$KVIEW_PIN_DIR-$what timeout 30 "$KVIEW" unload || true
	done
	kview_teardown
	remove "$TOP"
}

# remove DIR: with all groups below
remove() {
	[ -d "$1" ] || return 0
	timeout 60 find "$1" -depth -type d -exec rmdir {} +
}

# groups FILE-OF-JSON: id and path of each group below TOP
groups_of() {
	jq -r --arg top "/${TOP##*/}" 'select(.path | startswith($top)) | "\(.id) \(.path)"' "$1" | sort
}

found() {
	(cd "$V2" && timeout 60 find "./${TOP##*/}" -type d -printf '%i %p\n' | sed 's/ \./ /' | sort)
}

@test "cgroup: the columns" {
	columns cgroup level id parent populated frozen descendants dying memory memory_max pids pids_max controllers path
}

@test "cgroup: 10,000 groups, each once, and what its files say" {
	local i
	for ((i = 0; i < 100; i++)); do
		mkdir "$TOP/g$i" "$TOP/g$i"/h{1..99}
	done
	timeout 60 cat "$MNT/json/cgroup.json" >"$DIR/rows"
	[ "$(groups_of "$DIR/rows" | wc -l)" -eq 10001 ]
	cmp <(found) <(groups_of "$DIR/rows")
	timeout 60 python3 -B - "$V2" "$TOP" "$DIR/rows" <<-'P'
		import json, os, sys
		v2, top, rows = sys.argv[1:]
		name = "/" + os.path.basename(top)
		def words(path, file):
		    return dict(l.split() for l in open(f"{v2}{path}/{file}"))
		seen = 0
		for row in map(json.loads, open(rows)):
		    if not row["path"].startswith(name):
		        continue
		    stat, events = words(row["path"], "cgroup.stat"), words(row["path"], "cgroup.events")
		    got = (row["descendants"], row["populated"], row["frozen"], row["controllers"])
		    want = (int(stat["nr_descendants"]), int(events["populated"]), int(events["frozen"]),
		            open(f"{v2}{row['path']}/cgroup.controllers").read().strip())
		    assert got == want, (row, want)
		    assert row["level"] == row["path"].count("/"), row
		    assert row["parent"] == os.stat(f"{v2}{os.path.dirname(row['path'])}").st_ino, row
		    seen += 1
		assert seen == 10001
	P
}

@test "cgroup: groups that are there throughout are there once, while others come and go" {
	local i storm before
	before=$(found)
	(
		while [ ! -e "$DIR/stop" ]; do
			mkdir "$TOP"/s{1..20} "$TOP"/g5/s{1..20} "$TOP"/g99/h99/s{1..5}
			rmdir "$TOP"/s{1..20} "$TOP"/g5/s{1..20} "$TOP"/g99/h99/s{1..5}
		done
	) 3>&- &
	storm=$!
	mine $storm
	for ((i = 0; i < 40; i++)); do
		timeout 60 cat "$MNT/json/cgroup.json" >"$DIR/rows"
		groups_of "$DIR/rows" >"$DIR/got"
		[ -z "$(cut -d ' ' -f 1 "$DIR/got" | uniq -d)" ]
		cmp <(echo "$before") <(grep -vE '/s[0-9]+$' "$DIR/got")
	done
	touch "$DIR/stop"
	wait $storm
}

@test "cgroup: counts of frozen and populated groups" {
	local pid
	sleep 300 3>&- &
	pid=$!
	mine $pid
	echo $pid >"$TOP/g1/h1/cgroup.procs"
	echo 1 >"$TOP/g1/cgroup.freeze"
	until_true grep -q '^frozen 1' "$TOP/g1/cgroup.events"
	[ "$(jq -r --arg p "/${TOP##*/}" 'select(.path == ($p, $p + "/g1", $p + "/g1/h1", $p + "/g2")) | "\(.populated)\(.frozen)"' "$MNT/json/cgroup.json" | xargs)" = "10 11 11 00" ]
	echo 0 >"$TOP/g1/cgroup.freeze"
	kill -KILL $pid
	wait $pid || true
}

@test "cgroup: names of any bytes, and a depth of 100" {
	local d=$TOP/deep i
	mkdir "$TOP"/$'a\x1b[31m b\xff"'
	for ((i = 0; i < 100; i++)); do d+=/d$i; done
	mkdir -p "$d"
	[ "$(groups_of "$MNT/json/cgroup.json" | grep -c '/deep/')" -eq 100 ]
	[ "$(jq -r --arg p "${d#"$V2"}" 'select(.path == $p) | .id' "$MNT/json/cgroup.json")" = "$(stat -c %i "$d")" ]
	[ "$(awk 'NR == 1 {n = NF} NF < n' "$MNT/cgroup" | wc -l)" -eq 0 ]
	run ! grep -q $'\x1b' "$MNT/cgroup"
	remove "$TOP/deep"
	rmdir "$TOP"/a*
}

@test "cgroup: a reader in a cgroup namespace sees its own groups, and any user may read" {
	[ "$(stat -c %a "$MNT/cgroup")" = 444 ]
	as_user cat "$MNT/csv/cgroup.csv" >"$DIR/user"
	[ "$(wc -l <"$DIR/user")" -eq "$(timeout 60 find "$V2" -type d | wc -l | xargs expr 1 +)" ]
	# shellcheck disable=SC2016
	bash -c 'echo $$ >"$0/cgroup.procs" && exec unshare --cgroup cat "$1"' "$TOP/g7" "$MNT/json/cgroup.json" >"$DIR/rows"
	[ "$(wc -l <"$DIR/rows")" -eq 100 ]
	[ "$(head -n 1 "$DIR/rows" | jq -c '[.level, .id, .parent, .path]')" = "[0,$(stat -c %i "$TOP/g7"),null,\"/\"]" ]
	cmp <(jq -r .path "$DIR/rows" | sort) <( (echo /; printf '/h%s\n' {1..99}) | sort)
}

all_are_found() {
	cmp <(found) <(groups_of "$MNT/json/cgroup.json")
}

@test "cgroup: two walks at once, readers that are killed, a worker that is killed" {
	local i killed=0 pids=()
	for i in 1 2 3 4; do
		(timeout 60 cat "$MNT/json/cgroup.json" >"$DIR/rows$i") 3>&- &
		pids+=($!)
	done
	wait "${pids[@]}"
	for i in 1 2 3 4; do
		cmp <(found) <(groups_of "$DIR/rows$i")
	done
	for i in {1..20}; do
		cat "$MNT/cgroup" >/dev/null 3>&- &
		kill -KILL $! 2>/dev/null || continue # it had ended already
		killed=$((killed + 1))
	done
	[ "$killed" -ge 5 ]
	kill -KILL "$(worker_pid)"
	until_true all_are_found
}

# As before 6.2: the program is of a type that runs under RCU.
@test "cgroup: a kernel without bpf_rcu_read_lock() shows the same" {
	local pins=$KVIEW_PIN_DIR-rcu
	grep -qaF bpf_rcu_read_lock /sys/kernel/btf/vmlinux || skip "all other cases have run on such a kernel"
	are_the_same() {
		KVIEW_PIN_DIR=$pins "$KVIEW" cat -F csv -c id,path cgroup >"$DIR/there" &&
			"$KVIEW" cat -F csv -c id,path cgroup | cmp - "$DIR/there"
	}
	type_of() {
		bpftool -j prog show pinned "$1/cgroup" | jq -r .type
	}
	mkdir "$TOP/many" "$TOP/many"/g{1..500}
	KVIEW_PIN_DIR=$pins without "bpf_rcu_read_lock MEM_RCU" timeout 60 "$KVIEW" load
	[ "$(type_of "$pins") $(type_of "$KVIEW_PIN_DIR")" = "raw_tracepoint syscall" ]
	until_true are_the_same
	grep -q ",/${TOP##*/}/many/g500$" "$DIR/there"
	KVIEW_PIN_DIR=$pins "$KVIEW" unload
	remove "$TOP/many"
}

ids_are_found() {
	[ "$("$KVIEW" cat -F csv -c id cgroup | tail -n +2 | sort)" = "$(timeout 60 find "$V2" -type d -printf '%i\n' | sort)" ]
}

@test "cgroup: kview load pins the program, and kview cat takes it from there" {
	KVIEW_PIN_DIR=$KVIEW_PIN_DIR-load
	"$KVIEW" load
	"$KVIEW" list | grep -q '^cgroup  *yes  *yes'
	# Others make groups and remove them.
	until_true ids_are_found
	"$KVIEW" unload
	[ ! -e "$KVIEW_PIN_DIR" ]
}
