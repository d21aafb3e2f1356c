# SPDX-License-Identifier: GPL-2.0-only
# Containers of one busybox, made by runc, and the sleepers on the host that they
# look at. Load it with: load containers
#
# $HOST is a shared mount, as /mnt is on most systems, and $MNT lies in it.

load common

containers_setup() {
	local applet
	kview_setup
	chmod 755 "$DIR"
	HOST=$DIR/host
	MNT=$HOST/kview
	BOX=$DIR/root
	export HOST MNT BOX
	mkdir -p "$MNT" "$BOX"/{bin,proc,dev,sys,run,tmp,etc,usr,mnt/kview,mnt/host}
	mount --bind "$HOST" "$HOST"
	mount --make-private "$HOST"
	mount --make-shared "$HOST"
	cp "$(command -v busybox)" "$BOX/bin/busybox"
	for applet in sh awk dd head ls ps readlink sleep stat; do
		ln -s busybox "$BOX/bin/$applet"
	done
	echo ID=box >"$BOX/etc/os-release"
	kview_mount -o allow_other
}

containers_teardown() {
	local id
	for id in $(box list -q); do
		box delete -f "$id"
	done
	kview_teardown
}

# This file's containers have names nobody else gives, and their state is here.
box() {
	timeout 100 runc --root "$DIR/runc" "$@"
}

box_id() {
	echo "${KVIEW_PIN_DIR##*/}-$1"
}

# start NAME [JQ-FILTER]: a container that sleeps; the filter changes what runc has by default.
start() {
	local bundle=$DIR/bundle.$1
	mkdir "$bundle"
	runc spec -b "$bundle"
	jq --arg root "$BOX" --arg mnt "$MNT" '
		.root = {path: $root, readonly: true} | .process.terminal = false |
		.process.args = ["sleep", "1000"] |
		.mounts += [{destination: "/mnt/kview", type: "bind", source: $mnt,
			options: ["bind", "ro", "nosuid", "nodev", "noexec"]}] | '"${2:-.}" \
		"$bundle/config.json" >"$bundle/new"
	mv "$bundle/new" "$bundle/config.json"
	box run -d -b "$bundle" --pid-file "$bundle/pid" "$(box_id "$1")" </dev/null >"$bundle/log" 2>&1 3>&- ||
		{ cat "$bundle/log"; return 1; }
	mine "$(cat "$bundle/pid")"
}

# The number on the host of a container's first process.
first_of() {
	cat "$DIR/bundle.$1/pid"
}

# inside_as UID:GID NAME SCRIPT [ARGUMENT...]: in the container; the first argument is $0.
inside_as() {
	local user=$1 id
	id=$(box_id "$2")
	shift 2
	box exec --user "$user" "$id" sh -c "$@" </dev/null 3>&-
}

inside() {
	inside_as 0:0 "$@"
}

stop() {
	box delete -f "$(box_id "$1")"
	rm -rf "$DIR/bundle.$1"
}

# Changes of a container, for start.
# shellcheck disable=SC2034 # jq expands what has a dollar
{
	HOST_PIDS='.linux.namespaces |= map(select(.type != "pid"))'
	HOST_PROC='.mounts |= map(if .destination == "/proc" then
		{destination: "/proc", type: "bind", source: "/proc", options: ["rbind"]} else . end)'
	USERS='.linux.namespaces += [{type: "user"}] |
		.linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}] |
		.linux.gidMappings = .linux.uidMappings'
	PTRACE='.process.capabilities[] += ["CAP_SYS_PTRACE"]'
	PERFMON='.process.capabilities[] += ["CAP_PERFMON"]'
	DAC='.process.capabilities[] += ["CAP_DAC_OVERRIDE"]'
}

# with_parent NAME: $HOST at /mnt/host, with that propagation.
with_parent() {
	echo ".mounts += [{destination: \"/mnt/host\", type: \"bind\", source: \"$HOST\",
		options: [\"rbind\", \"ro\", \"$1\"]}]"
}

# sleeper COMMAND...: a process of the host with a file of its own open as 9; its pid is $SLEEPER.
sleeper() {
	echo x >"$DIR/open"
	chmod 644 "$DIR/open"
	"$@" sleep 1000 9<"$DIR/open" </dev/null >/dev/null 2>&1 3>&- &
	SLEEPER=$!
	mine "$SLEEPER"
	until_true grep -qx sleep "/proc/$SLEEPER/comm"
}

# In a container: what of process $1 its own /proc shows, and what kview does.
# shellcheck disable=SC2016 # for the container's shell
ASK='
	n=/proc/$1
	fd=no maps=no exe=no
	readlink $n/fd/9 >/dev/null 2>&1 && fd=yes
	head -n 1 $n/maps 2>/dev/null | grep -q . && maps=yes
	readlink $n/exe >/dev/null 2>&1 && exe=yes
	echo "proc files=$fd maps=$maps exe=$exe"
	awk -v p=$1 -v q="$1" "
		FILENAME ~ /task_file/ && \$1 == p && \$3 == 9 {fd = 1}
		FILENAME ~ /task_vma/ && \$1 == p {maps = 1}
		FILENAME ~ /task$/ && \$1 == p && \$28 != \"-\" {exe = 1}
		END {print \"kview files=\" (fd ? \"yes\" : \"no\") \" maps=\" (maps ? \"yes\" : \"no\") \
			\" exe=\" (exe ? \"yes\" : \"no\")}" /mnt/kview/task /mnt/kview/task_file /mnt/kview/task_vma'
