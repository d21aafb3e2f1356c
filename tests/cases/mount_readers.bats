#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# Mount options that say who may enter, and who sees what.
# shellcheck disable=SC2030,SC2031 # each test is a subshell
# shellcheck disable=SC2154 # `run` sets stderr, stderr_lines
bats_require_minimum_version 1.5.0
load common

# Users and a group that nobody else has.
ALICE=23001
BOB=23002
STAFF=23003

setup() {
	kview_setup
	chmod 755 "$DIR"
}

teardown() {
	kview_teardown
}

# as UID COMMAND...: that user, in the group of that number alone. With a
# group more: as UID,GROUP COMMAND...
as() {
	local uid=${1%%,*} groups=--clear-groups
	[ "$uid" = "$1" ] || groups=--groups=${1#*,}
	shift
	timeout 60 setpriv --reuid "$uid" --regid "$uid" "$groups" "$@"
}

# sleepers: processes $ROOTS, $HERS of ALICE and $HIS of BOB.
sleepers() {
	local p
	exec 9<>/dev/udp/127.0.0.1/9 # they have a socket
	sleep 300 3>&- &
	ROOTS=$!
	setpriv --reuid $ALICE --regid $ALICE --clear-groups sleep 300 3>&- &
	HERS=$!
	setpriv --reuid $BOB --regid $BOB --clear-groups sleep 300 3>&- &
	HIS=$!
	exec 9>&-
	mine $ROOTS
	mine $HERS
	mine $HIS
	for p in $ROOTS $HERS $HIS; do
		until_true grep -qx sleep "/proc/$p/comm"
	done
}

# among: which of the three have rows in a table on standard input.
among() {
	awk -v r="$ROOTS" -v a="$HERS" -v b="$HIS" \
		'{s[$1] = 1} END {print (r in s ? "root " : "") (a in s ? "hers " : "") (b in s ? "his" : "")}' |
		sed 's/ $//'
}

options_of() {
	awk -v m="$MNT" '$2 == m {print "," $4 ","}' /proc/self/mounts
}

has_options() {
	local o options
	options=$(options_of)
	for o in "$@"; do
		[[ $options == *",$o,"* ]]
	done
}

# denied MESSAGE COMMAND...
denied() {
	local message=$1
	shift
	run ! "$@"
	[[ $output == *"$message" ]]
}

# refused OPTIONS MESSAGE HINT: wrong usage, and nothing is mounted.
refused() {
	fails 2 "$2" "$3" mount -o "$1" "$MNT"
	nothing_left
}

# --- who may enter --------------------------------------------------------

@test "without allow_other nobody else enters, and with it others do" {
	up
	denied "Permission denied" as $ALICE ls "$MNT"
	denied "Permission denied" as $ALICE cat "$MNT/task"
	denied "Permission denied" as $ALICE stat "$MNT"
	has_options default_permissions ro
	[[ $(options_of) != *,allow_other,* ]]
	kview_umount
	up -o allow_other
	as $ALICE ls "$MNT/pid" >/dev/null
	[ "$(as $ALICE head -n 1 "$MNT/task" | awk '{print $1}')" = PID ]
	has_options default_permissions allow_other ro
	kview_umount
}

@test "the mount is ro, nosuid, nodev and noexec whatever is asked for" {
	local o
	for o in allow_other,rw,suid,dev,exec rw,suid,dev,exec,view=host \
		hidepid=2,exec,dev,rw,suid,mode=777 defaults,allow_other,user,exec; do
		up -o "$o"
		has_options ro nosuid nodev noexec default_permissions
		denied "Read-only file system" touch "$MNT/x"
		kview_umount
	done
}

@test "a line in fstab with allow_other mounts for all" {
	# A mount namespace in which kview is installed and fstab is ours.
	# shellcheck disable=SC2016 # for the inner shell
	run -0 timeout 60 unshare --mount --propagation private bash -euc '
		mkdir "$3/over"; mount -t tmpfs tmpfs "$3/over"; mkdir "$3"/over/{s,sw,b,bw} "$2"
		mount -t overlay -o lowerdir=/usr/sbin,upperdir="$3/over/s",workdir="$3/over/sw" overlay /usr/sbin
		mount -t overlay -o lowerdir=/usr/bin,upperdir="$3/over/b",workdir="$3/over/bw" overlay /usr/bin
		install -m 755 "$1" /usr/bin/kview
		ln -sf /usr/bin/kview /usr/sbin/mount.fuse.kview
		trap "mountpoint -q $2 && umount -l $2" EXIT
		echo "kview $2 fuse.kview defaults,allow_other 0 0" >"$3/fstab"
		mount --bind "$3/fstab" /etc/fstab
		mount "$2"
		grep " $2 " /proc/self/mounts
		setpriv --reuid 23001 --regid 23001 --clear-groups head -n 1 "$2/task"
		setpriv --reuid 23001 --regid 23001 --clear-groups cat "$2/pid/self/task" | wc -l
		umount "$2"
		mount -a
		setpriv --reuid 23001 --regid 23001 --clear-groups head -n 1 "$2/task"
		kview umount "$2"' - "$KVIEW" "$MNT" "$DIR" 3>&-
	[[ ${lines[0]} == "kview $MNT fuse.kview ro,nosuid,nodev,noexec,"*allow_other* ]]
	[[ ${lines[1]} == *PID*COMM ]]
	[ "${lines[2]}" -eq 2 ]
	[[ ${lines[3]} == *PID*COMM ]]
}

# --- view= ----------------------------------------------------------------

@test "view=reader is the default" {
	local o
	sleepers
	for o in allow_other allow_other,view=reader view=host,allow_other,view=reader; do
		up -o "$o"
		[ "$(as $ALICE cat "$MNT/task_file" | among)" = hers ]
		[ "$(among <"$MNT/task_file")" = "root hers his" ]
		denied "Permission denied" as $ALICE cat "$MNT/pid/$HIS/task_vma"
		kview_umount
	done
}

@test "view=host shows every reader what the host sees" {
	local v
	sleepers
	up -o allow_other,view=host
	for v in $TASK_VIEWS; do
		[ "$(as $ALICE cat "$MNT/$v" | among)" = "root hers his" ]
		[ "$(as $ALICE cat "$MNT/pid/$HIS/$v" | among)" = his ]
	done
	as $ALICE cat "$MNT/json/task.json" >"$DIR/rows"
	[ "$(jq -r "select(.pid == $ROOTS).exe" "$DIR/rows")" = "$(readlink "/proc/$ROOTS/exe")" ]
	# shellcheck disable=SC2016 # for the inner shell
	[ "$(as $ALICE bash -c '[ "$(cd "$0/pid/self" && awk "NR == 2 {print \$1}" task)" -gt 1 ] &&
		[ "$(readlink "$0/pid/self")" -gt 1 ] && read -r p _ < <(sed 1d "$0/pid/$$/task") && [ "$p" = $$ ] &&
		echo yes' "$MNT")" = yes ]
	# Files of kernel-wide views are root's as ever.
	denied "Permission denied" as $ALICE cat "$MNT/kmem_cache"
	kview_umount
}

@test "view=host: a reader in a pid namespace sees the host's numbers, its own too" {
	sleepers
	up -o allow_other,view=host
	# shellcheck disable=SC2016 # for the inner shell
	timeout 60 unshare --user --map-root-user --pid --fork bash -c '
		cat "$0/task" >"$1/all" && readlink "$0/pid/self" >"$1/self" && ls "$0/pid" >"$1/listed" &&
		cat "$0/pid/self/task" >"$1/own" && cat "$0/pid/$2/task_file" >"$1/his" && echo $$ >"$1/inside"' \
		"$MNT" "$DIR" "$HIS" 3>&-
	[ "$(cat "$DIR/inside")" = 1 ]
	[ "$(among <"$DIR/all")" = "root hers his" ]
	[ "$(among <"$DIR/his")" = his ]
	grep -qx "$HERS" "$DIR/listed"
	[ "$(cat "$DIR/self")" -gt 2 ]
	[ "$(awk 'NR == 2 {print $NF}' "$DIR/own")" = cat ]
	kview_umount
}

@test "view=host serves a reader that can't be identified" {
	local first
	# shellcheck disable=SC2016 # for the inner shell
	unshare --mount --pid --fork --kill-child --mount-proc --propagation private \
		sh -c 'mkdir "$2" && "$1" mount -o allow_other,view=host "$2" && touch "$3/up" && exec sleep 300' \
		- "$KVIEW" "$DIR/inner" "$DIR" 3>&- &
	mine $!
	until_true test -e "$DIR/up"
	first=$(pgrep -P $!)
	nsenter -t "$first" -m timeout 60 cat "$DIR/inner/task" >"$DIR/seen"
	nsenter -t "$first" -m timeout 60 cat "$DIR/inner/pid/1/task" >"$DIR/one"
	[ "$(awk '$1 == 1 {print $NF}' "$DIR/seen")" = sleep ]
	[ "$(awk '$1 == 1 {print $NF}' "$DIR/one")" = sleep ]
	# It has no number there.
	denied "No such file or directory" nsenter -t "$first" -m timeout 60 readlink -v "$DIR/inner/pid/self"
}

# --- hidepid= -------------------------------------------------------------

@test "hidepid=0 and off hide nothing" {
	local o
	sleepers
	for o in 0 off; do
		up -o "allow_other,hidepid=$o"
		[ "$(as $ALICE cat "$MNT/task" | among)" = "root hers his" ]
		[ "$(as $ALICE ls "$MNT/pid" | among)" = "root hers his" ]
		[ "$(as $ALICE cat "$MNT/pid/$HIS/task" | among)" = his ]
		# shellcheck disable=SC2086 # words
		[ "$(as $ALICE ls "$MNT/pid/$HIS" | xargs)" = "$(sorted csv json $TASK_VIEWS)" ]
		kview_umount
	done
}

# Own processes, and the readers whom it does not concern.
hides_nothing_else() {
	[ "$(as $ALICE cat "$MNT/pid/$HERS/task" | among)" = hers ]
	[ "$(as $ALICE cat "$MNT/pid/self/task" | wc -l)" -eq 2 ]
	[ "$(as $BOB cat "$MNT/task" | among)" = his ]
	[ "$(among <"$MNT/task")" = "root hers his" ]
	# shellcheck disable=SC2012 # numbers
	[ "$(ls "$MNT/pid" | among)" = "root hers his" ]
	[ "$(among <"$MNT/pid/$HIS/task")" = his ]
	# Group 0, as for /proc.
	[ "$(as $ALICE,0 cat "$MNT/task" | among)" = "root hers his" ]
	[ "$(as $ALICE,0 cat "$MNT/pid/$HIS/task" | among)" = his ]
	[ "$(as $ALICE,$STAFF cat "$MNT/task" | among)" = hers ]
}

@test "hidepid=1 and noaccess list others' processes, and that is all" {
	local o v
	sleepers
	for o in 1 noaccess; do
		up -o "allow_other,hidepid=$o"
		[ "$(as $ALICE ls "$MNT/pid" | among)" = "root hers his" ]
		as $ALICE stat "$MNT/pid/$HIS" >/dev/null
		for v in "$HIS" "$ROOTS"; do
			denied "Operation not permitted" as $ALICE ls "$MNT/pid/$v"
			denied "Operation not permitted" as $ALICE cat "$MNT/pid/$v/task"
			denied "Operation not permitted" as $ALICE stat "$MNT/pid/$v/json/task.json"
		done
		[ "$(as $ALICE cat "$MNT/task" | among)" = hers ]
		[ "$(as $ALICE cat "$MNT/task_file" | among)" = hers ]
		[ "$(as $ALICE cat "$MNT/task_vma" | among)" = hers ]
		hides_nothing_else
		kview_umount
	done
}

@test "hidepid=2 and invisible leave no trace of others' processes" {
	local o v
	sleepers
	for o in 2 invisible; do
		up -o "allow_other,hidepid=$o"
		[ "$(as $ALICE ls "$MNT/pid" | among)" = hers ]
		for v in "$HIS" "$ROOTS"; do
			denied "No such file or directory" as $ALICE stat "$MNT/pid/$v"
			denied "No such file or directory" as $ALICE ls "$MNT/pid/$v"
			denied "No such file or directory" as $ALICE cat "$MNT/pid/$v/task"
		done
		[ "$(as $ALICE cat "$MNT/task" | among)" = hers ]
		[ "$(as $ALICE jq -r .pid "$MNT/json/task_vma.json" | sort -u | among)" = hers ]
		hides_nothing_else
		kview_umount
	done
}

@test "gid= is the group that hidepid= does not concern" {
	local o
	sleepers
	for o in 1 2; do
		up -o "allow_other,hidepid=$o,gid=$STAFF"
		[ "$(as $ALICE,$STAFF cat "$MNT/task" | among)" = "root hers his" ]
		[ "$(as $ALICE,$STAFF ls "$MNT/pid" | among)" = "root hers his" ]
		[ "$(as $ALICE,$STAFF cat "$MNT/pid/$HIS/task" | among)" = his ]
		[ "$(as $ALICE,7,$STAFF,9 cat "$MNT/task" | among)" = "root hers his" ]
		# As the group it acts with, too; to know of them is not to look into them.
		[ "$(timeout 60 setpriv --reuid $ALICE --regid $STAFF --clear-groups cat "$MNT/task" | among)" = "root hers his" ]
		[ "$(as $ALICE,$STAFF cat "$MNT/task_file" | among)" = hers ]
		denied "Permission denied" as $ALICE,$STAFF cat "$MNT/pid/$HIS/task_vma"
		# Group 0 is nobody's then, nor is one whose number begins alike.
		[ "$(as $ALICE,0 cat "$MNT/task" | among)" = hers ]
		[ "$(as $ALICE,${STAFF}0 cat "$MNT/task" | among)" = hers ]
		[ "$(as $ALICE cat "$MNT/task" | among)" = hers ]
		kview_umount
	done
}

@test "a hidden process stays so in a directory that was passed on" {
	local o want
	sleepers
	for o in 1 2; do
		up -o "allow_other,hidepid=$o"
		want="Operation not permitted"
		[ $o -eq 1 ] || want="No such file or directory"
		# shellcheck disable=SC2016 # for the inner shell
		denied "$want" bash -c 'cd "$0/pid/$1" && exec setpriv --reuid 23001 --regid 23001 --clear-groups \
			cat task' "$MNT" "$HIS"
		kview_umount
	done
}

# --- uid=, gid=, mode= ----------------------------------------------------

SLABS="kmem_cache json/kmem_cache.json csv/kmem_cache.csv"

# reads_slabs WHO; and the opposite.
reads_slabs() {
	local f
	for f in $SLABS; do
		[ "$(as "$1" cat "$MNT/$f" | grep -c kmalloc)" -gt 10 ]
	done
}

no_slabs() {
	local f
	for f in $SLABS; do
		denied "Permission denied" as "$1" cat "$MNT/$f"
	done
}

@test "kmem_cache is root's by default, as /proc/slabinfo" {
	local f
	up -o allow_other
	# shellcheck disable=SC2086 # words
	[ "$(cd "$MNT" && stat -c '%a %u %g' $SLABS | sort -u)" = "400 0 0" ]
	reads_slabs 0
	no_slabs 1000
	denied "Permission denied" as 1000 cat /proc/slabinfo
	# Root of a user namespace that a user made is that user.
	as 1000 unshare --user --map-root-user id -u | grep -qx 0
	for f in $SLABS; do
		denied "Permission denied" as 1000 unshare --user --map-root-user cat "$MNT/$f"
	done
	denied "Permission denied" as 1000 unshare --user --map-root-user cat /proc/slabinfo
	kview_umount
}

@test "uid=, gid= and mode= say who reads kmem_cache, and nobody else does" {
	up -o "allow_other,uid=$ALICE"
	reads_slabs $ALICE
	no_slabs $BOB
	kview_umount
	up -o "allow_other,gid=$STAFF,mode=0440"
	# shellcheck disable=SC2086 # words
	[ "$(cd "$MNT" && stat -c '%a %u %g' $SLABS | sort -u)" = "440 0 $STAFF" ]
	reads_slabs $ALICE,$STAFF
	reads_slabs 0
	no_slabs $ALICE
	no_slabs $BOB
	kview_umount
	up -o "allow_other,uid=$BOB,gid=$STAFF,mode=040"
	reads_slabs $ALICE,$STAFF
	no_slabs $BOB
	kview_umount
	up -o "allow_other,mode=444"
	reads_slabs $ALICE
	# All else keeps its owner and mode.
	[ "$(stat -c '%a %u %g' "$MNT/task" "$MNT/pid/$$/json/task.json" "$MNT/schema/kmem_cache" | sort -u)" = "444 0 0" ]
	kview_umount
	up -o "allow_other,uid=$ALICE,gid=$STAFF"
	[ "$(stat -c '%a %u %g' "$MNT" "$MNT/json" "$MNT/pid" | sort -u)" = "555 0 0" ]
	[ "$(stat -c '%a %u %g' "$MNT/task" "$MNT/schema/kmem_cache" | sort -u)" = "444 0 0" ]
	kview_umount
}

@test "users and groups have names" {
	up -o allow_other,uid=nobody,gid=daemon,mode=0440
	[ "$(stat -c '%a %U %G' "$MNT/kmem_cache")" = "440 nobody daemon" ]
	reads_slabs "$(id -u nobody)"
	reads_slabs "$ALICE,$(getent group daemon | cut -d: -f3)"
	no_slabs $ALICE
	kview_umount
	# The last one counts.
	up -o uid=nobody,uid=0,mode=444,mode=400
	[ "$(stat -c '%a %u' "$MNT/kmem_cache")" = "400 0" ]
	kview_umount
}

# --- wrong ----------------------------------------------------------------

@test "bad values are wrong usage, and the hint says what is right" {
	local o
	for o in nosuchuser 4294967295 4294967296 -1 0x10 1x "" " 1"; do
		refused "allow_other,uid=$o" "*bad value in mount option 'uid=$o'*" "*uid=USER*"
		refused "gid=$o" "*bad value in mount option 'gid=$o'*" "*gid=GROUP*"
	done
	for o in 1000 8 0o400 rw -400 400x "" u=r 07777 4400; do
		refused "mode=$o" "*bad value in mount option 'mode=$o'*" "*octal*"
	done
	for o in Reader all "" hosts; do
		refused "view=$o" "*bad value in mount option 'view=$o'*" "*view=reader*view=host*"
	done
	for o in 3 -1 4 "" on hidden ptraceable 01; do
		refused "hidepid=$o" "*bad value in mount option 'hidepid=$o'*" "*hidepid=0, 1 or 2*"
	done
	for o in uid gid mode view hidepid allow_others allow_root allow_other=1 nosuch; do
		refused "$o" "*mount option '$o'*" "*allow_other*view=*hidepid=*"
	done
}

@test "view=host and hidepid= contradict each other" {
	local o
	for o in view=host,hidepid=1 hidepid=2,allow_other,view=host view=host,hidepid=invisible; do
		refused "$o" "*view=host and hidepid= contradict*" "view=host shows all*"
	done
	# To hide nothing is no contradiction.
	up -o view=host,hidepid=0
	kview_umount
}
