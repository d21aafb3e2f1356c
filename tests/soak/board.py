# SPDX-License-Identifier: GPL-2.0-only
"""What the processes of a soak share in memory: what was done to which mount
and when, who is in which system call since when, and when to stop.
"""
import contextlib
import mmap
import time

MAX_WAIT = 10.0  # s, of any operation: longer is a hang
AROUND = 1.5  # s after a worker's end in which requests may be aborted
MOUNTS = ("calm", "main", "host", "strict")
STOP, FIRST_MOUNT, FIRST_SLOT, SLOTS = 0, 8, 64, 64
UPSET, AWAY_FROM, AWAY_UNTIL = range(3)


class Board:
    def __init__(self):
        self.cells = memoryview(mmap.mmap(-1, 8 * (FIRST_SLOT + SLOTS))).cast("d")

    def start(self):
        self.cells[STOP] = 0.0

    def stop(self):
        self.cells[STOP] = 1.0

    def is_over(self):
        return self.cells[STOP] != 0.0

    # --- what happens to mounts ---

    def _at(self, mount, what):
        return FIRST_MOUNT + 4 * MOUNTS.index(mount) + what

    def upset(self, mount):
        """To be said right before: its worker ends, and another serves."""
        self.cells[self._at(mount, UPSET)] = time.monotonic()

    @contextlib.contextmanager
    def upsetting(self, mount):
        """The same, sometime within; under load that may be seconds."""
        self.cells[self._at(mount, UPSET)] = float("inf")
        try:
            yield
        finally:
            self.upset(mount)

    def go_away(self, mount):
        """To be said right before: it is unmounted."""
        self.cells[self._at(mount, AWAY_UNTIL)] = float("inf")
        self.cells[self._at(mount, AWAY_FROM)] = time.monotonic()

    def come_back(self, mount):
        self.cells[self._at(mount, AWAY_UNTIL)] = time.monotonic()

    def was_upset(self, mount, since):
        return self.cells[self._at(mount, UPSET)] >= since

    def was_away(self, mount, since):
        away = self.cells[self._at(mount, AWAY_FROM)]
        return away > 0 and self.cells[self._at(mount, AWAY_UNTIL)] >= since

    # --- who waits ---

    def begin(self, slot):
        self.cells[FIRST_SLOT + slot] = time.monotonic()

    def end(self, slot):
        self.cells[FIRST_SLOT + slot] = 0.0

    def hanging(self):
        """Slots of those who wait for too long."""
        late = time.monotonic() - MAX_WAIT
        return [i for i in range(SLOTS) if 0.0 < self.cells[FIRST_SLOT + i] < late]
