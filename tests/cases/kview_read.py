# SPDX-License-Identifier: GPL-2.0-only
"""Reads kview's three formats with parsers that are not kview's.

Every reader gives a list of rows, each a dict of column to value: numbers as
int (seconds as int nanoseconds), strings as bytes, no value as None. What a
format cannot tell apart is told by `as_seen`, which turns a wanted value into
what a reader of that format must see.

A machine may have many more rows than a test is about: readers take a set of
first columns (pids) to read, and pass over the rest.
"""

import codecs
import csv
import io
import json
import re
import socket
from decimal import Decimal

NUMBERS = ("integer", "decimal")
FORMATS = ("text", "json", "csv")


def _replace_byte(error):
    """U+FFFD for one byte, so that the rest is looked at anew."""
    return "\ufffd", error.start + 1


codecs.register_error("replace-byte", _replace_byte)


class Broken(Exception):
    """The bytes are not what the format promises."""


def nanoseconds(text):
    if not re.fullmatch(r"-?\d+\.\d{9}", text):
        raise Broken(f"{text!r} is no decimal number with 9 digits")
    return int(Decimal(text) * 1000000000)


def number(text, kind):
    if kind == "decimal":
        return nanoseconds(text)
    if not re.fullmatch(r"-?(0|[1-9]\d*)", text):
        raise Broken(f"{text!r} is no integer")
    return int(text)


def read_schema(path):
    """[(column, type)], and the check that each line has five fields."""
    columns = []
    with open(path, encoding="utf-8", newline="\n") as file:
        for line in file:
            fields = line.rstrip("\n").split("\t")
            if len(fields) != 5 or not all(fields):
                raise Broken(f"{path}: {line!r} has not five fields")
            columns.append((fields[0], fields[1]))
    if not columns:
        raise Broken(f"{path}: no columns")
    return columns


def _lines(data):
    if not data.endswith(b"\n"):
        raise Broken("the last line does not end")
    return data[:-1].split(b"\n")


# --- histograms: [(bound, None for the last one; count)], of time in nanoseconds ---

UNITS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9}


def _bound(text):
    """512, 0.000001, 2.048ms or inf"""
    found = re.fullmatch(r"(\d+(?:\.\d*[1-9])?)(ns|us|ms|s)?|inf", text)
    if not found:
        raise Broken(f"{text!r} is no bound")
    return None if text == "inf" else Decimal(found[1]) * UNITS.get(found[2], 1)


def _text_histogram(field):
    pairs = [pair.split(":") for pair in field.decode().split(",")]
    return [(_bound(bound), number(count, "integer")) for bound, count in pairs]


def _json_histogram(value):
    buckets = [dict(bucket) for bucket in value]
    if any(set(bucket) != {"to", "count"} for bucket in buckets) or not buckets:
        raise Broken(f"{value!r} is no histogram")
    return [(bucket["to"] and _bound(bucket["to"][1]), number(bucket["count"][1], "integer")) for bucket in buckets]


def _csv_names(header, schema):
    """The column of each field, and its bound if that is a histogram."""
    kinds, found = dict(schema), []
    for name in header:
        if name in kinds:
            found.append((name, None))
            continue
        column, _, bound = name.rpartition("_")
        if kinds.get(column) != "histogram":
            raise Broken(f"header: {name!r}")
        found.append((column, bound))
    if list(dict.fromkeys(name for name, _ in found)) != [name for name, _ in schema]:
        raise Broken(f"header {header!r}")
    return found


# --- text ---


def unescape(field):
    out = re.sub(rb"\\([0-7]{3})", lambda m: bytes([int(m[1], 8)]), field)
    if re.sub(rb"\\[0-7]{3}", b"", field).count(b"\\"):
        raise Broken(f"{field!r}: a backslash that begins no \\ooo")
    return out


def _fields(line, n):
    if re.search(rb"[\x00-\x1f\x7f]", line):
        raise Broken(f"{line!r}: a control byte")
    line.decode("utf-8")
    if line.endswith(b" "):
        raise Broken(f"{line!r}: a blank at the end")
    fields = line.lstrip(b" ").split(b" ")
    fields = [field for field in fields if field]
    if len(fields) != n:
        raise Broken(f"{line!r}: {len(fields)} fields, not {n}")
    return fields


def _is_wanted(first, only):
    return only is None or int(first) in only


