#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# The pins: made, replaced, shared, kept, removed; those of others left alone.
# shellcheck disable=SC2030,SC2031 # each test is a subshell
bats_require_minimum_version 1.5.0

setup_file() {
	load common
	build_other
}

setup() {
	load common
	kview_setup
	OTHER=$BATS_FILE_TMPDIR/other/build/kview
}

teardown() {
	kview_teardown || true
	# What the tests put beside kview's pins.
	rm -rf "$KVIEW_PIN_DIR" "$KVIEW_PIN_DIR-b"
}

# Another build of kview, whose view `task` tells everybody to be nice 4242.
build_other() {
	local tree=$BATS_FILE_TMPDIR/other
	copy_tree "$tree"
	sed -i 's|kv_set(r, nice, .*|kv_set(r, nice, 4242);|' "$tree/iters/task.bpf.c"
	grep -q 4242 "$tree/iters/task.bpf.c"
	make_in "$tree" all
}

inodes() {
	# shellcheck disable=SC2046 # words
	(cd "$KVIEW_PIN_DIR" && stat -c '%n %i' $(pinned))
}

nice_in_pin() {
	awk -F '\t' 'NR == 1 {for (i = 1; i <= NF; i++) col[$i] = i}
		$1 == '$$' {print $col["NICE"]}' "$KVIEW_PIN_DIR/task"
}

@test "load pins one link per view, and the program that identifies readers, for root alone" {
	run -0 timeout 60 "$KVIEW" load
	[ -z "$output" ]
	[ "$(pinned)" = "$VIEWS" ]
	bpftool prog show pinned "$KVIEW_PIN_DIR"/reader=* | grep -q ' name reader '
	[ "$(stat -c %a "$KVIEW_PIN_DIR"/* | sort -u)" = 600 ]
	[ "$(stat -c %A "$KVIEW_PIN_DIR")" = drwx-----T ]
	[ "$(stat -c %u:%g "$KVIEW_PIN_DIR" "$KVIEW_PIN_DIR"/* | sort -u)" = 0:0 ]
}

@test "load pins with mode 0600 whatever the umask" {
	(umask 0 && timeout 60 "$KVIEW" load)
	[ "$(stat -c %a "$KVIEW_PIN_DIR"/* | sort -u)" = 600 ]
	[ "$(stat -c %A "$KVIEW_PIN_DIR")" = drwx-----T ]
}

@test "kview list keeps nobody from removing the pins" {
	local i
	for i in {1..6}; do
		up
		"$KVIEW" list >/dev/null 3>&- &
		sleep "0.0$((i * 2))"
		down
		wait $!
		[ ! -e "$KVIEW_PIN_DIR" ]
	done
}

@test "kview list and kview cat leave a pin directory that nobody used as it was" {
	local i
	mkdir "$KVIEW_PIN_DIR"
	"$KVIEW" list >/dev/null
	for i in {1..5}; do
		"$KVIEW" cat -c pid process >/dev/null 3>&- &
		"$KVIEW" cat -c pid process >/dev/null
		wait $!
		[ -d "$KVIEW_PIN_DIR" ]
	done
	rmdir "$KVIEW_PIN_DIR"
}

@test "kview cat in a pager keeps nobody from removing the pins" {
	local cat
	up
	mkfifo "$DIR/pager"
	# The rows do not fit into the pipe.
	"$KVIEW" cat -F json task_vma >"$DIR/pager" 3>&- &
	cat=$!
	exec 9<"$DIR/pager"
	head -c 1 <&9
	down
	kill -0 "$cat"
	cat <&9 >/dev/null
	exec 9<&-
	wait "$cat"
}

