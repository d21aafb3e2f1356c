# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2016 # what the documents say goes to another shell
# README and the manual pages taken apart, and a kview for what they show: for
# docs.bats and recipes.bats. Loaded behind common.

README=$BATS_TEST_DIRNAME/../../README.md
MAN=$BATS_TEST_DIRNAME/../../man

setup_file() {
	kview_setup
	export PATH=$BUILD:$PATH
	mkdir -p "$DIR/blocks"
	chmod 755 "$DIR" # examples have readers who are not root
	split_blocks
}

teardown_file() {
	kview_teardown
}

teardown() {
	if mountpoint -q "$MNT"; then
		kview_umount
	fi
}

# --- taking the documents apart ---

# README's fenced blocks as files blocks/LANGUAGE.N, numbered from 1.
split_blocks() {
	awk -v dir="$DIR/blocks" '
		/^ *```/ && !out {lang = $0; sub(/^ *```/, "", lang); out = dir "/" lang "." ++n[lang]; next}
		/^ *```/ {close(out); out = ""; next}
		out {print > out}' "$README"
}

# A page as a terminal without bold shows it, its text not indented.
page() {
	mandoc -T ascii -O width=250 "$MAN/$1" | sed 's/.\x08//g; s/^     //'
}

# section PAGE NAME: a section of the rendered page.
section() {
	mandoc -T ascii -O width=250 "$MAN/$1" | sed 's/.\x08//g' |
		awk -v name="$2" '/^[A-Z]/ {on = $0 == name; next} on {sub(/^     /, ""); print}'
}

# Commands at a prompt; "$" is anybody's prompt, "#" root's.
commands() {
	sed -n 's/^ *[#$] //p'
}

# Places that are the reader's become the test's own.
own_places() {
	sed -e "s|/tmp/|$DIR/|g" -e "s|/mnt/kview|$MNT|g" \
		-e "s|/sys/fs/bpf/kview|$KVIEW_PIN_DIR|g" -e "s|/usr/include/kview|$ROOT/iters/include/kview|g" \
		-e "/^\(# \)*kview u\{0,1\}mount/s|\$| $MNT|"
}

# run_as_shown COMMAND: in a shell of its own, ls as on a terminal, watch for a while.
run_as_shown() {
	local prelude='ls() { command ls -C -w 80 "$@"; }
		watch() { TERM=xterm timeout 3 watch "$@" || [ $? = 124 ]; }'
	timeout 60 bash -euc "$prelude
$1" </dev/null 3>&-
}
