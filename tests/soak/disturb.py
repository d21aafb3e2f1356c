# SPDX-License-Identifier: GPL-2.0-only
"""What befalls the mounts while they are read: workers that are killed, a mount
that goes and comes back or changes hands, commands, pins that come and go.
"""
import os
import random
import signal
import time

import groups
from acts import Tally
from readers import slurp

CRASHES, WITHIN = 4, 11.0  # a holder takes that many kills within so many seconds
RECOVERY = 5.0  # s until an open is served again; far more than it takes


class Disturber:
    """Every few seconds one of ACTIONS to one of its mounts."""

    def __init__(self, board, slot, seed, kview, every):
        self.board, self.slot, self.kview, self.every = board, slot, kview, every
        self.dice = random.Random(f"{seed} disturber")
        self.tally = Tally()
        self.killed = {name: [] for name in ("main", "host", "strict")}
        self.recoveries = []

    def kill_worker(self, name):
        now = time.monotonic()
        self.killed[name] = [t for t in self.killed[name] if now - t < WITHIN]
        status = self.kview.status(name)
        if len(self.killed[name]) >= CRASHES or not status:
            return
        self.killed[name].append(now)
        self.board.upset(name)
        os.kill(status["worker"], signal.SIGKILL)
        self.wait_served(name)

    def wait_served(self, name):
        """Until an open is served; a dying worker may take some along."""
        start = time.monotonic()
        self.board.begin(self.slot)
        while time.monotonic() - start < RECOVERY:
            try:
                slurp(f"{self.kview.mounts[name][0]}/schema/task")
                break
            except ConnectionAbortedError:
                self.tally.errors["ECONNABORTED"] += 1
        self.board.end(self.slot)
        took = time.monotonic() - start
        self.recoveries.append(took)
        if took > 1.0:
            self.tally.fail("recovery", f"{name} served nothing for {took:.1f} s after a kill")

    def remount(self, name):
        if name != "strict":
            return
        self.board.go_away(name)
        # Readers have it open most of the time: then it goes on without a name until they close.
        if self.kview.umount(name).returncode:
            os.system(f"umount -l {self.kview.mounts[name][0]}")
        self.kview.mount(name)
        self.board.come_back(name)
        self.killed[name] = []

    def take_over(self, name):
        """The others' leaks are those of one daemon; this mount's daemon changes."""
        if name != "strict" or not self.kview.status(name):
            return
        with self.board.upsetting(name):
            self.kview.mount(name, "--takeover")
        self.wait_served(name)
        self.killed[name] = []

    ACTIONS = ((8, kill_worker), (1, remount), (6, take_over))

    def run(self):
        weights = [w for w, _ in self.ACTIONS]
        while not self.board.is_over():
            name = self.dice.choice(list(self.killed))
            act = self.dice.choices(self.ACTIONS, weights)[0][1]
            try:
                act(self, name)
                self.tally.counts[act.__name__] += 1
            except (OSError, AssertionError) as e:
                self.tally.fail("disturber", f"{act.__name__} of {name}: {e!r}")
            pause(self.board, self.every * (0.5 + self.dice.random()))
        self.tally.counts["recovery_worst_ms"] = int(max(self.recoveries, default=0) * 1e3)


def pause(board, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end and not board.is_over():
        time.sleep(0.05)


class Commander:
    """kview's commands, as root, with the pins of a mount and with others."""

    def __init__(self, board, slot, seed, kview, soak):
        self.board, self.slot, self.kview, self.soak = board, slot, kview, soak
        self.dice = random.Random(f"{seed} commander")
        self.tally = Tally()
        self.root = groups.Who("kview cat", 0, groups.HOST)
        self.pins = kview.mounts["main"][1]
        self.others = self.pins + "-others"

    def ask(self, *args, may_fail=False):
        began = time.monotonic()
        self.board.begin(self.slot)
        done = self.kview.run(*args)
        self.board.end(self.slot)
        self.tally.took(time.monotonic() - began, f"kview {args}")
        assert may_fail or done.returncode == 0, (args, done.returncode, done.stderr)
        return done.stdout

    def cat(self):
        view, kind = self.dice.choice(self.soak.views), self.dice.choice(("text", "json", "csv"))
        data = self.ask("cat", "-F", kind, "--pin-dir",
                        self.dice.choice((self.pins, self.others)), view)
        rows = groups.parse(view, kind, self.soak.columns[view], data)
        if view in groups.PROC:
            groups.check(rows, self.root, self.soak.groups, view, "kview cat")
        self.tally.counts["readings"] += 1
        self.tally.counts["bytes"] += len(data)

    def load(self):
        self.ask("load", "--pin-dir", self.others)

    def unload(self):
        self.ask("unload", "--pin-dir", self.others, may_fail=not os.path.exists(self.others))

    def status(self):
        name = self.dice.choice(list(self.kview.mounts))
        data = self.ask("status", self.kview.mounts[name][0], may_fail=name != "calm")
        assert name != "calm" or b"\nrestarts\t0\n" in data, data

    def list(self):
        assert len(self.ask("list", "--pin-dir", self.pins).splitlines()) > len(self.soak.views)

    def run(self):
        acts = (self.cat, self.cat, self.load, self.unload, self.status, self.list)
        while not self.board.is_over():
            act = self.dice.choice(acts)
            try:
                act()
                self.tally.counts["commands"] += 1
            except (OSError, AssertionError) as e:
                self.tally.fail("command", f"{act.__name__}: {e!r}")
            pause(self.board, 0.3)
        self.kview.run("unload", "--pin-dir", self.others)
