# SPDX-License-Identifier: GPL-2.0-only
"""What tests/cases/iters/column_types.bpf.c must look like, in one format: FORMAT < OUTPUT.

Values are made anew here, by Python's own modules; kview_read.py reads the formats.
"""

import ipaddress
import json
import sys
from decimal import Decimal

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
        "sizes": histogram([i * n * 64 for i in range(16)], [512, 1024, 2048, 4096]),
        "times": histogram([995 + i * n for i in range(16)], [1000, 2000]),
    }


def histogram(values, bounds):
    """By hand: a value is in the first bucket that it is not above."""
    found = [(bound, 0) for bound in [*bounds, None]]
    for value in values:
        at = next((i for i, bound in enumerate(bounds) if value <= bound), len(bounds))
        found[at] = (found[at][0], found[at][1] + 1)
    return found


def as_histogram(value, form, scale=1):
    """Text leaves out what is empty, and shows times with their units, which are read as ns."""
    if form == "text":
        return [(bound, count) for bound, count in value if count]
    return [(bound and Decimal(bound) / scale, count) for bound, count in value]


def as_list(value, form):
    if value is None:
        return None
    if form == "json":
        return [kview_read.as_seen(part, form).decode() for part in value]
    return b" ".join(value) or None


def main(form):
    schema = list(
        zip(
            ["n", "ip", "fruit", "number", "mac", "list", "more", "tail", "sizes", "times"],
            ["integer", "address", "enum", "integer", "hex", "list", "list", "string", "histogram", "histogram"],
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
        want["sizes"] = as_histogram(want["sizes"], form)
        want["times"] = as_histogram(want["times"], form, 10**9)
        assert row == want, f"row {n}: {row}, not {want}"
    if form == "json":
        for line in data.splitlines():
            json.loads(line)


main(sys.argv[1])
