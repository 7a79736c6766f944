"""Code that takes all there is, or never ends."""

from __future__ import annotations

from tests.sandbox.attacks._attack import TIMED, Attack

ATTACKS = (
    Attack(
        "all memory",
        """
blocks = []
while len(blocks) < 100000: blocks.append(bytearray(1 << 20))
gained.append(len(blocks))
""",
        ends=("exit", "signal"),
    ),
    Attack(
        "all memory at once",
        """
attempt('block', bytearray, 1 << 40)
attempt('list', lambda: [0] * (1 << 36))
""",
    ),
    Attack(
        "all memory mapped",
        """
import mmap
kept = []
while len(kept) < 1000: kept.append(mmap.mmap(-1, 64 << 20))
gained.append(len(kept))
""",
        ends=("exit", "signal"),
    ),
    Attack(
        "the disk by one file",
        """
with open('large', 'wb') as file:
    while file.tell() < 1 << 30: file.write(bytes(1 << 20))
gained.append('large')
""",
        ends=("exit", "files", "signal"),
    ),
    Attack(
        "the disk by many files",
        """
for number in range(2000):
    with open(f'f{number}', 'wb') as file: file.write(bytes(4 << 20))
gained.append('many')
""",
        ends=("exit", "files", "signal"),
    ),
    Attack(
        "the disk by empty files",
        """
for number in range(500000): open(f'f{number}', 'w').close()
gained.append('many')
""",
        ends=("exit", "files", "signal", "time"),
    ),
    Attack(
        "a hole of a terabyte",
        """
with open('hole', 'wb') as file: attempt('hole', file.truncate, 1 << 40)
""",
        ends=("done", "signal"),
    ),
    Attack(
        "all handles",
        """
kept = []
while len(kept) < 5000: kept.append(os.open('/dev/null', os.O_RDONLY))
gained.append(len(kept))
""",
        ends=("exit",),
    ),
    Attack(
        "an endless loop in Python",
        """
while True: pass
""",
        ends=TIMED,
    ),
    Attack(
        "an endless loop in C",
        """
import re
re.match('(a+)+$', 'a' * 60 + 'b')
""",
        ends=TIMED,
    ),
    Attack(
        "an endless sum",
        """
3 ** (10 ** 10)
""",
        ends=TIMED,
    ),
    Attack(
        "an endless sleep",
        """
time.sleep(1000)
""",
        ends=("time",),
    ),
    Attack(
        "an end that is refused",
        """
import signal
for number in range(1, 65):
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
while True:
    try:
        while True: time.sleep(1)
    except BaseException: pass
""",
        ends=TIMED,
    ),
    Attack(
        "depth",
        """
sys.setrecursionlimit(1 << 30)
def f(): return f()
try: f()
except BaseException: pass
""",
        ends=("done", "exit", "signal", "time"),
    ),
    Attack(
        "a flood of output",
        """
line = b'x' * (1 << 16)
while True: os.write(1, line)
""",
        ends=TIMED,
    ),
    Attack(
        "a flood of errors",
        """
while True: print('x' * 4096, file=sys.stderr)
""",
        ends=TIMED,
    ),
    Attack(
        "the disk by files without a name",
        """
kept = []
for _ in range(40):
    file = open('nameless', 'wb')
    attempt('unlink', os.unlink, 'nameless')
    file.write(bytes(4 << 20))
    kept.append(file)
""",
        ends=("done", "exit", "files", "signal"),
    ),
    Attack(
        "the disk by files that never had one",
        """
for _ in range(20):
    attempt('nameless', os.open, '.', os.O_TMPFILE | os.O_RDWR, 0o600)
""",
    ),
    Attack(
        "the disk below folders without end",
        """
for _ in range(2000):
    attempt('folder', os.mkdir, 'd' * 200)
    try: os.chdir('d' * 200)
    except OSError: break
""",
    ),
    Attack(
        "the disk in a folder that nobody may look into",
        """
attempt('folder', os.mkdir, 'x', 0o300)
attempt('file', open, 'x/large', 'wb')
""",
    ),
    Attack(
        "handles by the thousand, a table for each thread",
        """
call('close_range', 436, 1000, 1001, 2)
call('clone', 56, 0x00010900, 0, 0, 0, 0)
""",
        calls=True,
    ),
)
