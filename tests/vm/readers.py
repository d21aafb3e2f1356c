#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""What readers of all sorts see against what /proc shows the same: readers.py KVIEW

Each reader is a process of its own that gives up what it must not have, then
looks into /proc and into the mount. Prints TAP without numbers and `done`.
"""
import csv
import ctypes
import errno
import os
import signal
import subprocess
import sys

KVIEW = sys.argv[1]
ALL_WITHIN = list(range(1, 10))  # the first, six subjects, who goes farther down, and its child
OPEN, NOACCESS, INVISIBLE = '/tmp/open', '/tmp/noaccess', '/tmp/invisible'
CAP_DAC_READ_SEARCH, CAP_SYS_PTRACE, CAP_SYS_ADMIN, CAP_PERFMON = 2, 19, 21, 38
PR_SET_DUMPABLE, PR_SET_KEEPCAPS = 4, 8
CLONE_NEWNS, CLONE_NEWPID, MS_REC_PRIVATE = 0x20000, 0x20000000, 0x44000
libc = ctypes.CDLL(None, use_errno=True)
daemons = []
failed = False


def check(name, problems):
    global failed
    problems = list(problems)
    print('ok' if not problems else 'not ok', '-', name)
    for p in problems[:12]:
        print('#', p)
    sys.stdout.flush()
    failed = failed or bool(problems)


def must(result):
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


# --- who reads --------------------------------------------------------------

def set_caps(caps):
    """Effective and permitted: these and no others."""
    bits = sum(1 << c for c in caps)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    low, high = bits & 0xffffffff, bits >> 32
    must(libc.capset(header, (ctypes.c_uint32 * 6)(low, low, 0, high, high, 0)))


def own_caps():
    with open('/proc/self/status', encoding='ascii') as f:
        bits = next(int(line.split()[1], 16) for line in f if line.startswith('CapEff'))
    return {c for c in range(64) if bits >> c & 1}


def become(uid, caps=(), groups=()):
    must(libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0))
    os.setgroups(groups)
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    set_caps(caps)


def fork(run, *args):
    """A process that runs a function; its status says whether a check failed."""
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        run(*args)
        status = int(failed)
    except BaseException as e:  # pylint: disable=broad-except
        print(f'not ok - {run.__name__} failed: {e!r}')
    sys.stdout.flush()
    os._exit(status)


def run_as(run, *args):
    global failed
    if os.waitpid(fork(run, *args), 0)[1]:
        failed = True


# --- what /proc says --------------------------------------------------------

def denied(call, *args):
    """The result, or None where there is no right to it or it is gone."""
    try:
        return call(*args)
    except OSError as e:
        if e.errno in (errno.EACCES, errno.EPERM, errno.ENOENT, errno.ESRCH):
            return None
        raise


def numbers(path):
    return sorted(int(n) for n in denied(os.listdir, path) or () if n.isdigit())


def slurp(path):
    with open(path, 'rb') as f:
        return f.read()


def proc_tasks(proc):
    """With the executable: what a reader may not know is as if it was not there."""
    return {(p, t, denied(os.readlink, f'{proc}/{p}/task/{t}/exe'))
            for p in numbers(proc) for t in numbers(f'{proc}/{p}/task')}


def proc_files(proc):
    """A descriptor counts as seen if it is listed and its link can be read."""
    found = set()
    for p in numbers(proc):
        for fd in numbers(f'{proc}/{p}/fd'):
            link = denied(os.readlink, f'{proc}/{p}/fd/{fd}')
            if p != os.getpid() and link is not None:
                found.add((p, fd, link))
    return found


def proc_vmas(proc):
    found = set()
    for p in numbers(proc):
        for line in (denied(slurp, f'{proc}/{p}/maps') or b'').splitlines():
            if p != os.getpid():
                found.add((p, line.split(b'-')[0].decode()))
    return found


# --- what kview says --------------------------------------------------------

def rows(path):
    with open(path, encoding='utf-8', errors='surrogateescape', newline='') as f:
        return list(csv.DictReader(f))


def kview_tasks(base):
    return {(int(r['pid']), int(r['tid']), r['exe'] or None) for r in rows(base + '/csv/task.csv')}


def kview_files(base):
    return {(int(r['pid']), int(r['fd']), r['path']) for r in rows(base + '/csv/task_file.csv')
            if int(r['pid']) != os.getpid()}


def kview_vmas(base):
    return {(int(r['pid']), r['start']) for r in rows(base + '/csv/task_vma.csv')
            if int(r['pid']) != os.getpid()}


# --- the two against each other ---------------------------------------------

def differences(proc_says, kview_says, proc, base):
    """Kernel threads come and go: what is in /proc before and after must be there."""
    before, got, after = proc_says(proc), kview_says(base), proc_says(proc)
    # A daemon opens an iterator as it is asked.
    got = {x for x in got if x[0] not in daemons}
    before = {x for x in before if x[0] not in daemons}
    yield from (f'missing: {x}' for x in sorted((before & after) - got, key=repr))
    yield from (f'not in {proc}: {x}' for x in sorted(got - (before | after), key=repr))


def own_problems(base):
    me = os.getpid()
    for view in 'task', 'task_file', 'task_vma':
        if not any(int(r['pid']) == me for r in rows(f'{base}/csv/{view}.csv')):
            yield f'no row of the reader itself in {view}'
    if os.readlink(base + '/pid/self') != str(me):
        yield f'pid/self is {os.readlink(base + "/pid/self")}, not {me}'


def expectation(base, seen, unseen, view):
    """So that the comparison had something to compare."""
    pids = {int(r['pid']) for r in rows(f'{base}/csv/{view}.csv')}
    yield from (f'{view} lacks {p}' for p in seen if p not in pids)
    yield from (f'{view} has {p}' for p in unseen if p in pids)


def compare(who, proc='/proc', base=OPEN):
    check(f'{who}: task as in /proc', differences(proc_tasks, kview_tasks, proc, base))
    check(f'{who}: task_file as in /proc', differences(proc_files, kview_files, proc, base))
    check(f'{who}: task_vma as in /proc', differences(proc_vmas, kview_vmas, proc, base))
    check(f'{who}: sees itself', own_problems(base))


def error(path):
    """Of opening and reading a file: its name, or None."""
    try:
        slurp(path)
    except OSError as e:
        return errno.errorcode[e.errno]
    return None


def error_problems(pairs):
    for path, want in pairs:
        got = error(path)
        if got != want:
            yield f'{path}: {got}, not {want}'


# --- subjects ---------------------------------------------------------------

class Subjects:
    def __init__(self):
        self.all = []
        self.root = self.sleeper(0)
        self.user = self.sleeper(1000)
        self.other = self.sleeper(1001)
        self.mixed = self.started(become_mixed)
        self.undumpable = self.started(become, 1000)
        self.weak_root = self.started(set_caps, ())

    def keep(self, pid):
        self.all.append(pid)
        return pid

    def sleeper(self, uid):
        """Executed as that user, so that it may be dumped."""
        drop = (lambda: become(uid)) if uid else None
        p = subprocess.Popen(['/bin/sleep', '1000'], preexec_fn=drop, stdin=subprocess.DEVNULL)
        return self.keep(p.pid)

    def started(self, prepare, *args):
        out, ready = os.pipe()

        def stand_still():
            prepare(*args)
            os.write(ready, b'1')
            signal.pause()
        pid = self.keep(fork(stand_still))
        os.close(ready)
        assert os.read(out, 1) == b'1'
        os.close(out)
        return pid

    def end(self):
        for pid in self.all:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def become_mixed():
    """Some ids are the user's and others are not."""
    os.setgroups([])
    os.setresgid(1000, 1000, 1000)
    os.setresuid(1000, 1001, 1000)
    must(libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0))


