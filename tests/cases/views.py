# SPDX-License-Identifier: GPL-2.0-only
"""The built-in views, as the sources have them; those of tasks, which are in pid/ too; those that everyone may read."""
import glob
import os
import re

_SOURCES = {}
for _path in glob.glob(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../iters/*.bpf.c")):
    with open(_path, encoding="utf-8") as _file:
        _SOURCES[os.path.basename(_path).removesuffix(".bpf.c")] = _file.read()
# Not of what collectors count: those are off, unless a mount is told otherwise.
VIEWS = tuple(v for v in sorted(_SOURCES) if not re.search(r"^KV_VIEW_OF_(MAP|PROCESS_ROWS)", _SOURCES[v], re.M))
COLLECT_VIEWS = tuple(v for v in sorted(_SOURCES) if v not in VIEWS)
# Of these: with rows for everyone, of own processes.
PROCESS_ROW_VIEWS = tuple(v for v in COLLECT_VIEWS if "\nKV_VIEW_OF_PROCESS_ROWS" in _SOURCES[v])
TASK_VIEWS = tuple(v for v in VIEWS if re.search(r'^SEC\("iter(\.s)?/task', _SOURCES[v], re.M))
# A machine may have no such object: in a network namespace, or without a device that makes it. A
# reader may have no socket.
MAY_BE_EMPTY = ("tcp", "udp", "unix", "netlink", "ipv6_route", "dmabuf", "socket")
# Of tasks, where root alone has rows; and where everybody has, of itself at least.
ROOT_VIEWS = tuple(v for v in TASK_VIEWS if "KV_STACK" in _SOURCES[v])
OWN_VIEWS = tuple(v for v in TASK_VIEWS if v not in ROOT_VIEWS + MAY_BE_EMPTY)
OPEN_VIEWS = tuple(
    v for v in VIEWS
    if re.search(r'^SEC\("iter(\.s)?/(task|tcp|udp|unix|netlink|ipv6_route)|^KV_VIEW_FOR_ALL', _SOURCES[v], re.M)
)
