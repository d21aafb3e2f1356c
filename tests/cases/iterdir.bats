#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# --iter-dir: a view is one file that no line of userspace knows; an object
# that is none costs nobody else anything.
# shellcheck disable=SC2016 # the $ of others
# shellcheck disable=SC2030,SC2031 # each test is a subshell
bats_require_minimum_version 1.5.0

load compile

# broken NAME MEMBERS: a view with that record.
broken() {
	source_of prog "$2" | compile "$1"
}

# --- views that work ------------------------------------------------------

@test "a view in one file appears in every format, schema, list, cat and pid/" {
	local start
	cp "$OBJECTS/thread_bits.bpf.o" "$D"
	mount_all
	[ ! -s "$DIR/err" ]
	only thread_bits
	start=$(awk '{sub(/.*\) /, ""); print $20}' "/proc/$$/stat")
	# text, json and csv of this process, against /proc.
	jq -c . "$MNT/pid/$$/json/thread_bits.json" >"$DIR/row"
	[ "$(jq -r keys_unsorted[] "$DIR/row" | paste -sd ' ')" = \
		"pid tid flags start nice policy threads exit_signal odd dev name leader empty nothing" ]
	[ "$(jq -c '[.pid, .tid, .nice, .policy, .threads, .exit_signal, .dev, .name, .leader, .empty, .nothing]' "$DIR/row")" = \
		"[$$,$$,$(ps -o ni= $$ | tr -d ' '),0,\"01\",17,\"08:01\",\"$(<"/proc/$$/comm")\",\"$(<"/proc/$$/comm")\",\"\",null]" ]
	[ "$((16#$(jq -r .flags "$DIR/row") & ~0x3000))" -eq \
		"$(($(awk '{sub(/.*\) /, ""); print $7}' "/proc/$$/stat") & ~0x3000))" ]
	[ "$(jq ".start * $(getconf CLK_TCK) | floor" "$DIR/row")" -eq "$start" ]
	[ "$(jq .odd "$DIR/row")" = "$(if (($$ & 1)); then echo $$; else echo null; fi)" ]
	grep -qE "^ +PID +TID +FLAGS +START +NICE +POLICY +THREADS " "$MNT/thread_bits"
	[ "$(awk '{print NF}' "$MNT/thread_bits" | sort -u)" = 14 ]
	[ "$(awk '$1 == '$$' {print $1, $2, $7, $10, $14}' "$MNT/thread_bits")" = "$$ $$ 01 08:01 -" ]
	[ "$(awk -F , '$1 == '$$' {print $1, $7, $10, $13 $14}' "$MNT/csv/thread_bits.csv")" = "$$ 01 08:01 " ]
	[ "$(sed -n 's/^start\t//p' "$MNT/schema/thread_bits")" = $'decimal\ts\twhen it started, since boot\t-' ]
	[ "$("$KVIEW" schema --iter-dir "$D" thread_bits)" = "$(<"$MNT/schema/thread_bits")" ]
	[ "$("$KVIEW" cat --iter-dir "$D" --pid $$ -F json -c tid,nice,pid thread_bits)" = \
		"{\"tid\":$$,\"nice\":$(ps -o ni= $$ | tr -d ' '),\"pid\":$$}" ]
	[[ $("$KVIEW" list --iter-dir "$D" | grep '^thread_bits') =~ ^thread_bits\ +yes\ +yes\ +"a row per thread, for the cases"$ ]]
	[ "$(sed -n 1p "$KVIEW_PIN_DIR/thread_bits" | cut -f 1-4)" = $'PID\tTID\tFLAGS\tSTART' ]
	[ "$(awk -F '\t' '$1 == '$$' {print $2, $10, NF}' "$KVIEW_PIN_DIR/thread_bits")" = "$$ 08:01 14" ]
	kview_umount
	[ ! -e "$KVIEW_PIN_DIR" ]
	# No line of userspace knows it.
	[ "$(grep -rlE 'thread_bits|map_list' "$ROOT"/{src,fuse,iters} | wc -l)" -eq 0 ]
}

# Five rows of 8,016 bytes: four fit into the 32,767 of one read.
@test "a row behind the last object comes where it needs a read of its own" {
	cp "$OBJECTS/late_row.bpf.o" "$D"
	mount_all
	only late_row
	[ "$(awk 'NR > 1 {print $1}' "$MNT/late_row" | paste -sd ' ')" = "0 0 0 0 1" ]
	[ "$("$KVIEW" cat --iter-dir "$D" -F json late_row | jq .is_last | paste -sd ' ')" = "0 0 0 0 1" ]
	kview_umount
}

