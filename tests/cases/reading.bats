#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# The tools that people read files with, on the mount: all of them must see
# the same bytes. The files are those of a process that holds still, large
# enough (over 128 KiB) for every buffer and window to be crossed.
#
# shellcheck disable=SC2002,SC2016 # `cat FILE | sort` is the very case; awk has $

bats_require_minimum_version 1.5.0
load common
load crowd

setup_file() {
	kview_setup
	kview_mount
	crowd_start still -t 3 -f 3000 -m 3000
	PID=$(head -n 1 "$DIR/still")
	F=$MNT/pid/$PID/task_vma
	REF=$DIR/ref
	timeout 60 "$KVIEW" cat --pid "$PID" task_vma >"$REF"
	export PID F REF
	[ "$(stat -c %s "$REF")" -gt 200000 ]
}

teardown_file() {
	crowd_stop_all
	kview_teardown
}

# The command's output is exactly the file's bytes.
same() {
	timeout 60 "$@" | cmp - "$REF"
}

# The command gives the same on the mount's file and on a plain copy of it.
alike() {
	timeout 60 "$@" "$F" | sed "s|$F|FILE|" >"$DIR/live"
	"$@" "$REF" | sed "s|$REF|FILE|" >"$DIR/plain"
	[ -s "$DIR/plain" ]
	cmp "$DIR/live" "$DIR/plain"
}

@test "cat gives the same bytes as kview cat, for every view and format of a process" {
	for v in task_file task_vma; do
		cmp "$MNT/pid/$PID/$v" <(timeout 60 "$KVIEW" cat --pid "$PID" "$v")
		for f in json csv; do
			cmp <(timeout 60 cat "$MNT/pid/$PID/$f/$v.$f") \
				<(timeout 60 "$KVIEW" cat -F "$f" --pid "$PID" "$v")
		done
	done
	same cat "$F"
	same busybox dd "if=$F" status=none
	cat "$F" "$F" | cmp - <(cat "$REF" "$REF")
	cat <"$F" | cmp - "$REF"
}

@test "head and tail, by lines and bytes, from both ends" {
	alike head -n 1
	alike head -n 2000
	alike head -n -5
	alike head -c 1
	alike head -c 150000
	alike head -c -200
	alike tail -n 1
	alike tail -n 2500
	alike tail -n +2
	alike tail -c 1
	alike tail -c 1000
	alike tail -c 200000
	alike tail -c +1000
}

@test "tac steps back farther than 128 KiB: an error, no wrong bytes; a pipe helps" {
	cat "$F" | tac | cmp - <(tac "$REF")
	cmp <(tac "$MNT/schema/task") <(cat "$MNT/schema/task" | tac)
	run -1 --separate-stderr timeout 60 tac "$F"
	# shellcheck disable=SC2154 # made by run
	[[ $stderr == *"Illegal seek"* ]]
}

@test "less, through a pipe and on a terminal" {
	less -F "$F" | cmp - "$REF"
	last=$(tail -n 1 "$REF" | awk '{print $2}')
	printf 'Gq' | TERM=xterm timeout 60 script -qec "less '$F'" /dev/null >"$DIR/screen"
	grep -q "$last" "$DIR/screen"
	# back to the top: 250 KiB, farther than the file can be stepped back
	printf 'Ggq' | TERM=xterm timeout 60 script -qec "less '$F'" /dev/null >"$DIR/screen"
	tail -c 4000 "$DIR/screen" | grep -q PERMS
}

@test "grep and rg" {
	alike grep -c ' r--p '
	alike grep -n '000 r'
	alike grep -o 'crowd$'
	alike grep -v ' ---p '
	alike grep -m 3 crowd
	same grep '' "$F"
	same rg --no-line-number '' "$F"
	same rg --mmap --no-line-number '' "$F"
	[ "$(rg -c -- '---p' "$F")" = "$(grep -c -- '---p' "$REF")" ]
	# It has no socket.
	[ "$(grep -rl "$PID" "$MNT/pid/$PID/csv" | wc -l)" = "$(($(wc -w <<<"$TASK_VIEWS") - 1))" ]
}