# --- readers ----------------------------------------------------------------

def root(s):
    compare('root')
    for view in 'task_file', 'task_vma':
        check(f'root: sees everybody in {view}', expectation(OPEN, s.all, [], view))


def user(s):
    become(1000)
    compare('a user')
    others = [s.root, s.other, s.mixed, s.undumpable, s.weak_root]
    for view in 'task_file', 'task_vma':
        check(f'a user: sees its own in {view}', expectation(OPEN, [s.user], others, view))
        check(f'a user: reading {view} of others is denied', error_problems(
            [(f'{OPEN}/pid/{p}/{view}', 'EACCES') for p in others] +
            [(f'{OPEN}/pid/{s.user}/{view}', None)]))
    check('a user: sees all in task', expectation(OPEN, s.all, [], 'task'))


def user_who_may_trace(s):
    """Maps are open to it, of descriptors only those whose directory it may list."""
    become(1000, [CAP_SYS_PTRACE])
    compare('CAP_SYS_PTRACE')
    check('CAP_SYS_PTRACE: sees all maps', expectation(OPEN, s.all, [], 'task_vma'))
    check('CAP_SYS_PTRACE: no right to list others\' descriptors',
          expectation(OPEN, [s.user], [s.root, s.other, s.undumpable], 'task_file'))


def user_who_may_trace_and_list(s):
    become(1000, [CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH])
    compare('CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH')
    check('CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH: sees all descriptors',
          expectation(OPEN, s.all, [], 'task_file'))


def user_with_perfmon(s):
    """Enough for maps since 6.15, not before; what /proc says holds on every kernel."""
    become(1000, [CAP_PERFMON])
    compare('CAP_PERFMON')
    opens = error(f'/proc/{s.root}/maps') is None
    check('CAP_PERFMON: opens maps as in /proc', expectation(
        OPEN, [s.user] + [s.root] * opens, [] if opens else [s.root], 'task_vma'))


def root_who_may_not_trace(s):
    """Root's others have more capabilities than it, so it may not look into them."""
    set_caps(own_caps() - {CAP_SYS_PTRACE, CAP_SYS_ADMIN, CAP_PERFMON})
    compare('root without CAP_SYS_PTRACE and what stands in for it')
    for view in 'task_file', 'task_vma':
        check(f'root without CAP_SYS_PTRACE: sees in {view} who has no more than it',
              expectation(OPEN, [s.weak_root], [s.root, s.user, s.undumpable], view))


