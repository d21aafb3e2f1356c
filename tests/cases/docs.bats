#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# README.md and the manual pages say what is so: their examples are taken out
# of them and run, their lists are compared with the program and the sources.
# shellcheck disable=SC2016 # what the documents say goes to another shell
# shellcheck disable=SC2013 # lists of single words
bats_require_minimum_version 1.5.0

load common

load docs

# run_lines: commands on stdin, one shell line each; all work and say something.
run_lines() {
	local line out n=0 settings=''
	while read -r line; do
		out=$(run_as_shown "$settings
$line") || { echo "failed: $line"; return 1; }
		[[ ! $line =~ ^[a-z]+= ]] || settings+="$line"$'\n'
		says_nothing "$line" || [ -n "$out" ] || { echo "silent: $line"; return 1; }
		n=$((n + 1))
	done
	[ "$n" -gt 0 ]
}

views() {
	kview list | awk 'NR > 1 && /^[a-z]/ {print $1}'
}

compile() {
	clang -g -O2 -target bpf -Wall -Wextra -Wpadded -Werror -Wno-unused-parameter \
		"-D__TARGET_ARCH_$(uname -m | sed 's/x86_64/x86/;s/aarch64/arm64/')" \
		-idirafter "/usr/include/$(uname -m)-linux-gnu" "-I$ROOT/iters/include/kview" -c "$1" -o "$2"
}

same() {
	diff -u <(printf '%s\n' "$1") <(printf '%s\n' "$2")
}

# --- examples ---

@test "README: the transcript shows what is shown" {
	local line cmd='' out='' n=0
	own_places <"$DIR/blocks/console.1" >"$DIR/transcript"
	while IFS= read -r line; do
		if [ "${line:0:2}" = '# ' ]; then
			cmd=${line:2}
			n=$((n + 1))
			echo "# $cmd"
			out=$(run_as_shown "$cmd") || { echo "failed: $cmd"; return 1; }
			first=1
		elif [[ $line != *[0-9]* ]] || [ "$line" = "${line^^}" ]; then
			# No number in it: a header, a list of names, which may be longer.
			grep -qxF -- "$line" <<<"$out" || { [[ $cmd == ls\ * ]] && all_in "$line" "$out"; } || { echo "not shown: $line"; echo "$out"; return 1; }
			first=0
		elif [ "$first" = 1 ]; then
			same "$(fields <<<"$line")" "$(fields <<<"$out")"
			first=0
		fi
	done <"$DIR/transcript"
	[ "$n" -ge 7 ]
}

@test "README: the transcript of histograms shows what is shown" {
	local line out='' n=0
	while IFS= read -r line; do
		if [ "${line:0:2}" = '# ' ]; then
			out=$(run_as_shown "${line:2}")
		elif [ "$line" = "${line^^}" ] && [[ $line != \[* ]]; then
			grep -qxF -- "$line" <<<"$out"
			n=$((n + 1))
		elif [[ $line == \[* ]]; then
			jq -se 'length > 0 and all(.[]; length == 2 and (.[0] | startswith("/")) and .[1] >= 0)' <<<"$out"
			n=$((n + 1))
		else
			grep -qE '^ +[0-9]+ +[0-9.]+ / +([0-9.]+[mun]?s:[0-9]+,?)+' <<<"$out"
			n=$((n + 1))
		fi
	done <"$DIR/blocks/console.2"
	[ "$n" = 3 ]
}

@test "README: the transcript of readers shows what is shown" {
	local line out='' n=0
	own_places <"$DIR/blocks/console.3" >"$DIR/transcript"
	while IFS= read -r line; do
		if [ "${line:0:2}" = '# ' ]; then
			echo "$line"
			# What a reader may not see is an error that it shows.
			out=$(run_as_shown "${line:2}" 2>&1 3>&-) || [[ $out == *'Permission denied' ]]
		else
			numbers <<<"$out" | grep -qxF -- "$(numbers <<<"$line")" ||
				{ echo "not shown: $line"; echo "$out"; return 1; }
			n=$((n + 1))
		fi
	done <"$DIR/transcript"
	[ "$n" = 6 ]
}

# all_in WORDS TEXT
all_in() {
	[ -z "$(comm -23 <(xargs -n 1 <<<"$1" | sort) <(xargs -n 1 <<<"$2" | sort))" ]
}

# How many fields the first line has.
fields() {
	awk -F'[ ,\t]+' '{print NF; exit}'
}

@test "kview(1): the examples work" {
	section kview.1 EXAMPLES | commands | own_places | run_lines
}

@test "kview(8): the examples work" {
	section kview.8 EXAMPLES | commands | own_places | run_lines
}

# mounts_by_fstab LINE
mounts_by_fstab() {
	local helpers
	helpers=$(readlink -f /sbin)
	mkdir -p "$DIR/sbin" "$MNT"
	ln -sf "$KVIEW" "$DIR/sbin/mount.fuse.kview"
	own_places <<<"$1" | sed "s| 0 0|,pin_dir=$KVIEW_PIN_DIR 0 0|" >"$DIR/fstab"
	timeout 60 unshare -m bash -euc "
		mount --bind '$DIR/sbin' '$helpers'
		mount -T '$DIR/fstab' '$MNT'
		head -n 2 '$MNT/task'
		'$KVIEW' umount '$MNT'" >"$DIR/out" 3>&-
	[ "$(wc -l <"$DIR/out")" = 2 ]
	[ "$(head -n 1 "$DIR/out" | awk '{print $1}')" = PID ]
}

@test "README and kview(8): the fstab lines mount" {
	local line lines
	lines=$(section kview.8 FSTAB | sed -n 's/^ *\(kview .* 0 0\)$/\1/p')
	grep -xF -- "$(cat "$DIR/blocks/fstab.1")" <<<"$lines"
	[ "$(wc -l <<<"$lines")" = 4 ]
	while read -r line; do
		mounts_by_fstab "$line"
	done <<<"$lines"
}

# --- views of one's own ---

@test "README: the example view shows nice values" {
	mkdir -p "$DIR/nice"
	cp "$DIR/blocks/c.1" "$DIR/nice/task_nice.bpf.c"
	compile "$DIR/nice/task_nice.bpf.c" "$DIR/nice/task_nice.bpf.o"
	nice -n 7 sleep 300 3>&- &
	mine $!
	run_as_shown "until grep -q ^Name:.sleep /proc/$!/status; do :; done"
	kview cat --iter-dir "$DIR/nice" -F json task_nice |
		jq -se --argjson nice "$(($(nice) + 7))" --argjson tid $! 'map(select(.tid == $tid)) | length == 1 and
			.[0].nice == $nice and .[0].comm == "sleep"'
	[ "$(awk '{print $19}' "/proc/$!/stat")" = "$(($(nice) + 7))" ]
}

@test "kview-iters(7): the example view compiles without a warning, loads and is right" {
	local daemon fd info rows=0
	mkdir -p "$DIR/own"
	example kview-iters.7 maps.bpf.c >"$DIR/own/maps.bpf.c"
	compile "$DIR/own/maps.bpf.c" "$DIR/own/maps.bpf.o"
	kview_mount --iter-dir "$DIR/own" 3>&-
	cat "$MNT/json/maps.json" >"$DIR/maps"
	daemon=$(daemon_pid)
	# What the kernel tells of the maps that the daemon holds.
	for fd in "/proc/$daemon/fdinfo"/*; do
		info=$(cat "$fd")
		[[ $info == *map_id:* ]] || continue
		jq -se --argjson id "$(number map_id "$info")" \
			--argjson key "$(number key_size "$info")" \
			--argjson value "$(number value_size "$info")" \
			--argjson max "$(number max_entries "$info")" \
			'map(select(.id == $id)) | length == 1 and .[0].type == "hash" and
			 .[0].key_size == $key and .[0].value_size == $value and
			 .[0].max_entries == $max and (.[0].name | . == "kv_readers" or . == "kv_spool")' \
			"$DIR/maps" || { echo "$info"; return 1; }
		rows=$((rows + 1))
	done
	[ "$rows" -ge 4 ]
	jq -se 'any(.[]; .max_entries == null and .name == "kv_scratch")' "$DIR/maps"
}

# number KEY FDINFO
number() {
	awk -v key="$1:" '$1 == key {print $2; exit}' <<<"$2"
}

# walk NAME: builds NAME.bpf.c of kview-iters(7), and goes through the commands below it.
walk() {
	mkdir -p "$DIR/walk/$1"
	example kview-iters.7 "$1.bpf.c" >"$DIR/walk/$1/$1.bpf.c"
	cd "$DIR/walk/$1" || return
	example kview-iters.7 flags "$1" | own_places | transcript
}

@test "kview-iters(7): the walk through a kernel-wide view" {
	walk maps
}

@test "kview-iters(7): the walk through a view of tasks, which has what /proc/PID/task/TID/io has" {
	walk thread_io
	# What others have read and written grows meanwhile: this one waits.
	python3 -c 'import os, sys, time
f = open(sys.argv[1], "wb"); f.write(b"x" * 300000); f.flush(); os.fsync(f.fileno())
print(flush=True); time.sleep(60)' "$DIR/written" >"$DIR/ready" 3>&- &
	mine $!
	until_true [ -s "$DIR/ready" ]
	# The file of the process also counts children that it has waited for: python3 may be a script.
	io_agrees() {
		kview cat --iter-dir . -F json --pid "$1" thread_io >"$DIR/io"
		jq -se --argjson read "$(number read_bytes "$(<"/proc/$1/task/$1/io")")" \
			--argjson written "$(number write_bytes "$(<"/proc/$1/task/$1/io")")" \
			'length == 1 and .[0].read == $read and .[0].written == $written' "$DIR/io"
	}
	until_true io_agrees $! # on its way to sleep it may read pages of its program
	# The file system of the case counts what is written, or a view of zeros would pass.
	case $(stat -f -c %T "$DIR") in tmpfs | ramfs) ;; *) jq -e '.written >= 300000' "$DIR/io" ;; esac
}

@test "kview-iters(7): the walk through a view of a network namespace" {
	unshare --net python3 -c 'import socket, subprocess, time
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
s = socket.create_server(("0.0.0.0", 22))
print(flush=True); time.sleep(60)' >"$DIR/ready" 3>&- &
	mine $!
	until_true [ -s "$DIR/ready" ]
	# shellcheck disable=SC2034 # of docs.bash
	WITHIN=(nsenter "--net=/proc/$!/ns/net")
	walk tcp_peer
}

@test "kview-iters(7): the walk through a collector" {
	walk signals
}

@test "kview-iters(7): the walk through iterators without kview's headers" {
	walk own
	example kview-iters.7 flags elements | own_places | transcript
	[ ! -e "$KVIEW_PIN_DIR-d" ]
}

@test "kview-iters(7): what DEBUGGING says of a view without KV_VIEW, and of a map that is too small" {
	local text
	text=$(section kview-iters.7 DEBUGGING | tr -s ' \n' ' ')
	mkdir -p "$DIR/wrong"
	example kview-iters.7 maps.bpf.c | sed '/^KV_VIEW/d' >"$DIR/wrong/maps.bpf.c"
	clang -g -O2 -target bpf -w "-I$ROOT/iters/include/kview" -idirafter "/usr/include/$(uname -m)-linux-gnu" \
		-c "$DIR/wrong/maps.bpf.c" -o "$DIR/wrong/maps.bpf.o"
	run -1 kview check --iter "$DIR/wrong/maps.bpf.o"
	[[ $output == *"failed to find BTF for extern 'kv_table'"* ]]
	[[ $text == *"failed to find BTF for extern 'kv_table'"* ]]
	example kview-iters.7 flags elements | sed 's/key 4/key 2/; s/key 1 0 0 0/key 1 0/' |
		own_places >"$DIR/wrong/commands"
	[ -e "$DIR/walk/own/own.bpf.o" ] || walk own
	cd "$DIR/walk/own"
	run ! transcript <"$DIR/wrong/commands"
	rm "$KVIEW_PIN_DIR-d"
	[[ $output == *"can't run view 'own.elements': Permission denied"* ]]
	[[ $text == *"can't run view 'NAME': Permission denied' with --map means"* ]]
}

@test "kview-iters(7): only calls and tags that the headers have, and all of kview.h's and put.h's" {
	local name names
	names=$(page kview-iters.7 | grep -oE '\b(kv|KV)_[A-Za-z_]+' | sort -u)
	[ "$(wc -l <<<"$names")" -gt 15 ]
	for name in $names; do
		grep -qwE "$name" "$ROOT"/iters/include/kview/*.h || { echo "no header has $name"; return 1; }
	done
	for name in $(sed -nE 's/^#define (KV_[A-Z]+|kv_[a-z_]+)\(.*/\1/p; s/^static __always_inline .*\b(kv_[a-z_]+)\(.*/\1/p' "$ROOT/iters/include/kview/kview.h" "$ROOT/iters/include/kview/put.h"); do
		case $name in KV_TAG | KV_IS | kv_table | kv_opaque | kv_begin_any | kv_text_numbers | kv_is_time_up | kv_look_soon | kv_note_rights | kv_still_may | kv_begin_row | kv_begin_call | kv_put_read_chars | kv_join | \
			kv_of_thread | kv_read_bytes | kv_second_buffer | kv_write_part | kv_write_record | kv_write | kv_had_room | kv_room | kv_read_far | kv_took | kv_took_far) continue ;; esac
		grep -qx "$name" <<<"$names" || { echo "the page lacks $name"; return 1; }
	done
}

@test "kview-iters(7): the limits are those of the headers" {
	local text
	text=$(page kview-iters.7 | tr -s ' \n' ' ')
	limit() {
		sed -nE "s/^#define $1 ([0-9]+).*/\1/p" "$ROOT/$2"
	}
	grep -qF "At most $(limit KV_MAX_COLUMNS iters/include/kview/abi.h) columns and $(limit KV_FIXED_MAX iters/include/kview/abi.h) bytes" <<<"$text"
	grep -qF "has at most $(limit KV_RECORD_MAX iters/include/kview/abi.h) bytes" <<<"$text"
	grep -qF "at most $(($(limit KV_COLUMN_NAME iters/include/kview/abi.h) - 1)) characters" <<<"$text"
	grep -qF "may have up to $(limit KV_PATH_MAX iters/include/kview/kview.h) bytes" <<<"$text"
	grep -qF "has at most $(limit NAME_MAX_LEN src/load/view_name.c) characters" <<<"$text"
}

# --- lists ---

@test "kview(1) has every command, and no other" {
	local help man
	help=$(kview help | sed -n 's/^  kview \([a-z]*\) .*/\1/p' | sort)
	man=$(sed -n 's/^\.Ss kview \([a-z]*\)$/\1/p' "$MAN/kview.1" | sort)
	[ "$(wc -l <<<"$help")" = 10 ]
	same "$help" "$man"
}

@test "kview(1) has every option of every command, and no other" {
	local command help man synopsis option
	for command in $(kview help | sed -n 's/^  kview \([a-z]*\) .*/\1/p'); do
		help=$(kview help "$command" | sed -n '/^Options:/,$p' |
			sed -nE 's/^ +((-[A-Za-z]), )?(--[a-z-]+).*/\2 \3/p' | sort)
		man=$(awk -v c=".Ss kview $command" '/^\.S[sh]/ {on = $0 == c} on' "$MAN/kview.1" |
			sed -nE 's/\\-/-/g; s/^\.It (Fl ([A-Za-z]) , )?Fl (-[a-z-]+).*/-\2 -\3/p' |
			sed 's/^- / /' | sort)
		same "$help" "$man"
		synopsis=$(section kview.1 SYNOPSIS | grep "^kview $command\b")
		for option in $(sed -E 's/^(-[A-Za-z]) .*/\1/' <<<"$help"); do
			[ "$option" = -h ] || grep -qF -- "[$option" <<<"$synopsis" ||
				{ echo "synopsis of $command: $option"; return 1; }
		done
	done
}

@test "kview(1) has every column of every view with its type" {
	local view documented
	same "$(views | sort)" "$(awk '/^\.Sh/ {on = $2 == "VIEWS"} on && /^\.Ss/ {print $2}' "$MAN/kview.1" | sort)"
	for view in $(views); do
		documented=$(awk -v v=".Ss $view" '/^\.S[sh]/ {on = $0 == v} on' "$MAN/kview.1" |
			sed -n 's/^\.It Li \([a-z_]*\) Ta \([a-z]*\) Ta .*/\1\t\2/p')
		same "$(kview schema "$view" | cut -f 1,2)" "$documented"
	done
}

# It may leave a view to the manual.
@test "README's views are there, with these columns" {
	local view listed
	listed=$(awk -F'|' '/^\| view /{on = 1; next} on && !/^\|/ {exit} on && !/---/ {gsub(/[` ]/, "", $2); print $2}' "$README")
	[ "$(wc -w <<<"$listed")" -ge 4 ]
	for view in $listed; do
		same "$(kview schema "$view" | cut -f 1 | paste -sd ' ')" \
			"$(sed -nE "s/^\| \`$view\` \| [A-Za-z0-9 ]+ \| (.*) \|\$/\1/p" "$README")"
	done
}

@test "README and kview(1) show the tree that is mounted" {
	local name
	kview_mount 3>&-
	for name in "$MNT"/*; do
		name=${name##*/}
		[ ! -e "$MNT/schema/$name" ] || continue # the section about views has those
		grep -qE "^  $name(/| )" "$DIR/blocks/text.1" || { echo "README: $name"; return 1; }
		section kview.1 TREE | grep -qE "^$name(/| )" || { echo "kview(1): $name"; return 1; }
	done
	for name in $(sed -nE 's/^  ([a-z_/.]+) .*/\1/p' "$DIR/blocks/text.1" | grep -v /self); do
		[ -e "$MNT/$name" ] || { echo "not there: $name"; return 1; }
	done
	[ "$(stat -c %a "$MNT/kmem_cache")" = 400 ]
	[ "$(readlink "$MNT/pid/self")" -gt 0 ]
}

@test "kview(8): the mount options are those that are taken" {
	local word options
	same "$(kview mount -o nonesuch "$DIR/other" 2>&1 | sed -n "s/hint: kview's own are //p" | grep -oE '[a-z_]+=|allow_[a-z]+' | tr -d = | sort)" \
		"$(awk '/^\.Sh/ {on = /OPTIONS/} on' "$MAN/kview.8" | sed -nE 's/^\.It Cm ([a-z_]+).*/\1/p' | sort)"
	options=$(section kview.8 'MOUNT OPTIONS' | tr -s ' \n' ' ')
	for word in defaults rw noauto nofail _netdev user; do
		grep -qE "[( ]${word}[,) ]" <<<"$options"
	done
	timeout 60 kview mount -o "defaults,rw,noauto,nofail,_netdev,user,x-a.b=c,pin_dir=$KVIEW_PIN_DIR" "$MNT" 3>&-
	for word in ro nosuid nodev noexec; do
		findmnt -n -o OPTIONS --mountpoint "$MNT" | grep -qE "(^|,)$word(,|\$)"
	done
	for word in pin_dir=/proc "iter_dir=$DIR/none"; do
		run timeout 60 kview mount -o "$word" "$DIR/other"
		[ "$status" = 1 ]
	done
	grep -qw allow_root <<<"$options"
	run ! timeout 60 kview mount -o allow_root "$DIR/other"
}

@test "kview(8): the values that stand there are taken" {
	local option
	for option in view={reader,host} hidepid={0,off,1,noaccess,2,invisible} gid=adm uid=nobody mode=0440; do
		kview_mount -o "$option" 3>&-
		kview_umount
	done
}

@test "kview(8): without CAP_SYS_PTRACE nothing is mounted but with view=host" {
	run timeout 60 setpriv --bounding-set=-sys_ptrace --inh-caps=-sys_ptrace "$KVIEW" mount -o allow_other "$MNT" 3>&-
	[ "$status" = 1 ]
	[[ $output == *'without CAP_SYS_PTRACE'*view=host* ]]
	timeout 60 setpriv --bounding-set=-sys_ptrace --inh-caps=-sys_ptrace "$KVIEW" mount -o allow_other,view=host "$MNT" 3>&-
	bwrap --ro-bind / / --proc /proc --unshare-pid head -n 1 "$MNT/task"
}

@test "kview(1): the messages come as they stand there" {
	local text pattern n=0
	mkdir -p "$DIR/kind"
	sed 's|iter/task|iter/nonesuch|' "$DIR/blocks/c.1" >"$DIR/kind/nonesuch.bpf.c"
	compile "$DIR/kind/nonesuch.bpf.c" "$DIR/kind/nonesuch.bpf.o"
	mkdir -p "$DIR/field"
	{
		echo 'struct task_struct___other { int nonesuch; } __attribute__((preserve_access_index));'
		sed 's/task->static_prio/((struct task_struct___other *)task)->nonesuch/' "$DIR/blocks/c.1"
	} >"$DIR/field/nonesuch.bpf.c"
	compile "$DIR/field/nonesuch.bpf.c" "$DIR/field/nonesuch.bpf.o"
	mkdir -p "$DIR/none"
	sed 's|tp_btf/sched_process_fork|tp_btf/nonesuch|' "$ROOT/tests/cases/iters/forks.bpf.c" >"$DIR/none/forks.bpf.c"
	compile "$DIR/none/forks.bpf.c" "$DIR/none/forks.bpf.o"
	kview_mount 3>&-
	while IFS= read -r text; do
		pattern=$(sed "s/'[A-Z]*'/'.*'/; s/\bPID\b/[0-9]+/; s/\bN\b/[0-9]+/g; s/STRUCT\.FIELD/task_struct\.nonesuch/" <<<"$text")
		run timeout 60 bash -c "$(provoke "$text")" 3>&-
		grep -qE "$pattern" <<<"$output" || { echo "expected: $text"; echo "$output"; return 1; }
		n=$((n + 1))
	done < <(awk '/^\.Bl -diag/ {on = 1} /^\.El/ {on = 0} on' "$MAN/kview.1" | sed -n 's/^\.It //p')
	[ "$n" -ge 10 ]
}

# The command that leads to a message of DIAGNOSTICS.
provoke() {
	case $1 in
	*'is mounted on '*already) echo "kview mount $MNT" ;;
	'unknown mount option'*) echo "kview mount -o nonesuch $DIR/other" ;;
	*'has no collectors') echo "kview mount -o collect=task $DIR/other" ;;
	'nothing is collected'*) echo "kview cat exits" ;;
	*'runs none of its collectors') echo "kview cat --iter-dir $DIR/none --for 1 forks" ;;
	'bad value'*) echo "kview mount -o mode=9 $DIR/other" ;;
	*'is not below'*) echo "kview mount -o max_files=5,max_user_files=6 $DIR/other" ;;
	max_files=*) echo "setpriv --bounding-set=-sys_resource --inh-caps=-sys_resource prlimit --nofile=2000:2000 kview mount -o max_files=1000 $DIR/other" ;;
	*'is given up') echo "kview mount -f $DIR/other & for i in {1..5}; do sleep 0.5; pkill -9 -P \$!; done; wait" ;;
	*contradict*) echo "kview mount -o view=host,hidepid=2 $DIR/other" ;;
	*'its daemon has not ended') echo "unshare -m sleep 60 & sleep 0.5; kview umount $MNT; kill \$!; wait" ;;
	*'not yours to look into') echo "setpriv --bounding-set=-sys_ptrace kview cat --pid $$ task_file" ;;
	'no kview is mounted'*) echo "kview umount $DIR" ;;
	'the pin directory'*) echo "kview load --pin-dir $DIR" ;;
	*'Operation not permitted') echo "KVIEW_PIN_DIR=/none setpriv --bounding-set=-all kview cat task" ;;
	'this kernel has no STRUCT.FIELD') echo "kview cat --iter-dir $DIR/field nonesuch" ;;
	'this kernel has no'*) echo "kview cat --iter-dir $DIR/kind nonesuch" ;;
	'no view'*) echo 'kview schema nonesuch' ;;
	'no column'*) echo 'kview cat -c nonesuch task' ;;
	'no process'*) echo 'kview cat --pid 1000000000 task' ;;
	*'too many') echo 'kview list x' ;;
	*) echo "echo no command is known for: $1" ;;
	esac
}

@test "kview(1): exit statuses" {
	kview schema task
	run -1 kview schema nonesuch
	for wrong in '' nonesuch --nonesuch 'cat' 'list x' 'cat -F xml task' 'cat -c nonesuch task' 'list --nonesuch' "mount -o nonesuch $DIR/other"; do
		# shellcheck disable=SC2086 # words
		run kview $wrong
		[ "$status" = 2 ] || { echo "kview $wrong: $status"; return 1; }
	done
}

@test "kview(1) and README: KVIEW_DEBUG shows libbpf's words, KVIEW_PIN_DIR moves the pins" {
	for name in KVIEW_DEBUG KVIEW_PIN_DIR; do
		section kview.1 ENVIRONMENT | grep -qE "^$name\$"
		grep -q "$name=[1D]" "$README"
	done
	run env KVIEW_DEBUG=1 kview cat task
	grep -q '^libbpf: ' <<<"$output"
	kview load
	[ -e "$KVIEW_PIN_DIR/task" ]
	[ "$(stat -c %a "$KVIEW_PIN_DIR")" = 1700 ]
	kview unload
	[ ! -e "$KVIEW_PIN_DIR" ]
}

@test "README has every make target and variable" {
	local documented
	documented=$(grep -E '^\| `make' "$README" | grep -oE '`make[a-z -]*`' | tr -d '`' |
		sed -E 's/^make ?//; s/^$/all/' | sort -u)
	same "$(make -s -C "$ROOT" help | sed -nE 's/^  ([a-z][a-z-]*) .*/\1/p' | { cat; echo help; } | sort)" "$documented"
	for v in $(make -s -C "$ROOT" help | grep -oE '\b[A-Z]+=' | sort -u); do
		grep -qE "^\| .*\`$v" "$README" || { echo "README: $v"; return 1; }
	done
}

@test "README names only files that are there" {
	local path n=0
	for path in $(grep -oE '(\.ci|src|iters|fuse|tests|man)/[a-z0-9_./-]*[a-z0-9_/]' "$README" | sort -u); do
		case $path in tests/cases/x.bats | iters/*.bpf.c) continue ;; esac
		[ -e "$ROOT/$path" ] || [ -n "$(find "$ROOT/tests" "$ROOT/iters" -path "*/$path" -print -quit)" ] ||
			{ echo "not there: $path"; return 1; }
		n=$((n + 1))
	done
	[ "$n" -gt 10 ]
}

@test "README's links lead somewhere" {
	local target
	for target in $(grep -oE '\]\([^)]*\)' "$README" | tr -d '])('); do
		case $target in
		'#'*) sed -nE 's/^#+ (.*)/\1/p' "$README" | tr 'A-Z ' 'a-z-' | tr -d ',:()' | grep -qx "${target#\#}" ;;
		*) [ -e "$ROOT/$target" ] ;;
		esac || { echo "dead link: $target"; return 1; }
	done
}

@test "LICENSE is the GPL, version 2" {
	sha256sum --check --status <<<"8177f97513213526df2cf6184d8ff986c675afb514d4e68a404010521b880643  $ROOT/LICENSE"
}
