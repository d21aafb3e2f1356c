#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Mounts that are read in all ways, for MINUTES: soak.py MINUTES BUILD.

Prints TAP. SEED=n repeats the choices of another run, OPS=n does that many
random operations instead of a fifth of the time.
"""
import collections
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cases"))

import daemon
import groups
from acts import Reader, Tally
from board import MAX_WAIT, Board
from disturb import Commander, Disturber
from groups import HOST, PIDNS, USERNS, USERS, Who
from hostile_world import CLONE_NEWPID, CLONE_NEWUSER, become, fork, unshare
from views import COLLECT_VIEWS, VIEWS

# Per reader: python's parsing must leave most of two processors to others.
SHARE = 0.05
# Processes a second that come and go.
RATE = 60
# KiB that a worker may have grown between two quiet moments. Measured: 270 at most
# from half to half of two minutes; 650 over 2,000,000 operations, ever slower, with
# nothing that a leak checker finds. An open file that is lost takes up to 180.
MARGIN = 1024
GIVES_BACK = 40  # s

# Each of the worker's threads keeps some freed pieces of each size for itself. Together they
# hold 1 to 2 MiB, now more and now less, in which a leak would not be seen: so they keep none.
os.environ["GLIBC_TUNABLES"] = "glibc.malloc.tcache_count=0"

# Names that change while they are read: so many rows of each scene of names.c,
# or as many as come in a part of the time. A short soak leaves them to names.bats.
NAMES_FROM = 300  # s
NAMES = ("leaf", "tree", "maps", "exe", "exec")
NAMES_ROWS = 2_000_000
NAMES_SHARE = 0.05
NAMES_USER = 21931

JAILED = "jailed "
READ = b"d"


def readers():
    """All but those in containers."""
    roots = [Who("root", 0, HOST), Who("another root", 0, HOST), Who(JAILED + "root", 0, HOST)]
    users = [Who(f"user {u}", u, HOST) for u in USERS]
    return roots + users + [Who(JAILED + "user", USERS[0], HOST)]


INSIDE = (Who("root of a pid namespace", 0, PIDNS),
          Who("root of a user namespace", groups.USER_NS_OWNER, USERNS))


class Container:
    """A process in namespaces of its own, its group of processes, and readers on demand."""

    def __init__(self, who, soak):
        self.who, self.soak = who, soak
        self.group = next(g for g in soak.groups if g.world == who.world)
        asks, self.ask = os.pipe()
        self.told, tells = os.pipe()
        self.pid = fork(self.enter, asks, tells)
        os.close(asks)
        os.close(tells)
        if who.world == USERNS:
            self.hear()
            self.map_ids()
        self.hear()

    def hear(self):
        """What it tells: "u", it is in its user namespace; "r", ready; the end of its reader."""
        word = os.read(self.told, 1)
        assert word, f"{self.who.name} has ended"
        return word

    def map_ids(self):
        for name, text in (("setgroups", "deny"), ("uid_map", f"0 {self.who.uid} 1"),
                           ("gid_map", f"0 {self.who.uid} 1")):
            with open(f"/proc/{self.pid}/{name}", "w", encoding="ascii") as file:
                file.write(text)
        os.write(self.ask, b"m")

    def enter(self, asks, tells):
        os.close(self.ask)
        if self.who.world == USERNS:
            become(self.who.uid)
            unshare(CLONE_NEWUSER | CLONE_NEWPID)
            os.write(tells, b"u")
            os.read(asks, 1)
        else:
            unshare(CLONE_NEWPID)
        os.waitpid(fork(self.be_init, asks, tells), 0)

    def be_init(self, asks, tells):
        self.group.start()
        os.write(tells, b"r")
        while slot := os.read(asks, 64):
            # The groups' rows were not known as this process began.
            self.soak.load_groups()
            _, status = os.waitpid(fork(self.soak.be_reader, self.who, int(slot)), 0)
            os.write(tells, b"f" if status else READ)

    def read(self, slot):
        os.write(self.ask, f"{slot}".encode())

    def end(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


class Stopped(Exception):
    """It makes no sense to go on: the reason has been told."""


class Soak:
    def __init__(self, minutes, build):
        self.seconds = float(minutes) * 60
        self.build = os.path.abspath(build)
        self.seed = int(os.environ.get("SEED") or time.time_ns() // 1000 % 1000000)
        self.directory = tempfile.mkdtemp(prefix="kview-soak-")
        os.chmod(self.directory, 0o755)
        pins = f"/sys/fs/bpf/{os.path.basename(self.directory)}"
        # Kernels that let nobody attach to functions have no `refused`.
        self.collected = [view for view in COLLECT_VIEWS if view != "refused"]
        # Who takes over without the words removes the pins, and `strict` is taken over.
        collect = f"collect={'+'.join(self.collected)}"
        options = {"calm": "allow_other", "main": f"allow_other,{collect}",
                   "host": "allow_other,view=host", "strict": f"allow_other,hidepid=2,{collect}"}
        self.kview = daemon.Kview(f"{self.build}/kview", {
            name: (f"{self.directory}/{name}", pins + ("-calm" if name == "calm" else ""), o)
            for name, o in options.items()})
        self.paths = {name: m[0] for name, m in self.kview.mounts.items()}
        self.board, self.groups = Board(), groups.make_groups()
        self.tests, self.is_well = 0, True
        self.children, self.held = {}, set()

    def tool(self, name):
        return f"{self.build}/tests/{name}"

    # --- TAP ---

    def say(self, words):
        print("#", words, flush=True)

    def test(self, name, problems):
        self.tests += 1
        self.is_well &= not problems
        print("not ok" if problems else "ok", self.tests, "-", name, flush=True)
        for problem in problems:
            self.say("  " + str(problem).replace("\n", "\n# "))

    # --- up and down ---

    def set_up(self):
        for name in self.kview.mounts:
            self.kview.mount(name)
        self.views = sorted(n for n in os.listdir(f"{self.paths['calm']}/schema") if n in VIEWS)
        self.columns = {}
        for view in self.views:
            lines = self.kview.run("schema", view).stdout.decode().splitlines()
            self.columns[view] = [x.split("\t")[0] for x in lines if not x.startswith("column\t")]
        for group in self.groups:
            group.prepare(self.directory, self.tool("cases/crowd"))
            if group.world == HOST:
                group.start()
        self.containers = [Container(who, self) for who in INSIDE]
        for group in self.groups:
            group.look()
        self.save_groups()

    def save_groups(self):
        rows = [[g.pids, list(g.inner.items()), {v: list(c.items()) for v, c in g.rows.items()}]
                for g in self.groups]
        with open(f"{self.directory}/groups.json", "w", encoding="utf-8") as file:
            json.dump(rows, file)

    def load_groups(self):
        with open(f"{self.directory}/groups.json", encoding="utf-8") as file:
            for group, (pids, inner, rows) in zip(self.groups, json.load(file)):
                group.pids, group.inner = pids, dict(map(tuple, inner))
                group.rows = {v: collections.Counter({tuple(k): n for k, n in c})
                              for v, c in rows.items()}

    def tear_down(self):
        """Whatever state it is in."""
        self.board.stop()
        for pid in self.children:
            os.kill(pid, signal.SIGKILL)
        for container in getattr(self, "containers", ()):
            container.end()
        for group in self.groups:
            if hasattr(group, "process"):
                group.process.kill()
        os.system(f"umount -l {self.directory}/names 2>/dev/null")
        for path, pins, _ in self.kview.mounts.values():
            while os.system(f"umount -l {path} 2>/dev/null") == 0:
                pass
            for directory in (pins, pins + "-others"):  # the commander's
                self.kview.run("unload", "--pin-dir", directory)
        shutil.rmtree(self.directory, ignore_errors=True)

    # --- processes of a phase ---

    def report_file(self, slot):
        return f"{self.directory}/report.{slot}"

    def be_reader(self, who, slot):
        # Before it is somebody else: in a user namespace it may not create it.
        out = os.open(self.report_file(slot), os.O_WRONLY | os.O_TRUNC)
        if who.name.startswith(JAILED):
            os.chroot(self.directory)
            os.chdir("/")
            self.paths = {name: f"/{name}" for name in self.paths}
        if who.uid and who.world == HOST:
            become(who.uid)
        reader = Reader(self.board, slot, who, self.seed, self)
        reader.run(SHARE)
        reader.tally.write(out)

    def be_other(self, worker, slot):
        worker.run()
        with open(self.report_file(slot), "wb", buffering=0) as file:
            worker.tally.write(file.fileno())

    def read_for(self, seconds, is_disturbed):
        """All readers for so long. Their tallies, and the problems that only others see."""
        self.board.start()
        outside = readers()
        n = len(outside) + len(self.containers) + 2
        for slot in range(n):
            os.close(os.open(self.report_file(slot), os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o666))
            os.chmod(self.report_file(slot), 0o666)
        for slot, who in enumerate(outside):
            self.children[fork(self.be_reader, who, slot)] = who.name
        for slot, container in enumerate(self.containers, len(outside)):
            container.read(slot)
        workers = [Commander(self.board, n - 2, self.seed, self.kview, self)]
        if is_disturbed:
            workers.append(Disturber(self.board, n - 1, self.seed, self.kview, 4.0))
        for worker in workers:
            self.children[fork(self.be_other, worker, worker.slot)] = type(worker).__name__
        problems = self.watch(time.monotonic() + seconds)
        problems += self.join()
        return [self.tally(slot) for slot in range(n)], problems

    def watch(self, end):
        while time.monotonic() < end:
            time.sleep(0.2)
            if hung := self.board.hanging():
                for line in (x for pid in self.processes() for x in daemon.where(pid)):
                    self.say(line)
                self.board.stop()
                return [f"slot {s}: more than {MAX_WAIT:.0f} s in one operation" for s in hung]
        self.board.stop()
        return []

    def join(self):
        problems = []
        end = time.monotonic() + 2 * MAX_WAIT
        while self.children and time.monotonic() < end:
            pid, status = os.waitpid(-1, os.WNOHANG)
            name = self.children.pop(pid, None)
            if name and status:
                problems.append(f"{name} ended with status {status}")
            time.sleep(0 if pid else 0.02)
        problems += [f"{name} does not end" for name in self.children.values()]
        if not problems:
            problems = [f"{c.who.name} failed" for c in self.containers if c.hear() != READ]
        return problems

    def tally(self, slot):
        with open(self.report_file(slot), encoding="utf-8") as file:
            text = file.read()
        return json.loads(text) if text else vars(Tally())

    # --- the phases ---

    def random_operations(self):
        """In two halves: the second is measured, as what the allocator keeps at first is no leak."""
        n = os.environ.get("OPS")
        half = (int(n) // 2, 86400) if n else (1 << 40, self.seconds / 10)
        first, problems = self.operate(self.seed, *half)
        before = daemon.measure(self.kview, "calm")
        second, more = self.operate(self.seed + 1, *half)
        after = self.settled("calm", before)
        self.say(f"random operations, first half: {first}")
        self.say(f"random operations, second half: {second}")
        self.test(f"{first['operations'] + second['operations']} random operations of users: "
                  "no error that should not be, none hangs", problems + more)
        self.compare("after them the daemon is as before", before, after,
                     second.get("error.EIO", 0))

    def operate(self, seed, n, seconds):
        """What random_ops says, and what went wrong."""
        done = subprocess.run(
            [self.tool("soak/random_ops"), self.paths["calm"],
             *map(str, (n, seconds, seed, *USERS[:4]))],
            stdout=subprocess.PIPE, check=False, text=True)
        lines = [x.split(" ", 1) for x in done.stdout.splitlines()]
        problems = [x for what, x in lines if what == "bad"]
        if done.returncode and not problems:
            problems = [f"random_ops ended with status {done.returncode}"]
        said = {what: float(x) if "." in x else int(x) for what, x in lines
                if what != "bad" and not what.startswith("operation.")}
        return said, problems

    def settled(self, name, before):
        """Freed memory goes back to the system within half a minute; what stays is a leak."""
        end = time.monotonic() + GIVES_BACK
        while True:
            after = daemon.measure(self.kview, name)
            grown = [x for x in daemon.leaks(before, after, MARGIN) if x.startswith("memory")]
            if not grown or time.monotonic() > end:
                return after
            time.sleep(1)

    def compare(self, name, before, after, errors):
        self.say(f"before: {daemon.words(before)}")
        self.say(f"after:  {daemon.words(after)}")
        problems = daemon.leaks(before, after, MARGIN)
        failed = sum(after.status[f"{v}.errors"] - before.status[f"{v}.errors"] for v in self.views)
        if failed > errors:
            problems.append(f"{failed} reads failed for the server, and {errors} for readers")
        if after.status["restarts"]:
            problems.append("its worker was replaced")
        self.test(name, problems)

    def read(self):
        directory = f"{self.directory}/churn"
        os.mkdir(directory)
        os.chmod(directory, 0o777)
        churn = subprocess.Popen([self.tool("soak/churn"), str(RATE), str(self.seed), directory],
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        warm = min(60.0, self.seconds / 10)
        self.judge("warm-up", *self.read_for(warm, False))
        before = {name: daemon.measure(self.kview, name) for name in self.paths}
        tallies, problems = self.read_for(max(10.0, self.seconds * 0.7 - 5), True)
        self.judge("readers", tallies, problems)
        after = {name: self.settled(name, before[name]) for name in self.paths}
        self.say(f"processes that came meanwhile: {churn.communicate()[0].decode().strip()}")
        self.held = {x for m in after.values() for x in m.objects}
        self.say(f"entries that killed readers left: {len(after['main'].registered)}")
        eio = sum(t["errors"].get("EIO", 0) for t in tallies)
        self.compare("the daemon whose worker never ended is as after the warm-up",
                     before["calm"], after["calm"], eio)
        for name in ("main", "host"):
            self.test(f"the daemon of '{name}', whose workers were killed, is too",
                      daemon.leaks(before[name], after[name], MARGIN, is_killed=True))

    def judge(self, phase, tallies, problems):
        counts, errors = collections.Counter(), collections.Counter()
        for tally in tallies:
            counts.update(tally["counts"])
            errors.update(tally["errors"])
        self.say(f"{phase}: {dict(counts)}")
        self.say(f"{phase}: errors that may be: {dict(errors)}")
        seconds, what = max(t["worst"] for t in tallies)
        self.say(f"{phase}: longest operation {seconds:.2f} s, {what}")
        found = [f for t in tallies for f in t["failures"]]

        def of(*kinds):
            return [f for f in found if f.split(":")[0] in kinds]

        few = [] if counts["readings"] >= 10 else ["there were hardly any"]
        self.test(f"{phase}: {counts['readings']} whole readings: well formed, every row that is "
                  "for the reader once, none that is not", of("rows") + few)
        self.test(f"{phase}: no error but those that are documented", of("error"))
        self.test(f"{phase}: nobody waits for more than {MAX_WAIT:.0f} s", problems)
        self.test(f"{phase}: {counts['commands']} commands succeed", of("command"))
        if phase == "readers":
            self.test(f"{counts['kill_worker']} killed workers are replaced, within "
                      f"{counts['recovery_worst_ms']} ms at most", of("recovery", "disturber"))
        if problems:
            raise Stopped

    def names(self):
        problems, rows = [], 0
        directory = f"{self.directory}/names"
        for scene in NAMES:
            os.makedirs(directory, exist_ok=True)
            self.mount_tmpfs(directory)
            done = subprocess.run(
                [self.tool("cases/names"), scene, directory, self.paths["calm"], str(NAMES_USER),
                 str(self.seconds * NAMES_SHARE), str(NAMES_ROWS)],
                stdout=subprocess.PIPE, check=False, text=True)
            subprocess.run(["umount", "-l", directory], check=True)
            said = done.stdout.splitlines() or ["0 rows"]
            self.say(f"names, {scene}: {said[-1]}")
            rows += int(said[-1].split()[0])
            if done.returncode:
                problems.append(f"{scene}: status {done.returncode}, {done.stdout}")
        self.test(f"{rows} rows while names change: each name is one that there was", problems)

    @staticmethod
    def mount_tmpfs(directory):
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=777", "names", directory], check=True)

    def nothing_is_left(self):
        problems = []
        for name, (path, pins, _) in self.kview.mounts.items():
            done = self.kview.umount(name)
            if done.returncode:
                problems.append(f"umount of {name}: {done.stderr}")
            if os.path.exists(pins) and pins.endswith("-calm"):
                problems.append(f"{pins} is left")
        if os.path.exists(self.kview.mounts["main"][1]):
            problems.append("pins are left")
        with open("/proc/self/mounts", encoding="utf-8") as file:
            problems += [f"left: {x}" for x in file if self.directory in x]
        daemon.wait_for(lambda: not self.processes())
        problems += [f"left: process {p}" for p in self.processes()]
        daemon.wait_for(lambda: not [x for x in self.held if daemon.exists(*x)])
        problems += [f"left: {kind} {n}" for kind, n in self.held if daemon.exists(kind, n)]
        self.test("after umount no process, mount, pin, link, program or map is left", problems)

    def processes(self):
        """Daemons of ours: their command line names the mount point."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    words = file.read().split(b"\0")
            except OSError:
                continue
            if b"mount" in words and any(p.encode() in words for p in self.paths.values()):
                found.append(int(pid))
        return found

    def run(self):
        self.say(f"SEED={self.seed}, {self.seconds:.0f} s")
        start = time.monotonic()
        try:
            self.set_up()
            self.random_operations()
            self.read()
            if self.seconds >= NAMES_FROM:
                self.names()
            self.nothing_is_left()
        except Stopped:
            self.say("stopped")
        except (Exception, SystemExit) as e:
            self.test("the soak itself", [repr(e)])
            raise
        finally:
            self.tear_down()
            print(f"1..{self.tests}", flush=True)
            self.say(f"took {time.monotonic() - start:.0f} s")
        return 0 if self.is_well else 1


if __name__ == "__main__":
    os.nice(5)
    # The suite's time is over: clean up even so.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    sys.exit(Soak(*sys.argv[1:]).run())
