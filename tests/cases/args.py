#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The view process_args against /proc/PID/cmdline.

  args.py same MNT ARGS FILE         processes of many shapes, FILE in the place of some arguments
  args.py machine MNT                all processes that are there
  args.py restless MNT ARGS FILE     arguments that change while they are read
  args.py ending MNT                 processes that begin and end meanwhile, and numbers
  args.py waiting MNT                the same while the reader waits, who chooses how long
  args.py in_time_namespaces MNT KVIEW   in time namespaces, by when the processes began
  args.py stuck MNT STUCK DIR N      N processes of one user that hold their memory, one of root
  args.py dead MNT HANG FILE FUSE    those whose arguments are on a file that nobody serves
  args.py hangs MNT HANG FILE FUSE   a courier that is left with the memory of a process
"""

import contextlib
import csv
import io
import json
import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time

MAX = 16384
MARK = b"(too long)"
BUSY = "(busy)"
UNREADABLE = "(unreadable)"
COURIER = 4000000000
SECOND = 1.0
CLK_TCK = os.sysconf("SC_CLK_TCK")


def cmdline(pid):
    """The bytes; None: the kernel refuses."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read()
    except OSError as error:
        if error.errno == 14:  # EFAULT
            return None
        raise


def strings(data):
    return (data[:-1] if data.endswith(b"\0") else data).split(b"\0")


def shown(data):
    """As kview has it: a list of byte strings; None; or a word."""
    if data is None:
        return UNREADABLE
    if not data:
        return None
    if len(data) > MAX:
        return strings(data[:MAX]) + [MARK]
    return strings(data)


def as_json(want):
    if isinstance(want, str):
        return [want]
    return want and [utf8(s) for s in want]


def utf8(data):
    out = ""
    while data:
        try:
            return out + data.decode()
        except UnicodeDecodeError as error:
            out += data[:error.start].decode() + "\ufffd"
            data = data[error.start + 1:]
    return out


def rows(path):
    with open(path, encoding="utf-8", newline="\n") as file:
        return [json.loads(line) for line in file]


def row_of(mnt, pid):
    found = rows(f"{mnt}/pid/{pid}/json/process_args.json")
    assert len(found) == 1 and found[0]["pid"] == pid, found
    return found[0]


def unescape(field):
    out, i = b"", 0
    while i < len(field):
        if field[i:i + 1] == b"\\":
            out += bytes([int(field[i + 1:i + 4], 8)])
            i += 4
        else:
            out += field[i:i + 1]
            i += 1
    return out


def compare(mnt, pid):
    before = cmdline(pid)
    row = row_of(mnt, pid)
    with open(f"{mnt}/pid/{pid}/process_args", "rb") as file:
        _, text = file.read().splitlines()
    with open(f"{mnt}/pid/{pid}/csv/process_args.csv", "rb") as file:
        lines = list(csv.reader(io.StringIO(file.read().decode("latin-1"), newline="")))
    assert cmdline(pid) == before, "it was to stay as it is"
    want = shown(before)
    assert row["args"] == as_json(want), (pid, str(row)[:300], str(before)[:300])
    joined = b"" if want is None else want.encode() if isinstance(want, str) else b" ".join(want)
    fields = text.split()
    assert len(fields) == 4, text[:300]
    assert unescape(fields[2]) == (joined or b"-"), (fields[2][:300], joined[:300])
    assert len(lines) == 2 and lines[1][2].encode("latin-1") == joined, str(lines)[:300]


@contextlib.contextmanager
def running(argv, **how):
    child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **how)
    try:
        line = child.stdout.readline()
        assert line, f"{str(argv)[:100]} did not start"
        child.said = line.decode().strip()
        yield child
    finally:
        child.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(5)
        child.kill()
        child.wait()
        child.stdout.close()


