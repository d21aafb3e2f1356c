#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Every value of the views against /proc: values.py MOUNT PINS

Makes processes that stand still, with hostile names, and compares all their
rows. Prints TAP without numbers and `done` at the end.
"""
import csv
import json
import os
import re
import signal
import sys
import time

sys.path.insert(1, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../cases'))
from detail_fdinfo import expected
from subjects import Subjects

MOUNT, PINS = sys.argv[1:]
failed = False


def check(name, problems):
    global failed
    problems = list(problems)
    print('ok' if not problems else 'not ok', '-', name)
    for p in problems[:12]:
        print('#', p)
    failed = failed or bool(problems)


def slurp(path):
    with open(path, 'rb') as f:
        return f.read()


# --- what kview says --------------------------------------------------------

def unescape(field):
    if field == b'-':
        return None
    return re.sub(rb'\\([0-7]{3})', lambda m: bytes([int(m[1], 8)]), field)


def table(path):
    """Rows of a text table: column -> bytes, or None."""
    lines = slurp(path).split(b'\n')
    assert lines.pop() == b'', f'{path} does not end with a newline'
    names = lines[0].decode().lower().split()
    rows = [line.split() for line in lines[1:]]
    for row in rows:
        assert len(row) == len(names), f'{path}: {row}'
    return [dict(zip(names, map(unescape, row))) for row in rows]


def of_pid(rows, pid):
    return [r for r in rows if r['pid'] == b'%d' % pid]


# --- what /proc says --------------------------------------------------------

def status(proc):
    lines = slurp(proc + '/status').splitlines()
    return dict(line.split(b':\t', 1) for line in lines if b':\t' in line)


def link(path):
    try:
        return os.readlink(os.fsencode(path))
    except FileNotFoundError:
        return None


def cgroup(proc):
    path = [line[3:] for line in slurp(proc + '/cgroup').split(b'\n') if line[:3] == b'0::']
    return path[0] if path else None


def tty(number):
    """Numbers of terminals as proc(5) has them; here only pts are used."""
    major, minor = number >> 8 & 0xfff, number & 0xff | number >> 12 & 0xfff00
    return None if not number else b'pts/%d' % minor if major == 136 else b'?'


def resident(pid, pages):
    """Where stat's number lags behind its parts, since 6.2, the sum over all mappings."""
    if [int(n) for n in os.uname().release.split('.')[:2]] < [6, 2]:
        return pages * os.sysconf('SC_PAGESIZE')
    try:
        rollup = slurp(f'/proc/{pid}/smaps_rollup')
    except OSError:
        return 0  # a zombie, a kernel thread
    return int(re.search(rb'^Rss: *(\d+) kB', rollup, re.M)[1]) << 10


def proc_task(pid, tid):
    proc = f'/proc/{pid}/task/{tid}'
    stat = slurp(proc + '/stat').rpartition(b')')[2].split()
    field = lambda n: int(stat[n - 3])  # numbered as in proc(5)
    st = status(proc)
    pidns = link(proc + '/ns/pid')
    return {
        'pid': pid, 'tid': tid, 'ppid': field(4), 'pgid': field(5), 'sid': field(6),
        'tty': tty(field(7)),
        'uid': int(st[b'Uid'].split()[0]), 'euid': int(st[b'Uid'].split()[1]),
        'gid': int(st[b'Gid'].split()[0]),
        'state': stat[0], 'cpu': field(39), 'prio': field(18), 'nice': field(19),
        'policy': field(41), 'threads': field(20), 'start': field(22),
        'utime': field(14), 'stime': field(15),
        'cputime': int(slurp(proc + '/schedstat').split()[0]),
        'minflt': field(10), 'majflt': field(12),
        'nvcsw': int(st[b'voluntary_ctxt_switches']),
        'nivcsw': int(st[b'nonvoluntary_ctxt_switches']),
        'vsize': field(23), 'rss': resident(pid, field(24)),
        'pidns': int(re.search(rb'\d+', pidns)[0]) if pidns else None,
        'cgroup': cgroup(proc), 'exe': link(proc + '/exe'),
        'comm': slurp(proc + '/comm')[:-1],
    }


def nanoseconds(text):
    seconds, _, fraction = text.partition(b'.')
    assert len(fraction) == 9
    return int(seconds) * 10**9 + int(fraction)


