#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# The views tcp, udp, netlink and ipv6_route against /proc/net, ss and ip, in network namespaces
# that these cases make; and whose namespace a reader is shown.
# shellcheck disable=SC2016 # scripts go to other shells
bats_require_minimum_version 1.5.0

load common

setup_file() {
	kview_setup
	chmod 755 "$DIR"
	kview_mount -o allow_other
	world host
	world own unshare -n
	world user setpriv --reuid 21001 --regid 21001 --clear-groups unshare -Urn
}

teardown_file() {
	kview_teardown
}

# world NAME [COMMAND...]: a namespace with sockets and routes; the pid that is in it in
# $DIR/NAME.pid, its ports in $DIR/NAME.ports
world() {
	local name=$1
	shift
	mkfifo -m 666 "$DIR/$name.end"
	cp "$BATS_TEST_DIRNAME/net_world.py" "$DIR/net_world.py"
	chmod 644 "$DIR/net_world.py"
	"$@" bash -c '
		exec 7<>"$0/$1.end"
		if [ "$1" != host ]; then
			ip link set lo up
			ip link add kv0 type veth peer name kv1
			ip link set kv0 up
			ip link set kv1 up
			ip -6 addr add 2001:db8::1/64 dev kv0 nodad
			ip -6 route add 2001:db8:5::/48 via 2001:db8::9 metric 77
			ip -6 route add unreachable 2001:db8:6::/48
			ip -6 route add 2001:db8:7::/48 dev kv1 table 99 src 2001:db8::1
			ip -6 route add 2001:db8:8::/48 nexthop via 2001:db8::7 nexthop via 2001:db8::8
			ip -6 nexthop add id 42 via 2001:db8::5 dev kv0
			ip -6 route add 2001:db8:a::/48 nhid 42
		fi
		exec timeout 1000 python3 -B "$0/net_world.py" <&7' "$DIR" "$name" \
		>"$DIR/$name.ports" 2>"$DIR/$name.errors" 3>&- &
	mine $!
	until_true [ -s "$DIR/$name.ports" ] || { cat "$DIR/$name.errors"; return 1; }
	# What it became last: timeout is the same process, python its child.
	pgrep -P $! >"$DIR/$name.pid"
	mine "$(cat "$DIR/$name.pid")"
}

# at NAME COMMAND...: in that world's namespaces
at() {
	local name=$1 pid
	shift
	pid=$(cat "$DIR/$name.pid")
	case $name in
	host) "$@" ;;
	user) as_user nsenter -t "$pid" -U --preserve-credentials -n "$@" ;;
	*) nsenter -t "$pid" -n "$@" ;;
	esac
}

# agrees NAME VIEW [all]: of sockets of TCP and UDP those that the world made; with `all` those of
# TCP are in all states, for as long as TIME-WAIT lasts
agrees() {
	local ports=
	[[ $2 != [tu]* ]] || ports=$(cat "$DIR/$1.ports")
	at "$1" timeout 100 python3 -B "$BATS_TEST_DIRNAME/oracle_net.py" "$2" "$MNT" "$ports" "${@:3}"
}

netns_of() {
	stat -L -c %i "/proc/$(cat "$DIR/$1.pid")/ns/net"
}

@test "tcp, udp, netlink, ipv6_route: the columns of the contract, in its order" {
	columns tcp family state laddr lport raddr rport ifindex uid ino rxq txq sent received retrans \
		timeouts rtt cwnd mss timer netns
	columns udp family state laddr lport raddr rport ifindex uid ino rxq txq drops netns
	columns netlink protocol name portid groups rxq txq dump refs drops uid netns ino
	columns ipv6_route dst prefix from from_prefix gateway prefsrc ifindex type table protocol metric \
		flags refs nhid dev
}

@test "in three network namespaces the rows are those of /proc/net, ss and ip" {
	local name view
	for view in tcp udp netlink ipv6_route; do
		for name in host own user; do
			agrees $name $view all
		done
	done
	# All rows are the namespace's own, and it has a route by an object, one by two ways.
	[ "$(at own awk 'NR > 1 {print $NF}' "$MNT/tcp" | sort -u)" = "$(netns_of own)" ]
	[ "$(at own awk '$2 == 48 && /2001:db8:8::/' "$MNT/ipv6_route" | wc -l)" = 2 ]
	at own jq -se 'map(select(.nhid == 42)) | .[0] | .gateway == "2001:db8::5" and .dev == "kv0"' "$MNT/json/ipv6_route.json"
}

@test "uids are those of the reader's user namespace" {
	[ "$(at user jq -r .uid "$MNT/json/udp.json" | sort -u)" = 0 ]
	# From outside the same sockets are the user's who made the namespace.
	[ "$(nsenter -t "$(cat "$DIR/user.pid")" -n jq -r .uid "$MNT/json/udp.json" | sort -u)" = 21001 ]
	# In a user namespace that does not map it, it is nobody's.
	[ "$(nsenter -t "$(cat "$DIR/own.pid")" -n setpriv --reuid 21001 --regid 21001 --clear-groups \
		unshare -U jq -r .uid "$MNT/json/udp.json" | sort -u)" = 65534 ]
}

@test "everyone reads these views, in the root of the mount alone" {
	local view
	for view in tcp udp netlink ipv6_route; do
		[ "$(stat -c %a "$MNT/$view" "$MNT/json/$view.json" "$MNT/csv/$view.csv" | sort -u)" = 444 ]
		[ ! -e "$MNT/pid/self/$view" ]
	done
	diff <(as_user cat "$MNT/csv/ipv6_route.csv" | cut -d, -f 1-12) <(cut -d, -f 1-12 "$MNT/csv/ipv6_route.csv")
	fails 1 "view 'tcp' has no rows of single processes" '--pid*' cat --pid $$ tcp
}

