# SPDX-License-Identifier: GPL-2.0-only
"""What the figures are compared with, and the table of it all."""

import json
import statistics

# What is measured, what with, how: "faster" is peer / what, at least the
# limit; "times" is what / peer, at most the limit. Then target and goal: the
# target holds now, the goal is what the design should reach.
RATIOS = (
    ("cat task", "ps -eLo (10 columns)", "faster", 20, 30),
    ("cat task", "cat /proc/[0-9]*/stat", "faster", None, None),
    ("cat task_file", "lsof -n -P -w", "faster", 20, 30),
    ("cat task_file", "lsof -n -P -w -K i", "faster", None, None),
    ("cat task_file", "ls -l /proc/[0-9]*/fd", "faster", None, 10),
    ("cat task_vma", "cat /proc/[0-9]*/maps", "faster", 1, 2),
    ("cat kmem_cache", "slabtop -o", "faster", 1, 5),
    ("cat kmem_cache", "cat /proc/slabinfo", "faster", None, 1),
    ("read 4 KiB of pid/PID/task_file", "read 4 KiB of /proc/PID/maps", "times", None, 2),
)
VIEWS = ("task", "task_file", "task_vma", "kmem_cache")
DRAIN_GOALS = {"text": 1.3, "json": 1.6, "csv": 1.3}

# The same of views that are measured in other populations: see objects.py.
FIVE = ("stat", "status", "io", "limits", "cgroup")
ONE_PROCESS, FIVE_FILES = "pid/PID/process", f"/proc/PID/{{{','.join(FIVE)}}}"
OBJECT_RATIOS = (
    ("cat process", "ps -eo (27 columns)", "faster", None, 30),
    ("cat process", "ps -ef", "faster", None, None),
    (f"read {ONE_PROCESS}", f"read {FIVE_FILES}", "times", None, 1),
    ("cat tcp", "ss -tan", "faster", None, 2),
    ("cat tcp", "cat /proc/net/tcp", "faster", None, None),
    ("cat unix", "ss -xan", "faster", None, 1),
    ("cat unix", "cat /proc/net/unix", "faster", None, None),
    ("cat socket", "lsof -n -P -i", "faster", None, 50),
    ("cat socket", "ss -tanp", "faster", None, 5),
    ("cat cgroup", "find CGROUP2 -type d", "faster", None, 10),
    ("cat bpf_prog", "bpftool prog", "faster", None, 20),
    ("cat process_args", "ps -eo pid,args", "faster", None, 5),
)
# A drain of process_args fetches no arguments.
OBJECT_DRAIN_GOALS = {
    "process": 1.3, "process_args": None, "tcp": 1.2, "unix": 1.2, "socket": 1.2, "cgroup": None, "bpf_prog": None
}
OBJECT_TIMES_MS = {("process", 10000): 30, ("cgroup", 10000): 15}

# At most so many milliseconds.
TIMES_MS = {
    "kview mount": 150,
    "kview cat task": 60,
    "kview cat task, no pins": 60,
    "head -1 task_file": 5,
}

# At most so many KiB of memory: proportional set size, holder and worker.
MEMORY_KIB = {
    "idle": (None, 6144),
    "64 files being read": (16384, 12288),
    "growth by many rows": (None, 256),
}
# Growth with size: of the time per row, and of small reads.
FLAT_ROW, FLAT_READ = 1.25, 1.2


def file_of(view, fmt):
    return view if fmt == "text" else f"{fmt}/{view}.{fmt}"


def comparisons():
    yield from RATIOS
    for view in VIEWS:
        for fmt, goal in DRAIN_GOALS.items():
            yield f"read {file_of(view, fmt)}", f"drain {view}", "times", None, goal
        yield f"cat PIN {view}", f"drain {view}", "times", None, None
        yield f"kview cat {view}", f"cat {view}", "times", None, None
    yield "kview cat -c pid,comm task", "kview cat task", "times", None, None


def object_comparisons():
    yield from OBJECT_RATIOS
    for view, goal in OBJECT_DRAIN_GOALS.items():
        yield f"read {view}", f"drain {view}", "times", None, goal
        yield f"kview cat {view}", f"cat {view}", "times", None, None


def is_met(how, value, limit):
    if limit is None:
        return None
    return value >= limit if how == "faster" else value <= limit


