# SPDX-License-Identifier: GPL-2.0-only
"""What tests/cases/iters/column_types.bpf.c must look like, in one format: FORMAT < OUTPUT.

Values are made anew here, by Python's own modules; kview_read.py reads the formats.
"""

import ipaddress
import json
import sys

import kview_read

LISTS = [
    None,
    b"\0\0",
    b"a b\0\\\"\n\0",
    b"\x1b[1m\0\xff\xc3\0"[:8],
    b'{"n":9},\0\r\n\0',
    b"-\0\xe2\x82\0",
    b"\0a\0",
    b"\xf0\x9f\x98\x80\0,",
]
ADDRESSES = [
    4000000000,
    ipaddress.ip_address("127.0.0.1"),
    ipaddress.ip_address("::1"),
    "::ffff:1.2.3.4",
    ipaddress.ip_address("2001:db8::1:0:0:9"),
    ipaddress.ip_address(b"\xff" * 16),
    None,
    "(unreadable)",
]
NAMES = {0: b"apple", 2: None, 3: b"star_apple", 7: b"minus"}


def strings(data):
    """As execve(2)'s: each ends with a NUL, which the last one may lack."""
    if data is None:
        return None
    parts = data.split(b"\0")
    return parts[:-1] if parts[-1] == b"" else parts


def wanted(n):
    address = ADDRESSES[n]
    more = LISTS[n] and LISTS[n][:-1]
    return {
        "n": n,
        "ip": None if address is None else str(address).encode(),
        "fruit": NAMES.get(n, str(n).encode()),
        "number": n if n != 7 else 2**32 - 2,
        "mac": bytes((n * 37 + i) % 256 for i in range(6)).hex().encode(),
        "list": strings(LISTS[n]),
        "more": strings(more),
        "tail": b"e",
    }


def as_list(value, form):
    if value is None:
        return None
    if form == "json":
        return [kview_read.as_seen(part, form).decode() for part in value]
    return b" ".join(value) or None


def main(form):
    schema = list(
        zip(
            ["n", "ip", "fruit", "number", "mac", "list", "more", "tail"],
            ["integer", "address", "enum", "integer", "hex", "list", "list", "string"],
        )
    )
    data = sys.stdin.buffer.read()
    rows = kview_read.READERS[form](data, schema)
    assert len(rows) == len(LISTS), rows
    for n, row in enumerate(rows):
        want = wanted(n)
        row["number"] %= 2**32  # before clang 15 BTF does not say that an enum is signed
        for name in ("list", "more"):
            want[name] = as_list(want[name], form)
        assert row == want, f"row {n}: {row}, not {want}"
    if form == "json":
        for line in data.splitlines():
            json.loads(line)


main(sys.argv[1])