# Its row comes behind the last mapping, which the next process tells.
@test "[vsyscall] of each process is where maps has it, behind a walk that was given up" {
	local i
	for i in {1..40}; do
		sleep 300 3>&- &
		mine $!
		until_true grep -q '^State:.S (sleeping)' /proc/$!/status
	done
	"$KVIEW" load
	timeout 200 python3 - "$KVIEW_PIN_DIR/task_vma" "$DIR/.started" <<-'P'
		import subprocess, sys
		maps = {}
		for pid in open(sys.argv[2]).read().split()[::2]:
		    maps[pid] = [line.split()[0] for line in open(f"/proc/{pid}/maps")]
		assert len(maps) >= 40
		def shown(data, pid):
		    rows = [line.split("\t") for line in data.decode(errors="replace").split("\n")]
		    return [f"{r[1]}-{r[2]}" for r in rows if r[0] == pid]

		# Two walks in turns by one thread, and one by several processes.
		first, second = (open(sys.argv[1], "rb", buffering=0) for _ in range(2))
		one = two = b""
		while a := first.read(8192):
		    one += a
		    two += second.read(4096) or b""
		two += second.read()
		three = subprocess.run(["bash", "-c", '(head -c 33000; head -c 1000; cat) <"$0"', sys.argv[1]],
		                       stdout=subprocess.PIPE, check=True).stdout
		for pid, want in maps.items():
		    for data in (one, two, three):
		        assert shown(data, pid) == want, (pid, shown(data, pid), want)
		for size in (100, 5000, 40000):
		    with open(sys.argv[1], "rb", buffering=0) as pin:
		        pin.read(size)
		    rows = [line.split("\t") for line in open(sys.argv[1], errors="replace")]
		    for pid, want in maps.items():
		        got = [f"{r[1]}-{r[2]}" for r in rows if r[0] == pid]
		        assert got == want, (pid, got, want)
	P
}

@test "a user without rights can't read a pin" {
	"$KVIEW" load
	run ! setpriv --reuid 65534 --regid 65534 --clear-groups cat "$KVIEW_PIN_DIR/task"
	[[ $output == *"Permission denied"* ]]
}

@test "load again replaces the pins" {
	local before
	"$KVIEW" load
	before=$(inodes)
	"$KVIEW" load
	[ "$(pinned)" = "$VIEWS" ]
	[ -z "$(comm -12 <(sort <<<"$before") <(inodes | sort))" ]
}

@test "whoever reads a pin while it is replaced never fails" {
	local i reader rc=0
	"$KVIEW" load
	(
		n=0
		while [ ! -e "$DIR/stop" ]; do
			cat "$KVIEW_PIN_DIR/kmem_cache" "$KVIEW_PIN_DIR/task" >"$DIR/out" || exit 1
			grep -q "^NAME" "$DIR/out" || exit 2
			n=$((n + 1))
			echo $n >"$DIR/reads"
		done
	) 3>&- &
	reader=$!
	mine $reader
	for i in {1..10}; do
		timeout 60 "$KVIEW" load
	done
	touch "$DIR/stop"
	wait $reader || rc=$?
	[ $rc -eq 0 ]
	[ "$(<"$DIR/reads")" -ge 10 ]
	[ "$(pinned)" = "$VIEWS" ]
}

@test "eight loads and mounts at once leave whole pins" {
	local i pids=()
	for i in 1 2 3 4 5 6 7 8; do
		timeout 60 "$KVIEW" load 2>>"$DIR/errors" 3>&- &
		pids+=($!)
	done
	for i in "${pids[@]}"; do
		wait "$i"
	done
	[ ! -s "$DIR/errors" ]
	[ "$(pinned)" = "$VIEWS" ]
	pids=()
	"$KVIEW" unload
	for i in 1 2 3 4; do
		timeout 60 "$KVIEW" mount "$DIR/m$i" 2>>"$DIR/errors" 3>&- &
		pids+=($!)
	done
	for i in "${pids[@]}"; do
		wait "$i"
	done
	cat "$DIR/errors"
	[ ! -s "$DIR/errors" ]
	[ "$(pinned)" = "$VIEWS" ]
	pids=()
	for i in 1 2 3 4; do
		[ "$(head -n 1 "$DIR/m$i/task" | awk '{print $1}')" = PID ]
		timeout 60 "$KVIEW" umount "$DIR/m$i" 3>&- &
		pids+=($!)
	done
	for i in "${pids[@]}"; do
		wait "$i"
	done
	[ ! -e "$KVIEW_PIN_DIR" ]
}

