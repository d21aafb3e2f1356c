#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# Columns that are neither numbers nor strings: addresses, enums, bytes, lists.
bats_require_minimum_version 1.5.0

load compile

@test "addresses, enums, bytes, lists and histograms of odd values are right in every format" {
	local format
	cp "$OBJECTS/column_types.bpf.o" "$D"
	mount_all
	only column_types
	[ "$(cut -f 1,2 "$MNT/schema/column_types" | tr '\t\n' ': ')" = \
		"n:integer ip:address fruit:enum number:integer mac:hex list:list more:list tail:string sizes:histogram times:histogram " ]
	for format in text json csv; do
		timeout 60 "$KVIEW" cat --iter-dir "$D" -F $format column_types |
			python3 -B "$BATS_TEST_DIRNAME/column_types.py" $format
	done
	cmp <(timeout 60 "$KVIEW" cat --iter-dir "$D" -F json column_types) "$MNT/json/column_types.json"
	jq -e -s 'map(.list | type) | unique == ["array", "null"]' "$MNT/json/column_types.json"
	kview_umount
}

@test "a pin shows addresses, the numbers of enums, and lists with their NULs as question marks" {
	cp "$OBJECTS/column_types.bpf.o" "$D"
	mount_all
	cut -f 1-5 "$KVIEW_PIN_DIR/column_types" >"$DIR/pin"
	python3 - "$DIR/pin" <<-'END'
		import ipaddress, sys
		rows = [line.rstrip("\n").split("\t") for line in open(sys.argv[1])]
		assert rows[0] == ["N", "IP", "FRUIT", "NUMBER", "MAC"], rows[0]
		addresses = ["4000000000", "127.0.0.1", "::1", "::ffff:1.2.3.4", "2001:db8::1:0:0:9", ":".join(["ffff"] * 8), "-", "(unreadable)"]
		for n, (row, address) in enumerate(zip(rows[1:], addresses, strict=True)):
		    assert row[0] == str(n) and int(row[3]) % 2**32 == (n if n != 7 else 2**32 - 2), row
		    assert row[2] == ("-" if n == 2 else row[3]), row
		    assert row[4] == bytes((n * 37 + i) % 256 for i in range(6)).hex(), row
		    if n in (0, 6, 7):
		        assert row[1] == address, row
		    else:
		        assert ipaddress.ip_address(row[1]) == ipaddress.ip_address(address), row
	END
	[ "$(awk -F '\t' '$1 == 6 {print $6}' "$KVIEW_PIN_DIR/column_types")" = "?a?" ]
	[ "$(awk -F '\t' '{print NF}' "$KVIEW_PIN_DIR/column_types" | sort -u)" = 10 ]
	[ "$(awk -F '\t' '$1 == 2 {print $9, $10}' "$KVIEW_PIN_DIR/column_types")" = "5,4,7,0,0 3,13,0" ]
	kview_umount
}

@test "bytes that do not say how they are shown are refused, and the hint says what to do" {
	source_of prog '	struct kv_head _head; __u8 addr[16];' | compile untagged
	source_of prog '	struct kv_head _head; __u8 addr[16] KV_SHOW(hex);' | compile tagged
	fails 1 "can't load '*/untagged.bpf.o': column 'addr' has bytes, and does not say how they are shown" \
		"KV_SHOW(hex) shows them in hex; a string is char*N*, an IP address is struct kv_ip" \
		cat --iter-dir "$D" untagged
	[ "$("$KVIEW" schema --iter-dir "$D" tagged | cut -f 1,2)" = $'addr\thex' ]
	[ "$("$KVIEW" cat --iter-dir "$D" tagged | tail -n 1)" = 00000000000000000000000000000000 ]
}
