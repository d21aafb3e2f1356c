# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# One mount that everybody may enter, for all cases of a file. Load it with: load mounted

load common

setup_file() {
	kview_setup
	chmod 755 "$DIR"
	kview_mount -o allow_other
}

teardown_file() {
	kview_teardown
}
