#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# Names that an unprivileged user changes as fast as it can while it reads them,
# and while timers interrupt everybody: each that is seen must be one that there
# was, byte for byte (names_storms.h). Some seconds each; a long `make soak` goes on.
bats_require_minimum_version 1.5.0

setup() {
	load common
	kview_setup
	chmod 755 "$DIR"
	mkdir "$DIR/fast"
	mount -t tmpfs -o mode=777 tmpfs "$DIR/fast"
	kview_mount -o allow_other,cpu=0 3>&-
}

teardown() {
	[ -z "${GROUP:-}" ] || until_true find "$GROUP" -depth -type d -delete
	kview_teardown
}

# names SCENE SECONDS [DIRECTORY]
names() {
	run timeout $(($2 + 60)) "$TOOLS/names" "$1" "${3:-$DIR/fast}" "$MNT" 21030 "$2" 1001 3>&-
	echo "$output"
	[ "$status" -eq 0 ]
	read -r rows _ unreadable _ changes _ <<<"${output/,/}"
	[ "$rows" -gt 1000 ]
	[ "$changes" -gt 100 ]
	# It is for who has bad luck, not the way out.
	[ "$1" = deep ] || [ "$((unreadable * 1000))" -le "$rows" ]
}

@test "a file of short name and long name has no third" {
	names leaf 3
}

@test "an executable of short name and long name has no third" {
	names exe 2
}

@test "a path of which every part changes is one that there was" {
	names tree 2
}

@test "so it is for mapped files" {
	names maps 2
}

@test "a thread's name has bytes of its names alone" {
	names comm 1
}

@test "programs that follow one another leave nothing of their memory" {
	names exec 2
}

@test "who takes new credentials all the time keeps nobody waiting" {
	names cred 3
}

@test "a deep path of which a part changes has no other parts, though its process executes itself" {
	names deep 2
}

@test "a terminal is a terminal or none" {
	names tty 1
}

@test "a cgroup is one that the task was in" {
	GROUP=$(mktemp -d "$(findmnt -n -t cgroup2 -o TARGET | head -n 1)/kview-test.XXXXXX")
	names cgroup 3 "$GROUP"
}