@test "unload leaves nothing, and nothing to unload is no failure" {
	run -0 timeout 60 "$KVIEW" unload
	[ -z "$output" ]
	[ ! -e "$KVIEW_PIN_DIR" ]
	"$KVIEW" load
	run -0 timeout 60 "$KVIEW" unload
	[ -z "$output" ]
	[ ! -e "$KVIEW_PIN_DIR" ]
	run -0 timeout 60 "$KVIEW" unload
	run -0 timeout 60 "$KVIEW" unload --pin-dir /sys/fs/bpf/no/such/dir
}

@test "unload removes what a killed load left" {
	"$KVIEW" load
	mv "$KVIEW_PIN_DIR/task" "$KVIEW_PIN_DIR/task~new"
	"$KVIEW" load
	[ "$(pinned)" = "$VIEWS" ]
	mv "$KVIEW_PIN_DIR/task" "$KVIEW_PIN_DIR/task~new"
	"$KVIEW" unload
	[ ! -e "$KVIEW_PIN_DIR" ]
}

@test "files of others in the pin directory are left alone, with an error" {
	"$KVIEW" load
	mkdir "$KVIEW_PIN_DIR/foreign_dir"
	bpftool map create "$KVIEW_PIN_DIR/foreign_map" type array key 4 value 4 entries 1 name theirs
	run -1 --separate-stderr timeout 60 "$KVIEW" unload
	# shellcheck disable=SC2154 # `run` sets it
	[ "${stderr_lines[0]}" = "kview: '$KVIEW_PIN_DIR' holds 2 files that kview did not pin" ]
	[[ ${stderr_lines[1]} == "hint: "* ]]
	[ "$(pinned)" = "foreign_dir foreign_map" ]
	[ "$(bpftool -j map show pinned "$KVIEW_PIN_DIR/foreign_map" | jq -r .name)" = theirs ]
	# They are in nobody's way.
	"$KVIEW" load
	# shellcheck disable=SC2086 # words
	[ "$(pinned)" = "$(sorted foreign_dir foreign_map $VIEWS)" ]
}

@test "a pin of others under a view's name is left alone, with an error" {
	mkdir "$KVIEW_PIN_DIR"
	bpftool map create "$KVIEW_PIN_DIR/task" type array key 4 value 4 entries 1 name theirs
	run --separate-stderr timeout 60 "$KVIEW" load
	[ "$status" -le 1 ]
	# shellcheck disable=SC2154
	[[ $stderr == *"kview: "*"$KVIEW_PIN_DIR/task"*"hint: "* ]]
	[ "$(bpftool -j map show pinned "$KVIEW_PIN_DIR/task" | jq -r .name)" = theirs ]
	rm "$KVIEW_PIN_DIR/task"
}

@test "a directory under a view's name is an error that names it, the rest is pinned" {
	mkdir -p "$KVIEW_PIN_DIR/task"
	run --separate-stderr timeout 60 "$KVIEW" load
	[[ $stderr == *"kview: "*"$KVIEW_PIN_DIR/task"* ]]
	[ "$(pinned)" = "$VIEWS" ]
	[ -d "$KVIEW_PIN_DIR/task" ]
}

