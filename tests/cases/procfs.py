# SPDX-License-Identifier: GPL-2.0-only
"""What /proc says of a process, in kview's columns: the oracle's own word."""

import ctypes
import errno
import os
import platform
import re
import stat
import time

PAGE = os.sysconf("SC_PAGE_SIZE")
HZ = os.sysconf("SC_CLK_TCK")
TICK = 1000000000 // HZ
TOO_LONG = b"(too long)"
PF_KTHREAD = 0x00200000


def slurp(path):
    with open(path, "rb") as file:
        return file.read()


def readlink(path):
    """The link's bytes, None where there is none, or kview's word for too long."""
    try:
        return os.readlink(os.fsencode(path))
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return TOO_LONG
        if error.errno in (errno.ENOENT, errno.ESRCH):
            return None
        raise


def tids(pid):
    return sorted(int(tid) for tid in os.listdir(f"/proc/{pid}/task"))


class Roughly:
    """A number of nanoseconds of which /proc tells only the ticks."""

    def __init__(self, ticks, base=0, slack=0):
        self.ticks, self.base, self.slack = ticks, base, slack

    def __eq__(self, other):
        if not isinstance(other, int):
            return False
        return abs((other - self.base) // TICK - self.ticks) <= self.slack

    def __repr__(self):
        return f"<{self.ticks} ticks after {self.base}>"


# --- task ---


def stat_fields(path):
    """/proc/PID/stat by field number as proc(5) counts; 2 is the name's bytes."""
    head, _, tail = slurp(path).rpartition(b")")
    pid, _, comm = head.partition(b" (")
    fields = [None, int(pid), comm] + tail.split()
    return fields


def status_lines(path):
    lines = (line.partition(b":\t") for line in slurp(path).split(b"\n"))
    return {key.decode("latin-1"): value for key, _, value in lines}


def comm(path):
    name = slurp(path)
    assert name.endswith(b"\n"), name
    return name[:-1]


def tty_name(number):
    """As in proc(5): minor in bits 31-20 and 7-0, major in 15-8."""
    if not number:
        return None
    major, minor = number >> 8 & 0xFFF, number & 0xFF | number >> 12 & 0xFFF00
    assert 136 <= major <= 143, f"a terminal of major {major} is not expected here"
    return b"pts/%d" % (minor + (major - 136) * 256)


def cgroup2(path):
    for line in slurp(path).split(b"\n"):
        if line.startswith(b"0::"):
            return line[3:]
    return None


def boot_ns():
    clock = time.clock_gettime_ns
    return clock(time.CLOCK_REALTIME) - clock(time.CLOCK_BOOTTIME)


def task(pid, tid):
    base = f"/proc/{pid}/task/{tid}"
    schedstat = slurp(f"{base}/schedstat").split()
    fields = stat_fields(f"{base}/stat")
    status = status_lines(f"{base}/status")
    uids, gids = status["Uid"].split(), status["Gid"].split()
    name = comm(f"{base}/comm")
    assert fields[2] == name, (fields[2], name)
    return {
        "pid": int(status["Tgid"]),
        "tid": int(status["Pid"]),
        "ppid": int(fields[4]),
        "pgid": int(fields[5]),
        "sid": int(fields[6]),
        "tty": tty_name(int(fields[7])),
        "uid": int(uids[0]),
        "euid": int(uids[1]),
        "gid": int(gids[0]),
        "state": fields[3],
        "cpu": int(fields[39]),
        "prio": int(fields[18]),
        "nice": int(fields[19]),
        "policy": int(fields[41]),
        "threads": int(fields[20]),
        "start": Roughly(int(fields[22]), boot_ns(), slack=1),
        "utime": Roughly(int(fields[14])),
        "stime": Roughly(int(fields[15])),
        "cputime": int(schedstat[0]),
        "minflt": int(fields[10]),
        "majflt": int(fields[12]),
        "nvcsw": int(status["voluntary_ctxt_switches"]),
        "nivcsw": int(status["nonvoluntary_ctxt_switches"]),
        "vsize": int(fields[23]),
        "rss": int(status.get("VmRSS", "0 kB").split()[0]) * 1024,
        "pidns": int(re.fullmatch(rb"pid:\[(\d+)\]", readlink(f"{base}/ns/pid"))[1]),
        "cgroup": cgroup2(f"{base}/cgroup"),
        "exe": readlink(f"{base}/exe"),
        "comm": name,
    }


def process_tasks(pid):
    return [task(pid, tid) for tid in tids(pid)]


# --- process ---

RELEASE = [int(n) for n in os.uname().release.split(".")[:2]]


class Near(int):
    """Bytes of memory. Before 6.18 status lacks what the processors have not added up yet."""

    CPUS = os.cpu_count()
    SLACK = 0 if RELEASE < [6, 2] or RELEASE >= [6, 18] else 3 * CPUS * max(32, 2 * CPUS) * PAGE

    def __eq__(self, other):
        return isinstance(other, int) and abs(int(other) - int(self)) <= self.SLACK

    __hash__ = int.__hash__


def number_lines(path):
    """{name: number} of lines like "rchar: 12"."""
    lines = (line.split(b": ") for line in slurp(path).splitlines())
    return {name.decode(): int(value) for name, value in lines}


def fd_limit(pid):
    line = re.search(rb"^Max open files +(\S+)", slurp(f"/proc/{pid}/limits"), re.M)
    return None if line[1] == b"unlimited" else int(line[1])


def namespace(pid, name):
    link = readlink(f"/proc/{pid}/ns/{name}")
    return link and int(re.fullmatch(rb"[a-z]+:\[(\d+)\]", link)[1])


def container(pid):
    """Of the innermost group that is named for one, in the v2 hierarchy or any other."""
    for line in sorted(slurp(f"/proc/{pid}/cgroup").splitlines()):
        found = re.findall(rb"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])", line)
        if found:
            return found[-1]
    return None


def cpu_clock(pid):
    """The clock of clock_getcpuclockid(3): of all threads, those that have ended included."""
    return time.clock_gettime_ns(~pid << 3 | 2)


def process(pid):
    base = f"/proc/{pid}"
    row = task(pid, pid)
    fields, status = stat_fields(f"{base}/stat"), status_lines(f"{base}/status")
    io = number_lines(f"{base}/io")
    threads = [status_lines(f"{base}/task/{tid}/status") for tid in tids(pid)]
    for name in ("tid", "cpu", "prio"):
        del row[name]

    def of_status(name):
        return int(status.get(name, "0 kB").split()[0]) * 1024

    def memory(name):
        return Near(of_status(name))

    def of_threads(name):
        return sum(int(each[name]) for each in threads)

    row.update({
        "suid": int(status["Uid"].split()[2]),
        "egid": int(status["Gid"].split()[1]),
        "oom_score_adj": int(slurp(f"{base}/oom_score_adj")),
        "start_boot": Roughly(int(fields[22])),
        "utime": Roughly(int(fields[14])),
        "stime": Roughly(int(fields[15])),
        "cputime": cpu_clock(pid),
        "minflt": int(fields[10]),
        "majflt": int(fields[12]),
        "nvcsw": of_threads("voluntary_ctxt_switches"),
        "nivcsw": of_threads("nonvoluntary_ctxt_switches"),
        "rss": memory("VmRSS"),
        "rss_anon": memory("RssAnon"),
        "rss_file": memory("RssFile"),
        "rss_shmem": memory("RssShmem"),
        "rss_peak": memory("VmHWM"),
        "swap": memory("VmSwap"),
        "pagetables": of_status("VmPTE"),
        "hugetlb": of_status("HugetlbPages"),
        "fds": len(os.listdir(f"{base}/fd")),
        "fd_limit": fd_limit(pid),
        "rchar": io["rchar"],
        "wchar": io["wchar"],
        "read_bytes": io["read_bytes"],
        "write_bytes": io["write_bytes"],
        "loginuid": int(slurp(f"{base}/loginuid")),
        "seccomp": int(status["Seccomp"]),
        "no_new_privs": int(status["NoNewPrivs"]),
        "cap_eff": b"%08x" % int(status["CapEff"], 16),
        "mntns": namespace(pid, "mnt"),
        "netns": namespace(pid, "net"),
        "pidns": namespace(pid, "pid"),
        "userns": namespace(pid, "user"),
        "cgroupns": namespace(pid, "cgroup"),
        "vpid": int(status["NSpid"].split()[-1]),
        "container": container(pid),
        "cwd": readlink(f"{base}/cwd"),
        "root": readlink(f"{base}/root"),
    })
    if row["loginuid"] == 0xFFFFFFFF:
        row["loginuid"] = None
    return row


def processes(pid):
    return [process(pid)]


# --- task_file ---

SYS_KCMP = {"x86_64": 312, "aarch64": 272, "riscv64": 272, "ppc64le": 354, "s390x": 343}
KCMP_FILES = 2
TYPES = {
    stat.S_IFREG: b"REG",
    stat.S_IFDIR: b"DIR",
    stat.S_IFCHR: b"CHR",
    stat.S_IFBLK: b"BLK",
    stat.S_IFIFO: b"FIFO",
    stat.S_IFSOCK: b"SOCK",
    stat.S_IFLNK: b"LNK",
    0: b"ANON",
}
ACCESS = {0: b"r", 1: b"w", 2: b"rw", 3: None}


def same_table(one, other):
    libc = ctypes.CDLL(None, use_errno=True)
    rc = libc.syscall(SYS_KCMP[platform.machine()], one, other, KCMP_FILES, 0, 0)
    if rc < 0:
        raise OSError(ctypes.get_errno(), "kcmp")
    return rc == 0


def fd_info(path):
    lines = (line.partition(b":\t") for line in slurp(path).split(b"\n"))
    return {key: value for key, _, value in lines}


def open_file(pid, tid, fd):
    base = f"/proc/{pid}/task/{tid}"
    link = f"{base}/fd/{fd}"
    info, seen = fd_info(f"{base}/fdinfo/{fd}"), os.stat(link)
    flags = int(info[b"flags"], 8)
    assert int(info.get(b"ino", seen.st_ino)) == seen.st_ino, (link, info)
    return {
        "pid": pid,
        "tid": tid,
        "fd": fd,
        "type": TYPES[stat.S_IFMT(seen.st_mode)],
        "access": None if flags & os.O_PATH else ACCESS[flags & os.O_ACCMODE],
        "flags": info[b"flags"],
        "pos": int(info[b"pos"]),
        "mnt_id": int(info[b"mnt_id"]),
        "dev": b"%02x:%02x" % (os.major(seen.st_dev), os.minor(seen.st_dev)),
        "ino": seen.st_ino,
        "size": seen.st_size,
        "nlink": seen.st_nlink,
        "owner": seen.st_uid,
        "blocks": seen.st_blocks,
        "comm": comm(f"{base}/comm"),
        "path": readlink(link),
    }


def process_files(pid):
    """A row per descriptor of each table, under the first thread that has it."""
    rows, shown = [], []
    for tid in tids(pid):
        fds = sorted(int(fd) for fd in os.listdir(f"/proc/{pid}/task/{tid}/fd"))
        if not fds or any(same_table(tid, other) for other in shown):
            continue
        shown.append(tid)
        rows += [open_file(pid, tid, fd) for fd in fds]
    return rows


# --- task_vma ---

MAPS = re.compile(
    rb"([0-9a-f]+)-([0-9a-f]+) (....) ([0-9a-f]+) ([0-9a-f]+:[0-9a-f]+) (\d+)(?: +(.*?))?",
    re.DOTALL,
)


def mapped_path(base, span, shown):
    """The path's true bytes: maps escapes newlines but not backslashes."""
    if not shown or shown.startswith(b"["):
        return shown or None
    plain = shown.replace(b"\\012", b"\n")
    if len(plain) >= 4096:
        return TOO_LONG
    link = readlink(f"{base.rpartition('/task/')[0]}/map_files/{span}")
    if link is None:  # of a dead leader, whose own directory has none
        return plain
    assert link.replace(b"\n", b"\\012") == shown, (link, shown)
    return link


def mapping(pid, base, line):
    start, end, perms, offset, dev, ino, shown = MAPS.fullmatch(line).groups()
    span = f"{int(start, 16):x}-{int(end, 16):x}"
    return {
        "pid": pid,
        "start": start,
        "end": end,
        "perms": perms,
        "offset": offset,
        "dev": dev,
        "ino": int(ino),
        "comm": comm(f"/proc/{pid}/comm"),
        "path": mapped_path(base, span, shown),
    }


def process_mappings(pid):
    """The maps of the first thread that still has any."""
    for tid in tids(pid):
        base = f"/proc/{pid}/task/{tid}"
        lines = slurp(f"{base}/maps").split(b"\n")[:-1]
        if lines:
            return [mapping(pid, base, line) for line in lines]
    return []


PROCESS = {"process": processes, "task": process_tasks, "task_file": process_files, "task_vma": process_mappings}
