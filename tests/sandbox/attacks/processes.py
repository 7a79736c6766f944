"""Code that starts processes, signals others, or becomes somebody else."""

from __future__ import annotations

from tests.sandbox.attacks._attack import Attack

ATTACKS = (
    Attack(
        "a fork bomb",
        """
for _ in range(1000):
    try: pid = os.fork()
    except OSError: break
    gained.append(pid)
""",
    ),
    Attack(
        "a fork by other calls",
        """
call('fork', 57)
call('vfork', 58)
call('clone', 56, 17, 0, 0, 0, 0)
call('clone3', 435, (ctypes.c_uint64 * 11)(), 88)
""",
        calls=True,
    ),
    Attack(
        "another program",
        """
import subprocess
for command in (['true'], ['/bin/sh', '-c', 'id'], [sys.executable, '-V']):
    attempt('run', subprocess.run, command)
    attempt('spawn', os.posix_spawn, command[0], command, {})
if os.system('true') == 0: gained.append('system')
attempt('popen', lambda: os.popen('id').read() or 1 / 0)
""",
    ),
    Attack(
        "another program in its place",
        """
for program in ('/bin/true', '/bin/sh', sys.executable):
    attempt('exec', os.execv, program, [program])
""",
    ),
    Attack(
        "a program from memory",
        """
got = call('memfd_create', 319, b'', 0)
call('execveat', 322, got, b'', 0, 0, 0x1000)
""",
        calls=True,
    ),
    Attack(
        "processes of Python's",
        """
import multiprocessing, concurrent.futures
attempt('process', multiprocessing.Process(target=print).start)
attempt('pool', lambda: concurrent.futures.ProcessPoolExecutor(1).submit(int).result(1))
""",
    ),
    Attack(
        "a daemon that outlives the run",
        """
attempt('session', os.setsid)
attempt('group', os.setpgid, 0, 0)
attempt('fork', os.fork)
import threading
threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
threading.Thread(target=time.sleep, args=(60,)).start()
""",
    ),
    Attack(
        "a thread bomb",
        """
import threading
threading.stack_size(1 << 16)
count = 0
try:
    while count < 5000:
        threading.Thread(target=time.sleep, args=(30,), daemon=True).start()
        count += 1
except RuntimeError: pass
if count > 200: gained.append(count)
""",
    ),
    Attack(
        "another user",
        """
for change in (os.setuid, os.setgid, os.seteuid, os.setegid):
    attempt('be', change, 0)
    attempt('be', change, 1)
attempt('groups', os.setgroups, [0])
attempt('all', os.setresuid, 0, 0, 0)
call('capset', 126, (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)(*[0xFFFFFFFF] * 6))
""",
        calls=True,
    ),
    Attack(
        "a world of its own",
        """
call('unshare', 272, 0x10000000)
call('unshare', 272, 0x00020000)
call('setns', 308, 3, 0)
call('clone', 56, 0x10000000 | 17, 0, 0, 0, 0)
""",
        calls=True,
    ),
    Attack(
        "signals to others",
        """
import signal
for process in (parent, os.getppid(), 1, -1, 0, -os.getpgid(0)):
    for number in (0, signal.SIGSTOP, signal.SIGKILL):
        attempt('kill', os.kill, process, number)
attempt('group', os.killpg, os.getppid(), 9)
attempt('its group', os.getpgid, os.getppid())
""",
    ),
    Attack(
        "signals by other calls",
        """
for process in (parent, os.getppid()):
    call('tkill', 200, process, 9)
    call('tgkill', 234, process, process, 9)
    call('rt_sigqueueinfo', 129, process, 9, ctypes.create_string_buffer(128))
    call('rt_tgsigqueueinfo', 297, process, process, 9, ctypes.create_string_buffer(128))
    call('pidfd_send_signal', 424, 1, 9, 0, 0)
""",
        calls=True,
    ),
    Attack(
        "signals sent by files",
        """
import fcntl
read, write = os.pipe()
for command in (8, 10, 15, 1024, 1026):
    attempt('owner', fcntl.fcntl, read, command, parent)
attempt('async', fcntl.ioctl, read, 0x5452, b'\\1\\0\\0\\0')
""",
    ),
    Attack(
        "a terminal's input",
        """
import fcntl
for handle in (0, 1, 2):
    attempt('type', fcntl.ioctl, handle, 0x5412, b'x')
    attempt('take', fcntl.ioctl, handle, 0x540E, 0)
""",
    ),
    Attack(
        "more than its share",
        """
import resource
for name in ('AS', 'CPU', 'NOFILE', 'NPROC', 'FSIZE', 'CORE'):
    kind = getattr(resource, 'RLIMIT_' + name)
    hard = resource.getrlimit(kind)[1]
    attempt(name, resource.setrlimit, kind, (hard + 1, hard + 1))
    attempt(name, resource.prlimit, parent, kind, (1, 1))
attempt('nice', os.nice, -5)
attempt('scheduler', os.sched_setscheduler, 0, os.SCHED_FIFO, os.sched_param(1))
""",
    ),
    Attack(
        "its bonds",
        """
call('not dumpable', 157, 4, 1, 0, 0, 0)
call('pdeathsig', 157, 1, 0, 0, 0, 0)
call('keep capabilities', 157, 8, 1, 0, 0, 0)
call('securebits', 157, 28, 0, 0, 0, 0)
call('another filter', 317, 1, 0, ctypes.create_string_buffer(16))
call('strict', 317, 0, 0, 0)
call('ruleset', 444, 0, 0, 1)
""",
        calls=True,
    ),
    Attack(
        "calls of another machine",
        """
code = bytes([0xB8, 39, 0, 0, 0x40, 0x0F, 0x05, 0xC3])
import mmap
page = mmap.mmap(-1, 4096, prot=7)
page.write(code)
got = ctypes.CFUNCTYPE(ctypes.c_long)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
if got > 0: gained.append(got)
""",
        calls=True,
    ),
    Attack(
        "calls of an older machine",
        """
code = bytes([0xB8, 20, 0, 0, 0, 0xCD, 0x80, 0xC3])
import mmap
page = mmap.mmap(-1, 4096, prot=7)
page.write(code)
got = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
if got > 0: gained.append(got)
""",
        ends=("done", "signal"),
        calls=True,
    ),
)
