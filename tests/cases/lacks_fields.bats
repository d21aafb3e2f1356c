#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# Each view without each field that it reads, one at a time (lacks.c).
bats_require_minimum_version 1.5.0
# bats file_tags=slow

setup() {
	load common
	kview_setup
}

teardown() {
	kview_teardown
}

# By what no view can do without: who may see what. (An anonymous struct has no name.)
RIGHTS="task_struct.flags task_struct.mm task_struct.tgid task_struct.group_leader
	task_struct.thread_pid task_struct.start_boottime task_struct.real_cred
	task_struct.self_exec_id cred.uid cred.gid cred.suid cred.sgid cred.euid cred.egid
	cred.cap_permitted cred.user_ns .val pid.level pid.numbers user_namespace.uid_map
	user_namespace.gid_map user_namespace.parent user_namespace.level user_namespace.owner
	uid_gid_extent.first uid_gid_extent.lower_first uid_gid_extent.count .extent .nr_extents
	.forward .reverse .flags .__mm_flags .user_ns"
# Whose a row is, and for what threads share, which of them shows it.
NUMBERS="task_struct.pid task_struct.signal upid.nr upid.ns"
SHARED="task_struct.files task_struct.thread_node signal_struct.thread_head list_head.prev
	files_struct.count .counter"
# For names of kernel threads and of workers, which are (unreadable) without.
KTHREADS="task_struct.worker_private kthread.data kthread.full_name worker.current_work
	worker.desc worker.pool worker.rescue_wq workqueue_struct.name"
# For the row of [vsyscall], which is no mapping.
VSYSCALL="seq_file.count seq_file.size"
# What modules keep of their own, here or not: files of one file system have no value.
MODULES="dentry.d_fsdata ext4_inode_info.i_flags ext4_inode_info.i_inline_off
	ext4_inode_info.i_reserved_data_blocks ext4_inode_info.vfs_inode ext4_sb_info.s_cluster_bits
	xfs_inode.i_delayed_blks xfs_inode.i_disk_size xfs_inode.i_nblocks xfs_inode.i_vnode
	btrfs_inode.lock btrfs_inode.new_delalloc_bytes .new_delalloc_bytes btrfs_inode.root btrfs_inode.vfs_inode
	btrfs_root.anon_dev ovl_entry.__lowerstack ovl_entry.__numlower ovl_fs.fs ovl_fs.xino_mode
	ovl_inode.__upperdentry ovl_inode.flags ovl_inode.oe ovl_inode.vfs_inode ovl_layer.fsid
	ovl_path.dentry ovl_path.layer ovl_sb.pseudo_dev"
# What a kind of descriptors has of its own: files of that kind alone have no detail.
DETAIL=".alarm .cq_entries .fanotify_data .obj .rbn .sig .sq_entries .tag .tmr alarm.node
	bpf_link.id bpf_link.prog bpf_link.type bpf_map.id bpf_map.map_type bpf_prog.aux
	bpf_prog.type bpf_prog_aux.id btf.id epitem.ep epitem.ffd epoll_filefd.fd eventfd_ctx.count
	eventfd_ctx.flags eventfd_ctx.id eventpoll.rbr fanotify_group_private_data.f_flags
	fanotify_group_private_data.flags fsnotify_group.marks_list fsnotify_mark.connector
	fsnotify_mark.g_list fsnotify_mark.group hlist_head.first hrtimer.base hrtimer.node
	hugetlbfs_inode_info.seals hugetlbfs_inode_info.vfs_inode inode.i_fsnotify_marks
	list_head.next pid.tasks rb_node.__rb_parent_color rb_node.rb_left rb_node.rb_right
	rb_root.rb_node rb_root_cached.rb_root shmem_inode_info.seals shmem_inode_info.vfs_inode
	signalfd_ctx.sigmask timerfd_ctx.clockid timerfd_ctx.settime_flags timerfd_ctx.t
	timerfd_ctx.ticks timerfd_ctx.tintv timerqueue_node.expires userfaultfd_ctx.features"
# Without these it is a kernel that never had them.
OLDER="task_struct.user_dumpable"

words() {
	xargs -n 1 <<<"$*" | sort -u
}

# fields RESULT: those that were taken away with that result
fields() {
	awk -F '\t' -v result="$1" '$2 == result {print $1}' "$DIR/out" | sort -u
}