def boot_time():
    return time.clock_gettime_ns(time.CLOCK_REALTIME) - time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def is_same(name, got, want):
    """/proc has times in ticks of 10 ms, and the start since boot."""
    if name == 'start':
        return abs(nanoseconds(got) - boot_time() - want * 10**7) < 2 * 10**7
    if name in ('utime', 'stime'):
        return nanoseconds(got) // 10**7 == want
    if name == 'cputime':
        return nanoseconds(got) == want
    return got == (b'%d' % want if isinstance(want, int) else want)


def task_problems(pid, path):
    tids = sorted(int(t) for t in os.listdir(f'/proc/{pid}/task'))
    before = {tid: proc_task(pid, tid) for tid in tids}
    rows = of_pid(table(path), pid)
    after = {tid: proc_task(pid, tid) for tid in tids}
    got = sorted(int(r['tid']) for r in rows)
    if got != tids:
        yield f'{pid}: threads {got}, not {tids}'
    for row in rows:
        tid = int(row['tid'])
        if list(row) != list(before[tid]):
            yield f'{pid}: columns {list(row)}'
        for name, value in row.items():
            if not any(is_same(name, value, w[name]) for w in (before[tid], after[tid])):
                yield f'{pid}/{tid}: {name} is {value}, in /proc {after[tid][name]}'


FILE_TYPES = {0: b'ANON', 1: b'FIFO', 2: b'CHR', 4: b'DIR', 6: b'BLK', 8: b'REG', 10: b'LNK',
              12: b'SOCK'}
O_PATH = 0o10000000


def device(dev):
    return b'%02x:%02x' % (os.major(dev), os.minor(dev))


class SocketWords:
    """/proc does not have them: detail_sockets.py compares them."""

    def __eq__(self, other):
        return other is not None and other.startswith(b'type=')


def detail(pid, fd, mode):
    if mode >> 12 == 12:
        return SocketWords()
    words = expected(pid, fd)
    # Older kernels do not tell of an eventfd whether it is a semaphore.
    return words and ' '.join(f'{k}={0 if v is None else v}' for k, v in words.items()).encode()


def proc_file(pid, fd):
    path = f'/proc/{pid}/fd/{fd}'
    st = os.stat(path)
    info = dict(line.split(b':\t', 1) for line in slurp(f'/proc/{pid}/fdinfo/{fd}').splitlines()
                if b':\t' in line)
    flags = int(info[b'flags'], 8)
    values = {
        'pid': pid, 'tid': pid, 'fd': fd, 'type': FILE_TYPES[st.st_mode >> 12],
        'access': None if flags & O_PATH else [b'r', b'w', b'rw'][flags & 3],
        'flags': info[b'flags'], 'pos': int(info[b'pos']), 'mnt_id': int(info[b'mnt_id']),
        'dev': device(st.st_dev), 'ino': st.st_ino, 'size': st.st_size,
        'nlink': st.st_nlink, 'owner': st.st_uid, 'blocks': st.st_blocks,
        'detail': detail(pid, fd, st.st_mode),
        'comm': slurp(f'/proc/{pid}/comm')[:-1], 'path': link(path),
    }
    return {k: b'%d' % v if isinstance(v, int) else v for k, v in values.items()}


def row_problems(got, want):
    if len(got) != len(want):
        yield f'{len(got)} rows, not {len(want)}'
    for g, w in zip(got, want):
        if list(g) != list(w):
            yield f'columns {list(g)}'
        for name in w:
            if g.get(name) != w[name]:
                yield f'{name} is {g.get(name)}, in /proc {w[name]}, of {w}'


def file_problems(pid, path):
    fds = sorted(int(fd) for fd in os.listdir(f'/proc/{pid}/fd'))
    return row_problems(of_pid(table(path), pid), [proc_file(pid, fd) for fd in fds])


MAPS = re.compile(rb'(\w+)-(\w+) (\S+) (\w+) (\S+) (\d+) *(.*)')


def proc_vmas(pid):
    comm = slurp(f'/proc/{pid}/comm')[:-1]
    for line in slurp(f'/proc/{pid}/maps').splitlines():
        start, end, perms, offset, dev, ino, path = MAPS.fullmatch(line).groups()
        yield {'pid': b'%d' % pid, 'start': start, 'end': end, 'perms': perms,
               'offset': offset, 'dev': dev, 'ino': ino, 'comm': comm,
               'path': path.replace(b'\\012', b'\n') or None}


def vma_problems(pid, path):
    return row_problems(of_pid(table(path), pid), list(proc_vmas(pid)))


# --- the same values in every form ------------------------------------------

def plain(text):
    """As json has it; how many U+FFFD stand for a run of bad bytes is not said."""
    return re.sub('\ufffd+', '\ufffd', text.decode('utf-8', 'replace')) if text else ''


