#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The shape of the tree: which room includes what, how long things are.

    shape.py files               every text file of the project, one a line
    shape.py rooms|length|spdx|paths
                                 one check: a line per offence, exit status 1 if any

Run from the top of the tree.
"""
import os
import re
import subprocess
import sys

MAX_FUNCTION = 60
MAX_FILE = 500

LIBC = re.compile(r'^(linux/.*|sys/.*|asm/.*|arpa/inet\.h|[a-z_]+\.h)$')
NOT_LIBC = re.compile(r'^(libelf|gelf|fuse\w*|seccomp|libmount|cmocka)\.h$')
LIBBPF = re.compile(r'^bpf/')
BTF = re.compile(r'^bpf/btf\.h$')
FUSE = re.compile(r'^(fuse_\w+|seccomp)\.h$')
LIBMOUNT = re.compile(r'^libmount\.h$')
ABI = r'iters/include/kview/abi\.h$'
# What opens, reads and writes files, or asks the kernel.
IO = re.compile(r'^(fcntl|unistd|poll|dirent|mntent)\.h$|^sys/(?!types|uio)|^linux/')

# room: its own headers and those of other rooms as '#include "..."' may name
# them, what may come from outside, and what of that may not after all.
ROOMS = [
    ('iters/include/', [r'iters/include/'], [re.compile(r'^linux/'), LIBBPF], None),
    ('iters/lib/', [r'iters/(include|lib)/'], [], None),
    ('iters/identity/', [r'iters/(include|lib|identity)/'], [], None),
    ('iters/', [r'iters/'], [re.compile(r'^linux/'), LIBBPF], None),
    ('src/base/', [r'src/base/'], [LIBC], NOT_LIBC),
    ('src/schema/', [r'src/(base|schema)/', ABI], [LIBC, BTF], IO),
    ('src/render/', [r'src/(base|schema|render)/', ABI], [LIBC], IO),
    ('src/load/', [r'src/(base|schema|render|load)/', ABI], [LIBC, LIBBPF], FUSE),
    ('src/access/', [r'src/(base|schema|load|access)/', ABI], [LIBC, LIBBPF], FUSE),
    ('src/stream/', [r'src/(base|schema|render|load|access|stream)/', ABI], [LIBC], NOT_LIBC),
    ('src/cli/', [r'src/', r'fuse/daemon/(serve|confine)\.h$', r'fuse/mount/(options|umount)\.h$'], [LIBC],
     NOT_LIBC),
    ('fuse/fs/', [r'src/(?!cli/)', r'fuse/fs/', ABI], [LIBC, FUSE], LIBMOUNT),
    ('fuse/mount/', [r'src/(?!cli/)', r'fuse/mount/', r'fuse/fs/ioctl\.h$'], [LIBC, LIBMOUNT], None),
    ('fuse/daemon/', [r'src/(?!cli/)', r'fuse/'], [LIBC, FUSE], LIBMOUNT),
]

INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]', re.M)
CODE = ('.c', '.h', '.py', '.sh', '.bash', '.bats')


def listed():
    """Tracked files and those about to be, or all where there is no git."""
    try:
        top = os.getcwd()
        out = subprocess.run(
            ['git', '-c', 'safe.directory=' + top, 'ls-files', '-z', '--cached', '--others',
             '--exclude-standard'], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
        names = out.stdout.decode().split('\0')
    except (OSError, subprocess.CalledProcessError):
        names = [os.path.join(d, f)[2:] for d, _, fs in os.walk('.') for f in fs
                 if not d.startswith(('./build', './.git'))]
    return sorted(n for n in names if n and os.path.isfile(n) and not os.path.islink(n))


def text_files():
    for name in listed():
        with open(name, 'rb') as f:
            data = f.read()
        if b'\0' not in data:
            yield name, data.decode('utf-8', 'replace')


def is_code(name, text):
    return name.endswith(CODE) or text.startswith('#!')


def resolve(name, target):
    """The file of ours that '#include "target"' in file `name` means."""
    for base in (os.path.dirname(name), '.', 'src', 'iters/include', 'iters/include/kview', 'iters/lib'):
        path = os.path.normpath(os.path.join(base, target))
        if os.path.exists(path):
            return path
    return None


# Made while building, and by what.
MADE = {'numbers.h': 'iters/numbers.sh'}


def room_offences(name, text, room):
    _, ours, outside, never = room
    for kind, target in INCLUDE.findall(text):
        if kind == '"' and os.path.exists(MADE.get(target, '')):
            continue
        if kind == '"':
            path = resolve(name, target)
            if not path:
                yield f'{name}: "{target}" is not a file of this tree'
            elif not any(re.match(r, path) for r in ours):
                yield f'{name}: {room[0]} may not include {path}'
        elif not any(r.match(target) for r in outside) or (never and never.match(target)):
            yield f'{name}: {room[0]} may not include <{target}>'


def rooms():
    seen = 0
    for name, text in text_files():
        room = next((r for r in ROOMS if name.startswith(r[0])), None)
        if room and name.endswith(('.c', '.h')):
            seen += 1
            yield from room_offences(name, text, room)
    if not seen:
        yield 'no source file was found'


def function_offences(name, text):
    """Kernel style: a function's braces, and no other's, are alone in column 0."""
    start = None
    for n, line in enumerate(text.splitlines(), 1):
        if line == '{':
            start = n
        elif line.startswith('}') and start:
            if n - start + 1 > MAX_FUNCTION:
                yield f'{name}:{start}: function of {n - start + 1} lines'
            start = None


def length():
    for name, text in text_files():
        lines = text.count('\n')
        if is_code(name, text) and lines > MAX_FILE:
            yield f'{name}: {lines} lines'
        if name.endswith(('.c', '.h')):
            yield from function_offences(name, text)


def spdx():
    """One licence for all: the iterators must be GPL, what embeds them too."""
    for name, text in text_files():
        first = '\n'.join(text.split('\n')[:3])
        if (is_code(name, text) or name == 'Makefile') and \
                'SPDX-License-Identifier: GPL-2.0-only' not in first:
            yield f'{name}: no SPDX line on top'


def private_paths():
    shared = {'/', '/home', '/mnt', '/opt', '/root', '/run', '/srv', '/tmp', '/usr', '/var'}
    top = os.getcwd()
    for path in (top, os.path.dirname(top), os.environ.get('HOME', '/')):
        if path not in shared and not path.startswith('/usr/'):
            yield re.escape(path)
    yield r'/(?:home|Users)/\w+'


def paths():
    """No file mentions a place on the machine of whoever wrote it."""
    r = re.compile(r'(?<![\w.}/-])(?:' + '|'.join(private_paths()) + r')(?![\w-])')
    for name, text in text_files():
        for n, line in enumerate(text.splitlines(), 1):
            if r.search(line):
                yield f'{name}:{n}: {line.strip()}'


def main():
    checks = {'rooms': rooms, 'length': length, 'spdx': spdx, 'paths': paths,
              'files': lambda: (n for n, _ in text_files())}
    if len(sys.argv) != 2 or sys.argv[1] not in checks:
        sys.exit(__doc__)
    found = list(checks[sys.argv[1]]())
    for line in found:
        print(line)
    sys.exit(1 if found and sys.argv[1] != 'files' else 0)


if __name__ == '__main__':
    main()
