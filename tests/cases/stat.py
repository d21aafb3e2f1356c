#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""dev, ino, size, nlink, owner and blocks against fstat(2): stat.py FILE CASE DIR

Opens files of all sorts on the file systems that CASE has in DIR, in a mount namespace of
its own, and compares their rows in FILE, a csv table of this process (pid/self).
"""
import csv
import ctypes
import os
import signal
import struct
import subprocess
import sys

TABLE, CASE, DIR = sys.argv[1:]
IMAGES = {"ext4": ["mkfs.ext4", "-q"], "inline": ["mkfs.ext4", "-q", "-O", "inline_data"],
          "bigalloc": ["mkfs.ext4", "-q", "-O", "bigalloc", "-C", "65536"],
          "ext2": ["mkfs.ext2", "-q"], "xfs": ["mkfs.xfs", "-q"], "btrfs": ["mkfs.btrfs", "-q"]}
opened = {}  # name -> descriptor


def run(*command):
    subprocess.run(command, check=True, timeout=60, stdin=subprocess.DEVNULL)


def make(kind):
    """A new file system of that kind; its directory."""
    at = f"{DIR}/{kind}{len(os.listdir(DIR))}"
    os.mkdir(at)
    if kind == "tmpfs":
        run("mount", "-t", "tmpfs", "tmpfs", at)
        return at
    with open(at + ".img", "wb") as image:
        image.truncate(400 << 20)
    run(*IMAGES[kind], at + ".img")
    run("mount", "-o", "loop", at + ".img", at)
    return at


def put(path, size, sync=False):
    with open(path, "wb") as file:
        file.write(b"x" * size)
        if sync:
            file.flush()
            os.fsync(file.fileno())


def keep(name, path, flags=os.O_RDONLY):
    opened[name] = os.open(path, flags)


def files(at, name):
    """Files of all sorts in directory @at."""
    os.mkdir(f"{at}/dir")
    os.makedirs(f"{at}/dir/in/it")
    for size in (0, 1, 50, 5000, 3 << 20):
        for sync in (False, True):
            path = f"{at}/{size}{'-synced' if sync else ''}"
            put(path, size, sync)
            keep(f"{name}: {size} bytes{' synced' if sync else ''}", path)
    with open(f"{at}/sparse", "wb") as file:
        file.truncate(1 << 30)
        file.seek(1 << 29)
        file.write(b"x")
    keep(f"{name}: sparse", f"{at}/sparse")
    os.link(f"{at}/5000", f"{at}/link")
    os.chown(f"{at}/5000", 12345, 54321)
    put(f"{at}/gone", 70000)
    keep(f"{name}: gone", f"{at}/gone")
    os.unlink(f"{at}/gone")
    os.mkfifo(f"{at}/fifo")
    keep(f"{name}: fifo", f"{at}/fifo", os.O_RDWR)
    os.symlink("5000", f"{at}/symlink")
    keep(f"{name}: symlink", f"{at}/symlink", os.O_PATH | os.O_NOFOLLOW)
    keep(f"{name}: dir", f"{at}/dir", os.O_DIRECTORY)
    os.mkdir(f"{at}/dir/new")
    os.fsync(opened[f"{name}: dir"])
    put(f"{at}/attributes", 40)
    try:
        os.setxattr(f"{at}/attributes", "user.big", b"x" * 3000)
    except OSError:
        pass  # there is no room for one so large, or none at all
    keep(f"{name}: attributes", f"{at}/attributes")
    keep(f"{name}: top", at)


def plain(kind):
    at = make(kind)
    if kind == "btrfs":
        files(at, kind)
        for n in (1, 2):
            run("btrfs", "-q", "subvolume", "create", f"{at}/sub{n}")
            files(f"{at}/sub{n}", f"sub{n}")
        run("btrfs", "-q", "subvolume", "snapshot", f"{at}/sub1", f"{at}/snap")
        keep("snapshot", f"{at}/snap/5000")
        keep("empty subvolume", f"{at}/snap")
    else:
        files(at, kind)


def overlay(upper_kind, lower_kinds, options=""):
    """Layers on file systems of those kinds; "=" is the upper one's."""
    upper = make(upper_kind)
    lowers = []
    for n, kind in enumerate(lower_kinds):
        base = upper if kind == "=" else make(kind)
        lower = f"{base}/lower{n}"
        os.makedirs(f"{lower}/both/deep")
        for name in ("stays", "up", "linked", "doomed", "open", "chmod"):
            put(f"{lower}/{name}{n}", 9000 + n, True)
        os.link(f"{lower}/linked{n}", f"{lower}/linked{n}-too")
        put(f"{lower}/both/{n}", 100)
        lowers.append(lower)
    at = f"{upper}/merged"
    for name in ("upper/both", "work", "merged"):
        os.makedirs(f"{upper}/{name}")
    run("mount", "-t", "overlay", "overlay", "-o",
        f"lowerdir={':'.join(lowers)},upperdir={upper}/upper,workdir={upper}/work{options}", at)
    for n in range(len(lowers)):
        keep(f"lower {n}", f"{at}/stays{n}")
        keep(f"lower {n}, linked", f"{at}/linked{n}")
        keep(f"lower {n}, to be copied", f"{at}/open{n}")
        keep(f"lower {n}, to be unlinked", f"{at}/doomed{n}")
        for name in ("up", "open", "linked"):
            with open(f"{at}/{name}{n}", "ab") as file:
                file.write(b"x" * 100000)
        os.chmod(f"{at}/chmod{n}", 0o600)
        os.unlink(f"{at}/doomed{n}")
        keep(f"copied {n}", f"{at}/up{n}")
        keep(f"copied {n}, linked", f"{at}/linked{n}")
        keep(f"copied {n}, the other link", f"{at}/linked{n}-too")
        keep(f"copied {n}, for its mode", f"{at}/chmod{n}")
        keep(f"in {n}", f"{at}/both/{n}")
    with open(f"{lowers[0]}/grows", "wb") as file:
        file.write(b"x" * 100)
    keep("grows beneath", f"{at}/grows")
    with open(f"{lowers[0]}/grows", "ab") as file:
        file.write(b"x" * 100000)
    keep("merged directory", f"{at}/both")
    keep("lower directory", f"{at}/both/deep")
    files(at, "upper")


