# SPDX-License-Identifier: GPL-2.0-only
"""The views of BPF objects against bpftool, and ksym against /proc/kallsyms: VIEW KVIEW.

Others load and unload all the time: an object is compared if bpftool has it before and after.
"""

import ctypes
import errno
import json
import os
import struct
import subprocess
import sys


GONE = object()


def run(*words):
    return subprocess.run(words, stdout=subprocess.PIPE, check=True, timeout=120).stdout


def btf_of(number):
    """
    The kernel's word. bpftool shows for a map without BTF that of the map before: it does not
    clear its struct bpf_map_info between two maps.
    """
    libbpf = ctypes.CDLL("libbpf.so.1", use_errno=True)
    fd = libbpf.bpf_map_get_fd_by_id(number)
    info, size = ctypes.create_string_buffer(256), ctypes.c_uint32(256)
    if fd < 0 and ctypes.get_errno() == errno.ENOENT:
        return GONE
    assert fd >= 0 and libbpf.bpf_obj_get_info_by_fd(fd, info, ctypes.byref(size)) == 0, number
    os.close(fd)
    assert struct.unpack_from("I", info, 4)[0] == number
    return struct.unpack_from("I", info, 64)[0] or None


def bpftool(what):
    return {o["id"]: o for o in json.loads(run("bpftool", "-j", what, "show"))}


def maps(row, tool):
    assert row["type"] == tool["type"], (row, tool)
    assert (row["name"] or "") == tool.get("name", ""), (row, tool)
    sizes = [tool["bytes_key"], tool["bytes_value"], tool["max_entries"]]
    assert [row["key_size"], row["value_size"], row["max_entries"]] == sizes, (row, tool)
    assert int(row["flags"], 16) == tool["flags"], (row, tool)
    assert row["frozen"] == tool.get("frozen", 0), (row, tool)
    wanted = btf_of(row["id"])
    assert wanted is GONE or row["btf_id"] == wanted, (row, wanted)


def progs(row, tool):
    assert row["type"] == tool["type"], (row, tool)
    # bpftool takes a longer name from BTF.
    assert tool.get("name", "").startswith(row["name"] or ""), (row, tool)
    assert row["tag"] == tool["tag"] and row["uid"] == tool["uid"], (row, tool)
    assert abs(row["loaded"] - tool["loaded_at"]) <= 1.1, (row, tool)
    assert row["jited"] == tool.get("bytes_jited", 0), (row, tool)
    assert row["xlated"] == tool["bytes_xlated"], (row, tool)
    assert row["memory"] == tool["bytes_memlock"], (row, tool)
    assert row["btf_id"] == tool.get("btf_id"), (row, tool)


def links(row, tool):
    assert row["type"] == tool["type"] and row["prog_id"] == tool.get("prog_id"), (row, tool)
    if tool["type"] == "iter":
        assert row["target"] == tool["target_name"], (row, tool)
    if tool["type"] == "raw_tracepoint":
        assert row["target"] == tool["tp_name"] and row["attach"] is None, (row, tool)
    if "attach_type" in tool and row["attach"]:
        assert row["attach"] == tool["attach_type"], (row, tool)


CHECKS = {"bpf_map": ("map", maps), "bpf_prog": ("prog", progs), "bpf_link": ("link", links)}


def objects(view, kview):
    what, check = CHECKS[view]
    before = bpftool(what)
    out = run(kview, "cat", "-F", "json", view)
    after = bpftool(what)
    rows = [json.loads(line) for line in out.splitlines()]
    assert len({row["id"] for row in rows}) == len(rows)
    found = {row["id"]: row for row in rows}
    both = before.keys() & after.keys()
    assert both and both <= found.keys(), both - found.keys()
    for number in both:
        check(found[number], before[number])
    print(f"{view}: {len(both)} compared")


def symbols(kview):
    for _ in range(10):
        before = run("cat", "/proc/kallsyms")
        rows = [json.loads(line) for line in run(kview, "cat", "-F", "json", "ksym").splitlines()]
        # kview's own programs have symbols while they are loaded.
        rows = [row for row in rows if row["module"] != "bpf"]
        want = [line.split() for line in before.decode().splitlines()]
        want = [line for line in want if line[3:] != ["[bpf]"]]
        got = [
            [row["address"], row["type"], row["name"], *([f"[{row['module']}]"] if row["module"] else [])]
            for row in rows
        ]
        if [[line[0].lstrip("0"), *line[1:]] for line in want] == [[line[0].lstrip("0"), *line[1:]] for line in got]:
            print(f"ksym: {len(got)} compared")
            return
    for a, b in zip(want, got):
        assert a == b, (a, b)
    raise AssertionError((len(want), len(got)))


if sys.argv[1] == "ksym":
    symbols(sys.argv[2])
else:
    objects(*sys.argv[1:])
