# SPDX-License-Identifier: GPL-2.0-only
"""Processes that stand still, for values.py: their names, files and mappings
are what the views have to get right."""
import ctypes
import mmap
import os
import select
import shutil
import signal
import socket
import tempfile
import threading
import time

# What a text table must not let through: blanks, control bytes, bad UTF-8.
HOSTILE = b' a\tb\nc\\d\x1be\xff"f,'
PR_SET_VMA, PR_SET_VMA_ANON_NAME = 0x53564d61, 0
CGROUP = '/sys/fs/cgroup/vm test/inner'
SCHED_BATCH = 3


def open_files(where):
    """One descriptor of each kind; they stay open as long as the process."""
    hostile = os.path.join(where, HOSTILE)
    fd = os.open(hostile, os.O_RDWR | os.O_CREAT)
    os.write(fd, b'x' * 12345)
    gone = os.open(hostile + b'2', os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.unlink(hostile + b'2')
    os.mkfifo(where + b'/fifo')
    os.symlink('nowhere', where + b'/link')
    return [
        fd, gone, os.open(hostile, os.O_PATH), os.open(where, os.O_RDONLY | os.O_DIRECTORY),
        os.open(where + b'/fifo', os.O_RDONLY | os.O_NONBLOCK),
        os.open(where + b'/link', os.O_PATH | os.O_NOFOLLOW),
        os.open(where, os.O_TMPFILE | os.O_RDWR),
        os.open('/dev/null', os.O_WRONLY | os.O_SYNC), os.open('/proc/self/ns/net', os.O_RDONLY),
        *os.pipe(), os.eventfd(7), os.memfd_create('mem fd'), os.pidfd_open(os.getpid()),
        select.epoll(), *socket.socketpair(), socket.socket(),
    ]


def map_files(where):
    """Mappings of all kinds; those of files with their paths."""
    page = mmap.PAGESIZE
    hostile = os.open(os.path.join(where, HOSTILE), os.O_RDWR)
    gone = os.open(where + b'/gone', os.O_RDWR | os.O_CREAT)
    os.ftruncate(gone, 4 * page)
    os.unlink(where + b'/gone')
    shared = mmap.MAP_SHARED
    return [
        mmap.mmap(hostile, page, shared, mmap.PROT_READ),
        mmap.mmap(hostile, page, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_WRITE),
        mmap.mmap(gone, 2 * page, shared, mmap.PROT_READ, offset=2 * page),
        mmap.mmap(-1, 3 * page, shared | mmap.MAP_ANONYMOUS),
        mmap.mmap(-1, 5 * page, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, mmap.PROT_EXEC),
    ]


def name_mapping():
    """An [anon:NAME], where the kernel has them (CONFIG_ANON_VMA_NAME)."""
    libc = ctypes.CDLL(None, use_errno=True)
    m = mmap.mmap(-1, 7 * mmap.PAGESIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    at = ctypes.addressof(ctypes.c_char.from_buffer(m))
    named = libc.prctl(PR_SET_VMA, ctypes.c_ulong(PR_SET_VMA_ANON_NAME), ctypes.c_ulong(at),
                       ctypes.c_ulong(len(m)), ctypes.c_char_p(b'a name'))
    return m, [b'[anon:a name]'] if named == 0 else []


def set_comm(name):
    with open('/proc/self/comm', 'wb', buffering=0) as f:
        f.write(name)


def stand_still(ready, where, terminal):
    """The process that has everything; tells which names maps must show."""
    os.setsid()
    kept = [os.open(terminal, os.O_RDWR)]
    with open(CGROUP + '/cgroup.procs', 'w', encoding='ascii') as f:
        f.write('0')
    set_comm(b'thread')
    threading.Thread(target=threading.Event().wait, daemon=True).start()
    set_comm(HOSTILE[:15])
    os.nice(7)
    os.sched_setscheduler(0, SCHED_BATCH, os.sched_param(0))
    kept += [open_files(where), map_files(where)]
    mapping, names = name_mapping()
    kept.append(mapping)
    os.setgroups([])
    os.setresgid(2345, 2346, 2347)
    os.setresuid(1234, 1235, 1236)
    names += [where + b'/gone (deleted)', b'/dev/zero (deleted)',
              os.path.join(where, HOSTILE)]
    os.write(ready, b'\0'.join(names))
    os.close(ready)
    while kept:
        signal.pause()


def states(pid):
    for tid in os.listdir(f'/proc/{pid}/task'):
        with open(f'/proc/{pid}/task/{tid}/stat', 'rb') as f:
            yield f.read().rpartition(b')')[2].split()[0].decode()


def wait_state(pid, state):
    end = time.monotonic() + 30
    while set(states(pid)) != {state}:
        assert time.monotonic() < end, f'{pid} does not get to {state}: {list(states(pid))}'
        time.sleep(0.02)


class Subjects:
    def __init__(self):
        self.where = os.fsencode(tempfile.mkdtemp(prefix='vm.'))
        os.makedirs(CGROUP)
        self.pids = []
        self.main = self.start_main()
        self.loose = self.start_loose()
        self.zombie = self.start_zombie()

    def fork(self, run, *args):
        pid = os.fork()
        if not pid:
            try:
                run(*args)
            finally:
                os._exit(1)
        self.pids.append(pid)
        return pid

    def start_main(self):
        self.terminal, slave = os.openpty()
        out, ready = os.pipe()
        pid = self.fork(stand_still, ready, self.where, os.ttyname(slave))
        os.close(ready)
        told = os.read(out, 65536)
        assert told, 'the process did not come to stand still'
        self.mapped = told.split(b'\0')
        wait_state(pid, 'S')
        return pid

    def start_loose(self):
        """Its executable has a hostile name and is gone."""
        path = os.path.join(self.where, b'exe' + HOSTILE)
        shutil.copy(b'/bin/sleep', path)
        pid = self.fork(os.execv, path, [path, b'1000'])
        while os.readlink(b'/proc/%d/exe' % pid) != path:
            time.sleep(0.02)
        os.unlink(path)
        wait_state(pid, 'S')
        return pid

    def start_zombie(self):
        pid = self.fork(os._exit, 3)
        wait_state(pid, 'Z')
        return pid

    def stop(self, pid):
        os.kill(pid, signal.SIGSTOP)
        wait_state(pid, 'T')

    def end(self, pid):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        self.pids.remove(pid)
        return pid

    def end_all(self):
        for pid in list(self.pids):
            self.end(pid)
        os.rmdir(CGROUP)
        shutil.rmtree(self.where)
