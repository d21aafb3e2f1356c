#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# Every command, and what each says and returns when it can't do its work.
# shellcheck disable=SC2016 # scripts in single quotes expand in the shell they are for
# shellcheck disable=SC2030,SC2031 # each test is a subshell
# shellcheck disable=SC2154 # `run` sets stderr, stderr_lines
bats_require_minimum_version 1.5.0
load common

COMMANDS="mount umount load unload list cat schema check status help"

setup() {
	kview_setup
}

teardown() {
	kview_teardown
}

# A process number that was used and is free.
dead_pid() {
	local pid
	true &
	pid=$!
	wait "$pid"
	echo "$pid"
}

# A process with a second thread: $PROCESS and $THREAD.
start_threads() {
	python3 - "$DIR/thread" 3>&- <<-'PY' &
		import os, signal, sys, threading
		t = threading.Thread(target=threading.Event().wait, daemon=True)
		t.start()
		open(sys.argv[1] + "~", "w").write(str(t.native_id))
		os.rename(sys.argv[1] + "~", sys.argv[1])
		signal.pause()
	PY
	PROCESS=$!
	mine $PROCESS
	timeout 60 bash -c "until [ -s $DIR/thread ]; do sleep 0.02; done"
	THREAD=$(<"$DIR/thread")
	[ "$THREAD" != "$PROCESS" ]
}

# as_nobody WORD...: kview as a user without any right, nor the way to BUILD.
as_nobody() {
	chmod 755 "$DIR"
	[ -e "$DIR/kview" ] || install -m 755 "$KVIEW" "$DIR/kview"
	timeout 60 setpriv --reuid 65534 --regid 65534 --clear-groups "$DIR/kview" "$@"
}

# without SCRIPT: in a mount namespace of its own.
without() {
	timeout 60 unshare -m --propagation private bash -euc "$1" without "$KVIEW" "$MNT" "$DIR"
}

# --- words ---------------------------------------------------------------

@test "no command, an unknown one and an unknown option are wrong usage" {
	fails 2 "a command is missing" "*kview help*"
	fails 2 "unknown command 'frobnicate'" "*kview help*" frobnicate
	fails 2 "unknown command 'lst'" "*kview help*" lst task
	fails 2 "unknown command ''" "*kview help*" ""
	fails 2 "unknown option '--frobnicate'" "*kview help*" --frobnicate
	fails 2 "unknown option '-x'" "*kview help*" -x
}

@test "help of each command has its options, with what they take and what they do" {
	local c
	for c in $COMMANDS; do
		run -0 "$KVIEW" help "$c"
		[[ $output != *null* ]]
		[[ $output == *"  -h, --help                   show this"* ]]
	done
	run -0 "$KVIEW" help mount
	[[ $output == *"      --takeover               replace the daemon of a live mount"* ]]
	[[ $output == *"      --pin-dir DIR            keep pins there, not in "* ]]
}

@test "each command refuses unknown options and those of other commands" {
	local c
	for c in $COMMANDS; do
		fails 2 "unknown option '--bogus'" "see \`kview help $c\`" "$c" --bogus
		fails 2 "unknown option '-Z'" "see \`kview help $c\`" "$c" -Z
	done
	for c in mount umount load unload list schema check; do
		fails 2 "unknown option '--pid'" "see \`kview help $c\`" "$c" --pid 1
		fails 2 "unknown option '-F'" "see \`kview help $c\`" "$c" -F json
	done
	fails 2 "unknown option '-f'" "see \`kview help cat\`" cat -f task
}

@test "an option without its value is wrong usage" {
	fails 2 "option '--pid' needs PID" "see \`kview help cat\`" cat task --pid
	fails 2 "option '-F' needs FORMAT" "see \`kview help cat\`" cat task -F
	fails 2 "option '-c' needs COL*" "see \`kview help cat\`" cat task -c
	fails 2 "option '-o' needs OPT*" "see \`kview help mount\`" mount -o
	fails 2 "option '--pin-dir' needs DIR" "see \`kview help load\`" load --pin-dir
	fails 2 "option '--iter-dir' needs DIR" "see \`kview help load\`" load --iter-dir
}