# --- a pid namespace --------------------------------------------------------

def lookup_problems(base):
    """Names in pid/ are the numbers of /proc; threads' numbers are no names."""
    listed = numbers('/proc')
    if numbers(base + '/pid') != listed:
        yield f'pid/ lists {numbers(base + "/pid")}, not {listed}'
    for nr in range(1, 64):
        want = None if nr in listed else 'ENOENT'
        yield from error_problems([(f'{base}/pid/{nr}/task', want)])
    for nr in listed:
        pids = {int(r['pid']) for r in rows(f'{base}/pid/{nr}/csv/task.csv')}
        if pids != {nr}:
            yield f'pid/{nr}/task has rows of {pids}'


def outside_problems(base, s):
    for pid in s.all:
        if pid not in numbers('/proc'):
            yield from error_problems([(f'{base}/pid/{pid}/task', 'ENOENT')])


def farther_down():
    """A process of a namespace below, which its maker waits for."""
    must(libc.unshare(CLONE_NEWPID))
    fork(signal.pause)


def within(s, depth):
    """The first process of a pid namespace, with processes there and below."""
    must(libc.mount(b'none', b'/', None, MS_REC_PRIVATE, None))
    must(libc.mount(b'proc', b'/proc', b'proc', 0, None))
    who = 'a pid namespace' + ' within another' * (depth - 1)
    mine = Subjects()
    mine.started(farther_down)
    check(f'{who}: /proc has its processes', [numbers('/proc')] * (numbers('/proc') != ALL_WITHIN))
    compare(who)
    check(f'{who}: lookups by its numbers', lookup_problems(OPEN))
    check(f'{who}: processes outside are not found', outside_problems(OPEN, s))
    run_as(user_within, mine, who)
    if depth < 2:
        run_as(pid_namespace, mine, depth + 1)


def user_within(mine, who):
    become(1000)
    compare(f'a user in {who}')
    check(f'a user in {who}: sees its own in task_file',
          expectation(OPEN, [mine.user], [mine.root, mine.other, mine.undumpable], 'task_file'))


def pid_namespace(s, depth=1):
    must(libc.unshare(CLONE_NEWPID | CLONE_NEWNS))
    run_as(within, s, depth)


# --- hidepid ----------------------------------------------------------------

def list_problems(proc, base):
    before, got, after = (set(numbers(d)) for d in (proc, base + '/pid', proc))
    yield from (f'pid/ lacks {p}' for p in sorted(before & after - got))
    yield from (f'pid/ has {p}' for p in sorted(got - (before | after)))


def entry_problems(s, proc, base):
    """Entering says what /proc says."""
    for pid in s.all:
        yield from error_problems([(f'{base}/pid/{pid}/task', error(f'{proc}/{pid}/stat'))])


def hidden(s, who, base, groups):
    become(1000, groups=groups)
    proc = base + '.proc'
    compare(who, proc, base)
    check(f'{who}: pid/ lists whom /proc lists', list_problems(proc, base))
    check(f'{who}: entering pid/N as in /proc', entry_problems(s, proc, base))
    seen, unseen = ([s.user], [s.root, s.other, s.undumpable]) if not groups else (s.all, [])
    check(f'{who}: sees in task whom it should', expectation(base, seen, unseen, 'task'))


def hidepid(s):
    for name, base in ('hidepid=1', NOACCESS), ('hidepid=2', INVISIBLE):
        run_as(hidden, s, name, base, [])
        run_as(hidden, s, f'{name}, in the group it does not concern', base, [0])


# --- all --------------------------------------------------------------------

def kview(*args):
    subprocess.run([KVIEW, *args], timeout=60, check=True)


def mount_all():
    kview('mount', '-o', 'allow_other', OPEN)
    for base, level in (NOACCESS, b'1'), (INVISIBLE, b'2'):
        kview('mount', '-o', f'allow_other,hidepid={level.decode()}', base)
        os.mkdir(base + '.proc')
        must(libc.mount(b'proc', (base + '.proc').encode(), b'proc', 0, b'hidepid=' + level))
    daemons.extend(p for p in numbers('/proc') if slurp(f'/proc/{p}/comm') == b'kview\n')


def umount_all():
    for base in OPEN, NOACCESS, INVISIBLE:
        kview('umount', base)
        if base != OPEN:
            must(libc.umount2((base + '.proc').encode(), 0))
            os.rmdir(base + '.proc')


def main():
    mount_all()
    subjects = Subjects()
    try:
        for reader in (root, user, user_who_may_trace, user_who_may_trace_and_list,
                       user_with_perfmon, root_who_may_not_trace, pid_namespace, hidepid):
            run_as(reader, subjects)
    finally:
        subjects.end()
        umount_all()
    print('done')
    return failed


signal.alarm(380)
sys.exit(main())