# lacks VIEW PID [shapes]: what the program says. It waits for the kernel most of the time, so
# some of them share the fields.
lacks() {
	local part parts=() rc=0
	bpftool gen min_core_btf /sys/kernel/btf/vmlinux "$DIR/types" "$BUILD/iters/$1.bpf.o"
	for part in {0..3}; do
		timeout 500 "$TOOLS/lacks" "$1" "$DIR/types" "$2" "$part" 4 "${@:3}" >"$DIR/out.$part" 3>&- &
		parts+=($!)
	done
	for part in {0..3}; do
		wait "${parts[part]}" || { rc=1 && tail -n 3 "$DIR/out.$part"; }
	done
	cat "$DIR"/out.? >"$DIR/out"
	return $rc
}

# subject COMMAND...: whose rows are looked at; it becomes a sleep
subject() {
	"$@" 3>&- &
	SUBJECT=$!
	mine "$SUBJECT"
	until_true grep -qx sleep "/proc/$SUBJECT/comm"
	until_true grep -q '^State:.S (sleeping)' "/proc/$SUBJECT/status"
}

# each VIEW REFUSED WHOLE [MAYBE]: without one of REFUSED there is no view; without one of WHOLE
# it has all columns, and so perhaps without one of MAYBE; any other field costs columns
each() {
	[ -n "${SUBJECT:-}" ] || subject sleep 3000
	lacks "$1" "$SUBJECT"
	diff <(words "$2") <(fields refused)
	diff <(words "$3") <(fields whole | grep -vxF "$(words "${4:-none}")")
	[ "$(fields without | wc -l)" -gt 15 ]
	# It says for which field; of two kernels' alternatives, for the other one.
	[ -z "$(awk -F '\t' '$2 != "whole" {
		n = split($1, name, ".")
		if (name[n] !~ /^(__parent|__mm_flags)$/ &&
		    !match($NF, "this kernel has no [a-z_]+[a-z_.0-9[\\]]*[.]" name[n]))
			print
	}' "$DIR/out" | tee /dev/stderr)" ]
}

# A number of another size, or a bit-field, would be taken for something else.
@test "kmem_cache with each number that it reads in another size" {
	lacks kmem_cache $$ shapes
	diff <(words task_struct.flags task_struct.tgid task_struct.start_boottime \
		task_struct.self_exec_id pid.level user_namespace.level uid_gid_extent.first \
		uid_gid_extent.lower_first uid_gid_extent.count .nr_extents .val) <(fields refused)
	diff <(words .counter .inuse .objects task_struct.pid task_struct.user_dumpable upid.nr) \
		<(fields whole)
	[ "$(fields without | wc -l)" -ge 8 ]
}

@test "task without each field that it reads" {
	each task "$RIGHTS $NUMBERS" "$SHARED $KTHREADS $OLDER"
}

@test "process without each field that it reads" {
	each process "$RIGHTS $NUMBERS" "$KTHREADS $OLDER files_struct.count .counter"
}

# The process that is looked at has a connection of TCP, and no other socket.
connected() {
	subject python3 -c 'import os, socket
listener = socket.create_server(("127.0.0.1", 0))
client, server = socket.create_connection(listener.getsockname()), listener.accept()[0]
client.send(b"x")
os.set_inheritable(client.detach(), True)
os.execvp("sleep", ["sleep", "3000"])'
}

@test "task_file without each field that it reads" {
	connected
	each task_file "$RIGHTS $NUMBERS $SHARED
		files_struct.fdt fdtable.fd fdtable.max_fds" "$KTHREADS $OLDER $DETAIL" \
		"$MODULES packet_sock.num vsock_sock.local_addr vsock_sock.remote_addr"
}

@test "socket without each field that it reads" {
	connected
	# Without the first ones it is a kernel that has no such sockets.
	each socket "$RIGHTS $NUMBERS $SHARED files_struct.fdt fdtable.fd fdtable.max_fds
		socket.sk sock.__sk_common sock_common.skc_family sock_common.skc_state" "$KTHREADS $OLDER" \
		"mptcp_sock.first packet_sock.num packet_sock.prot_hook vsock_sock.local_addr
		vsock_sock.remote_addr sock.sk_ino sock.sk_socket socket_alloc.vfs_inode unix_sock.inq_len"
}

@test "task_vma without each field that it reads" {
	# Names by prctl() are not in each kernel.
	each task_vma "$RIGHTS $NUMBERS $SHARED vm_area_struct.vm_mm .task_size" \
		"$KTHREADS $OLDER $VSYSCALL sched_entity.deadline" \
		"vm_area_struct.shared anon_vma_name.name"
}

@test "kmem_cache without each field that it reads" {
	each kmem_cache "$RIGHTS" \
		"$NUMBERS $OLDER task_struct.files task_struct.thread_node signal_struct.thread_head
		files_struct.count .counter"
}
