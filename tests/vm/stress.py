#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Readers of the view task in each other's way: stress.py SECONDS RELEASE

For a guest booted with preempt=full: there an iterator program is preempted by
another reader's on the same CPU. Rows of processes that are stopped must come
out the same every time; scratch memory that two readers share would show as
the path of one process in the row of another. Prints TAP without numbers.
"""
import collections
import errno
import os
import re
import shutil
import signal
import subprocess
import sys
import time

from subjects import wait_state

KVIEW, PINS, MOUNT = '/mnt/build/kview', '/sys/fs/bpf/kview', '/tmp/kview'
CGROUP, EXES = '/sys/fs/cgroup/stress', '/tmp/exe'
SUBJECTS = 24
# (file, how its fields are parted, how many read it)
READERS = [(PINS + '/task', b'\t', 4), (MOUNT + '/task', None, 3)]
# Before Linux 6.2 the kernel refuses task storage while another thread was
# preempted on this CPU in the midst of using it. A pin's reader then gets EAGAIN
# instead of rows that may be wrong, see kview(1); the mount tries again by itself.
MAY_BE_BUSY = [PINS + '/task'] if os.uname().release.startswith(
    tuple(f'5.{n}.' for n in range(8, 20)) + ('6.0.', '6.1.')) else []
failed = False


def check(name, problems):
    global failed
    problems = list(problems)
    print('ok' if not problems else 'not ok', '-', name)
    for p in problems[:8]:
        print('#', p)
    failed = failed or bool(problems)


def kview(*args):
    p = subprocess.run([KVIEW, *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                       timeout=60, check=False)
    return [] if p.returncode == 0 else [p.stdout]


def kernel_log():
    return subprocess.run(['dmesg'], stdout=subprocess.PIPE, timeout=20, check=True).stdout


def start_subjects():
    """Stopped processes, each with long names of its own for cgroup and executable."""
    pids = []
    for i in range(SUBJECTS):
        name = chr(ord('a') + i) * (40 + 8 * i)
        os.makedirs(f'{CGROUP}/{name}')
        os.makedirs(f'{EXES}/{name}')
        exe = shutil.copy('/bin/sleep', f'{EXES}/{name}/{name[:12]}')
        p = subprocess.Popen([exe, '1000'])
        with open(f'{CGROUP}/{name}/cgroup.procs', 'w', encoding='ascii') as f:
            f.write(str(p.pid))
        pids.append(p.pid)
    for pid in pids:
        wait_state(pid, 'S')
        os.kill(pid, signal.SIGSTOP)
        wait_state(pid, 'T')
    return pids


# --- reading ----------------------------------------------------------------

def read_rows(path, separator):
    """The fields of every line, as `cat` would get them: it does not try again."""
    fd = os.open(path, os.O_RDONLY)
    try:
        data = b''.join(iter(lambda: os.read(fd, 65536), b''))
    finally:
        os.close(fd)
    assert data.endswith(b'\n'), data[-100:]
    return [line.split(separator) for line in data[:-1].split(b'\n')]


def references(path, separator, pids):
    """How many columns there are, and the subjects' rows by pid."""
    header, *rows = read_rows(path, separator)
    return len(header), {row[0]: row for row in rows if int(row[0]) in pids}


def row_problems(row, reference):
    width, wanted = reference
    if len(row) != width:
        yield f'{len(row)} fields, not {width}: {row}'
    elif row != wanted.get(row[0], row):
        yield f'{row[0]}: ' + ', '.join(
            f'{got} for {want}' for got, want in zip(row, wanted[row[0]]) if got != want)


def read_for(seconds, path, separator, reference):
    """What went wrong, a line each; the first line sums up."""
    end = time.monotonic() + seconds
    said, errors = [], collections.Counter()
    passes = nrows = 0
    while time.monotonic() < end:
        try:
            rows = read_rows(path, separator)[1:]
        except OSError as e:
            errors[e.errno] += 1
            continue
        found = sum(row[0] in reference[1] for row in rows)
        said += [p for row in rows for p in row_problems(row, reference)]
        if found != SUBJECTS:
            said.append(f'{found} of {SUBJECTS} processes')
        passes += 1
        nrows += len(rows)
    return [f'{passes} {nrows}', ' '.join(f'{k}:{n}' for k, n in errors.items()), *said]


def start_reader(seconds, path, separator, reference):
    """A process; its words come out of the descriptor that is returned."""
    out, into = os.pipe()
    if os.fork():
        os.close(into)
        return out
    try:
        lines = read_for(seconds, path, separator, reference)
        os.write(into, '\n'.join(lines)[:60000].encode())
    finally:
        os._exit(0)


def read_together(seconds, pids):
    refs = {path: references(path, sep, pids) for path, sep, _ in READERS}
    outs = [(path, start_reader(seconds, path, sep, refs[path]))
            for path, sep, n in READERS for _ in range(n)]
    results = collections.defaultdict(list)
    for path, fd in outs:
        with open(fd, encoding='utf-8') as f:
            said = f.read() or '0 0\n\nthe reader died'
        results[path].append(said.split('\n'))
        os.wait()
    return results


def check_results(path, results):
    passes = [int(r[0].split()[0]) for r in results]
    nrows = sum(int(r[0].split()[1]) for r in results)
    errors = ' '.join(r[1] for r in results if r[1])
    print(f'# {path}: {sum(passes)} passes, {nrows} rows, errors (errno:times): {errors or "none"}')
    check(f'preempt=full: rows of {path} stay whole', [p for r in results for p in r[2:]])
    excused = {errno.EAGAIN} if path in MAY_BE_BUSY else set()
    check(f'preempt=full: no read of {path} fails without need',
          [e for r in results for e in r[1].split() if int(e.split(':')[0]) not in excused])
    check(f'{path} was read many times by all', [
        f'passes: {passes}'] if min(passes) < 10 else [])


# --- checks -----------------------------------------------------------------

def kernel_problems():
    return re.findall(rb'.*(?:BUG:|WARNING:|Oops|Call Trace|blocked for more than).*',
                      kernel_log())


def check_all(release, seconds):
    check('the kernel is the one that was asked for',
          [os.uname().release] if os.uname().release != release else [])
    check('the kernel is fully preemptible',
          [] if re.search(rb'Dynamic Preempt: *full', kernel_log()) else ['it is not'])
    check('load and mount', kview('load') + kview('mount', MOUNT))
    pids = start_subjects()
    results = read_together(seconds, pids)
    for path, _, _ in READERS:
        check_results(path, results[path])
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    check('umount and unload', kview('umount', MOUNT) + kview('unload'))
    check('the kernel has nothing to complain of', kernel_problems())


signal.alarm(int(sys.argv[1]) + 200)
check_all(sys.argv[2], int(sys.argv[1]))
sys.exit(failed)
