# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Views against what the test itself has made: by the programs of the cases, on this kernel.

# world NAME SECONDS PROGRAM [ARGUMENT...]
world() {
	check "$1" env DIR=/tmp timeout "$2" python3 -B "/mnt/tests/cases/$3.py" "${@:4}"
}

world "task_stack: as the files of threads that wait" 200 stacks same "$M/json/task_stack.json" 20
# Of kinds that are younger than 6.1 there may be none.
world "detail: a descriptor of every kind is as in fdinfo" 200 details kinds "$M" pidfd-thread memfd-exec
world "detail: of a socket its state, ends and path, as its process knows them" 100 detail_sockets "$M"
world "socket: as the process knows them, and /proc/net" 100 oracle_socket "$M/json/socket.json"
world "socket: no end is made of two" 100 sockets ends "$M" 5
world "socket: no name and no peer is another's" 100 sockets unix "$M" 5
world "process: as the files of processes that are made for it" 300 process compare "$M" plain threads \
	seccomp nobody few-caps namespaces new-pid huge grown descriptors limited elsewhere
head -c 65536 /dev/urandom >/tmp/args-file
world "process_args: as cmdline, whatever it holds" 200 args same "$M" /mnt/build/tests/cases/args /tmp/args-file
world "process_args: a number that is another process's a moment later" 200 args ending "$M"

# Some buffer is there from now on: without one the view's pin has no header.
dmabuf_is_as_debugfs() {
	mountpoint -q /sys/kernel/debug || mount -t debugfs debugfs /sys/kernel/debug || return 1
	timeout 700 python3 -B /mnt/tests/cases/oracle_dmabuf.py hold "$KVIEW" >/tmp/held &
	wait_for grep -q ready /tmp/held &&
		timeout 60 python3 -B /mnt/tests/cases/oracle_dmabuf.py listed "$KVIEW" /sys/kernel/debug >/tmp/said || return 1
	equal "1 rows as in bufinfo" "$(cat /tmp/said)"
}

if at_least 6.16; then
	check "dmabuf: as debugfs" dmabuf_is_as_debugfs
	for what in names many storm; do
		check "dmabuf: $what" timeout 120 python3 -B /mnt/tests/cases/oracle_dmabuf.py $what "$KVIEW"
	done
fi
