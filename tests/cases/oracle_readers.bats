#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# Readers of every kind, each compared with what its own /proc shows it: which
# processes, which rows, which values. See oracle_readers_rules.py.

# bats file_tags=slow
load common

# Statically linked: it runs in chroots and containers.
build_people() {
	PEOPLE=$DIR/people
	${CC:-gcc} -static -O1 -std=gnu11 -D_GNU_SOURCE -pthread -o "$PEOPLE" \
		"$BATS_TEST_DIRNAME/readers_population.c"
	install -m 711 "$PEOPLE" "$PEOPLE-unreadable"
	install -m 4755 "$PEOPLE" "$PEOPLE-suid-root"
	install -o 1001 -g 1001 -m 4755 "$PEOPLE" "$PEOPLE-suid-1001"
	export PEOPLE
}

overlay() {
	mkdir "$1"/{upper,work}
	mount -t overlay -o "lowerdir=$DIR/tmp/lower,upperdir=$1/upper,workdir=$1/work" overlay "$2"
}

# The directory is a mount of its own, so that what is mounted in it later
# arrives in the mount namespaces of the population too.
make_places() {
	chmod 755 "$DIR"
	mount --bind "$DIR" "$DIR"
	mount --make-shared "$DIR"
	mkdir "$DIR"/{mnt,h1,h2,h2g,tmp,pivot,out,cgroup2}
	chmod 777 "$DIR/out"
	mount -t tmpfs tmpfs "$DIR/tmp"
	mkdir -p "$DIR"/tmp/{proc,overlay,lower,o1,o2,jail/{proc,kview,mounted,overlay}}
	mount -t tmpfs tmpfs "$DIR/tmp/jail/mounted"
	overlay "$DIR/tmp/o1" "$DIR/tmp/overlay"
	overlay "$DIR/tmp/o2" "$DIR/tmp/jail/overlay"
	cp "$PEOPLE" "$DIR/tmp/jail/people"
	CGROUP=$(awk '$3 == "cgroup2" {print $2; exit}' /proc/self/mounts)
	if [ -z "$CGROUP" ]; then
		CGROUP=$DIR/cgroup2
		mount -t cgroup2 cgroup2 "$CGROUP"
	fi
	CGROUP=$CGROUP/kview-readers-$$
	mkdir "$CGROUP" "$CGROUP"/{a,a/b,c,gone}
	export CGROUP
}

start_people() {
	mkfifo "$DIR/stdin" "$DIR/stdout"
	"$PEOPLE" people "$DIR" "$CGROUP" <>"$DIR/stdin" >"$DIR/stdout" 3>&- &
	KEEPER=$!
	mine "$KEEPER"
	export KEEPER
	timeout 60 cat "$DIR/stdout"
	kill -0 "$KEEPER"
}

mount_all() {
	timeout 60 "$KVIEW" mount -o allow_other "$MNT"
	timeout 60 "$KVIEW" mount -o allow_other,hidepid=1 "$DIR/h1"
	timeout 60 "$KVIEW" mount -o allow_other,hidepid=2 "$DIR/h2"
	timeout 60 "$KVIEW" mount -o allow_other,hidepid=2,gid=1005 "$DIR/h2g"
	mount --bind /proc "$DIR/tmp/proc"
	mount --bind /proc "$DIR/tmp/jail/proc"
	mount --bind "$MNT" "$DIR/tmp/jail/kview"
}

run_container() {
	runc --root "$DIR/runc" "$@" </dev/null >>"$DIR/runc.log" 2>&1 3>&-
}

