# SPDX-License-Identifier: GPL-2.0-only
# A frozen population with kview mounted over it, for the cases that compare.
# Load it with: load population

load common

population_setup() {
	kview_setup
	mkdir "$DIR/pop"
	mkfifo "$DIR/stdin" "$DIR/stdout"
	# Before the mount, so that no process of it keeps the mount busy. Its
	# standard input never ends; the end of its output says that all is frozen.
	"$TOOLS/population" "$DIR/pop" <>"$DIR/stdin" >"$DIR/stdout" 3>&- &
	POPULATION=$!
	mine "$POPULATION"
	export POPULATION
	timeout 60 cat "$DIR/stdout" >"$DIR/list"
	kill -0 "$POPULATION"
	kview_mount
}

# Asked nicely first: it has cgroups to remove.
population_teardown() {
	kill -TERM "$POPULATION" 2>/dev/null || true
	timeout 60 tail --pid="$POPULATION" -f /dev/null || true
	kview_teardown
}

# The pid of the first process in this role.
pid_of() {
	jq -r --arg role "$1" 'select(.role == $role).pid' "$DIR/list" | head -n 1
}

# The pids of all of it.
pids() {
	jq -r .pid "$DIR/list"
}

# Compare with the kernel's own word: rows VIEW, values VIEW COL..., covers VIEW COL VALUE...
oracle() {
	local what=$1 view=$2
	shift 2
	timeout 60 python3 "$BATS_TEST_DIRNAME/oracle.py" "$what" "$view" "$MNT" "$DIR/list" "$@"
}