def leave_chroot():
    """The guests of tests/vm run in one, and the kernel makes no user namespace there."""
    top = os.open("/", os.O_RDONLY)
    os.makedirs(f"{DIR}/jail", exist_ok=True)
    os.chroot(f"{DIR}/jail")
    os.fchdir(top)
    for _ in range(9):
        os.chdir("..")
    os.chroot(".")


def be_in_user_ns(tells):
    leave_chroot()
    code = ctypes.CDLL(None, use_errno=True).unshare(0x10000000)  # CLONE_NEWUSER
    os.write(tells, b"-" if code else b"+")
    signal.pause()


def new_user_ns(uid_map):
    """A descriptor of a user namespace with that map."""
    told, tells = os.pipe()
    pid = os.fork()
    if not pid:
        be_in_user_ns(tells)
    try:
        assert os.read(told, 1) == b"+", "no user namespace"
        for name in ("uid_map", "gid_map"):
            with open(f"/proc/{pid}/{name}", "w", encoding="ascii") as file:
                file.write(uid_map)
        return os.open(f"/proc/{pid}/ns/user", os.O_RDONLY)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def mount_mapped(of, at, ns):
    """The tree @of again at @at, with owners as @ns maps them."""
    syscall = ctypes.CDLL(None, use_errno=True).syscall
    attr = ctypes.create_string_buffer(struct.pack("QQQQ", 0x100000, 0, 0, ns))  # MOUNT_ATTR_IDMAP
    tree = syscall(428, -100, of.encode(), 1)  # open_tree(), OPEN_TREE_CLONE
    assert tree >= 0, os.strerror(ctypes.get_errno())
    code = syscall(442, tree, b"", 0x1000, attr, ctypes.c_size_t(32))  # mount_setattr(), AT_EMPTY_PATH
    assert code == 0, os.strerror(ctypes.get_errno())
    code = syscall(429, tree, b"", -100, at.encode(), 4)  # move_mount(), MOVE_MOUNT_F_EMPTY_PATH
    assert code == 0, os.strerror(ctypes.get_errno())
    os.close(tree)


# One range; six, which lie outside of the map itself; one without root.
MAPS = ("0 100000 70000", "0 5000 1\n1 6000 1\n2 7000 1\n3 8000 1\n1000 9000 10\n2000 9500 10",
        "1000 0 1")


