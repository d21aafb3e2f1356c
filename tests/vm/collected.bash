# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What collectors count on this kernel, by the programs of the cases.

collects_quietly() {
	local out
	out=$(kview mount -o collect=all,allow_other "$M" 2>&1) || { echo "$out" && return 1; }
	equal "" "$out"
}

# What these kernels do not refuse: `refused` is of functions alone.
all_are_attached() {
	local lacking
	lacking=$(kview list | grep 'collects: .*: [^o]' | grep -v ': not needed$')
	case $(uname -r) in
	# Those of traffic have others in their place, and one of these is of a module.
	6.1.*) lacking=$(grep -v 'sends (tp_btf\|receives (tp_btf\|packet_sendmsg\|io_begins (\|io_ends (' <<<"$lacking") ;;
	esac
	at_least 6.17 || lacking=$(grep -v 'retransmits (tp_btf' <<<"$lacking")
	equal "" "$lacking"
}

# collected NAME PROGRAM [ARGUMENT...]: on an emulated processor all takes much longer.
collected() {
	check "$1" env BEHIND=0.25 timeout 300 python3 -B /mnt/tests/cases/collect.py "$2" "$M" "${@:3}"
}

counted() {
	check "$1" timeout 300 python3 -B /mnt/tests/cases/counted.py "$2" "$M" "${@:3}"
}

# disk_of_a_file SIZE: loop may be a module, of which fetch has brought those that go with it.
disk_of_a_file() {
	local module
	for module in /run/late/*; do
		[ -e /dev/loop-control ] || busybox insmod "$module" 2>/dev/null || true
	done
	truncate -s "$1" /tmp/disk && losetup --find --show /tmp/disk
}

none_attached() {
	kview umount "$M" && [ ! -e "$PINS" ]
}

check "a mount collects without a word" on_one_cpu collects_quietly
collected "exits: as wait4 says" truth
collected "exits: the time of all threads" threads
collected "exits: arguments" args
collected "exits: each once, while others end" storm 5
collected "exit_totals: as wait4 says of all of a name" totals
check "collectors that this kernel has are attached" all_are_attached
counted "syscalls: known loops" loops
counted "syscalls: those that last" begun
counted "syscalls: those that seccomp answers" answered
counted "syscalls: numbers that no machine has" invented
counted "traffic: to the byte" traffic
counted "traffic: of threads" threads
counted "page_faults: as getrusage counts them" faults
counted "oom_kills: who was killed" oom
check "rows of one's own processes" timeout 300 python3 -B /mnt/tests/cases/whose.py own "$M"
GROUP=/sys/fs/cgroup/kview-test
waits() {
	check "$1" timeout 300 python3 -B /mnt/tests/cases/waits.py "$2" "$M" "${@:3}"
}
waits "run_queue: as schedstat says" exactly "$GROUP"
waits "run_queue: names of groups" group_names "$GROUP"
waits "run_queue: groups come and go" group_storm "$GROUP" 1200
DISK=$(disk_of_a_file 16M)
waits "block_io: as diskstats says" block_io "$DISK"
waits "block_io: what the page cache writes" buffered "$DISK"
! at_least 6.5 || waits "block_io: writes that are flushed" durable "$DISK"
check "tcp_events: known connections" timeout 300 python3 -B /mnt/tests/cases/tcp_events.py known "$M"
check "tcp_events: packets that are sent again" timeout 300 python3 -B /mnt/tests/cases/tcp_events.py retransmits "$M"
PLACE=$(mktemp -d)
chmod 755 "$PLACE"
counted "refused: opens, and what the security modules are asked" refused "$PLACE"
check "what was collected goes with the mount" on_one_cpu none_attached