def raise_stack():
    resource.setrlimit(resource.RLIMIT_STACK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


GIVEN = (
    [],
    [""],
    ["", "", "x", "", ""],
    ["a b", "\t", "\n", "a\nb\\n", '"', "'", "\x1b[31m", "\x7f"],
    ["-", "--", "(busy)", "(unreadable)", "(too long)"],
    [b"\xff\xfe", b"\xc3\xa4\xc3", b"\xf0\x9f\x98\x80", b"\x80"],
    ["x" * (MAX - 100)],
    ["x" * (131072 - 1)],
    ["y" * 100000] * 20,
    ["z"] * 500000,
)
SHAPES = ("plain", "open", "nul", "nuls", "hole", "none", "file", "second", "fault")


def lengths(program):
    """Of all arguments together: around the limit."""
    given = len(program) + 1 + len("own") + 1
    return [["x" * (MAX - given - 1 + n)] for n in (-1, 0, 1, 2)]


def same(mnt, program, file):
    n = 0
    for args in (*GIVEN, *lengths(program)):
        with running([program, "own", *args], preexec_fn=raise_stack) as child:
            compare(mnt, child.pid)
            n += 1
    for shape in SHAPES:
        with running([program, shape, file]) as child:
            compare(mnt, child.pid)
            n += 1
    zombie = os.fork()
    if not zombie:
        os._exit(0)
    os.waitid(os.P_PID, zombie, os.WEXITED | os.WNOWAIT)
    assert row_of(mnt, zombie)["args"] is None
    os.waitpid(zombie, 0)
    print(f"# {n} shapes, with up to {2 << 20} bytes")


def machine(mnt):
    """All that are there before and after with the same arguments have them."""
    def look():
        found = {}
        for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
            with contextlib.suppress(OSError):
                found[pid] = cmdline(pid)
        return found
    before = look()
    view = {r["pid"]: r["args"] for r in rows(f"{mnt}/json/process_args.json")}
    after = look()
    n = 0
    for pid, data in before.items():
        if after.get(pid, 0) != data or pid not in view:
            continue
        assert view[pid] == as_json(shown(data)), (pid, view[pid], data)
        n += 1
    assert n > 10 and os.getpid() in view
    print(f"# {n} processes")


def restless(mnt, program, file):
    """What /proc can show, kview can, and nothing else."""
    allowed = {"x", "y"}
    with running([program, "rewrite"]) as rewrite, running([program, "flip", file]) as flip:
        seen, end = set(), time.monotonic() + 5
        while time.monotonic() < end:
            for child in (rewrite, flip):
                args = row_of(mnt, child.pid)["args"]
                if args in ([UNREADABLE], [BUSY]):
                    seen.add(args[0])
                    assert child is flip
                    continue
                letters = set("".join(args or ()))
                assert letters <= allowed, letters
                seen.add(("rewrite" if child is rewrite else "flip", "".join(sorted(letters))))
        assert ("rewrite", "x") in seen and ("rewrite", "y") in seen, seen
        print(f"# seen: {sorted(map(str, seen))}")


def spawn_at(pid, argv):
    """At that number, if nobody else gets it."""
    with open("/proc/sys/kernel/ns_last_pid", "w", encoding="ascii") as file:
        file.write(str(pid - 1))
    return os.posix_spawn(argv[0], argv, os.environ)


def begun(pid):
    """In ticks since boot."""
    with open(f"/proc/{pid}/stat", "rb") as file:
        return int(file.read().rpartition(b") ")[2].split()[19])


def ending(mnt):
    """A row has the arguments of its own process, whatever gets its number a moment later."""
    stop, of_word, numbers = threading.Event(), {}, set()

    def storm():
        pid = os.posix_spawn("/bin/true", ["true"], os.environ)
        os.waitpid(pid, 0)
        while not stop.is_set():
            word = f"0.{len(of_word):06}" # sleep adds it
            now = spawn_at(pid, ["/bin/sleep", "60", word])
            numbers.add(now)
            of_word[word] = begun(now)
            time.sleep(0.011 + random.random() / 200)
            os.kill(now, signal.SIGKILL)
            os.waitpid(now, 0)
    thread = threading.Thread(target=storm)
    seen, began = {}, time.monotonic()
    thread.start()
    try:
        # Longer where the machine is slow, until there was enough to go wrong.
        while time.monotonic() < began + (6 if len(seen) > 20 else 120):
            found = rows(f"{mnt}/json/process_args.json")
            pids = [r["pid"] for r in found]
            assert len(set(pids)) == len(pids) and pids == sorted(pids) and os.getpid() in pids
            for row in found:
                if row["args"] and row["args"][0] == "/bin/sleep" and len(row["args"]) == 3:
                    seen.setdefault(row["args"][2], int(row["start_boot"] * CLK_TCK))
    finally:
        stop.set()
        thread.join()
    wrong = {w: (t, of_word[w]) for w, t in seen.items() if w in of_word and t != of_word[w]}
    assert not wrong, wrong
    assert len(seen) > 20 and len(numbers) < len(of_word) / 2, (len(seen), len(numbers), len(of_word))
    print(f"# {len(seen)} of {len(of_word)} processes seen, which had {len(numbers)} numbers")


def waiting(mnt):
    """The rows before its own are so long that they are fetched in several parts."""
    # The walk may not have come to it when its number is another's: that row is right.
    assert any(is_passed_by(mnt) for _ in range(20)), "the walk was always behind"


def is_passed_by(mnt):
    """Had the walk come to the process, before its number was another's? Then no row mixes them."""
    sizes = "x" * 15000
    with contextlib.ExitStack() as stack:
        kept = [stack.enter_context(running(["/bin/sh", "-c", "echo ready; read x; exit", f"n{i}", sizes]))
                for i in range(40)]
        gone, reused = kept[30], 0
        with open(f"{mnt}/json/process_args.json", "rb") as file:
            text = file.read(4096)
            gone.kill()
            gone.wait()
            for _ in range(20):
                other = spawn_at(gone.pid, ["/bin/sleep", "60", "0.777"])
                stack.callback(os.waitpid, other, 0)
                stack.callback(os.kill, other, signal.SIGKILL)
                if other == gone.pid:
                    reused = other
                    break
            assert reused, "somebody else always had the number"
            text += file.read()
        start = begun(reused)
    found = {row["pid"]: row for row in map(json.loads, text.splitlines())}
    assert kept[39].pid in found and kept[39].pid > gone.pid, "it had all been read before"
    if reused in found and int(found[reused]["start_boot"] * CLK_TCK) == start:
        return False
    assert reused not in found or found[reused]["args"][0] != "/bin/sleep", found[reused]
    return True


def in_time_namespaces(mnt, kview):
    """So long that most are fetched late, when the start is compared."""
    assert rows(f"{mnt}/json/process_args.json")
    sizes = "x" * 15000
    with contextlib.ExitStack() as stack:
        kept = [stack.enter_context(running(["/bin/sh", "-c", "echo ready; read x; exit", f"n{i}", sizes]))
                for i in range(40)]
        for offset in "777777", "-20", "0":
            said = subprocess.run(["unshare", "--time", "--boottime", offset, "--fork", kview, "cat", "-F", "json",
                                   "process_args"], stdout=subprocess.PIPE, check=True, timeout=60).stdout
            found = {row["pid"]: row["args"] for row in map(json.loads, said.splitlines())}
            for child in kept:
                assert found.get(child.pid) == as_json(shown(cmdline(child.pid))), (offset, found.get(child.pid))


# --- what nobody may wait for ---


def timed(function, *args):
    began = time.monotonic()
    result = function(*args)
    return time.monotonic() - began, result


def late():
    """What a busy machine adds."""
    return 0.5 + os.getloadavg()[0] / os.cpu_count()


def couriers():
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if os.stat(f"/proc/{pid}").st_uid == COURIER:
                found[int(pid)] = state_of(pid)
    return found


def others_are_right(mnt, busy):
    """Rows of others, within a second, while @busy have none."""
    others = [os.getpid(), os.getppid()]
    took, found = timed(rows, f"{mnt}/json/process_args.json")
    view = {r["pid"]: r["args"] for r in found}
    assert took < SECOND + late(), f"{took:.2f} s"
    for pid in others:
        assert view[pid] == as_json(shown(cmdline(pid))), view[pid]
    for pid in busy:
        assert view[pid] == [BUSY], (pid, view[pid])
    return took, [r["pid"] for r in found if r["args"] == [BUSY]]


def stuck(mnt, program, place, number):
    number = int(number)
    with contextlib.ExitStack() as stack:
        def start(name, *uid):
            path = os.path.join(place, name)
            with open(path, "w", encoding="ascii"):
                pass
            child = stack.enter_context(running([program, path, "90", *uid]))
            # It hears nothing else, and who reads all mappings meanwhile waits for each.
            stack.callback(child.kill)
            return int(child.said)
        users = [start(f"user{i}", "21001") for i in range(number)]
        root = start("root")
        his = stack.enter_context(running(["setpriv", "--reuid", "21002", "--regid", "21002", "--clear-groups",
                                           "sh", "-c", "echo ready; cat"]))
        worst = 0
        for i in range(8):
            took, busy = others_are_right(mnt, [*users, root])
            view = {r["pid"]: r["args"] for r in rows(f"{mnt}/json/process_args.json")}
            assert view[his.pid] == as_json(shown(cmdline(his.pid)))
            assert set(busy) == {*users, root}, busy
            worst = max(worst, took)
            assert timed(row_of, mnt, users[0])[0] < SECOND + late()
            assert timed(rows, f"{mnt}/json/task.json")[0] < SECOND + late()
            time.sleep(0.2 * (i % 3))
        print(f"# {number + 1} that hold their memory: worst {worst * 1e3:.0f} ms")
        # Many readers at a time pay no more than one.
        readers = [threading.Thread(target=others_are_right, args=(mnt, [root])) for _ in range(20)]
        took = time.monotonic()
        for t in readers:
            t.start()
        for t in readers:
            t.join()
        print(f"# 20 readers at a time: {(time.monotonic() - took) * 1e3:.0f} ms")
    took, busy = others_are_right(mnt, [])
    end = time.monotonic() + 3
    while busy and time.monotonic() < end:  # for a second they are remembered
        took, busy = others_are_right(mnt, [])
    assert not busy, busy


def dead(mnt, program, file, fuse):
    """Arguments on a file that nobody serves, or there and not there in turns."""
    as_user = ["setpriv", "--reuid", "21001", "--regid", "21001", "--clear-groups"]
    for mode in ("args", "flip"):
        with running([*as_user, program, file, "60", fuse, mode]) as child:
            victim, seen = int(child.said), set()
            for _ in range(200):
                took, row = timed(row_of, mnt, victim)
                assert took < SECOND + late(), took
                seen.add("".join(row["args"] or ()))
            assert seen <= {"", "x", UNREADABLE, BUSY}, str(seen)[:300]
            if mode == "args":
                assert seen == {"".join(as_json(shown(cmdline(victim))) or ())}, str(seen)[:300]
            others_are_right(mnt, [])
            print(f"# {mode}: {sorted(seen)}")


def state_of(pid):
    with contextlib.suppress(OSError), open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        return file.read().rpartition(") ")[2][0]
    return None


def wait_for_courier(pids):
    """Until one of them waits."""
    end = time.monotonic() + 1
    while time.monotonic() < end and not any(state_of(pid) == "D" for pid in pids):
        pass


def kill_first(victim, cpu):
    """It ends while nobody else gets that processor."""
    os.sched_setaffinity(0, {cpu})
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    os.kill(victim, signal.SIGKILL)
    end = time.monotonic() + 0.02
    while time.monotonic() < end:
        pass
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def hang(stack, mnt, argv):
    """
    A courier waits for the memory of a process that is killed. It gets to run only after that one
    has ended: so it is the courier that gives the memory back.
    """
    cpus = sorted(os.sched_getaffinity(0))
    child = stack.enter_context(running(argv))
    victim, stop = int(child.said), threading.Event()

    def read():
        fd = os.open(f"{mnt}/pid/{victim}/process_args", os.O_RDONLY)
        while not stop.is_set():
            try:
                os.pread(fd, 4096, 0)
            except OSError:
                break
        os.close(fd)
    there = couriers()
    for pid in there:
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(pid, {cpus[1]})
    os.sched_setaffinity(victim, {cpus[0]})
    thread = threading.Thread(target=read)
    thread.start()
    wait_for_courier(there)
    kill_first(victim, cpus[1])
    os.sched_setaffinity(0, cpus)
    time.sleep(0.03)
    stop.set()
    thread.join()


def hangs(mnt, program, file, fuse):
    """Until a courier has the memory of a process last: then it can't end."""
    assert len(os.sched_getaffinity(0)) > 1, "it takes two processors"
    rows(f"{mnt}/json/process_args.json")  # there are couriers
    with contextlib.ExitStack() as stack:
        for uid in map(str, range(21100, 21200)):
            as_user = ["setpriv", "--reuid", uid, "--regid", uid, "--clear-groups"]
            hang(stack, mnt, [*as_user, program, file, "60", fuse, "restless"])
            if "D" in couriers().values():
                break
        assert "D" in couriers().values(), "no courier was left with it"
        print(f"# a courier hangs after {int(uid) - 21099} tries")
        worst = max(others_are_right(mnt, [])[0] for _ in range(20))
        assert worst < SECOND + late()
        # A process of the same user costs no other courier.
        his = stack.enter_context(running([*as_user, "sh", "-c", "echo ready; cat"]))
        assert row_of(mnt, his.pid)["args"] == [BUSY]
        assert row_of(mnt, os.getpid())["args"] == as_json(shown(cmdline(os.getpid())))
    end = time.monotonic() + 10
    while "D" in couriers().values():
        assert time.monotonic() < end, couriers()
        time.sleep(0.05)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