def idmapped():
    """Mounts that show other owners than the file system has."""
    of = make("ext4")
    uids = (0, 1, 3, 1000, 1009, 1010, 65534, 4294967294)
    for uid in uids:
        put(f"{of}/{uid}", 1)
        os.chown(f"{of}/{uid}", uid, 0)
    keep("as it is", f"{of}/1000")
    for i, ids in enumerate(MAPS):
        at = f"{DIR}/mapped{i}"
        os.mkdir(at)
        mount_mapped(of, at, new_user_ns(ids))
        for uid in uids:
            keep(f"map {i}: of {uid}", f"{at}/{uid}")
    owners = {os.fstat(fd).st_uid for fd in opened.values()}
    assert owners >= {0, 1000, 65534, 8000, 9000, 9009, 100000, 101000}, owners


def nested():
    """Layers that are overlayfs again: what stat(2) says is not looked for."""
    lower = make("tmpfs")
    for name in ("a", "b", "merged"):
        os.makedirs(f"{lower}/{name}")
    put(f"{lower}/a/file", 100)
    run("mount", "-t", "overlay", "overlay", "-o", f"lowerdir={lower}/a:{lower}/b", f"{lower}/merged")
    upper = make("tmpfs")
    for name in ("upper", "work", "merged"):
        os.makedirs(f"{upper}/{name}")
    run("mount", "-t", "overlay", "overlay", "-o",
        f"lowerdir={lower}/merged,upperdir={upper}/upper,workdir={upper}/work", f"{upper}/merged")
    keep("nested", f"{upper}/merged/file")
    files(f"{upper}/merged", "upper")


CASES = {
    **{kind: lambda kind=kind: plain(kind) for kind in [*IMAGES, "tmpfs"]},
    "overlay": lambda: overlay("tmpfs", ["="]),
    "overlay-tmpfs": lambda: overlay("tmpfs", ["tmpfs"], ",xino=off"),
    "overlay-two": lambda: overlay("tmpfs", ["ext4", "btrfs"]),
    "overlay-xino": lambda: overlay("ext4", ["xfs", "="], ",xino=on"),
    "overlay-no-xino": lambda: overlay("ext4", ["xfs", "="], ",xino=off"),
    "overlay-index": lambda: overlay("xfs", ["=", "ext4"], ",index=on,xino=off"),
    "overlay-nested": nested,
    "idmapped": idmapped,
    "overlay-metacopy": lambda: overlay("btrfs", ["ext4", "="], ",metacopy=on"),
}


def row_of(fd):
    with open(TABLE, newline="", encoding="utf-8", errors="surrogateescape") as file:
        return next(row for row in csv.DictReader(file) if int(row["fd"]) == fd)


def as_csv(st):
    return {"dev": f"{os.major(st.st_dev):02x}:{os.minor(st.st_dev):02x}", "ino": str(st.st_ino),
            "size": str(st.st_size), "nlink": str(st.st_nlink), "owner": str(st.st_uid),
            "blocks": str(st.st_blocks)}


def difference(fd):
    """What is so before and after as it is shown; data may just be written to their place."""
    for _ in range(20):
        before, row, after = as_csv(os.fstat(fd)), row_of(fd), as_csv(os.fstat(fd))
        wrong = {name: (row[name], want) for name, want in before.items()
                 if row[name] not in (want, after[name])}
        if not wrong:
            break
    return wrong


def is_the_kernels_fault(name, wrong):
    """Linux 6.1 takes what btrfs keeps of a directory's log for bytes that are not written yet."""
    return CASE == "btrfs" and os.uname().release.startswith("6.1.") and \
        name.endswith(": dir") and set(wrong) == {"blocks"} and wrong["blocks"][0] == "0"


def is_unknown(name, wrong):
    """The contents of a file that was copied up for its mode alone lie elsewhere."""
    if any(value for value, _ in wrong.values()):
        return False
    return "for its mode" in name and CASE == "overlay-metacopy" and set(wrong) == {"blocks"} or \
        CASE == "overlay-nested" and name in ("nested", "upper: top")


os.makedirs(DIR, exist_ok=True)
CASES[CASE]()
failed = 0
for name, fd in opened.items():
    wrong = difference(fd)
    if wrong and not is_unknown(name, wrong) and not is_the_kernels_fault(name, wrong):
        print(name, wrong)
        failed += 1
print(f"{len(opened)} files, {failed} of them wrong")
sys.exit(failed > 0)
