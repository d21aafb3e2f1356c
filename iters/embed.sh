#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Assembler source that holds BPF objects as bytes, and the table kv_embedded
# (src/load/load.h) of them: embed.sh DIR DIR/NAME.bpf.o...
set -eu
dir=$1
shift
echo '	.section .rodata'
i=0
for o; do
	name=${o#"$dir"/}
	printf '.Lname%d:\t.asciz "%s"\n' $i "${name%.bpf.o}"
	printf '	.balign 16\n.Ldata%d:\t.incbin "%s"\n.Lend%d:\n' $i "$o" $i
	i=$((i + 1))
done
printf '	.section .data.rel.ro, "aw"\n	.balign 8\n	.globl kv_embedded\nkv_embedded:\n'
j=0
while [ $j -lt $i ]; do
	printf '	.quad .Lname%d, .Ldata%d, .Lend%d - .Ldata%d\n' $j $j $j $j
	j=$((j + 1))
done
printf '	.quad 0, 0, 0\n	.section .note.GNU-stack, ""\n'