@test "a missing operand and one too many are wrong usage" {
	fails 2 "VIEW is missing" "see \`kview help cat\`" cat
	fails 2 "VIEW is missing" "see \`kview help schema\`" schema
	fails 2 "'c' is one argument too many" "see \`kview help mount\`" mount a b c
	fails 2 "'b' is one argument too many" "see \`kview help umount\`" umount a b
	fails 2 "'b' is one argument too many" "see \`kview help cat\`" cat task b
	fails 2 "'b' is one argument too many" "see \`kview help schema\`" schema task b
	fails 2 "'b' is one argument too many" "see \`kview help help\`" help cat b
	local c
	for c in load unload list check; do
		fails 2 "'a' is one argument too many" "see \`kview help $c\`" "$c" a
	done
}

@test "an unknown view fails, an unknown column or format is wrong usage" {
	fails 1 "no view 'nosuch'" "*kview list*" cat nosuch
	fails 1 "no view 'nosuch'" "*kview list*" schema nosuch
	fails 1 "no view 'TASK'" "*kview list*" cat TASK
	fails 1 "no view '../task'" "*kview list*" cat ../task
	fails 1 "no view ''" "*kview list*" cat ""
	fails 2 "no column 'nosuch'" "*kview schema task*" cat -c pid,nosuch task
	fails 2 "no column 'PID'" "*kview schema task*" cat -c PID task
	fails 2 "no column ''" "*kview schema task*" cat -c "" task
	fails 2 "no column ''" "*kview schema task*" cat -c pid, task
	fails 2 "column 'pid' is named twice" "*kview schema task*" cat -c pid,tid,pid task
	fails 2 "unknown format 'xml'" "*text, json and csv" cat -F xml task
	fails 2 "unknown format 'JSON'" "*text, json and csv" cat -F JSON task
	fails 2 "unknown format ''" "*text, json and csv" cat -F "" task
}

@test "--pid takes the number of a process and nothing else" {
	local bad
	for bad in abc 0 -1 +1 1x 0x10 "" " 1" 1.0 99999999999999999999; do
		fails 2 "'$bad' is not a process id" "see \`kview help cat\`" cat --pid "$bad" task
	done
	fails 1 "no process 99999999" "*" cat --pid 99999999 task
	bad=$(dead_pid)
	fails 1 "no process $bad" "*" cat --pid "$bad" task
	start_threads
	fails 1 "no process $THREAD" "*" cat --pid "$THREAD" task
	fails 1 "view 'kmem_cache' has no rows of single processes" "*" cat --pid $$ kmem_cache
}

# --- help, version, schema, list ------------------------------------------

@test "--version prints the version of the Makefile" {
	local version
	version=$(sed -n 's/^VERSION := //p' "$ROOT/Makefile")
	run -0 --separate-stderr "$KVIEW" --version
	[ "$output" = "kview $version" ]
	[ -z "$stderr" ]
	run -0 "$KVIEW" -V
	[ "$output" = "kview $version" ]
}

@test "help names every command and each has help of its own" {
	local c all
	run -0 --separate-stderr "$KVIEW" help
	all=$output
	[ -z "$stderr" ]
	for c in $COMMANDS --version; do
		grep -qE "^  kview $c( |\$)" <<<"$all"
	done
	# And there is none that is not listed above.
	[ "$(grep -c '^  kview ' <<<"$all")" -eq 11 ]
	run -0 "$KVIEW" --help
	[ "$output" = "$all" ]
	for c in $COMMANDS; do
		run -0 --separate-stderr "$KVIEW" help "$c"
		[[ $output == "Usage: kview $c"* ]]
		[ -z "$stderr" ]
		all=$output
		run -0 "$KVIEW" "$c" --help
		[ "$output" = "$all" ]
		run -0 "$KVIEW" "$c" -h
		[ "$output" = "$all" ]
	done
	fails 2 "unknown command 'nosuch'" "*kview help*" help nosuch
}

