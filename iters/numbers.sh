#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The kernel's numbers by name, as enumerations for iterators, from the user headers of the
# machine that kview is built for: numbers.sh CC
set -eu
cc=$1

# names HEADER MACROS PREFIX: "NAME NUMBER" of the macros that begin so; NAME begins with PREFIX.
names() {
	$cc -E -dM -include "$1" -x c /dev/null | sed -n "s/^#define $2\\([A-Za-z0-9_]*\\) .*/\\1/p" | sort |
		sed "s/.*/\"$3&\" $2&/" |
		# Some macros stand for others. What is no number then is no name.
		$cc -E -P -include "$1" -x c - |
		sed -n 's/^"\([A-Za-z0-9_]*\)" \([0-9]*\)$/\1 \2/p'
}

# enumeration NAME: of the names that come in, the first of a number. Few: the headers are not there.
enumeration() {
	sort -k 2n -s | awk -v name="$1" '
		BEGIN {print "enum " name " {"}
		!seen[$2]++ {printf "\t%s = %s,\n", $1, $2; n++}
		END {print "};"; exit n < 40}'
}

# Those since 6.1, which all machines number alike: the headers may be older than the kernel.
new_calls() {
	n=451
	for call in cachestat fchmodat2 map_shadow_stack futex_wake futex_wait futex_requeue statmount \
		listmount lsm_get_self_attr lsm_set_self_attr lsm_list_modules mseal setxattrat getxattrat \
		listxattrat removexattrat open_tree_attr file_getattr file_setattr; do
		echo "SYS_$call $n"
		n=$((n + 1))
	done
}

# Inside the kernel, of a call that a signal has interrupted: include/linux/errno.h.
restarts() {
	echo ERR_ERESTARTSYS 512
	echo ERR_ERESTARTNOINTR 513
	echo ERR_ERESTARTNOHAND 514
	echo ERR_ERESTART_RESTARTBLOCK 516
}

echo '/* Made by iters/numbers.sh. */'
{
	names asm/unistd.h __NR_ SYS_ | grep -vE '^SYS_(syscalls|arch_specific_syscall) '
	new_calls
} | enumeration kv_syscall
{
	names linux/errno.h E ERR_E | grep -vE '^ERR_E(WOULDBLOCK|DEADLOCK) '
	restarts
} | enumeration kv_errno
names sys/socket.h AF_ FAMILY_ | grep -vE '^FAMILY_(MAX|LOCAL|FILE|ROUTE) ' | enumeration kv_family