@test "pins of another build are told by list, not used by cat, replaced by load" {
	"$OTHER" load
	[ "$(nice_in_pin)" = 4242 ]
	# Only that one view differs between the builds.
	[ "$("$KVIEW" list | awk '/^[a-z]/ && $3 != "yes" {print $1, $3}' | grep -vE "^(${COLLECT_VIEWS// /|}) no$")" = "task stale" ]
	[ "$("$KVIEW" cat --pid $$ -c nice task | tail -n 1 | tr -d ' ')" = "$(ps -o ni= $$ | tr -d ' ')" ]
	[ "$(nice_in_pin)" = 4242 ]
	"$KVIEW" load
	[ "$(nice_in_pin)" = "$(ps -o ni= $$ | tr -d ' ')" ]
	[ "$("$KVIEW" list | awk '$1 == "task" {print $3}')" = yes ]
	[ "$("$OTHER" list | awk '$1 == "task" {print $3}')" = stale ]
}

@test "pins of another build are replaced by mount, and mounts of that build go on" {
	"$OTHER" load
	timeout 60 "$OTHER" mount "$DIR/other" 3>&-
	kview_mount 3>&-
	[ "$(nice_in_pin)" = "$(ps -o ni= $$ | tr -d ' ')" ]
	[ "$(jq .nice "$MNT/pid/$$/json/task.json")" = "$(ps -o ni= $$ | tr -d ' ')" ]
	[ "$(jq .nice "$DIR/other/pid/$$/json/task.json")" = 4242 ]
	timeout 60 "$KVIEW" umount "$DIR/other"
	kview_umount
	# `load` asked for pins to stay.
	[ "$(pinned)" = "$VIEWS" ]
}

@test "a mount keeps the pins that load made, and removes those it made" {
	kview_mount 3>&-
	[ "$(pinned)" = "$VIEWS" ]
	kview_umount
	[ ! -e "$KVIEW_PIN_DIR" ]
	"$KVIEW" load
	local before
	before=$(inodes)
	kview_mount 3>&-
	kview_umount
	[ "$(inodes)" = "$before" ]
	"$KVIEW" unload
	# A load while it is mounted counts as well.
	kview_mount 3>&-
	"$KVIEW" load
	kview_umount
	[ "$(pinned)" = "$VIEWS" ]
	# And an unload while it is mounted leaves a mount that works.
	kview_mount 3>&-
	"$KVIEW" unload
	[ ! -e "$KVIEW_PIN_DIR" ]
	[ "$(awk '$1 == '$$' {print $1; exit}' "$MNT/task")" = $$ ]
	kview_umount
	[ ! -e "$KVIEW_PIN_DIR" ]
}

@test "--pin-dir, -o pin_dir and KVIEW_PIN_DIR say where, in that order" {
	local b=$KVIEW_PIN_DIR-b
	"$KVIEW" load --pin-dir "$b"
	[ ! -e "$KVIEW_PIN_DIR" ]
	[ "$(KVIEW_PIN_DIR=$b pinned)" = "$VIEWS" ]
	[ "$("$KVIEW" list --pin-dir "$b" | awk '$1 == "task" {print $3}')" = yes ]
	[ "$("$KVIEW" list | awk '$1 == "task" {print $3}')" = no ]
	"$KVIEW" unload --pin-dir="$b"
	[ ! -e "$b" ]
	kview_mount -o "ro,pin_dir=$b" 3>&-
	[ ! -e "$KVIEW_PIN_DIR" ]
	[ "$(KVIEW_PIN_DIR=$b pinned)" = "$VIEWS" ]
	kview_umount
	[ ! -e "$b" ]
	kview_mount --pin-dir "$b" 3>&-
	[ "$(KVIEW_PIN_DIR=$b pinned)" = "$VIEWS" ]
	kview_umount
	[ ! -e "$b" ]
	KVIEW_PIN_DIR=$b "$KVIEW" load
	[ -e "$b/task" ]
	KVIEW_PIN_DIR=$b "$KVIEW" unload
	[ ! -e "$b" ]
	# Relative paths hold after the daemon has left for /.
	(cd /sys/fs/bpf && timeout 60 "$KVIEW" mount --pin-dir "${b##*/}" "$MNT" 3>&-)
	[ "$(KVIEW_PIN_DIR=$b pinned)" = "$VIEWS" ]
	kview_umount
	[ ! -e "$b" ]
}

@test "unload of a directory outside a BPF file system touches nothing" {
	mkdir "$DIR/pins"
	touch "$DIR/pins/task"
	run -1 --separate-stderr timeout 60 "$KVIEW" unload --pin-dir "$DIR/pins"
	[ "${stderr_lines[0]}" = "kview: the pin directory '$DIR/pins' is not in a BPF file system" ]
	[ -e "$DIR/pins/task" ]
}