# busybox, and our program as its first process.
start_container() {
	local root=$DIR/bundle/rootfs
	mkdir -p "$root"/{bin,proc,sys,dev,mnt/kview}
	cp "$(command -v busybox)" "$root/bin/busybox"
	ln -s busybox "$root/bin/sh"
	cp "$PEOPLE" "$root/people"
	(cd "$DIR/bundle" && runc spec)
	jq --arg mnt "$MNT" '
		.process.terminal = false |
		.process.args = ["/people", "hold", "kp-ctr", "/dev/shm"] |
		.linux.namespaces += [{type: "cgroup"}] |
		.mounts += [{destination: "/mnt/kview", type: "bind", source: $mnt,
			options: ["rbind", "ro"]}]' \
		"$DIR/bundle/config.json" >"$DIR/config.json"
	mv "$DIR/config.json" "$DIR/bundle/config.json"
	CONTAINER=kview-readers-$$
	export CONTAINER
	timeout 60 runc --root "$DIR/runc" run -d --bundle "$DIR/bundle" "$CONTAINER" \
		</dev/null >"$DIR/runc.log" 2>&1 3>&-
	run_container exec -d "$CONTAINER" /bin/sh -c 'exec /people hold kp-ctr-sh /dev/shm'
	run_container exec -d -u 1000:1000 "$CONTAINER" /people hold kp-ctr-1000 /dev/shm
	runc --root "$DIR/runc" ps -f json "$CONTAINER" | jq -r '.[]' >"$DIR/container"
}

setup_file() {
	kview_setup
	build_people
	make_places
	start_people
	mount_all
	start_container
	# shellcheck disable=SC2046 # numbers
	timeout 60 python3 "$BATS_TEST_DIRNAME/oracle_readers.py" settle "$KEEPER" \
		$(cat "$DIR/container") >"$DIR/people.list"
	rmdir "$CGROUP/gone"
}

# Who changed its ids does not die with its parent: the kernel lets the dying
# one signal only whom it could have signalled itself.
end_people() {
	local exe
	for exe in /proc/[0-9]*/exe; do
		[ "$(readlink "$exe")" != "$PEOPLE" ] || kill -KILL "$(basename "$(dirname "$exe")")"
	done
}

teardown_file() {
	timeout 60 runc --root "$DIR/runc" delete -f "$CONTAINER" || true
	kill -KILL "$KEEPER" 2>/dev/null || true
	timeout 60 tail --pid="$KEEPER" -f /dev/null || true
	end_people || true
	until_true find "$CGROUP" -depth -type d -delete || true
	kview_teardown
}

# The number of one of them here.
number() {
	local pid pids
	read -ra pids <"$DIR/people.list"
	for pid in "${pids[@]}"; do
		[ "$(cat "/proc/$pid/comm")" != "$1" ] || echo "$pid"
	done
}

# reader NAME SEES COMMAND...: the command ends with one that reads.
reader() {
	local name=$1 sees=$2
	shift 2
	timeout 200 "$@" </dev/null >"$DIR/out/$name" 2>"$DIR/out/$name.err" 3>&- ||
		{ cat "$DIR/out/$name.err"; return 1; }
	timeout 60 python3 "$BATS_TEST_DIRNAME/oracle_readers.py" compare "$sees" "$DIR/out/$name"
}

# On the machine itself it is told who the population is: see NAME SEES COMMAND...
see() {
	see_in "$MNT" "$@"
}

see_in() {
	local mnt=$1 name=$2 sees=$3
	shift 3
	# shellcheck disable=SC2046 # numbers
	reader "$name" "$sees" "$@" "${PROGRAM:-$PEOPLE}" read $(options) "$mnt" $(cat "$DIR/people.list")
}

options() {
	echo "${OPTIONS:-}"
}