# in_new_net N COMMAND...: with N UDP sockets and no other, in a network namespace.
in_new_net() {
	unshare --net python3 -c '
import socket, subprocess, sys
ours = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(int(sys.argv[1]))]
for port, s in enumerate(ours, 7000):
    s.bind(("0.0.0.0", port))
sys.exit(subprocess.call(sys.argv[2:]))' "$@"
}

@test "there is one header, whether an iterator has no object, one or some" {
	local n want
	cp "$OBJECTS/udp_ports.bpf.o" "$D"
	mount_all
	for n in 0 1 2; do
		want=$(echo PORT && seq 7000 $((6999 + n)))
		[ "$(in_new_net $n cat "$KVIEW_PIN_DIR/udp_ports" | sort -r)" = "$(sort -r <<<"$want")" ]
		[ "$(in_new_net $n "$KVIEW" cat --iter-dir "$D" -F csv udp_ports | sort -r)" = \
			"$(sort -r <<<"${want/PORT/port}")" ]
	done
	kview_umount
}

# Some kernels give no memory for a record in one piece.
@test "strings that fill both of a record's buffers are whole, in every format and the pin" {
	local digits want text
	digits=$(printf '0123456789%.0s' {1..400})
	want=("<$digits${digits:3900}>" "${digits:0:1000}" "${digits:1:500}" end "${digits:2:3000}" "(too long)" "(too long)")
	cp "$OBJECTS/two_buffers.bpf.o" "$D"
	mount_all
	[ "$(jq -r "select(.pid == $$) | [.first, .second, .third, .fourth, .fifth, .sixth, .seventh] | .[]" \
		"$MNT/json/two_buffers.json" | head -n 7)" = "$(printf '%s\n' "${want[@]}")" ]
	for text in "$MNT/two_buffers" "$KVIEW_PIN_DIR/two_buffers"; do
		[ "$(sed -E 's/\(too( |.040)long\)/(too-long)/g' "$text" | awk '$1 == '$$' {print $2, $3, $4, $5, $6, $7, $8; exit}')" = \
			"${want[*]:0:5} (too-long) (too-long)" ]
	done
	kview_umount
}

@test "a view of another kind is root's alone and not in pid/" {
	cp "$OBJECTS/map_list.bpf.o" "$D"
	mount_all
	[ ! -s "$DIR/err" ]
	only map_list
	[ "$(stat -c %a "$MNT/map_list" "$MNT/json/map_list.json" "$MNT/schema/map_list" | paste -sd ' ')" = "400 400 444" ]
	[ ! -e "$MNT/pid/$$/map_list" ]
	mkdir "$KVIEW_PIN_DIR-x"
	bpftool map create "$KVIEW_PIN_DIR-x/map" type hash key 12 value 34 entries 567 name the_map_of_ours
	[ "$(jq -c 'select(.name == "the_map_of_ours") | [.type, .key_size, .value_size, .max_entries]' \
		"$MNT/json/map_list.json")" = "[1,12,34,567]" ]
	[ "$(awk '$6 == "the_map_of_ours" {print $3, $4, $5}' "$MNT/map_list")" = "12 34 567" ]
	rm -r "$KVIEW_PIN_DIR-x"
	run -1 "$KVIEW" cat --iter-dir "$D" --pid $$ map_list
	[[ $output == *"'map_list' has no rows of single processes"* ]]
	kview_umount
}