def form_problems(pid, view):
    base = f'{MOUNT}/pid/{pid}'
    text = table(f'{base}/{view}')
    with open(f'{base}/csv/{view}.csv', encoding='utf-8', errors='surrogateescape',
              newline='') as f:
        commas = [{k: os.fsencode(v) for k, v in row.items()} for row in csv.DictReader(f)]
    objects = [json.loads(line, parse_int=str, parse_float=str)
               for line in slurp(f'{base}/json/{view}.json').decode().split('\n')[:-1]]
    if not text or not len(text) == len(commas) == len(objects):
        yield f'{view}: {len(text)}, {len(commas)}, {len(objects)} rows'
    for t, c, o in zip(text, commas, objects):
        if not list(t) == list(c) == list(o):
            yield f'{view}: columns {list(t)}, {list(c)}, {list(o)}'
        for name, value in t.items():
            if (value or b'') != c[name]:
                yield f'{view} in csv: {name} is {c[name]}, in text {value}'
            if plain(value) != re.sub('\ufffd+', '\ufffd', o[name] or ''):
                yield f'{view} in json: {name} is {o[name]}, in text {value}'


def pin_problems(pid, view):
    """The pin's own text: a row has tabs, a control byte is a question mark."""
    lines = slurp(f'{PINS}/{view}').split(b'\n')
    pinned = [line.split(b'\t') for line in lines if line.split(b'\t')[0] == b'%d' % pid]
    rows = table(f'{MOUNT}/pid/{pid}/{view}')
    if len(rows) != len(pinned) or not rows:
        yield f'{view}: {len(pinned)} rows, in the mount {len(rows)}'
    for row, fields in zip(rows, pinned):
        if len(fields) != len(row):
            yield f'{view}: {fields} has {len(fields)} fields'
        for (name, value), got in zip(row.items(), fields):
            want = re.sub(rb'[\0-\x1f\x7f]', b'?', value or b'-')
            if got != want:
                yield f'{view}: {name} is {got}, in the mount {want}'


# --- checks -----------------------------------------------------------------

def paths_problems(pid, wanted):
    """That the comparison had the special cases to compare."""
    have = {r['path'] for r in proc_vmas(pid)}
    return [f'{pid} has no mapping of {p}' for p in wanted if p not in have]


def absent(path):
    return [f'there is {path}'] if os.path.exists(path) else []


def check_all(s):
    main, loose, zombie = s.main, s.loose, s.zombie
    whole, own = MOUNT + '/task', f'{MOUNT}/pid/{main}/task'
    check('task: a sleeping process', task_problems(main, whole))
    for pid in main, loose:
        s.stop(pid)
    check('task: a stopped process', task_problems(main, whole))
    check('task: a stopped process, under pid/', task_problems(main, own))
    check('task: an executable with a hostile name, deleted', task_problems(loose, whole))
    check('task: a zombie', task_problems(zombie, whole))
    check('task: a kernel thread', task_problems(2, whole))
    check('task: an executable outside of the root directory', task_problems(1, whole))
    check('task_file: every descriptor', file_problems(main, MOUNT + '/task_file'))
    check('task_file: under pid/', file_problems(main, f'{MOUNT}/pid/{main}/task_file'))
    check('task_file: files outside of the root directory', file_problems(1, MOUNT + '/task_file'))
    check('maps has the special names', paths_problems(main, [
        b'[heap]', b'[stack]', b'[vdso]', b'[vvar]', *s.mapped]))
    check('task_vma: line by line', vma_problems(main, MOUNT + '/task_vma'))
    check('task_vma: under pid/', vma_problems(main, f'{MOUNT}/pid/{main}/task_vma'))
    check('task_vma: an executable with a hostile name', vma_problems(loose, MOUNT + '/task_vma'))
    check('a zombie has no files or mappings',
          of_pid(table(MOUNT + '/task_file') + table(MOUNT + '/task_vma'), zombie))
    for view in 'task', 'task_file', 'task_vma':
        check(f'{view}: text, csv and json agree', form_problems(main, view))
        check(f'{view}: the pin agrees with the mount', pin_problems(main, view))
    gone = s.end(loose)
    check('pid/ of a process that ended is gone', absent(f'{MOUNT}/pid/{gone}'))


def main():
    subjects = Subjects()
    try:
        check_all(subjects)
    finally:
        subjects.end_all()
    print('done')
    return failed


signal.alarm(280)
sys.exit(main())