@test "awk, sed, cut, wc, tr, od, sums" {
	alike mawk '{n[NF]++} END {for (i in n) print i, n[i]}'
	alike gawk 'NR > 1 {s += strtonum("0x" $3) - strtonum("0x" $2)} END {print s, NR}'
	same mawk '{print}' "$F"
	same gawk '{print}' "$F"
	same sed '' "$F"
	alike sed -n '2p;$p'
	alike sed 1d
	alike cut -c 1-20
	alike wc -w
	alike wc -c
	alike wc -l
	alike wc -L
	alike od -c
	alike sha256sum
	alike uniq
	alike paste -s
	tr 0-9 a-j <"$F" | cmp - <(tr 0-9 a-j <"$REF")
}

@test "cp, install, dd with block sizes and skip, tee" {
	for flags in "" --reflink=auto --sparse=always --sparse=never -p; do
		# shellcheck disable=SC2086 # no flags at all is one of the cases
		timeout 60 cp $flags "$F" "$DIR/copy"
		cmp "$DIR/copy" "$REF"
		rm -f "$DIR/copy"
	done
	timeout 60 install -m 600 "$F" "$DIR/copy"
	cmp "$DIR/copy" "$REF"
	tee "$DIR/copy" <"$F" | cmp - "$REF"
	cmp "$DIR/copy" "$REF"
	for bs in 512 4k 5000 64k 128k 1M 4M; do
		same dd if="$F" bs=$bs status=none
	done
	for skip in 1 7 40 65; do
		dd if="$F" bs=4k skip=$skip status=none | cmp - <(dd if="$REF" bs=4k skip=$skip status=none)
	done
	dd if="$F" bs=1 skip=201000 count=500 status=none |
		cmp - <(tail -c +201001 "$REF" | head -c 500)
	dd if="$F" bs=4k skip=1000 status=none | cmp - /dev/null
	cmp <(dd if="$MNT/schema/task" bs=1 status=none) "$MNT/schema/task"
	dd if="$F" bs=1M iflag=direct status=none | cmp - "$REF"
	dd if="$F" bs=1 count=20000 status=none | cmp - <(head -c 20000 "$REF")
}

@test "two reads of a process that holds still do not differ" {
	for f in task_file task_vma json/task_file.json csv/task_vma.csv; do
		diff "$MNT/pid/$PID/$f" "$MNT/pid/$PID/$f"
		cmp "$MNT/pid/$PID/$f" "$MNT/pid/$PID/$f"
	done
}

@test "sort through a pipe" {
	cat "$F" | sort | cmp - <(sort "$REF")
	sort <(cat "$F") | cmp - <(sort "$REF")
	cat "$MNT/task" | sort -k 2n | awk 'NF < 5 {bad = 1} END {exit bad || NR < 5}'
}

@test "bash: read, while read, mapfile, \$(<file)" {
	read -r line <"$F"
	[ "$line" = "$(sed -n '1{s/^ *//;p}' "$REF")" ]
	{
		read -r _
		read -r second
		cat >"$DIR/rest"
	} <"$F"
	[ "$second" = "$(sed -n '2{s/^ *//;p}' "$REF")" ]
	cmp "$DIR/rest" <(tail -n +3 "$REF")
	while IFS= read -r line; do echo "$line"; done <"$F" | cmp - "$REF"
	mapfile -t lines <"$F"
	printf '%s\n' "${lines[@]}" | cmp - "$REF"
	mapfile -t -n 2 lines <"$F"
	[ "${#lines[@]}" = 2 ]
	[ "$(<"$F")" = "$(cat "$REF")" ]
	# dash reads byte by byte
	dash -c 'for i in 1 2 3 4 5; do IFS= read -r line; echo "$line"; done; cat' <"$F" |
		cmp - "$REF"
}

@test "seek: back within 128 KiB the same bytes, farther ESPIPE, ahead, 0 is fresh" {
	python3 -B - 3>&- <<-'END' &
		import os, signal
		keep = []
		signal.signal(signal.SIGUSR1, lambda *_: keep.append(os.open("/dev/null", 0)))
		while True:
		    signal.pause()
	END
	grower=$!
	mine $grower
	wait_until grep -q '^SigCgt:.*2..$' /proc/$grower/status
	py readers seek "$MNT" "$PID" $grower
}