class Report:
    """Rounds of every measurement, in the order they first came."""

    def __init__(self, machine, population):
        self.machine = machine
        self.population = population
        self.rounds = {}
        self.rows = {}
        self.checks = []
        self.notes = []

    def add(self, what, ns):
        self.rounds.setdefault(what, []).append(ns)

    def check(self, what, peer, how, values, target, goal, unit=""):
        """@values: of each round; what counts is the median."""
        value = statistics.median(values)
        self.checks.append(
            {
                "what": what,
                "against": peer,
                "how": how,
                "unit": unit,
                "value": value,
                "min": min(values),
                "max": max(values),
                "target": target,
                "target_met": is_met(how, value, target),
                "goal": goal,
                "goal_met": is_met(how, value, goal),
            }
        )

    def compare(self, partly=False):
        """@partly: only some of it was to be measured."""
        for what, peer, how, target, goal in comparisons():
            if what not in self.rounds or peer not in self.rounds:
                if not partly:
                    self.notes.append(f"not measured: {what} against {peer}")
                continue
            pairs = zip(self.rounds[what], self.rounds[peer])
            values = [b / a if how == "faster" else a / b for a, b in pairs]
            self.check(what, peer, how, values, target, goal)
        for what, limit in TIMES_MS.items():
            if partly and what not in self.rounds:
                continue
            values = [ns / 1e6 for ns in self.rounds[what]]
            self.check(what, "", "at most", values, None, limit, "ms")

    def compare_objects(self):
        for what, peer, how, target, goal in object_comparisons():
            if what in self.rounds:
                pairs = zip(self.rounds[what], self.rounds[peer])
                values = [b / a if how == "faster" else a / b for a, b in pairs]
                self.check(what, peer, how, values, target, goal)
        view, n = self.population["view"], self.population["objects"]
        limit = OBJECT_TIMES_MS.get((view, n))
        if limit:
            values = [ns / 1e6 for ns in self.rounds[f"cat {view}"]]
            self.check(f"cat {view}", "", "at most", values, None, limit, "ms")

    def check_memory(self, what, kib):
        target, goal = MEMORY_KIB[what]
        self.check(what, "", "at most", [kib], target, goal, "KiB")

    def check_flat(self, what, per_row, sizes):
        """@per_row: nanoseconds per row at each of @sizes, smallest first."""
        self.check(
            f"{what}, {sizes[-1]:,} tasks",
            f"the same with {sizes[0]:,} tasks",
            "times",
            [per_row[-1] / per_row[0]],
            None,
            FLAT_ROW if what.endswith("per row") else FLAT_READ,
        )

    def measurement(self, what):
        times, rows = self.rounds[what], self.rows.get(what)
        median = statistics.median(times)
        return {
            "what": what,
            "rounds": times,
            "median_ns": median,
            "min_ns": min(times),
            "max_ns": max(times),
            "rows": rows,
            "ns_per_row": median / rows if rows else None,
        }

    def everything(self):
        return {
            "population": self.population,
            "measurements": [self.measurement(what) for what in self.rounds],
            "checks": self.checks,
            "notes": self.notes,
        }

    def show(self):
        print()
        print(f"population: {population_text(self.population)}")
        show_times([self.measurement(what) for what in self.rounds], self.checks)
        others = [c for c in self.checks if c["what"] not in self.rounds]
        if others:
            show_others(others)
        for note in self.notes:
            print(f"note: {note}")


def population_text(p):
    if "events" in p:
        what = p["events"]
    elif "objects" in p:
        what = f"{p['objects']:,} objects made for {p['view']}"
    else:
        what = (
            f"{p['threads']:,} threads in {p['procs']:,} processes, {p['fds']:,} "
            f"descriptors, {p['maps']:,} mappings"
        )
    return f"{what}; {p['rounds']} rounds, medians"


def save(path, reports):
    """One object; the report of each population in turn."""
    found = {"machine": reports[0].machine, "reports": [r.everything() for r in reports]}
    with open(path, "w", encoding="utf-8") as f:
        json.dump(found, f, indent=1)
        f.write("\n")


def show(reports):
    m = reports[0].machine
    print(
        f"{m['cpu']}, {m['cpus']} CPUs, {m['memory_mib']} MiB, {m['kernel']}, "
        f"load {m['load_before']:.1f} to {m['load_after']:.1f}"
    )
    for report in reports:
        report.show()
    show_sum([c for report in reports for c in report.checks])


def figure(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def limit_text(check, name):
    limit, met = check[name], check[f"{name}_met"]
    if limit is None:
        return ""
    sign = ">=" if check["how"] == "faster" else "<="
    return f"{sign}{limit:,}{'' if met else ' MISS'}"


UNITS = {"faster": "x as fast", "times": "x as long"}


def check_columns(check):
    number = figure(check["value"]) + UNITS.get(check["how"], " " + check["unit"])
    spread = f"{figure(check['min'])}-{figure(check['max'])}"
    if check["min"] == check["max"]:
        spread = ""
    limits = (limit_text(check, "target"), limit_text(check, "goal"))
    line = f"{number:>14} {check['against']:29} {spread:>12}  {limits[0]:12} {limits[1]}"
    return line.rstrip()


CHECK_HEADER = f"{'this is':>14} {'as':29} {'min-max':>12}  {'target':12} goal"


def show_times(measurements, checks):
    print()
    print(
        f"{'what':32} {'ms':>7} {'min':>7} {'max':>7} {'rows':>8} {'ns/row':>7} {CHECK_HEADER}"
    )
    for m in measurements:
        rows = f"{m['rows']:,}" if m["rows"] else ""
        each = f"{m['ns_per_row']:,.0f}" if m["rows"] else ""
        times = [figure(m[k] / 1e6) for k in ("median_ns", "min_ns", "max_ns")]
        line = f"{m['what']:32} {times[0]:>7} {times[1]:>7} {times[2]:>7} {rows:>8} {each:>7} "
        mine = [check_columns(c) for c in checks if c["what"] == m["what"]] or [""]
        print((line + mine[0]).rstrip())
        for more in mine[1:]:
            print(" " * len(line) + more)


def show_others(checks):
    print()
    print(f"{'memory, growth and events':46} {CHECK_HEADER}")
    for c in checks:
        print(f"{c['what']:46} {check_columns(c)}")


def show_sum(checks):
    print()
    for name in ("target", "goal"):
        known = [c for c in checks if c[name] is not None]
        missed = [c for c in known if not c[f"{name}_met"]]
        print(f"{name}s: {len(known) - len(missed)} of {len(known)} met", end="")
        print("".join(f"\n  missed: {c['what']} / {c['against'] or 'limit'}" for c in missed))
