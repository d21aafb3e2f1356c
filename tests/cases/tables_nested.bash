# SPDX-License-Identifier: GPL-2.0-only
# As the first process of a pid namespace: tables_nested.bash KVIEW TABLES TABLES.PY DIR
# shellcheck shell=bash
set -eu
kview=$1 tables=$2 oracle=$3 dir=$4/nested
mkdir "$dir"

one() {
	local subject
	mkfifo "$dir/stdin"
	"$tables" -r "$@" <>"$dir/stdin" >"$dir/said" &
	until grep -q ready "$dir/said"; do sleep 0.05; done
	subject=$(head -n 1 "$dir/said")
	"$kview" cat -F csv task_file >"$dir/all"
	"$kview" cat -F csv --pid "$subject" task_file >"$dir/one"
	python3 -B "$oracle" files "$subject" "$dir/all" "$dir/one"
	"$kview" cat -F csv task_vma >"$dir/all"
	"$kview" cat -F csv --pid "$subject" task_vma >"$dir/one"
	python3 -B "$oracle" maps "$subject" "$dir/all" "$dir/one"
	kill -KILL "$subject" $!
	wait
	rm "$dir"/*
}

one pairs 1500 3
one -z mixed 1500 3
one -m own 1500 3
rmdir "$dir"
