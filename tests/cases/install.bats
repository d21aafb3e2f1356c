#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# The project itself: what install puts where, that uninstall takes all of it
# away, that a build writes into its directory alone.
# shellcheck disable=SC2030,SC2031 # each test is a subshell
bats_require_minimum_version 1.5.0

setup() {
	load common
	kview_setup
}

teardown() {
	kview_teardown
}

# In a copy of the tree's sources, so that nobody else's make meddles.
copy_sources() {
	TREE=$DIR/tree
	mkdir "$TREE"
	(cd "$ROOT" && tests/scripts/shape.py files | cpio --quiet -pdm "$TREE")
	[ -e "$TREE/Makefile" ]
}

make_here() {
	make_in "$TREE" "$@"
}

listing() {
	(cd "$1" && find . ! -type d -printf '%y %m %P\n' | sort -k 3)
}

@test "install puts the program, the mount helper, manual pages and headers in place" {
	make_install=(make_in "$ROOT" BUILD="$BUILD" DESTDIR="$DIR/root")
	"${make_install[@]}" install
	{
		echo "f 755 usr/bin/kview"
		echo "l 777 sbin/mount.fuse.kview"
		echo "f 644 usr/lib/systemd/system/kview.service"
		echo "f 644 usr/share/man/man1/kview.1"
		echo "f 644 usr/share/man/man7/kview-iters.7"
		echo "f 644 usr/share/man/man8/kview.8"
		for h in abi chars clock collect compat histogram ip kernel kview net path percpu process put reader spool steady text threads tty; do
			echo "f 644 usr/include/kview/$h.h"
		done
	} | sort -k 3 >"$DIR/want"
	listing "$DIR/root" >"$DIR/got"
	diff -u "$DIR/want" "$DIR/got"
	[ "$(readlink "$DIR/root/sbin/mount.fuse.kview")" = /usr/bin/kview ]
	[ "$("$DIR/root/usr/bin/kview" --version)" = "$("$KVIEW" --version)" ]
	# The headers are all that a view of one's own takes.
	cp "$ROOT/tests/cases/iters/thread_bits.bpf.c" "$DIR/mine.bpf.c"
	mkdir "$DIR/mine"
	clang -g -O2 -target bpf -I "$DIR/root/usr/include/kview" \
		-idirafter "/usr/include/$(uname -m)-linux-gnu" -c "$DIR/mine.bpf.c" -o "$DIR/mine/mine.bpf.o"
	[ "$("$KVIEW" cat --iter-dir "$DIR/mine" --pid $$ -c tid mine | tail -n 1 | tr -d ' ')" = $$ ]
	# Installing over it changes nothing, and uninstall leaves not a file.
	"${make_install[@]}" install
	listing "$DIR/root" | diff -u "$DIR/got" -
	"${make_install[@]}" uninstall
	[ -z "$(listing "$DIR/root")" ]
	[ ! -e "$DIR/root/usr/include/kview" ]
	# Uninstall of what is not there is no failure.
	"${make_install[@]}" uninstall 2>/dev/null
}

@test "install honours PREFIX and SBINDIR, uninstall too" {
	make_install=(make_in "$ROOT" BUILD="$BUILD" DESTDIR="$DIR/root" PREFIX=/opt/k SBINDIR=/usr/sbin)
	"${make_install[@]}" install
	[ -x "$DIR/root/opt/k/bin/kview" ]
	[ "$(readlink "$DIR/root/usr/sbin/mount.fuse.kview")" = /opt/k/bin/kview ]
	[ -e "$DIR/root/opt/k/share/man/man1/kview.1" ]
	[ -z "$(find "$DIR/root" -path "$DIR/root/opt/k" -prune -o ! -type d ! -name mount.fuse.kview -print)" ]
	"${make_install[@]}" uninstall
	[ -z "$(listing "$DIR/root")" ]
}

@test "files of others in the directories of an installation stay" {
	make_install=(make_in "$ROOT" BUILD="$BUILD" DESTDIR="$DIR/root")
	"${make_install[@]}" install
	touch "$DIR"/root/usr/{bin/other,include/kview/mine.h}
	"${make_install[@]}" uninstall 2>/dev/null
	[ "$(listing "$DIR/root")" = $'f 644 usr/bin/other\nf 644 usr/include/kview/mine.h' ]
}

@test "a build writes into its directory alone, and clean removes that" {
	copy_sources
	listing "$TREE" >"$DIR/before"
	make_here all
	[ -x "$TREE/build/kview" ]
	(cd "$TREE" && find . -path ./build -prune -o ! -type d -printf '%y %m %P\n' | sort -k 3) |
		diff -u "$DIR/before" -
	[ -z "$(cd "$TREE" && find . -newer build/flags -path ./build -prune -o -newer build/flags ! -type d -print)" ]
	# It works from there, and nothing is made twice.
	[ "$("$TREE/build/kview" --version)" = "$("$KVIEW" --version)" ]
	touch "$DIR/stamp"
	make_here all
	[ -z "$(find "$TREE/build" -newer "$DIR/stamp" ! -type d)" ]
	# A header that changes makes what depends on it anew; so do other flags.
	touch "$TREE/iters/include/kview/tty.h"
	make_here all
	[ "$TREE/build/iters/task.bpf.o" -nt "$DIR/stamp" ]
	[ "$TREE/build/kview" -nt "$DIR/stamp" ]
	[ "$DIR/stamp" -nt "$TREE/build/src/base/utf8.o" ]
	touch "$DIR/stamp"
	make_here OPT=-O1 build/src/base/utf8.o
	[ "$TREE/build/src/base/utf8.o" -nt "$DIR/stamp" ]
	make_here clean
	listing "$TREE" | diff -u "$DIR/before" -
}