@test "kview cat and the mount give a reader the same rows" {
	local name view
	for name in host own; do
		for view in tcp udp netlink ipv6_route; do
			# Timers go on.
			at $name bash -c 'for i in {1..20}; do
				[ "$(timeout 60 "$0" cat -F csv "$1" | sort)" = "$(sort "$2/csv/$1.csv")" ] && exit
				sleep 0.3
			done; exit 1' "$KVIEW" $view "$MNT"
		done
	done
}

@test "the namespace is that of the open(): not of a later setns(), nor of who got the descriptor" {
	at own timeout 60 python3 -B - "$MNT/json/tcp.json" "/proc/$(cat "$DIR/user.pid")/ns/net" "$(netns_of own)" <<-'END'
		import ctypes, json, os, sys
		path, other, inum = sys.argv[1:]
		f = open(path)
		with open(other) as ns:
		    assert ctypes.CDLL(None, use_errno=True).setns(ns.fileno(), 0x40000000) == 0
		for _ in range(3):
		    f.seek(0)
		    seen = {json.loads(line)['netns'] for line in f}
		    assert seen == {int(inum)}, seen
		os.lseek(f.fileno(), 0, 0)
		os.dup2(f.fileno(), 0)
		got = os.popen('cat').read().splitlines()
		assert {json.loads(line)['netns'] for line in got} == {int(inum)}
		assert {json.loads(line)['netns'] for line in open(path)} == {os.stat('/proc/thread-self/ns/net').st_ino}
	END
}

# One end of a pair of interfaces: it goes with the namespace that has the other one.
make_ns() {
	NS=kv$RANDOM
	ip netns add $NS
	ip link add ${NS}a type veth peer name ${NS}b netns $NS
}

no_interface() {
	! ip link show dev "$1" 2>/dev/null
}

@test "a namespace lives no longer than its files are open" {
	make_ns
	ip netns exec $NS head -n 1 "$MNT/netlink"
	ip netns exec $NS cat "$MNT/netlink" >/dev/null
	ip netns del $NS
	until_true no_interface ${NS}a

	make_ns
	# Opened there, and read on here.
	ip netns exec $NS bash -c 'exec 8<"$0"; read -r first <&8; touch "$1"; exec nsenter --net=/proc/self/fd/9 bash -c "read -r _; cat <&8"' \
		"$MNT/json/netlink.json" "$DIR/read" 9</proc/self/ns/net < <(until_true test -e "$DIR/go"; echo) >"$DIR/rest" 3>&- &
	mine $!
	until_true test -e "$DIR/read"
	ip netns del $NS
	sleep 1
	ip link show dev ${NS}a
	touch "$DIR/go"
	wait $!
	[ "$(wc -l <"$DIR/rest")" -ge 5 ]
	until_true no_interface ${NS}a
}

@test "a worker that is killed costs readers in other namespaces nothing" {
	local i worker
	for i in 1 2 3; do
		worker=$(worker_pid)
		kill -KILL "$worker"
		agrees own netlink
		agrees own tcp
		[ "$(worker_pid)" != "$worker" ]
	done
}

@test "a supervisor that does not answer is an error after a while, and only for other namespaces" {
	local supervisor since i pid pids=()
	supervisor=$(daemon_pid)
	kill -STOP "$supervisor"
	mine "$supervisor"
	since=$SECONDS
	run -1 --separate-stderr at own timeout 30 cat "$MNT/tcp"
	# shellcheck disable=SC2154 # `run` sets it
	[[ $stderr == *'Input/output error'* ]]
	[ $((SECONDS - since)) -le 10 ]
	# Several wait beside each other, as many as a user's opens may: not five seconds each.
	since=$SECONDS
	for i in {1..6}; do
		at own timeout 30 cat "$MNT/udp" >/dev/null 2>&1 3>&- &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		! wait "$pid" || return 1
	done
	[ $((SECONDS - since)) -le 20 ]
	head -n 1 "$MNT/tcp"
	kill -CONT "$supervisor"
	agrees own tcp
	# Nothing of the questions that were given up is left: no namespace, no descriptor.
	[ "$(find -L "/proc/$supervisor/fd" -samefile "/proc/$(cat "$DIR/own.pid")/ns/net" | wc -l)" = 0 ]
	[ "$(find -L "/proc/$(worker_pid)/fd" -samefile "/proc/$(cat "$DIR/own.pid")/ns/net" | wc -l)" = 0 ]
}

@test "many readers in two namespaces at once each see their own" {
	local i name pids=()
	for i in {1..40}; do
		for name in own user; do
			at $name timeout 60 jq -r .netns "$MNT/json/tcp.json" >"$DIR/many.$name.$i" 3>&- &
			pids+=($!)
		done
	done
	wait "${pids[@]}"
	for name in own user; do
		[ "$(cat "$DIR"/many.$name.* | sort -u)" = "$(netns_of $name)" ]
	done
}

@test "the worker holds its readers' namespaces only while their files are open" {
	run -0 at own bash -c 'exec 8<"$1/netlink"; find -L "/proc/$0/fd" -samefile /proc/self/ns/net | wc -l' \
		"$(worker_pid)" "$MNT"
	[ "$output" = 1 ]
	run -0 at own bash -c 'exec 8<"$1/task"; find -L "/proc/$0/fd" -samefile /proc/self/ns/net | wc -l' \
		"$(worker_pid)" "$MNT"
	[ "$output" = 0 ]
}

@test "another daemon that takes the mount over serves them as well" {
	timeout 60 "$KVIEW" mount --takeover -o allow_other "$MNT" 3>&-
	agrees own tcp
	agrees user netlink
}
