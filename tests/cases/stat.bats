#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# The columns of task_file that stat(2) has as well, on file systems that answer with more
# than their inodes: stat.py makes these, and asks fstat(2).
bats_require_minimum_version 1.5.0

setup_file() {
	load common
	kview_setup
	kview_mount 3>&-
}

setup() {
	load common
}

teardown_file() {
	load common
	kview_teardown
}

# as_fstat CASE
as_fstat() {
	timeout 120 unshare --mount --propagation private \
		python3 "$BATS_TEST_DIRNAME/stat.py" "$MNT/pid/self/csv/task_file.csv" "$1" "$DIR/$1"
}

@test "stat: ext4, with blocks that are not written yet" {
	as_fstat ext4
}

@test "stat: ext4 with data in its inodes" {
	as_fstat inline
}

@test "stat: ext4 with clusters" {
	as_fstat bigalloc
}

@test "stat: ext2" {
	as_fstat ext2
}

@test "stat: xfs" {
	as_fstat xfs
}

@test "stat: btrfs, its subvolumes and snapshots" {
	as_fstat btrfs
}

@test "stat: tmpfs" {
	as_fstat tmpfs
}

@test "stat: overlayfs on one file system" {
	as_fstat overlay
}

@test "stat: overlayfs on three file systems" {
	as_fstat overlay-two
}

@test "stat: overlayfs whose numbers tell the layer" {
	as_fstat overlay-xino
}

@test "stat: overlayfs whose numbers do not" {
	as_fstat overlay-no-xino
}

@test "stat: overlayfs with an index of hard links" {
	as_fstat overlay-index
}

@test "stat: overlayfs on overlayfs" {
	as_fstat overlay-nested
}

@test "stat: mounts with other owners" {
	as_fstat idmapped
}

@test "stat: overlayfs that copies no data up" {
	as_fstat overlay-metacopy
}

# As where they are modules that were loaded later than the view.
@test "stat: what is not known of a file system is no value, and all others are as ever" {
	local cat="timeout 60 $KVIEW cat -F csv -c dev,nlink,blocks --pid"
	export KVIEW_PIN_DIR=$KVIEW_PIN_DIR-none
	truncate -s 300M "$DIR/b.img" "$DIR/x.img"
	mkfs.btrfs -q "$DIR/b.img" >/dev/null
	mkfs.xfs -q "$DIR/x.img"
	unshare --mount --propagation private bash -ec "
		mkdir $DIR/on-btrfs $DIR/on-xfs
		mount -o loop $DIR/b.img $DIR/on-btrfs
		mount -o loop $DIR/x.img $DIR/on-xfs
		cd $DIR
		$(declare -f without)
		without 'btrfs_inode xfs_inode' $KVIEW list >list
		sleep 30 >on-btrfs/file 2>on-xfs/file </proc/self/mounts 3>&- &
		sleep 0.2
		without 'btrfs_inode xfs_inode' $cat \$! task_file >some
		$cat \$! task_file >all
		kill \$!
	"
	[ "$(grep -c without "$DIR/list")" -eq 0 ]
	grep -q '^task_file  *yes' "$DIR/list"
	cat "$DIR/some" "$DIR/all"
	[ "$(sed -n 3p "$DIR/some")" = ,1, ]
	[[ $(sed -n 4p "$DIR/some") =~ ^[0-9a-f]+:[0-9a-f]+,1,$ ]]
	[[ $(sed -n 3p "$DIR/all") =~ ^[0-9a-f]+:[0-9a-f]+,1,0$ ]]
	[ "$(sed -n 2p "$DIR/some")" = "$(sed -n 2p "$DIR/all")" ]
}
