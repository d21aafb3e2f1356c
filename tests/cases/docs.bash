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

# example PAGE NAME...: the displays that the page marks with these names, as a terminal shows them
example() {
	local name
	for name in "${@:2}"; do
		{
			printf '.Dd x\n.Dt X 7\n.Os\n.Sh X\n'
			sed -n "/^\.\\\\\" example: $name\$/,/^\.Ed/p" "$MAN/$1"
		} | mandoc -T ascii -O width=250 | sed 's/.\x08//g' | awk '
			/^X$/ {on = 1; next}
			/^[^ ]/ {on = 0}
			on && (/./ || n) {sub(/^     /, ""); text[++n] = $0}
			/./ {last = n}
			END {for (i = 1; i <= last; i++) print text[i]}' | grep . ||
			{ echo "no example $name" >&2; return 1; }
	done
}

# Commands at a prompt; "$" is anybody's prompt, "#" root's.
commands() {
	sed -n 's/^ *[#$] //p'
}

# Places that are the reader's become the test's own.
own_places() {
	sed -e "s|/tmp/|$DIR/|g" -e "s|/mnt/kview|$MNT|g" -e "s|/mnt/data|$DIR/data|g" \
		-e "s|/sys/fs/bpf/kview|$KVIEW_PIN_DIR|g" -e "s|/usr/include/kview|$ROOT/iters/include/kview|g" \
		-e "s|/sys/fs/bpf/d\b|$KVIEW_PIN_DIR-d|g" \
		-e "/^\(# \)*kview u\{0,1\}mount/s|\$| $MNT|"
}

# run_as_shown COMMAND: in a shell of its own, ls as on a terminal, watch for a while.
run_as_shown() {
	local prelude='ls() { command ls -C -w 80 "$@"; }
		watch() { TERM=xterm timeout 3 watch "$@" || [ $? = 124 ]; }'
	timeout 60 "${WITHIN[@]}" bash -euc "$prelude
$1" </dev/null 3>&-
}

# What says_nothing is silent; a command that is run in another network namespace has WITHIN.
WITHIN=()

says_nothing() {
	case $1 in
	'kview mount'* | 'kview umount'* | 'kview load'* | 'kview unload'* | *' > '* | 'clang '* | 'bpftool map '[cu]* | 'rm '* | 'kill '* | [a-z]*=*) return 0 ;;
	*) return 1 ;;
	esac
}

numbers() {
	sed -E 's/[0-9]+/N/g; s/ +/ /g; s/^ //'
}

# shows COMMAND SHOWN OUTPUT: the same but for numbers. Others may run programs as nobody.
shows() {
	case $1 in
	*' nobody '*) ! grep -vxFf <(numbers <<<"$3") <(numbers <<<"$2") ;;
	*) [ -z "$2" ] || diff <(numbers <<<"$2") <(numbers <<<"$3") ;;
	esac || { echo "$1 says:"; echo "$3"; return 1; }
}

# transcript: commands at a prompt on stdin, and below each what it shows, if anything; all of
# them work, and only those say nothing that should.
transcript() {
	local line cmd='' shown='' out='' settings='' n=0
	while IFS= read -r line; do
		if [[ $line != [\$#]\ * ]]; then
			shown+=${shown:+$'\n'}$line
			continue
		fi
		shows "$cmd" "$shown" "$out"
		cmd=${line:2} shown=''
		out=$(run_as_shown "$settings$cmd" 2>&1) || { echo "failed: $cmd"; echo "$out"; return 1; }
		[[ ! $cmd =~ ^[a-z]+= ]] || settings+=$cmd$'\n'
		if says_nothing "$cmd"; then
			[ -z "$out" ] || { echo "$cmd says:"; head -n 20 <<<"$out"; return 1; }
		else
			[ -n "$out" ] || { echo "silent: $cmd"; return 1; }
		fi
		n=$((n + 1))
	done
	shows "$cmd" "$shown" "$out"
	[ "$n" -gt 2 ]
}