@test "a build does not depend on where it is made" {
	local o
	copy_sources
	for o in $ALL_VIEWS; do
		make_here BUILD="$DIR/elsewhere" "$DIR/elsewhere/iters/$o.bpf.o"
		cmp "$BUILD/iters/$o.bpf.o" "$DIR/elsewhere/iters/$o.bpf.o"
	done
}

@test "make help names every target a person runs" {
	local t
	run -0 make_in "$ROOT" help
	for t in all deps demo check check-unit check-cases bench lint format install uninstall clean \
		$(sed -n '/^\.PHONY:/,/[^\\]$/p' "$ROOT/Makefile" | sed 's/\.PHONY://; s/FORCE//; s/help//; s/\\//'); do
		grep -qE "^ *$t +[a-zA-Z]" <<<"$output"
	done
	for t in V=1 CC= SAN= PREFIX= BUILD=; do
		[[ $output == *"$t"* ]]
	done
}

@test "every source file has its licence on top" {
	cd "$ROOT"
	run -0 tests/scripts/shape.py spdx
	[ -z "$output" ]
	[ "$(tests/scripts/shape.py files | grep -c '\.[ch]$')" -gt 40 ]
	head -n 5 LICENSE | grep -q "GNU GENERAL PUBLIC LICENSE"
}

@test "the checks of the tree's shape find what they look for" {
	copy_sources
	cd "$TREE"
	local long
	run tests/scripts/shape.py length
	long=${#lines[@]}
	echo '#include <bpf/libbpf.h>' >>src/base/utf8.c
	echo '#include "cli/args.h"' >>fuse/fs/tree.c
	echo '#include "fuse/fs/tree.h"' >>src/cli/main.c
	echo '#include <string.h>' >>iters/include/kview/path.h
	echo '#include "kview/path.h"' >>src/load/load.c
	echo '#include "render/render.h"' >>src/schema/schema.c
	echo '#include <unistd.h>' >>src/render/csv.c
	run -1 tests/scripts/shape.py rooms
	[ "${#lines[@]}" -eq 7 ]
	printf 'int f(void)\n{\n%60s}\n' '' | sed 's/   */&/; s/ /\n/g' >>src/base/file.c
	printf '%500s' '' | tr ' ' '\n' >>src/base/err.c
	run -1 tests/scripts/shape.py length
	[ "${#lines[@]}" -eq $((long + 2)) ]
	sed -i 1d src/base/err.h tests/scripts/lint
	run -1 tests/scripts/shape.py spdx
	[ "${#lines[@]}" -eq 1 ]
	echo "/* see $PWD/x */" >>src/base/err.h
	echo "/* see /ho""me/me/x */" >>src/base/err.h
	run -1 tests/scripts/shape.py paths
	[ "${#lines[@]}" -eq 2 ]
}

# --- as a service ---------------------------------------------------------

@test "the systemd unit is one that systemd understands" {
	make_in "$ROOT" BUILD="$BUILD" DESTDIR="$DIR/root" PREFIX=/opt/k install
	unit=$DIR/root/opt/k/lib/systemd/system/kview.service
	grep -qx 'ExecStart=/opt/k/bin/kview mount -f -o allow_other /mnt/kview' "$unit"
	# Of options that give a service a mount namespace of its own there are none.
	run ! grep -qE '^(Private|Protect|ReadOnlyPaths|ReadWritePaths|InaccessiblePaths|RootDirectory|BindPaths)' "$unit"
	sed -i "s|/opt/k/bin/kview|$KVIEW|" "$unit"
	systemd-analyze verify --man=no "$unit" >"$DIR/said" 2>&1 || { cat "$DIR/said"; return 1; }
	[ ! -s "$DIR/said" ] || { cat "$DIR/said"; return 1; }
}

@test "a mount in front tells the service manager when it answers" {
	cat >"$DIR/manager.py" <<-'EOF'
		import os, socket, subprocess, sys
		kview, mnt, path = sys.argv[1:]
		s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
		s.bind(path)
		s.settimeout(20)
		address = path if path[0] != "\0" else "@" + path[1:]
		front = subprocess.Popen([kview, "mount", "-f", mnt], env={**os.environ, "NOTIFY_SOCKET": address})
		try:
		    assert s.recv(100) == b"READY=1"
		    assert os.path.exists(mnt + "/task")
		finally:
		    front.terminate()
		    assert front.wait(20) == 0
	EOF
	timeout 60 python3 "$DIR/manager.py" "$KVIEW" "$MNT" "$DIR/notify"
}