# as UID [GROUP...]: words of a command
as() {
	local groups=--clear-groups
	[ $# -lt 2 ] || groups=--groups=$2
	echo setpriv --reuid "$1" --regid "$1" "$groups"
}

@test "readers: root sees all" {
	see root all env
}

@test "readers: users see their own, and what is public of others" {
	# shellcheck disable=SC2046 # words
	see uid-1000 some $(as 1000)
	# shellcheck disable=SC2046
	see uid-1001 some $(as 1001)
	# shellcheck disable=SC2046
	see uid-1002 some $(as 1002)
	# shellcheck disable=SC2046
	see uid-100000 some $(as 100000)
	see uid-1000-gid-1001 some setpriv --reuid 1000 --regid 1001 --clear-groups
	# shellcheck disable=SC2046
	see uid-200000 some $(as 200000)
	# shellcheck disable=SC2046
	see uid-200007 some $(as 200007)
	see euid-0 all setpriv --ruid 1000 --regid 1000 --clear-groups
}

@test "readers: ids changed without a new program, those for files alone, those of a thread" {
	OPTIONS="-u 1000" see undumpable some env
	OPTIONS="-e 1000" see euid-1000 some env
	OPTIONS="-f 1000" see fsuid-1000 any env
	OPTIONS="-g 1000" see fsgid-1000 all env
	OPTIONS="-t 1000" see thread-1000 some env
}

@test "readers: a program that is setuid, or may not be read" {
	# shellcheck disable=SC2046 # words
	PROGRAM=$PEOPLE-suid-root see suid-root all $(as 1000)
	# shellcheck disable=SC2046
	PROGRAM=$PEOPLE-suid-1001 see suid-1001 some $(as 1000)
	# shellcheck disable=SC2046
	PROGRAM=$PEOPLE-unreadable see unreadable some $(as 1000)
}

@test "readers: root without some capabilities" {
	local no_ptrace=-sys_ptrace no_perfmon=-sys_ptrace,-sys_admin,-perfmon
	see no-ptrace some setpriv --bounding-set "$no_ptrace" --inh-caps "$no_ptrace"
	see no-perfmon some setpriv --bounding-set "$no_perfmon" --inh-caps "$no_perfmon"
	see only-admin some setpriv --bounding-set=-sys_ptrace,-perfmon
	see no-dac some setpriv --bounding-set=-dac_override,-dac_read_search
	see no-override all setpriv --bounding-set=-dac_override
	see no-caps some setpriv --bounding-set=-all
}

@test "readers: a user with one capability" {
	local cap
	for cap in sys_ptrace perfmon sys_admin dac_read_search; do
		# shellcheck disable=SC2046
		see "uid-1002-$cap" some $(as 1002) --inh-caps "+$cap" --ambient-caps "+$cap"
		# shellcheck disable=SC2046
		see "uid-1000-$cap" some $(as 1000) --inh-caps "+$cap" --ambient-caps "+$cap"
	done
	# shellcheck disable=SC2046
	see uid-1002-both all $(as 1002) --inh-caps +sys_ptrace,+dac_read_search \
		--ambient-caps +sys_ptrace,+dac_read_search
}

@test "readers: in user namespaces, as root and as others" {
	local ns
	for ns in uB uC uE uA-nested; do
		see "$ns-root" some nsenter -t "$(number "kp-$ns")" -U -S 0 -G 0
	done
	see uB-5 some nsenter -t "$(number kp-uB)" -U -S 5 -G 5
	see uB-40 some nsenter -t "$(number kp-uB)" -U -S 40 -G 40
	see uE-7 some nsenter -t "$(number kp-uE)" -U -S 7 -G 7
	see own-userns some setpriv --reuid 1000 --regid 1000 --clear-groups unshare -U
	see own-userns-root some setpriv --reuid 1000 --regid 1000 --clear-groups unshare -Ur
	see made-by-root some unshare -Ur
}

@test "readers: in a user, pid and mount namespace with its own /proc" {
	local inside=(nsenter -t "$(number kp-uA)" -U -m -p)
	reader uA-root some "${inside[@]}" -S 0 -G 0 "$PEOPLE" read "$MNT"
	reader uA-1000 some "${inside[@]}" -S 1000 -G 1000 "$PEOPLE" read "$MNT"
	reader uA-5 some "${inside[@]}" -S 5 -G 5 "$PEOPLE" read "$MNT"
}

@test "readers: in pid namespaces, child and grandchild" {
	local ns
	for ns in pns gns; do
		local inside=(nsenter -t "$(number "kp-$ns")" -m -p)
		reader "$ns-root" all "${inside[@]}" "$PEOPLE" read "$MNT"
		# shellcheck disable=SC2046
		reader "$ns-1000" some "${inside[@]}" $(as 1000) "$PEOPLE" read "$MNT"
		# shellcheck disable=SC2046
		reader "$ns-1001" some "${inside[@]}" $(as 1001) "$PEOPLE" read "$MNT"
	done
}

@test "readers: in a container, as root and as another user" {
	local inside=(runc --root "$DIR/runc" exec)
	reader container-root some "${inside[@]}" "$CONTAINER" /people read /mnt/kview
	reader container-1000 some "${inside[@]}" -u 1000:1000 "$CONTAINER" /people read /mnt/kview
	reader container-1001 some "${inside[@]}" -u 1001:1001 "$CONTAINER" /people read /mnt/kview
	reader container-ptrace all "${inside[@]}" -c CAP_SYS_PTRACE -c CAP_DAC_READ_SEARCH \
		"$CONTAINER" /people read /mnt/kview
}

@test "readers: with another root directory" {
	local list
	list=$(cat "$DIR/people.list")
	# shellcheck disable=SC2086 # numbers
	reader chroot all chroot "$DIR/tmp/jail" /people read /kview $list
	# shellcheck disable=SC2086
	reader chroot-1000 some chroot --userspec=1000:1000 --groups= "$DIR/tmp/jail" \
		/people read /kview $list
	# shellcheck disable=SC2086
	reader chroot-mount all chroot "$DIR/tmp" /jail/people read /jail/kview $list
	# shellcheck disable=SC2086
	reader pivot all nsenter -t "$(number kp-pivot)" -m /dir/people read /dir/mnt $list
	# shellcheck disable=SC2046,SC2086
	reader pivot-1000 some nsenter -t "$(number kp-pivot)" -m -S 1000 -G 1000 \
		/dir/people read /dir/mnt $list
}

@test "readers: in a cgroup namespace" {
	local inside=(nsenter -t "$(number kp-cg-ns)" -C)
	# shellcheck disable=SC2016 # for the inner shell
	local join='echo 0 >"$0/cgroup.procs"; exec "$@"' group
	see cgroup-ns all "${inside[@]}"
	for group in a a/b c; do
		see "cgroup-ns-${group/\//-}" all bash -c "$join" "$CGROUP/$group" "${inside[@]}"
	done
	see cgroup-a all bash -c "$join" "$CGROUP/a" env
	see cgroup-a-own all bash -c "$join" "$CGROUP/a" unshare -C
}

# hidden HIDEPID[g] NAME SEES COMMAND...: with such a /proc
hidden() {
	local n=$1 name=$2 sees=$3 options=hidepid=${1%g}
	[ "$n" = "${n%g}" ] || options=$options,gid=1005
	shift 3
	see_in "$DIR/h$n" "h$n-$name" "$sees" unshare -m --propagation slave \
		bash -c "mount -t proc -o $options proc /proc && exec \"\$@\"" - "$@"
}

@test "readers: hidepid, as on a /proc of the same" {
	local n
	for n in 1 2; do
		hidden $n root all env
		# shellcheck disable=SC2046
		hidden $n 1000 some $(as 1000)
		# shellcheck disable=SC2046
		hidden $n 1001 some $(as 1001)
		# shellcheck disable=SC2046
		hidden $n 1001-group-0 some $(as 1001 0)
		hidden $n 1001-gid-0 some setpriv --reuid 1001 --regid 0 --clear-groups
		# shellcheck disable=SC2046
		hidden $n 1002-sys_ptrace some $(as 1002) --inh-caps +sys_ptrace \
			--ambient-caps +sys_ptrace
		hidden $n no-ptrace some setpriv --bounding-set=-sys_ptrace
		hidden $n uB-root some nsenter -t "$(number kp-uB)" -U -S 0 -G 0
	done
}

@test "readers: hidepid, of which another group is free" {
	hidden 2g root all env
	# shellcheck disable=SC2046 # words
	hidden 2g 1001-group-0 some $(as 1001 0)
	# shellcheck disable=SC2046
	hidden 2g 1001-group-1005 some $(as 1001 7,1005)
	hidden 2g uC-root some nsenter -t "$(number kp-uC)" -U -S 0 -G 0
}

# Each reader's kview against the other's /proc.
@test "readers: the oracle notices what is shown wrongly, and what is missing" {
	local oracle=(timeout 60 python3 "$BATS_TEST_DIRNAME/oracle_readers.py" splice)
	run "${oracle[@]}" "$DIR/out/root" "$DIR/out/uid-1001"
	[ "$status" -eq 1 ]
	for view in task task_file task_vma pid/; do
		grep -q "SHOWN BUT REFUSED: $view" <<<"$output"
	done
	run "${oracle[@]}" "$DIR/out/uid-1001" "$DIR/out/root"
	[ "$status" -eq 1 ]
	grep -q 'MISSING: task_file' <<<"$output"
	run "${oracle[@]}" "$DIR/out/root" "$DIR/out/h2-1001"
	[ "$status" -eq 1 ]
	grep -q 'SHOWN BUT REFUSED: pid/' <<<"$output"
}
