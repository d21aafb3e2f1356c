#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# The view dmabuf against debugfs, fdinfo and buffers that the case makes. Where no device makes
# buffers, what is held against debugfs are those of others, which may be none.
bats_require_minimum_version 1.5.0

load common

setup_file() {
	kview_setup
}

teardown_file() {
	kview_teardown
}

# lists REASON [COMMAND...]: what kview list says under such a kernel: without a reason yes
lists() {
	local want=$1 out
	shift
	out=$("$@" timeout 60 "$KVIEW" list)
	echo "$out"
	if [ -n "$want" ]; then
		grep -q '^dmabuf  *no  *no ' <<<"$out"
		[[ $(grep -A 1 '^dmabuf ' <<<"$out" | tail -n 1) =~ ^\ +$want ]]
	else
		grep -q '^dmabuf  *yes  *no ' <<<"$out"
		[[ $(grep -A 1 '^dmabuf ' <<<"$out" | tail -n 1) =~ ^[a-z] ]]
	fi
}

NO_KIND="can't load view 'dmabuf': this kernel has no 'dmabuf' iterator; it needs Linux 6\.16$"
LOSES="can't load view 'dmabuf': this kernel has no dmabuf_iter_priv\.dmabuf; "

kernel_has() {
	grep -qaF "$1" /sys/kernel/btf/vmlinux
}

# What this kernel's types say.
why_not() {
	if ! kernel_has bpf_iter__dmabuf; then
		echo "$NO_KIND"
	elif ! kernel_has dmabuf_iter_priv; then
		echo "$LOSES"
	fi
}

# oracle WHAT: of buffers that it makes, or what is so without any device
oracle() {
	if makes_dmabufs && [ -z "$(why_not)" ]; then
		told oracle_dmabuf.py "$1" "$KVIEW"
	else
		lists "$(why_not)"
	fi
}

@test "dmabuf: the columns" {
	columns dmabuf ino size refs flags exporter name
}

@test "dmabuf: a kernel without the iterator, or whose iterator loses rows, has no such view and says why" {
	lists "$(why_not)"
	! kernel_has bpf_iter__dmabuf || lists "$NO_KIND" without "bpf_iter_dmabuf bpf_iter__dmabuf"
	! kernel_has dmabuf_iter_priv || lists "$LOSES" without dmabuf_iter_priv
}

@test "dmabuf: every buffer of the machine is as in debugfs" {
	if [ -n "$(why_not)" ]; then
		fails 1 "*" "*" cat dmabuf
		return
	fi
	mkdir "$DIR/debug"
	mount -t debugfs none "$DIR/debug"
	told oracle_dmabuf.py listed "$KVIEW" "$DIR/debug"
	! makes_dmabufs || grep -qv '^0 rows' "$DIR/said" || {
		python3 -B "$BATS_TEST_DIRNAME/oracle_dmabuf.py" hold "$KVIEW" >"$DIR/held" 3>&- &
		mine $!
		until_true grep -q ready "$DIR/held"
		told oracle_dmabuf.py listed "$KVIEW" "$DIR/debug"
		grep -q '^1 rows' "$DIR/said"
	}
}

@test "dmabuf: hostile names, in all formats" {
	oracle names
}

@test "dmabuf: 2,000 buffers have a row each while others come and go" {
	oracle many
}

@test "dmabuf: a name that changes while it is read is one of those that it had" {
	oracle storm
}
