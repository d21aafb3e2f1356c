#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# Kernels that lack a field of a struct: it costs a column, and not the view. They are
# made up: this kernel, under other types.
bats_require_minimum_version 1.5.0

setup() {
	load common
	kview_setup
}

teardown() {
	kview_teardown
}

# What is asked there: of view task the row of this process.
ask() {
	"$KVIEW" list >"$DIR/list"
	"$KVIEW" check >"$DIR/check" || true
	"$KVIEW" cat --pid $$ -c pid,nvcsw,exe,comm,state task >"$DIR/text"
	"$KVIEW" cat --pid $$ -F csv -c pid,nvcsw,exe,comm,state task >"$DIR/csv"
	"$KVIEW" cat --pid $$ -F json -c pid,nvcsw,exe,comm,nivcsw task >"$DIR/json"
	"$KVIEW" load
	cat "$KVIEW_PIN_DIR/task" >"$DIR/pin"
	"$KVIEW" list >"$DIR/list-pinned"
	"$KVIEW" cat --pid $$ -F json -c pid,nvcsw,exe,comm,nivcsw task >"$DIR/json-pinned"
	"$KVIEW" unload
}

@test "list and check name the columns, and every format has no value there" {
	export -f ask
	export KVIEW
	without "nvcsw d_parent" bash -euc ask
	grep -A 2 '^task ' "$DIR/list"
	[ "$(grep -A 2 '^task ' "$DIR/list" | sed 1d | sed 's/^ *//')" = \
		"without nvcsw: this kernel has no task_struct.nvcsw
without exe: this kernel has no dentry.d_parent" ]
	[ "$(grep -c ' without path: this kernel has no dentry.d_parent$' "$DIR/list")" -ge 2 ]
	[[ $(grep '^view task ' "$DIR/check") =~ yes\ +"without nvcsw, exe"$ ]]
	[[ $(grep '^view kmem_cache ' "$DIR/check") =~ yes$ ]]
	[[ $(tail -n 1 "$DIR/text") =~ ^\ *[0-9]+\ +-\ +-\ +bash\ +[RS]$ ]]
	[[ $(tail -n 1 "$DIR/csv") =~ ^[0-9]+,,,bash,[RS]$ ]]
	jq -e '.nvcsw == null and .exe == null and .comm == "bash" and .nivcsw >= 0' "$DIR/json"
	jq -e '.nvcsw == null and .exe == null and .comm == "bash" and .nivcsw >= 0' "$DIR/json-pinned"
	[ "$(awk -F '\t' 'NR == 1 {for (i = 1; i <= NF; i++) if ($i == "NVCSW" || $i == "EXE") at[i]}
		NR > 1 {for (i in at) print $i}' "$DIR/pin" | sort -u)" = - ]
	diff "$DIR/list" <(sed 's/  yes     a row/  no      a row/' "$DIR/list-pinned")
}

# What a mount there shows of a process: at first, through its pins, by another worker, and
# when it was taken over.
read_all_ways() {
	"$KVIEW" mount -o allow_other "$MNT"
	cat "$MNT/pid/$1/csv/task.csv"
	"$KVIEW" cat --pid "$1" -F csv task
	kill -KILL "$(worker_pid)"
	until_true cat "$MNT/pid/$1/csv/task.csv"
	cat "$MNT/pid/$1/csv/task.csv"
	"$KVIEW" mount --takeover -o allow_other "$MNT"
	cat "$MNT/pid/$1/csv/task.csv"
	grep nvcsw "$MNT/schema/task" | grep -qF '(no value: this kernel has no task_struct.nvcsw)'
	# Rights are what they are anywhere: /proc says whose they are.
	# Of a user who has nothing else there.
	setpriv --reuid 21777 --regid 21777 --clear-groups cat "$MNT/csv/task_file.csv" >"$DIR/files"
	runuser -u nobody -- cat "$MNT/pid/$1/task_file" && return 1
	"$KVIEW" umount "$MNT"
}

@test "a mount serves such a kernel by each worker, and rights are what they are elsewhere" {
	local pid program=$DIR/$'a\nb'
	chmod 755 "$DIR"
	cp "$(command -v sleep)" "$program"
	"$program" 300 3>&- &
	pid=$!
	mine $pid
	until_true grep -q '^State:.S (sleeping)' /proc/$pid/status
	export -f read_all_ways worker_pid daemon_pid until_true
	export KVIEW
	without "nvcsw d_parent" bash -euc "read_all_ways $pid" >"$DIR/out" 2>"$DIR/err" 3>&-
	cat "$DIR/err"
	[ "$(grep -c "^kview: view 'task' shows no value in nvcsw, exe$" "$DIR/err")" -eq 2 ]
	[ "$(grep -c "^kview: view 'task_vma' shows no value in path$" "$DIR/err")" -eq 2 ]
	python3 - "$DIR/out" "$DIR/files" $pid <<-'END'
		import csv, sys
		with open(sys.argv[1], newline="") as f:
		    rows = list(csv.reader(f))
		header, pid = rows[0], sys.argv[3]
		status = dict(line.rstrip("\n").split(":\t") for line in open(f"/proc/{pid}/status"))
		assert len(rows) == 8 and rows[::2] == [header] * 4, rows
		for row in (dict(zip(header, row)) for row in rows[1::2]):
		    assert row["nvcsw"] == row["exe"] == "", row
		    assert row["pid"] == pid and row["comm"] == open(f"/proc/{pid}/comm").read()[:-1], row
		    assert row["nivcsw"] == status["nonvoluntary_ctxt_switches"], row
		    assert int(row["vsize"]) == int(status["VmSize"].split()[0]) * 1024, row
		with open(sys.argv[2], newline="") as f:
		    files = list(csv.DictReader(f))
		assert files and {row["comm"] for row in files} == {"cat"}, files
		assert {row["path"] for row in files} == {""}, files
	END
}

@test "no row has a value in a column that is lacking, be it one of no mapping" {
	without "vm_flags full_name" "$KVIEW" cat --pid $$ -F json task_vma >"$DIR/json"
	[ "$(wc -l <"$DIR/json")" -eq "$(wc -l </proc/$$/maps)" ]
	jq -se 'all(.perms == null and .comm == "bash")' "$DIR/json"
	without vm_flags "$KVIEW" load
	awk -F '\t' 'NR > 1 {print $4}' "$KVIEW_PIN_DIR/task_vma" | sort -u >"$DIR/pin"
	[ "$(cat "$DIR/pin")" = - ]
	# What a pin lacks is what list says of the pin alone; a load finds it.
	[ "$("$KVIEW" list | grep -c without)" -eq 0 ]
	"$KVIEW" load
	grep -qF '[vsyscall]' "$KVIEW_PIN_DIR/task_vma" || ! grep -qF '[vsyscall]' /proc/self/maps
	[ "$(awk -F '\t' 'NR > 1 {print $4}' "$KVIEW_PIN_DIR/task_vma" | grep -cx -)" -eq 0 ]
}

# Its user may look into it by ids; that it gave that up the kernel knows, and kview does not.
@test "what a zombie does not want seen is not, where the kernel keeps that elsewhere" {
	chmod 755 "$DIR"
	cat >"$DIR/zombie.py" <<-'END'
		import csv, ctypes, os, sys, time
		zombie = os.fork()
		if not zombie:
		    ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)  # PR_SET_DUMPABLE
		    os._exit(0)
		os.waitid(os.P_PID, zombie, os.WEXITED | os.WNOWAIT)
		try:
		    os.readlink(f"/proc/{zombie}/ns/pid")
		    seen = True
		except PermissionError:
		    seen = False
		with open(f"{sys.argv[1]}/pid/{zombie}/csv/task.csv", newline="") as f:
		    row = next(csv.DictReader(f))
		print(seen, row)
		assert row["state"] == "Z" and (seen or row["pidns"] == "")
		assert seen or row["utime"].endswith("0000000"), row
	END
	export KVIEW MNT DIR
	# shellcheck disable=SC2016 # bash expands it there
	without user_dumpable bash -euc '"$KVIEW" mount -o allow_other "$MNT"
		runuser -u nobody -- python3 "$DIR/zombie.py" "$MNT"
		"$KVIEW" umount "$MNT"' 3>&-
}

# A reader's cgroup namespace decides where these paths begin.
@test "without the readers' cgroups these are (unreadable), and all else is served" {
	without root_cset "$KVIEW" cat --pid $$ -F csv -c pid,cgroup,comm task >"$DIR/out"
	[ "$(tail -n 1 "$DIR/out")" = "$$,(unreadable),bash" ]
	export KVIEW MNT
	# shellcheck disable=SC2016 # bash expands it there
	without root_cset bash -euc '"$KVIEW" mount "$MNT" && cat "$MNT/pid/self/csv/task.csv" &&
		"$KVIEW" umount "$MNT"' 3>&- | grep -q ',(unreadable),.*,cat$'
}

@test "list says why nothing is served where readers can't be identified" {
	run without mnt_mountpoint timeout 60 "$KVIEW" list
	echo "$output"
	[ "$status" -eq 1 ]
	[[ $output == *"can't load 'identity/reader': this kernel has no mount.mnt_mountpoint"* ]]
}

@test "names of kernel threads that are kept elsewhere are (unreadable), and no others" {
	without full_name "$KVIEW" cat -F csv -c pid,comm task >"$DIR/out"
	[ "$(without full_name "$KVIEW" list | grep -c without)" -eq 0 ]
	python3 - "$DIR/out" $$ <<-'END'
		import csv, sys
		PF_KTHREAD = 0x200000
		seen = {True: 0, False: 0}
		with open(sys.argv[1], newline="", errors="replace") as f:
		    rows = list(csv.DictReader(f))
		for row in rows:
		    try:
		        with open(f"/proc/{row['pid']}/stat", errors="replace") as f:
		            is_kernel = int(f.read().rpartition(")")[2].split()[6]) & PF_KTHREAD > 0
		        with open(f"/proc/{row['pid']}/comm", errors="replace") as f:
		            comm = f.read()[:-1]
		    except (FileNotFoundError, ProcessLookupError):
		        continue  # it has ended meanwhile
		    seen[is_kernel] += 1
		    if is_kernel or row["pid"] == sys.argv[2]:
		        assert row["comm"] == ("(unreadable)" if is_kernel else comm), (row, comm)
		    assert is_kernel or row["comm"] != "(unreadable)", row
		assert seen[True] > 20 and seen[False] > 2, seen
	END
}

@test "without what rights are decided by nothing is served, and it says for which field" {
	local command refused all
	# By what control groups are shown is decided by namespaces alone.
	all=$(xargs -n 1 <<<"$ALL_VIEWS" | grep -vx cgroup | xargs)
	refused=$(xargs -n 1 <<<"$VIEWS" | grep -vx cgroup | xargs) # when it is loaded: not what is off
	for command in check "cat task" list; do
		# shellcheck disable=SC2086 # words
		run without real_cred timeout 60 "$KVIEW" $command
		echo "$command: status $status: $output"
		[ "$status" -eq 1 ]
		[[ $output == *"this kernel has no task_struct.real_cred"* ]]
	done
	[ "$(awk '$2 == "no" {print $1}' <<<"$output" | xargs)" = "$all" ]
	# shellcheck disable=SC2016 # for the inner shell
	run -0 without real_cred timeout 100 bash -c '"$1" load && ls "$2" && "$1" unload && "$1" mount "$3" && ls "$3" && "$1" umount "$3"' - \
		"$KVIEW" "$KVIEW_PIN_DIR" "$MNT" 3>&-
	[ "$(grep -c "^kview: .*this kernel has no task_struct.real_cred" <<<"$output")" -eq $((2 * $(wc -w <<<"$refused"))) ]
	[ "$(grep -vE '^(kview|hint): ' <<<"$output" | sed 's/^reader=.*/reader/' | xargs)" = "cgroup reader $(xargs -n 1 <<<"cgroup csv $COLLECT_VIEWS json map schema status" | sort | xargs)" ]
	run without real_cred timeout 60 "$KVIEW" list
	[ "$(grep -c "this kernel has no task_struct.real_cred; kview can't do without" <<<"$output")" -eq "$(wc -w <<<"$all")" ]
	[ ! -e "$KVIEW_PIN_DIR" ]
	run mountpoint -q "$MNT"
	[ "$status" -ne 0 ]
}