@test "schema has a line per column, with type, unit and meaning" {
	local view
	for view in $ALL_VIEWS; do
		# Five fields each, none of them empty, a type that is known, a meaning.
		"$KVIEW" schema "$view" | awk -F '\t' 'NF != 5 || $1 == "" || $3 == "" || length($4) < 2 ||
			$2 !~ /^(integer|hex|octal|decimal|device|string|enum|address|list)$/ {print; exit 1}
			END {exit !NR}'
	done
}

@test "list tells of each view whether it is supported and pinned" {
	local v
	run -0 --separate-stderr "$KVIEW" list
	[ -z "$stderr" ]
	[[ ${lines[0]} =~ ^VIEW\ +SUPPORTED\ +PINNED\ +SHOWS$ ]]
	[ "$(sed 1d <<<"$output" | grep -oE '^[a-z_0-9]+ +yes +no +[a-z].{10}' | awk '{print $1}' | xargs)" = "$(here "$ALL_VIEWS")" ]
	"$KVIEW" load
	[ "$("$KVIEW" list | awk '$2 == "yes" && $3 == "yes" {print $1}' | xargs)" = "$VIEWS" ]
	rm "$KVIEW_PIN_DIR/task"
	[ "$("$KVIEW" list | awk '$1 == "task" {print $3}')" = no ]
	"$KVIEW" unload
	[ "$("$KVIEW" list | awk '$2 == "yes" && $3 == "no" {print $1}' | xargs)" = "$(here "$ALL_VIEWS")" ]
}

@test "list works for a user without rights" {
	run -0 --separate-stderr as_nobody list
	[ -z "$stderr" ]
	[[ $output == *"collects: exits_end (tp_btf/sched_process_exit): Operation not permitted"* ]]
	[ "$(awk 'NR > 1 && / yes / {print $1}' <<<"$output" | sort | paste -sd ' ')" = "$ALL_VIEWS" ]
}

# --- cat ------------------------------------------------------------------