@test "reads of 1 byte to 1 MiB give the same bytes, O_NONBLOCK too; behind the end is the end" {
	py readers sizes "$MNT" "$PID"
}

@test "pread at random offsets in the window, readv" {
	py readers pread "$MNT" "$PID"
}

@test "threads and dup'ed descriptors of one open file, and 8 open files at once" {
	py readers shared_fd "$MNT" "$PID"
}

@test "sendfile, splice and copy_file_range never give wrong bytes" {
	py readers zero_copy "$MNT" "$PID" "$DIR/out"
}

# The kernel takes the file's size for its end, and does not ask kview: see README, Limits.
# Whoever sees this fail has a kernel for which that has to be said anew.
@test "io_submit and io_uring read nothing, as README says, and read(2) goes on from there" {
	local by open
	for by in aio uring async; do
		for open in cached direct; do
			run -0 "$TOOLS/async_read" $by $open "$F"
			[ -z "$output" ]
		done
	done
	[ "$(head -c 65536 "$F" | wc -c)" -eq 65536 ]
}

@test "opening to write, truncating, making and removing say EROFS; mmap fails; size is 0" {
	py readers read_only "$MNT" "$PID"
	run -1 bash -c "echo x >'$MNT/task'"
	run -1 cp "$REF" "$MNT/task"
	run -1 touch "$MNT/task"
	[[ $output == *"Read-only file system"* ]]
	[ "$(find "$MNT" -path "$MNT/pid" -prune -o -type f -size +0 -print)" = "" ]
	[ "$(stat -c %s "$MNT/task" "$F" "$MNT/json/task.json" | sort -u)" = 0 ]
}

# They open a file to find that it has no bytes: what is not collected fails.
@test "tar and rsync copy nothing, as for /proc, and do not fail" {
	local off
	mkdir "$DIR/copied"
	# shellcheck disable=SC2086 # words
	mapfile -t off < <(printf -- '--exclude=%s.*\n' $COLLECT_VIEWS)
	timeout 60 tar -C "$MNT" "${off[@]}" -cf - task csv | tar -C "$DIR/copied" -xf -
	[ "$(find "$DIR/copied" -type f -size 0 | wc -l)" -eq $((1 + $(wc -w <<<"$VIEWS"))) ]
	timeout 60 rsync -a "${off[@]}" "$MNT/json" "$DIR/copied/"
	[ "$(find "$DIR/copied/json" -type f -size 0 | wc -l)" -eq "$(wc -w <<<"$VIEWS")" ]
}

@test "sqlite3 imports csv" {
	timeout 60 sqlite3 "$DIR/db" ".import --csv $MNT/pid/$PID/csv/task_file.csv files" \
		".import --csv $MNT/csv/task.csv tasks"
	[ "$(sqlite3 "$DIR/db" "select count(*) from files where path = '/dev/null'")" -ge 3000 ]
	[ "$(sqlite3 "$DIR/db" "select count(*) from tasks join files using (pid) where fd = 100")" = 3 ]
}

@test "jq over json" {
	[ "$(timeout 60 jq -s length "$MNT/pid/$PID/json/task_vma.json")" = "$(($(wc -l <"$REF") - 1))" ]
	[ "$(timeout 60 jq -r .tid "$MNT/pid/$PID/json/task.json" | sort)" = \
		"$(find "/proc/$PID/task" -mindepth 1 -maxdepth 1 -printf '%f\n' | sort)" ]
	timeout 60 jq -es 'length > 5 and all(.[]; .pid > 0 and (.comm | type) == "string")' \
		"$MNT/json/task.json"
}

@test "a reader that leaves early (head, grep -q, SIGPIPE) does not trouble the next" {
	for _ in {1..20}; do
		cat "$F" | head -c 10 >/dev/null
		grep -q crowd "$F"
		head -c 5000 "$F" >/dev/null
	done
	same cat "$F"
}

@test "kview cat ends when its reader does" {
	timeout 60 "$KVIEW" cat --pid "$PID" task_vma | head -n 1 >/dev/null
	run -1 timeout 60 sh -c "'$KVIEW' cat task >/dev/full"
	[[ $output == *"No space left on device"* ]]
}
