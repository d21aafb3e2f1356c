#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# As many readers at a time as there are files in the mount, and more, for every
# thread of the worker; what the sanitizers' builds run as well.
bats_require_minimum_version 1.5.0
load common

setup() {
	kview_setup
	chmod 755 "$DIR"
}

teardown() {
	kview_teardown
}

@test "100 readers of six users at once: all they read is whole, nothing stays open" {
	kview_mount -o allow_other 3>&-
	told readers100.py "$MNT" 100
	kview_umount
}