@test "cat prints the same rows in each format, and picks columns in the order asked" {
	local c="tid,comm,pid"
	start_threads
	run -0 --separate-stderr "$KVIEW" cat --pid "$PROCESS" -c $c task
	[ -z "$stderr" ]
	[ "$(tr -s ' ' <<<"${lines[0]# }" | sed 's/^ //')" = "TID COMM PID" ]
	[ "${#lines[@]}" -eq 3 ]
	[ "$(awk 'NR > 1 {print $1}' <<<"$output" | sort)" = "$(printf '%s\n' "$PROCESS" "$THREAD" | sort)" ]
	run -0 "$KVIEW" cat --pid "$PROCESS" -F json -c $c task
	[ "$(jq -c '[keys_unsorted, .pid == '"$PROCESS"']' <<<"$output" | sort -u)" = '[["tid","comm","pid"],true]' ]
	run -0 "$KVIEW" cat -F csv --pid "$PROCESS" -c $c task
	[ "${lines[0]}" = $c ]
	[ "$(cut -d , -f 1,3 <<<"$output" | tail -n +2 | sort)" = \
		"$(printf '%s\n' "$PROCESS,$PROCESS" "$THREAD,$PROCESS" | sort)" ]
}

@test "cat needs no pins and makes none" {
	run -0 "$KVIEW" cat --pid $$ -c pid task
	[ "${lines[1]// /}" = $$ ]
	[ ! -e "$KVIEW_PIN_DIR" ]
	run -0 "$KVIEW" cat --pin-dir /nonexistent/dir --pid $$ -c pid task
}

@test "cat as a user without rights says what is missing" {
	run --separate-stderr -1 as_nobody cat task
	[ -z "$output" ]
	[ "${stderr_lines[0]}" = "kview: can't load view 'task': can't load it: Operation not permitted" ] ||
		[ "${stderr_lines[0]}" = "kview: can't load view 'task': Operation not permitted" ]
	[ "${stderr_lines[1]}" = "hint: loading iterators needs CAP_BPF and CAP_PERFMON (or root)" ]
}

@test "output to a full disk is an error for every command that prints" {
	local c
	for c in "cat task" "cat -F json task_vma" "schema task" list help "help cat" --version check; do
		# shellcheck disable=SC2086
		run -1 --separate-stderr timeout 60 bash -c '"$@" >/dev/full' full "$KVIEW" $c
		[[ $stderr == *"kview: can't write to standard output: No space left on device"* ]]
	done
}

@test "output to a closed descriptor is an error" {
	local c
	for c in "cat task" "schema task" list help; do
		# shellcheck disable=SC2086
		run -1 --separate-stderr timeout 60 bash -c '"$@" >&-' closed "$KVIEW" $c
		[[ $stderr == *"kview: can't write to standard output: "* ]]
	done
}

@test "cat into a pipe that is closed ends at once" {
	# As every filter: the signal, and not a word.
	run -0 --separate-stderr timeout 60 bash -c '
		for i in {1..40}; do "$1" cat task_vma; done | head -n 1
		"$1" cat task_vma | true
		echo "${PIPESTATUS[0]}"' pipe "$KVIEW"
	[[ ${lines[0]} == *PID*START* ]]
	[[ ${lines[1]} == 141 || ${lines[1]} == 0 ]]
	[ -z "$stderr" ]
	# Whoever ignores the signal gets the error.
	run -0 --separate-stderr timeout 60 python3 -c '
import os, signal, subprocess, sys
r, w = os.pipe()
os.close(r)
p = subprocess.run([sys.argv[1], "cat", "task"], stdout=w, stderr=subprocess.PIPE,
                   preexec_fn=lambda: signal.signal(signal.SIGPIPE, signal.SIG_IGN),
                   restore_signals=False)
print(p.returncode, p.stderr.decode(), end="")' "$KVIEW"
	[[ $output == "1 kview: can't write to standard output: Broken pipe"* ]]
}

# --- check ----------------------------------------------------------------

# Every "no" in $output has a hint behind it.
noes_have_hints() {
	grep -qE '^.{28} no ' <<<"$output"
	[ "$(grep -cE '^.{28} no ' <<<"$output")" -eq "$(grep -cE '^.{28} no +[^ ].{9}' <<<"$output")" ]
}

@test "check says yes to every item here" {
	run -0 --separate-stderr "$KVIEW" check
	[ -z "$stderr" ]
	[ "$(grep -E '^.{28} no' <<<"$output" | awk '$1 == "view" {print $2}' | xargs)" = \
		"$(comm -23 <(xargs -n 1 <<<"$ALL_VIEWS") <(here "$ALL_VIEWS" | xargs -n 1) | xargs)" ]
	[ "$(grep -E '^.{28} no' <<<"$output" | grep -vcE '^(view|collector) ')" -eq 0 ]
	local item v
	for item in "kernel BTF" "Linux 6.1 or newer" "BPF file system" CAP_BPF CAP_PERFMON CAP_SYS_ADMIN CAP_SYS_PTRACE \
		"initial user namespace" "worker's own user id" "seccomp filters" /dev/fuse "locked memory"; do
		grep -qE "^$item +yes" <<<"$output"
	done
	for v in $(here "$ALL_VIEWS"); do
		grep -qE "^view $v +yes" <<<"$output"
	done
}

@test "check fails for a user without rights, with a hint at each no" {
	run -1 --separate-stderr as_nobody check
	[ "${stderr_lines[0]}" = "kview: kview can't run here" ]
	[[ ${stderr_lines[1]} == "hint: "* ]]
	grep -qE "^kernel BTF +yes" <<<"$output"
	local item
	for item in CAP_BPF CAP_PERFMON CAP_SYS_ADMIN CAP_SYS_PTRACE "worker's own user id" "view task"; do
		grep -qE "^$item +no" <<<"$output"
	done
	noes_have_hints
}

@test "check without /dev/fuse says so" {
	run -1 without 'mount -t tmpfs tmpfs /dev; "$1" check'
	grep -qE '^/dev/fuse +no .*modprobe fuse' <<<"$output"
	grep -qE '^view task +yes' <<<"$output"
	noes_have_hints
}

@test "check without a place for a BPF file system says so" {
	run -1 without 'mkdir "$3/btf"; mount --bind /sys/kernel/btf "$3/btf"
		mount -t tmpfs tmpfs /sys/fs; "$1" check'
	grep -qE '^BPF file system +no .*mount -t bpf' <<<"$output"
	noes_have_hints
}

@test "check counts a BPF file system that mount can make as a yes" {
	run -0 without 'umount -l /sys/fs/bpf; "$1" check'
	grep -qE '^BPF file system +yes +not mounted yet' <<<"$output"
}

@test "check without kernel BTF says so, and so does cat" {
	run -1 without 'mount -t tmpfs tmpfs /sys/kernel/btf; "$1" check'
	grep -qE '^kernel BTF +no .*CONFIG_DEBUG_INFO_BTF' <<<"$output"
	grep -qE '^view task +no ' <<<"$output"
	noes_have_hints
	run -1 without 'mount -t tmpfs tmpfs /sys/kernel/btf; "$1" cat task'
	[[ $output == *"kview: can't load view 'task': "*BTF*"hint: "*BTF* ]]
}

# --- mount options and mount(8) -------------------------------------------

@test "mount options that kview does not know are refused" {
	fails 2 "unknown mount option 'frobnicate'" "*pin_dir*" mount -o frobnicate "$MNT"
	fails 2 "unknown mount option 'frobnicate'" "*pin_dir*" mount -o ro,frobnicate,rw "$MNT"
	fails 2 "unknown mount option 'frobnicate=1'" "*pin_dir*" mount -o ro -o frobnicate=1 "$MNT"
	fails 2 "unknown mount option 'allow_root'" "*allow_other*" mount -o defaults,allow_root "$MNT"
	fails 2 "unknown mount option 'allow_other=1'" "*allow_other*" mount -o allow_other=1 "$MNT"
	fails 2 "unknown mount option 'hidepid'" "*hidepid=*" mount -o hidepid "$MNT"
	[ ! -e "$MNT" ]
	[ ! -e "$KVIEW_PIN_DIR" ]
}

@test "values that a mount option can't have are refused, and so are two that contradict" {
	local word
	for word in pin_dir= iter_dir= view= view=root view=HOST view=hosts hidepid= hidepid=3 \
		hidepid=-1 hidepid=ptraceable "hidepid=1 " uid= uid=-1 uid=4294967295 uid=0x0 \
		uid=no_such_user gid= gid=1x gid=4294967296 gid=no_such_group mode= mode=8 \
		mode=1000 mode=-400 mode=u+r; do
		fails 2 "bad value in mount option '$word'" "*${word%%=*}=*" mount -o "$word" "$MNT"
		fails 2 "bad value in mount option '$word'" "*" mount -o "ro,$word,rw" "$MNT"
	done
	for word in view=host,hidepid=1 hidepid=invisible,view=host; do
		fails 2 "mount options view=host and hidepid= contradict each other" "*view=host*" \
			mount -o allow_other -o "$word" "$MNT"
	done
	[ ! -e "$MNT" ]
	[ ! -e "$KVIEW_PIN_DIR" ]
}

# Is $MNT a kview that answers, with the options it always has?
serves() {
	grep -qE "^kview $MNT fuse.kview ro,nosuid,nodev,noexec," /proc/self/mounts
	[ "$(awk '$1 == '$$' {print $1}' "$MNT/pid/$$/task" | sort -u)" = $$ ]
}

@test "kview SOURCE MOUNTPOINT -o OPTS mounts, as mount.fuse calls it" {
	mkdir "$MNT"
	timeout 60 "$KVIEW" kview "$MNT" -o rw,dev,suid,exec,x-systemd.automount,nofail,_netdev 3>&-
	serves
	kview_umount
	timeout 60 "$KVIEW" mount kview "$MNT" 3>&-
	serves
	kview_umount
}

@test "mount.fuse.kview takes what mount(8) gives it" {
	local helper=$DIR/mount.fuse.kview
	ln -s "$KVIEW" "$helper"
	timeout 60 "$helper" kview "$MNT" -f -o rw 3>&-
	[ ! -e "$MNT" ]
	timeout 60 "$helper" kview "$MNT" -n -v -s -o rw,dev,suid,x-systemd.automount,nofail,_netdev 3>&-
	serves
	kview_umount
	timeout 60 "$helper" kview "$MNT" -nv -o rw,nofail -t fuse.kview 3>&-
	serves
	kview_umount
	run -2 timeout 60 "$helper" kview "$MNT" -o frobnicate
	[[ $output == *"unknown mount option 'frobnicate'"* ]]
}

# In a namespace where kview is installed: SCRIPT may call mount(8).
installed() {
	without '
		mkdir "$3/over"; mount -t tmpfs tmpfs "$3/over"; mkdir "$3"/over/{s,sw,b,bw}
		mount -t overlay -o lowerdir=/usr/sbin,upperdir="$3/over/s",workdir="$3/over/sw" overlay /usr/sbin
		mount -t overlay -o lowerdir=/usr/bin,upperdir="$3/over/b",workdir="$3/over/bw" overlay /usr/bin
		install -m 755 "$1" /usr/bin/kview
		trap "mountpoint -q $2 && umount -l $2" EXIT
		mkdir -p "$2"
		'"$1"
}

@test "mount -t fuse.kview mounts through the installed helper" {
	run -0 installed '
		ln -s /usr/bin/kview /usr/sbin/mount.fuse.kview
		mount -t fuse.kview kview "$2" -o nofail,x-gvfs-hide
		grep " $2 " /proc/self/mounts
		head -n 1 "$2/task"
		umount "$2"
		! mountpoint -q "$2"'
	[[ ${lines[0]} == "kview $MNT fuse.kview ro,nosuid,nodev,noexec,"* ]]
	[[ ${lines[1]} == *PID*COMM ]]
}

@test "mount -t fuse.kview mounts through mount.fuse as well" {
	run -0 installed '
		mount -t fuse.kview kview "$2"
		grep " $2 " /proc/self/mounts
		head -n 1 "$2/task"
		kview umount "$2"'
	[[ ${lines[0]} == "kview $MNT fuse.kview ro,nosuid,nodev,noexec,"* ]]
	[[ ${lines[1]} == *PID*COMM ]]
}

@test "a line in fstab mounts" {
	run -0 installed '
		ln -s /usr/bin/kview /usr/sbin/mount.fuse.kview
		echo "kview $2 fuse.kview defaults,noauto,x-systemd.automount,nofail,_netdev 0 0" >"$3/fstab"
		mount --bind "$3/fstab" /etc/fstab
		mount "$2"
		grep " $2 " /proc/self/mounts
		head -n 1 "$2/task"
		umount "$2"
		umount /etc/fstab
		sed -i "s/noauto,//" "$3/fstab"
		mount --bind "$3/fstab" /etc/fstab
		mount -a
		head -n 1 "$2/json/task.json" | jq -r .comm
		kview umount "$2"'
	[[ ${lines[0]} == "kview $MNT fuse.kview ro,nosuid,nodev,noexec,"* ]]
	[[ ${lines[1]} == *PID*COMM ]]
	[ -n "${lines[2]}" ]
}

@test "mount without /dev/fuse says so and leaves nothing" {
	run -1 without 'mount -t tmpfs tmpfs /dev; mknod -m 666 /dev/null c 1 3; "$1" mount "$2"'
	[[ $output == *"kview: can't mount on '$MNT': "*"hint: /dev/fuse is needed: modprobe fuse"* ]]
	[ ! -e "$KVIEW_PIN_DIR" ]
}

@test "mount makes the BPF file system that is missing" {
	run -0 without 'umount -l /sys/fs/bpf
		"$1" mount "$2"
		grep " /sys/fs/bpf " /proc/self/mounts
		ls -I "reader=*" "$KVIEW_PIN_DIR"
		"$1" umount "$2"'
	[[ ${lines[0]} == *" /sys/fs/bpf bpf rw,nosuid,nodev,noexec,"* ]]
	[ "${lines[*]:1}" = "$VIEWS" ]
}
