# SPDX-License-Identifier: GPL-2.0-only
"""Running programs under a deadline, and what the kernel says of a process.

Knows nothing of kview. Times are wall-clock nanoseconds.
"""

import os
import signal
import statistics
import subprocess
import time

LIMIT = 120  # seconds for any one step


class Failed(Exception):
    """Measuring itself went wrong: the figures would mean nothing."""


def _kill_late(pid):
    os.kill(pid, signal.SIGKILL)
    for _ in range(200):
        if os.waitpid(pid, os.WNOHANG)[0]:
            return
        time.sleep(0.01)


def command_ns(argv, ok=(0,), limit=LIMIT):
    """From starting a program to its end, its output thrown away by itself."""

    def late(_signal, _frame):
        raise TimeoutError

    null = [
        (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0),
        (os.POSIX_SPAWN_OPEN, 2, "/dev/null", os.O_WRONLY, 0),
    ]
    old = signal.signal(signal.SIGALRM, late)
    begin = time.perf_counter_ns()
    pid = os.posix_spawnp(argv[0], argv, os.environ, file_actions=null)
    try:
        signal.alarm(limit)
        status = os.waitpid(pid, 0)[1]
        took = time.perf_counter_ns() - begin
    except BaseException as e:
        _kill_late(pid)
        if isinstance(e, TimeoutError):
            raise Failed(f"{' '.join(argv)[:80]}: not done after {limit} s") from e
        raise
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, old)
    if os.waitstatus_to_exitcode(status) not in ok:
        code = os.waitstatus_to_exitcode(status)
        raise Failed(f"{' '.join(argv)[:80]}: status {code}")
    return took


def output(argv, limit=LIMIT):
    """What a program prints; any failure of it is one of measuring."""
    try:
        return subprocess.run(
            argv, capture_output=True, text=True, errors="replace", timeout=limit, check=True
        ).stdout
    except subprocess.CalledProcessError as e:
        raise Failed(f"{' '.join(argv)[:80]}: {e.stderr.strip()}") from e
    except subprocess.TimeoutExpired as e:
        raise Failed(f"{' '.join(argv)[:80]}: not done after {limit} s") from e


def helper_ns(argv):
    """Median of the times that a helper prints, one per line."""
    lines = output(argv).split("\n")
    return int(statistics.median(int(x) for x in lines if x.isdigit()))


class Waiting:
    """A helper that says "ready ..." and then stays until its input ends."""

    def __init__(self, argv):
        self.process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        signal.signal(signal.SIGALRM, lambda _s, _f: self.process.kill())
        signal.alarm(LIMIT)
        self.said = self.process.stdout.readline().split()
        signal.alarm(0)
        if self.said[:1] != ["ready"]:
            self.close()
            raise Failed(f"{' '.join(argv)[:80]}: it did not get ready")

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            self.process.kill()


def _kib(path, field):
    with open(path, encoding="utf-8", errors="replace") as f:
        for line in f:
            if line.startswith(field + ":"):
                return int(line.split()[1])
    raise Failed(f"{path} has no {field}")


def status_kib(pid, field):
    return _kib(f"/proc/{pid}/status", field)


def pss_kib(pid):
    """Proportional set size: a page that n processes map counts 1/n in each."""
    return _kib(f"/proc/{pid}/smaps_rollup", "Pss")


def reset_peak(pid):
    """VmHWM starts anew: proc(5), clear_refs."""
    with open(f"/proc/{pid}/clear_refs", "w", encoding="ascii") as f:
        f.write("5")


def machine():
    def field(path, name):
        with open(path, encoding="utf-8", errors="replace") as f:
            for line in f:
                if line.startswith(name):
                    return line.split(":", 1)[1].strip()
        return "unknown"

    memory = int(field("/proc/meminfo", "MemTotal").split()[0])
    return {
        "cpu": field("/proc/cpuinfo", "model name"),
        "cpus": os.cpu_count(),
        "memory_mib": memory // 1024,
        "kernel": " ".join((os.uname().sysname, os.uname().release, os.uname().machine)),
        "load_before": os.getloadavg()[0],
    }
