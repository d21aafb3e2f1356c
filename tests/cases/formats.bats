#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# Text, JSON Lines, CSV, `kview cat` and the pins: one record, the same values.

bats_require_minimum_version 1.5.0
load population

setup_file() {
	population_setup
	# Views of sockets have a row then.
	python3 -c 'import signal, socket
signal.alarm(1000)
kept = [socket.socket(), socket.socket(type=socket.SOCK_DGRAM)]
for s in kept: s.bind(("127.0.0.1", 0))
kept[0].listen()
signal.pause()' </dev/null >/dev/null 2>&1 3>&- 4>&- &
	mine $!
	until_true grep -q 0100007F: /proc/net/udp
	# So has that of DMA buffers, where something makes them.
	export FILLED=$VIEWS
	if makes_dmabufs; then
		python3 -B "$BATS_TEST_DIRNAME/oracle_dmabuf.py" hold "$KVIEW" >"$DIR/held" 3>&- 4>&- &
		mine $!
		until_true grep -q ready "$DIR/held"
	else
		FILLED=$(xargs -n 1 <<<"$VIEWS" | grep -vx dmabuf | xargs)
	fi
	for view in $VIEWS; do
		cat "$MNT/$view" >"$DIR/$view"
		cat "$MNT/json/$view.json" >"$DIR/$view.json"
		cat "$MNT/csv/$view.csv" >"$DIR/$view.csv"
	done
}

teardown_file() {
	population_teardown
}

formats() {
	local what=$1 view=$2
	shift 2
	timeout 200 python3 "$BATS_TEST_DIRNAME/formats.py" "$what" "$view" "$MNT" "$@"
}

# settled ARG...: rows that are not of the population may change between two files.
settled() {
	local _
	for _ in {1..20}; do
		formats "$@" >"$DIR/said" 2>&1 && return
		[[ " $TASK_VIEWS kmem_cache " != *" $2 "* ]] || break
	done
	cat "$DIR/said"
	return 1
}

@test "formats: text, json and csv hold the same values" {
	for view in $VIEWS; do
		settled same "$view" "$DIR/list"
	done
}

@test "formats: pid/PID holds the rows of the whole machine's file" {
	for view in $TASK_VIEWS; do
		formats pids "$view" "$DIR/list"
	done
}

@test "formats: every text line has as many fields as its header, in any locale" {
	for view in $FILLED; do
		for locale in C C.UTF-8; do
			LC_ALL=$locale awk 'NR == 1 { n = NF }
				NF != n { print FILENAME ": " $0; bad = 1 }
				END { exit bad || NR < 2 }' "$DIR/$view"
		done
	done
}

@test "formats: text holds no control byte, no invalid UTF-8, no blank at the end" {
	for view in $VIEWS; do
		run ! env LC_ALL=C grep -n -P '[\x00-\x1f\x7f]| $' "$DIR/$view"
		iconv -f UTF-8 -t UTF-8 "$DIR/$view" >/dev/null
	done
	grep -q '\\012' "$DIR/task"
	grep -q '\\055' "$DIR/task"
}

@test "formats: jq takes every line of json, one object each" {
	for view in $VIEWS; do
		[ "$(jq -c 'select(type == "object")' "$DIR/$view.json" | wc -l)" -eq \
			"$(wc -l <"$DIR/$view.json")" ]
		run ! env LC_ALL=C grep -n -P '[\x00-\x1f\x7f]' "$DIR/$view.json"
		iconv -f UTF-8 -t UTF-8 "$DIR/$view.json" >/dev/null
	done
}

@test "formats: json keeps apart an empty name, a dash, null and no value" {
	[ "$(jq -c .comm "$MNT/pid/$(pid_of nameless)/json/task.json")" = '""' ]
	jq -s -e 'map(.comm) | contains(["-", "null"])' "$DIR/task.json"
	[ "$(jq -c '[.tty, .exe]' "$MNT/pid/$(pid_of zombie)/json/task.json")" = '[null,null]' ]
}

@test "formats: a name of one dash is told from no value in text" {
	for pid in $(pids); do
		[ "$(cat "/proc/$pid/comm")" != - ] || break
	done
	[ "$(awk 'NR == 2 {print $NF}' "$MNT/pid/$pid/task")" = '\055' ]
	[ "$(awk 'NR == 2 {print $NF}' "$MNT/pid/$(pid_of nameless)/task")" = - ]
}

@test "formats: json has 64-bit numbers exact, hex and octal and devices as strings" {
	file=$MNT/pid/$(pid_of anonymous)/json/task_file.json
	grep -q '"pos":9223372036854775552,' "$file"
	grep -q '"size":4611686018427387904,' "$file"
	jq -s -e 'all(.[]; (.flags | test("^0[0-7]+$")) and (.dev | test("^[0-9a-f]+:[0-9a-f]+$")))' \
		"$file"
	jq -s -e 'all(.[]; .start | test("^[0-9a-f]{8,}$"))' \
		"$MNT/pid/$(pid_of still)/json/task_vma.json"
	jq -s -e 'all(.[]; .flags | test("^[0-9a-f]{8}$"))' "$DIR/kmem_cache.json"
}

@test "formats: schema/VIEW and all headers agree" {
	for view in $FILLED; do
		want=$(cut -f 1 "$MNT/schema/$view" | paste -sd ' ')
		[ "$(awk -F'\t' 'NF != 5 || $5 !~ /^(-|key|gauge|counter)$/' "$MNT/schema/$view")" = "" ]
		[ "$("$KVIEW" schema "$view")" = "$(cat "$MNT/schema/$view")" ]
		[ "$(head -n 1 "$DIR/$view" | xargs | tr '[:upper:]' '[:lower:]')" = "$want" ]
		[ "$(head -n 1 "$DIR/$view.csv" | tr , ' ')" = "$want" ]
		[ "$(head -n 1 "$DIR/$view.json" | jq -r 'keys_unsorted | join(" ")')" = "$want" ]
		[[ " $LINKED_VIEWS " != *" $view "* ]] ||
			[ "$(head -n 1 "$KVIEW_PIN_DIR/$view" | tr '\tA-Z' ' a-z')" = "$want" ]
	done
}

@test "formats: kview cat gives the bytes of the mount's file" {
	for role in threads tables zombie-leader names anonymous maps-names; do
		pid=$(pid_of $role)
		for view in $TASK_VIEWS; do
			cmp <("$KVIEW" cat --pid "$pid" "$view") "$MNT/pid/$pid/$view"
			cmp <("$KVIEW" cat -F json --pid "$pid" "$view") "$MNT/pid/$pid/json/$view.json"
			cmp <("$KVIEW" cat -F csv --pid "$pid" "$view") "$MNT/pid/$pid/csv/$view.csv"
		done
	done
}

@test "formats: two readings of a frozen process are the same bytes" {
	for pid in $(pids); do
		for view in $TASK_VIEWS; do
			cmp "$MNT/pid/$pid/$view" "$MNT/pid/$pid/$view"
		done
	done
}

@test "formats: kview cat -c picks columns, in the order asked for" {
	for view in $TASK_VIEWS; do
		formats pick "$view" "$(pid_of threads)" "$KVIEW"
	done
}

@test "formats: cat of a pin has the same values" {
	for view in $LINKED_VIEWS; do
		[[ " $FILLED " == *" $view "* ]] || continue
		settled pin "$view" "$DIR/list" "$KVIEW_PIN_DIR/$view"
	done
}
