# SPDX-License-Identifier: GPL-2.0-only
"""What a collector costs those who make the events: the same with it and without, in turns."""

import os
import subprocess
import tempfile

from measure import LIMIT, helper_ns, output

# (event, how many, limit in ns or in percent, or None) by view.
COSTS = {
    "exits": (("ping-pong", None, "%"), ("fork", 2000, "ns")),
    "exit_totals": (("ping-pong", None, "%"), ("fork", 2000, "ns")),
    "run_queue": (("ping-pong", 10, "%"), ("fork", None, "ns")),
    "syscalls": (("getppid", 100, "ns"), ("ping-pong", None, "%")),
    "traffic": (("send", None, "ns"), ("fork", None, "ns")),
    "tcp_events": (("connect", None, "ns"), ("ping-pong", None, "%")),
    "block_io": (("read", None, "ns"), ("ping-pong", None, "%")),
    "page_faults": (("fault", None, "ns"), ("fork", None, "ns")),
    "oom_kills": (("ping-pong", None, "%"), ("fork", None, "ns")),
}
TIMES = {"getppid": 100000, "ping-pong": 5000, "fork": 300, "fault": 5000, "send": 20000, "connect": 2000, "read": 5000}
ROUNDS_OF_ONE = "9"
POPULATION = {"events": "an event with its collectors, less the time without"}


def times(program, view):
    return {event: helper_ns([program, event, str(TIMES[event]), ROUNDS_OF_ONE]) for event, _, _ in COSTS[view]}


def measure(report, kview, program, mnt, pins, rounds):
    """Adds to @report what each view's collectors make of these events."""
    with tempfile.NamedTemporaryFile() as file:
        file.truncate(1 << 20)
        disk = output(["losetup", "--find", "--show", file.name]).strip()
        os.environ["DISK"] = disk
        try:
            measure_all(report, kview, program, mnt, pins, rounds)
        finally:
            subprocess.run(["losetup", "--detach", disk], check=False, timeout=LIMIT)


def measure_all(report, kview, program, mnt, pins, rounds):
    report.population["rounds"] = rounds
    for view, events in COSTS.items():
        found = {event: [] for event, _, _ in events}
        for _ in range(rounds):
            before = times(program, view)
            output([kview, "mount", "--pin-dir", pins, "-o", f"collect={view}", mnt])
            try:
                during = times(program, view)
            finally:
                subprocess.run([kview, "umount", mnt], check=False, timeout=LIMIT)
            after = times(program, view)
            for event, _, unit in events:
                off = (before[event] + after[event]) / 2
                more = during[event] - off
                found[event].append(100 * more / off if unit == "%" else more)
        for event, goal, unit in events:
            report.check(f"{view}: {event}", "more", "at most", found[event], None, goal, unit)
