#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# The clean-up of the cases themselves.
# shellcheck disable=SC2016 # the inner shell expands

load common

# In a mount namespace of its own, and without a real rm, whatever becomes of it.
@test "a teardown without a setup unmounts nothing" {
	timeout 60 unshare --mount --propagation private env "BATS_TEST_DIRNAME=$BATS_TEST_DIRNAME" bash -euc '
		. "$BATS_TEST_DIRNAME/common.bash"
		rm() { :; }
		KVIEW=true DIR=
		mounts=$(</proc/self/mounts)
		[ -n "$mounts" ]
		kview_teardown
		[ "$(</proc/self/mounts)" = "$mounts" ]'
}
