#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# kview cat -c: without pins a view is loaded without the columns that nobody asked for.

bats_require_minimum_version 1.5.0

load common

setup() {
	kview_setup
}

teardown() {
	kview_teardown
}

# alone VIEW [OPTION...]
alone() {
	timeout 120 python3 -B "$BATS_TEST_DIRNAME/columns.py" "$KVIEW" "$1" --pin-dir "$KVIEW_PIN_DIR.none" "${@:2}" 3>&-
}

@test "kview cat -c: columns of a process, of its files and mappings alone are as among all" {
	local view
	sleep 300 3>&- &
	mine $!
	until_true grep -q '^State:.S (sleeping)' /proc/$!/status
	for view in task task_file task_vma process process_args; do
		alone "$view" --pid $!
	done
	alone task_stack
}

@test "kview cat -c: columns of sockets alone are as among all" {
	local view
	python3 -c '
import socket, time
kept = [socket.create_server(("127.0.0.1", 0)), socket.socket(socket.AF_NETLINK, socket.SOCK_RAW),
        socket.socket(type=socket.SOCK_DGRAM), *socket.socketpair()]
kept[2].bind(("127.0.0.1", 0))
print("ready", flush=True)
time.sleep(300)' >"$DIR/ready" 3>&- &
	mine $!
	until_true grep -q ready "$DIR/ready"
	for view in socket tcp udp unix netlink ipv6_route; do
		alone "$view"
	done
}

@test "kview cat -c: columns of what BPF has, of groups and caches alone are as among all" {
	local view
	"$KVIEW" load # objects that stay
	for view in bpf_map bpf_prog bpf_link cgroup kmem_cache; do
		alone "$view"
	done
}