@test "a directory of views works for load, check and -o iter_dir, a missing one is an error" {
	cp "$OBJECTS"/*.bpf.o "$D"
	"$KVIEW" load --iter-dir "$D"
	# shellcheck disable=SC2086 # words
	[ "$(pinned)" = "$(sorted $VIEWS column_types late_row map_list thread_bits two_buffers udp_ports waiting)" ]
	"$KVIEW" check --iter-dir "$D" | grep -qE '^view map_list +yes'
	timeout 60 "$KVIEW" mount -o "ro,iter_dir=$D" "$MNT" 3>&-
	[ "$(wc -l <"$MNT/thread_bits")" -gt 5 ]
	kview_umount
	"$KVIEW" unload
	[ ! -e "$KVIEW_PIN_DIR" ]
	local c
	for c in "mount $MNT" load list "cat task" "schema task" check; do
		# shellcheck disable=SC2086 # words
		run -1 --separate-stderr timeout 60 "$KVIEW" $c --iter-dir "$DIR/none"
		# shellcheck disable=SC2154 # `run` sets it
		[ "${stderr_lines[0]}" = "kview: can't read the directory '$DIR/none': No such file or directory" ]
		[[ ${stderr_lines[1]} == "hint: --iter-dir takes a directory"* ]]
	done
	[ ! -e "$KVIEW_PIN_DIR" ]
}

# It refuses with the words that whoever lacks the right to load gets.
@test "a view that the verifier refuses can't be run: so say list, check and cat" {
	source_of prog 'struct kv_head _head; __u32 pid;' |
		sed 's/return kv_emit/c.record->bytes[KV_RECORD_MAX] = 0; return kv_emit/' >"$DIR/source"
	grep -q KV_RECORD_MAX "$DIR/source"
	compile unfit <"$DIR/source"
	run -1 timeout 60 "$KVIEW" cat --iter-dir "$D" unfit
	[[ $output == *"can't load '$D/unfit.bpf.o': the verifier refuses it: "*" at: "*KV_RECORD_MAX* ]]
	run -0 timeout 60 "$KVIEW" list --iter-dir "$D"
	grep -qE '^unfit +no +no ' <<<"$output"
	grep -qF "can't load '$D/unfit.bpf.o': the verifier refuses it: " <<<"$output"
	grep -qE '^task +yes ' <<<"$output"
	run -0 timeout 60 "$KVIEW" check --iter-dir "$D"
	grep -qE '^view unfit +no .*the verifier refuses it' <<<"$output"
	# Without the right to load nobody knows, and the kernel has the iterator.
	chmod -R a+rX "$DIR"
	install -m 755 "$KVIEW" "$DIR/kview"
	run -0 as_user "$DIR/kview" list --iter-dir "$D"
	grep -qE '^unfit +yes ' <<<"$output"
}

# As one whose memory the kernel does not give: it loads, and asks to be called again, for ever.
@test "check reads a row of each view: one whose program never comes to a row can't be run" {
	source_of stuck 'struct kv_head _head; __u32 pid;' |
		sed 's/return kv_emit(&c)/return KV_RETRY/' | compile stuck
	[ -e "$D/stuck.bpf.o" ]
	run -0 timeout 60 "$KVIEW" check --iter-dir "$D"
	grep -qE "^view stuck +no   view 'stuck' makes no progress" <<<"$output"
	grep -qE '^view task +yes' <<<"$output"
	run -1 timeout 60 "$KVIEW" cat --iter-dir "$D" stuck
	[[ $output == *"makes no progress"* ]]
}

@test "an empty directory and files of other names change nothing" {
	echo "not for kview" >"$D/README"
	cp "$OBJECTS/map_list.bpf.o" "$D/map_list.bpf.o.old"
	cp "$OBJECTS/map_list.bpf.o" "$D/.bpf.o"
	cp "$OBJECTS/map_list.bpf.o" "$D/.o"
	mount_all
	[ ! -s "$DIR/err" ]
	only
	kview_umount
}

# --- files that are no object ---------------------------------------------

@test "a file that is no BPF object is an error that names it, the rest is served" {
	local f
	cp "$OBJECTS/thread_bits.bpf.o" "$D"
	: >"$D/empty.bpf.o"
	printf '\177ELF' >"$D/elf_magic.bpf.o"
	echo 'int main;' >"$D/text.bpf.o"
	cp /bin/true "$D/program.bpf.o"
	head -c 10000 /dev/zero >"$D/zeros.bpf.o"
	ln -s "$DIR/nowhere" "$D/dangling.bpf.o"
	ln -s loop.bpf.o "$D/loop.bpf.o"
	mkdir "$D/directory.bpf.o"
	mkfifo "$D/fifo.bpf.o"
	ln -s /dev/zero "$D/device.bpf.o"
	truncate -s 17M "$D/huge.bpf.o"
	python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$D/socket.bpf.o"
	mount_all
	only thread_bits
	for f in empty elf_magic text program zeros; do
		says $f "not a BPF object"
	done
	says dangling "No such file or directory"
	says loop "Too many levels of symbolic links"
	says huge "File too large"
	for f in directory fifo device; do
		says $f "is not a regular file"
	done
	says socket ""
	# One message and one hint each, in the order of their names.
	[ "$(grep -c '^kview: ' "$DIR/err")" -eq 12 ]
	[ "$(grep -cvE '^(kview|hint): ' "$DIR/err")" -eq 0 ]
	kview_umount
	run -0 --separate-stderr timeout 60 "$KVIEW" list --iter-dir "$D"
	[ "$(grep -vE "^($FUNCTION_VIEWS) " <<<"$output" | grep -cE '^[a-z_]+ +no ')" -eq 12 ]
	for f in "schema program" "cat program" "schema fifo" "cat empty"; do
		# shellcheck disable=SC2086 # words
		run -1 timeout 60 "$KVIEW" $f --iter-dir "$D"
		[[ $output == "kview: "*"$D/${f#* }.bpf.o"* ]]
	done
}

@test "a file that can't be read is an error that names it" {
	cp "$OBJECTS/thread_bits.bpf.o" "$D"
	chmod 0 "$D/thread_bits.bpf.o"
	chmod 755 "$DIR" "$D"
	install -m 755 "$KVIEW" "$DIR/kview"
	run -0 --separate-stderr setpriv --reuid 65534 --regid 65534 --clear-groups \
		"$DIR/kview" list --iter-dir "$D"
	[[ $output == *"$D/thread_bits.bpf.o'"*": Permission denied"* ]]
	[ "$(grep -cE '^task +yes' <<<"$output")" -eq 1 ]
}

@test "objects cut off anywhere are refused, each by name" {
	local size
	python3 - "$OBJECTS/thread_bits.bpf.o" "$D" <<-'PY'
		import sys
		data = open(sys.argv[1], "rb").read()
		n = len(data)
		lengths = set(range(0, 128, 7)) | set(range(0, n, n // 60)) | {n - 1, n - 2, n - 63, n - 64, n - 65}
		for l in lengths:
		    open(f"{sys.argv[2]}/cut{l}.bpf.o", "wb").write(data[:l])
		print(len(lengths))
	PY
	size=$(find "$D" -name 'cut*' | wc -l)
	[ "$size" -gt 70 ]
	mount_all >"$DIR/log" || { head -n 20 "$DIR/log" && false; }
	only
	[ "$(grep -cE "^kview: can't load '$D/cut[0-9]+\.bpf\.o': ." "$DIR/err")" -eq "$size" ]
	[ "$(grep -c '^hint: ' "$DIR/err")" -eq "$size" ]
	kview_umount
}

@test "objects with damaged bytes harm nobody" {
	python3 - "$OBJECTS/thread_bits.bpf.o" "$D" <<-'PY'
		import random, sys
		data = open(sys.argv[1], "rb").read()
		random.seed(1)
		for i in range(120):
		    d = bytearray(data)
		    for _ in range(random.choice((1, 3, 30, 300))):
		        d[random.randrange(len(d))] = random.choice((0, 0xff, 0x7f, random.randrange(256)))
		    # Half of them past the ELF header, or few would get far.
		    if i % 2:
		        d[:64] = data[:64]
		        d[-64 * 12:] = data[-64 * 12:]
		    open(f"{sys.argv[2]}/m{i}.bpf.o", "wb").write(d)
		for i in range(20):
		    open(f"{sys.argv[2]}/r{i}.bpf.o", "wb").write(random.randbytes(random.randrange(20000)))
	PY
	mount_all >"$DIR/log" || { head -n 20 "$DIR/log" && false; }
	# Whatever was refused is named with a reason; whatever was not can be read.
	[ "$(grep -cE "^kview: .*$D/[mr][0-9]+\.bpf\.o'.*: ." "$DIR/err")" -eq "$(grep -c '^kview: ' "$DIR/err")" ]
	[ "$(grep -c '^kview: ' "$DIR/err")" -ge 20 ]
	local f
	for f in "$MNT"/m* "$MNT"/r*; do
		[ ! -e "$f" ] || timeout 60 cat "$f" >/dev/null || true
	done
	[ "$(jq .pid "$MNT/pid/$$/json/task.json")" = $$ ]
	kview_umount
	[ ! -e "$KVIEW_PIN_DIR" ]
}

# --- BPF objects that are no view -----------------------------------------

@test "a BPF object that is no view says what it lacks" {
	compile no_program <<<'int x = 1; char LICENSE[] __attribute__((section("license"))) = "GPL";'
	compile tracing <<-'C'
		#include "kview.h"
		SEC("tp_btf/sched_switch") int prog(void *ctx) { return 0; }
		char LICENSE[] SEC("license") = "GPL";
	C
	compile tracepoint <<-'C'
		#include "kview.h"
		SEC("tracepoint/sched/sched_switch") int prog(void *ctx) { return 0; }
		char LICENSE[] SEC("license") = "GPL";
	C
	{
		source_of one '__u32 pid;'
		echo 'SEC("iter/task") int other(struct bpf_iter__task *ctx) { return 0; }'
	} | compile two
	llvm-objcopy -R .BTF -R .BTF.ext -R .rel.BTF -R .rel.BTF.ext "$OBJECTS/thread_bits.bpf.o" "$D/no_btf.bpf.o"
	mount_all
	only
	says no_program "it has no program"
	says tracing "its program is in section 'tp_btf/sched_switch': no iterator"
	says tracepoint "no iterator"
	says two "it has 2 iterators, and none is called 'two'"
	says no_btf "BTF"
	[ "$(grep -c '^kview: ' "$DIR/err")" -eq 5 ]
	[ "$(grep -c '^hint: ' "$DIR/err")" -eq 5 ]
	kview_umount
}

@test "a view with a bad column says which and why" {
	broken upper 'struct kv_head _head; __u32 Pid;'
	broken dash 'struct kv_head _head; __u32 pid$x;'
	broken long_name 'struct kv_head _head; __u32 a_column_name_of_24_bytes;'
	broken pointer 'struct kv_head _head; __u32 _pad; void *p;'
	broken nested 'struct kv_head _head; struct { __u32 a; } s;'
	broken float_column 'struct kv_head _head; char name[65]; char _pad[3];'
	broken ints 'struct kv_head _head; __u32 numbers[4];'
	broken wide 'struct kv_head _head; char _pad[12]; __int128 wide;'
	broken bits 'struct kv_head _head; __u32 a : 3; __u32 b : 29;'
	broken show 'struct kv_head _head; __u32 pid KV_SHOW(roman);'
	broken show_chars 'struct kv_head _head; char name[4] KV_SHOW(hex);'
	broken none 'struct kv_head _head; __u32 pid KV_NONE(nothing);'
	broken width 'struct kv_head _head; __u32 pid KV_WIDTH(0);'
	broken role 'struct kv_head _head; __u32 pid KV_ROLE(hero);'
	broken sum 'struct kv_head _head; __u32 pid KV_SHOW(hex) KV_ROLE(counter);'
	broken no_columns 'struct kv_head _head; __u32 _pad;'
	broken no_head '__u32 pid; __u32 tid;'
	broken late_head '__u32 pid; struct kv_head _head;'
	broken many "struct kv_head _head; $(printf '__u32 c%d; ' {1..65})"
	mount_all
	only
	says upper "column 'Pid' is not in lower case"
	says dash "column 'pid\$x' is not"
	says long_name "'a_column_name_of_24_bytes' is empty or longer than 23"
	says role "column 'pid' has the role 'hero'"
	says sum "column 'pid': only a number can be a counter"
	says pointer "column 'p' has a type that can't be shown"
	says nested "column 's' has a type that can't be shown"
	says float_column "column 'name' has a type that can't be shown"
	says ints "column 'numbers' has a type that can't be shown"
	says wide "column 'wide' has a type that can't be shown"
	says bits "column 'a' is a bit field"
	says "show.bpf" "column 'pid' is shown as 'roman'"
	says show_chars "column 'name' has a type that can't be shown as 'hex'"
	says none "column 'pid': 'nothing' is not a number"
	says width "column 'pid': '0' is not a number it can take"
	says no_columns "its record has no columns"
	says no_head "does not begin with struct kv_head"
	says late_head "does not begin with struct kv_head"
	says many "more than 64 columns"
	[ "$(grep -c '^kview: ' "$DIR/err")" -eq 19 ]
	kview_umount
}

@test "a view with limits just kept works" {
	broken many "struct kv_head _head; $(printf '__u32 c%d; ' {1..64})"
	broken long_name 'struct kv_head _head; __u32 a_column_name_of_23byte;'
	broken wide_chars 'struct kv_head _head; char name[64];'
	mount_all
	[ ! -s "$DIR/err" ]
	only long_name many wide_chars
	[ "$(awk 'NR > 1 {print NF; exit}' "$MNT/many")" = 64 ]
	[ "$(head -n 1 "$MNT/long_name" | tr -d ' ')" = A_COLUMN_NAME_OF_23BYTE ]
	[ "$(jq -c .name "$MNT/json/wide_chars.json" | sort -u)" = null ]
	kview_umount
}

@test "a view that names no record is refused" {
	compile no_record <<-'C'
		#include "kview.h"
		const volatile struct { int record; struct kv_table table; } kv_view SEC(".rodata.kview") = {};
		static const volatile struct kv_table *kv_table(void) { return &kv_view.table; }
		SEC("iter/task") int prog(struct bpf_iter__task *ctx)
		{
			struct kv_call c;
			return kv_begin_task(&c, ctx->meta, ctx->task, KV_PUBLIC) & 1;
		}
		char LICENSE[] SEC("license") = "GPL";
	C
	mount_all
	only
	says no_record "names no record struct"
	kview_umount
}

@test "a program that the verifier refuses says so, in full when asked" {
	compile unfit <<-'C'
		#include "kview.h"
		struct row {
			struct kv_head _head;
			__u32 pid;
		};
		KV_VIEW(row, "a row per thread", "5.8");
		SEC("iter/task") int prog(struct bpf_iter__task *ctx)
		{
			struct kv_call c;
			if (kv_begin_task(&c, ctx->meta, ctx->task, KV_PUBLIC) != KV_SHOW)
				return 0;
			return *(volatile int *)(ctx->meta->seq_num * 8);
		}
	C
	mount_all
	only
	says unfit "the verifier refuses it: R1 invalid mem access 'scalar', at: return \*(volatile int \*)(ctx->meta->seq_num \* 8);"
	kview_umount
	run timeout 60 env KVIEW_DEBUG=1 "$KVIEW" cat --iter-dir "$D" unfit
	[ "$status" -eq 1 ]
	[[ $output == *"invalid mem access"* ]]
}

@test "a kind that this kernel lacks is no error, and list says what it needs" {
	sed 's/iter\/task/iter\/no_such_kind/; s/"5.8"/"99.9"/' < <(source_of prog 'struct kv_head _head; __u32 pid;') |
		compile future
	mount_all
	[ ! -s "$DIR/err" ]
	only
	kview_umount
	run -0 "$KVIEW" list --iter-dir "$D"
	[[ $output == *"this kernel has no 'no_such_kind' iterator; it needs Linux 99.9"* ]]
	run -1 --separate-stderr "$KVIEW" cat --iter-dir "$D" future
	[ "${stderr_lines[0]}" = "kview: can't load '$D/future.bpf.o': this kernel has no 'no_such_kind' iterator" ]
	[ "${stderr_lines[1]}" = "hint: it needs Linux 99.9" ]
}

# --- names ----------------------------------------------------------------

@test "a name that is taken or can't be one is refused" {
	local n long
	long=$(printf 'a%.0s' {1..49})
	for n in task kmem_cache pid map json csv schema status self Upper has-dash "a b" 1st _x a.b é "$long" $'new\nline'; do
		cp "$OBJECTS/thread_bits.bpf.o" "$D/$n.bpf.o"
	done
	cp "$OBJECTS/thread_bits.bpf.o" "$D/${long:1}.bpf.o"
	cp "$OBJECTS/thread_bits.bpf.o" "$D/x9_.bpf.o"
	mount_all
	only "${long:1}" x9_
	says task.bpf "there is a view of that name already"
	says kmem_cache "there is a view of that name already"
	for n in pid json csv schema status self; do
		says "$n.bpf" "that name is the mount's own"
	done
	for n in Upper has-dash "a b" a.b é; do
		says "$n.bpf" "a view's name is of a-z, 0-9 and _"
	done
	says 1st "a view's name begins with a letter"
	says _x "a view's name begins with a letter"
	says "$long" "at most 48"
	grep -qF "new\\012line.bpf.o" "$DIR/err"
	# The built-in one is served under the name, not the other.
	[ "$(head -n 1 "$MNT/schema/task")" = "$("$KVIEW" schema task | head -n 1)" ]
	[ "$("$KVIEW" schema --iter-dir "$D" task | wc -l)" -eq 29 ]
	# A name from outside can't forge a line.
	[ "$(grep -cvE '^(kview|hint): ' "$DIR/err")" -eq 0 ]
	kview_umount
}