def read_text(data, schema, only=None):
    lines = _lines(data)
    header = [name.upper().encode() for name, _ in schema]
    if _fields(lines[0], len(schema)) != header:
        raise Broken(f"header {lines[0]!r}")
    rows = []
    for line in lines[1:]:
        if not _is_wanted(line.split(None, 1)[0] if only else None, only):
            continue
        row = {}
        for (name, kind), field in zip(schema, _fields(line, len(schema))):
            if field == b"-":
                row[name] = None
            elif kind in NUMBERS:
                row[name] = number(field.decode(), kind)
            elif kind == "histogram":
                row[name] = _text_histogram(field)
            else:
                row[name] = unescape(field)
        rows.append(row)
    return rows


# --- JSON Lines ---


def _json_row(line, schema):
    pairs = json.loads(
        line.decode("utf-8"),
        object_pairs_hook=list,
        parse_float=lambda text: ("decimal", text),
        parse_int=lambda text: ("integer", text),
    )
    if [name for name, _ in pairs] != [name for name, _ in schema]:
        raise Broken(f"{line!r}: keys are not the columns in their order")
    row = {}
    for (name, kind), (_, value) in zip(schema, pairs):
        if value is None:
            row[name] = None
        elif kind in NUMBERS:
            if value[0] != kind:
                raise Broken(f"{name}: {value!r} is no {kind}")
            row[name] = number(value[1], kind)
        elif kind == "list":
            if not isinstance(value, list) or not all(isinstance(part, str) for part in value):
                raise Broken(f"{name}: {value!r} is no list of strings")
            row[name] = value
        elif kind == "histogram":
            row[name] = _json_histogram(value)
        else:
            if not isinstance(value, str):
                raise Broken(f"{name}: {value!r} is no string")
            row[name] = value.encode("utf-8")
    return row


def read_json(data, schema, only=None):
    rows = []
    for line in _lines(data) if data else []:
        first = line.partition(b",")[0].rpartition(b":")[2]
        if _is_wanted(first, only):
            rows.append(_json_row(line, schema))
    return rows


# --- CSV ---


def read_csv(data, schema, only=None):
    # Latin-1 is a byte per character: the csv module knows no bytes.
    text = io.StringIO(data.decode("latin-1"), newline="")
    if not data.endswith(b"\n"):
        raise Broken("the last line does not end")
    records = list(csv.reader(text, strict=True))
    names, kinds = _csv_names(records[0], schema), dict(schema)
    rows = []
    for record in records[1:]:
        if len(record) != len(names):
            raise Broken(f"{record!r}: {len(record)} fields, not {len(names)}")
        if not _is_wanted(record[0], only):
            continue
        row = {}
        for (name, bound), field in zip(names, record):
            if not field:
                row[name] = None
            elif kinds[name] == "histogram":
                row.setdefault(name, []).append((_bound(bound), number(field, "integer")))
            elif kinds[name] in NUMBERS:
                row[name] = number(field, kinds[name])
            else:
                row[name] = field.encode("latin-1")
        rows.append(row)
    return rows


# --- the pin ---


def read_pin(data, schema, only=None):
    """Tab-separated text as printed inside the kernel."""
    records = [line.split(b"\t") for line in _lines(data)]
    if records[0] != [name.upper().encode() for name, _ in schema]:
        raise Broken(f"header {records[0]!r}")
    rows = []
    for record in records[1:]:
        if len(record) != len(schema):
            raise Broken(f"{record!r}: {len(record)} fields, not {len(schema)}")
        if not _is_wanted(record[0], only):
            continue
        row = {}
        for (name, kind), field in zip(schema, record):
            if kind in NUMBERS and field != b"-":
                row[name] = number(field.decode(), kind)
            elif kind == "address" and b":" in field:
                # The kernel prints all digits for programs.
                packed = socket.inet_pton(socket.AF_INET6, field.decode())
                row[name] = socket.inet_ntop(socket.AF_INET6, packed).encode()
            else:
                row[name] = field
        rows.append(row)
    return rows


# --- what a format lets through ---


def as_seen(value, form):
    if not isinstance(value, bytes):
        return b"-" if value is None and form == "pin" else value
    if form == "json":
        return value.decode("utf-8", "replace-byte").encode("utf-8")
    if form == "pin":
        return re.sub(rb"[\x00-\x1f\x7f]", b"?", value)
    return value or None  # neither text nor csv tells "" from no value


READERS = {"text": read_text, "json": read_json, "csv": read_csv, "pin": read_pin}


def view_path(base, view, form):
    if form == "text":
        return f"{base}/{view}"
    return f"{base}/{form}/{view}.{form}"


def read_view(base, view, form, schema, only=None):
    with open(view_path(base, view, form), "rb") as file:
        return READERS[form](file.read(), schema, only)
