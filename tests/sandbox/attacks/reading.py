"""Code that reads what it should not: files, memory, what the kernel knows of others."""

from __future__ import annotations

from tests.sandbox.attacks._attack import Attack

ATTACKS = (
    Attack(
        "a secret by its path",
        """
attempt('read', content, secret)
""",
    ),
    Attack(
        "a secret by a path from here",
        """
attempt('read', content, os.path.relpath(secret))
""",
    ),
    Attack(
        "a secret by a path from the root",
        """
root = os.open('/', os.O_PATH)
attempt('read', lambda: os.read(os.open(secret[1:], os.O_RDONLY, dir_fd=root), 64))
""",
    ),
    Attack(
        "a secret behind a link",
        """
for make in (os.symlink, os.link):
    attempt('link', make, secret, 'link')
    attempt('read', content, 'link')
""",
    ),
    Attack(
        "a secret by a handle to its place",
        """
try: handle = os.open(secret, os.O_PATH)
except FileNotFoundError: handle = 999
attempt('read', content, f'/proc/self/fd/{handle}')
attempt('again', os.open, f'/dev/fd/{handle}', os.O_RDWR)
attempt('read', os.read, handle, 64)
""",
    ),
    Attack(
        "a secret by way of other processes",
        """
for way in ('root', 'cwd'):
    for process in ('self', '1', str(parent)):
        attempt('read', content, f'/proc/{process}/{way}{secret}')
""",
    ),
    Attack(
        "a secret as a module",
        """
import importlib.util
spec = importlib.util.spec_from_file_location('secret', secret + '.py')
attempt('import', spec.loader.get_data, secret)
""",
    ),
    Attack(
        "a secret as the source of a traceback",
        """
import linecache
lines = linecache.getlines(secret)
if lines: gained.append(lines[0])
""",
    ),
    Attack(
        "a secret mapped into memory",
        """
import mmap
attempt('map', lambda: mmap.mmap(os.open(secret, os.O_RDONLY), 0, prot=mmap.PROT_READ)[:8])
""",
    ),
    Attack(
        "a secret copied by the kernel",
        """
to = os.open('copy', os.O_WRONLY | os.O_CREAT)
for copy in (os.sendfile, os.copy_file_range, os.splice):
    attempt('copy', lambda: copy(to, os.open(secret, os.O_RDONLY), 0, 64))
""",
    ),
    Attack(
        "a secret without a path",
        """
buffer = ctypes.create_string_buffer(b'\\x80' + bytes(255))
id_ = ctypes.c_int()
call('name_to_handle_at', 303, -100, secret.encode(), buffer, ctypes.byref(id_), 0)
call('open_by_handle_at', 304, -100, buffer, 0)
""",
        calls=True,
    ),
    Attack(
        "a secret by a newer call",
        """
how = (ctypes.c_uint64 * 3)()
call('openat2', 437, -100, secret.encode(), how, 24)
""",
        calls=True,
    ),
    Attack(
        "a look into the home",
        """
attempt('list', os.listdir, home)
attempt('scan', lambda: list(os.scandir(home)))
""",
    ),
    Attack(
        "a watch on the home",
        """
call('inotify_init1', 294, 0)
call('fanotify_init', 300, 0, 0)
""",
        calls=True,
    ),
    Attack(
        "keys and passwords",
        """
for path in (
    '/etc/shadow', '/etc/passwd', '/root/.ssh/id_rsa', '/root/.bash_history', '/etc/ssh',
    '/var/log', '/var/run/docker.sock',
):
    attempt('read', content, path)
    attempt('list', os.listdir, path)
""",
    ),
    Attack(
        "the account",
        """
import pwd, grp
for all_ in (pwd.getpwall, grp.getgrall):
    if all_(): gained.append(all_())
""",
    ),
    Attack(
        "the environment",
        """
if any('SECRET' in name for name in os.environ): gained.append('its own')
for process in ('self', '1', str(parent), str(os.getppid())):
    attempt('environ', content, f'/proc/{process}/environ')
""",
    ),
    Attack(
        "the memory of the parent",
        """
for process in (str(parent), str(os.getppid()), '1'):
    for what in ('mem', 'maps', 'cmdline', 'stack', 'auxv', 'status', 'fd'):
        attempt(what, content, f'/proc/{process}/{what}')
""",
    ),
    Attack(
        "its own memory by /proc",
        """
for what in ('mem', 'maps', 'attr/current', 'status'):
    attempt(what, content, f'/proc/self/{what}')
""",
    ),
    Attack(
        "what is left open",
        """
import stat
for handle in range(3, 1024):
    try: kind = os.fstat(handle).st_mode
    except OSError: continue
    if not stat.S_ISFIFO(kind): gained.append(handle)
    elif os.get_blocking(handle): attempt('read', os.read, handle, 64)
""",
    ),
    Attack(
        "what is typed",
        """
data = os.read(0, 64)
if data: gained.append(data)
attempt('terminal', os.open, '/dev/tty', os.O_RDWR)
""",
    ),
    Attack(
        "the memory of others, copied",
        """
class Vec(ctypes.Structure): _fields_ = [('base', ctypes.c_void_p), ('size', ctypes.c_size_t)]
buffer = ctypes.create_string_buffer(64)
vec = Vec(ctypes.addressof(buffer), 64)
call('process_vm_readv', 310, parent, ctypes.byref(vec), 1, ctypes.byref(vec), 1, 0)
call('process_vm_writev', 311, parent, ctypes.byref(vec), 1, ctypes.byref(vec), 1, 0)
""",
        calls=True,
    ),
    Attack(
        "a debugger",
        """
for process in (parent, os.getppid(), 1):
    call('attach', 101, 16, process, 0, 0)
    call('seize', 101, 0x4206, process, 0, 0)
call('traceme', 101, 0, 0, 0, 0)
""",
        calls=True,
    ),
    Attack(
        "handles of the parent",
        """
for process in (parent, os.getppid()):
    got = call('pidfd_open', 434, process, 0)
    if got >= 0: call('pidfd_getfd', 438, got, 0, 0)
call('kcmp', 312, os.getpid(), parent, 0, 0, 0)
""",
        calls=True,
    ),
    Attack(
        "the keyrings of the kernel",
        """
call('add_key', 248, b'user', b'name', b'value', 5, -3)
call('request_key', 249, b'user', b'name', 0, -3)
for ring in (-1, -2, -3, -4, -5): call('keyctl', 250, 0, ring, 1)
""",
        calls=True,
    ),
    Attack(
        "rings of the kernel",
        """
buffer = ctypes.create_string_buffer(256)
call('io_uring_setup', 425, 4, buffer)
call('io_uring_enter', 426, 3, 1, 0, 0, 0, 0)
call('io_uring_register', 427, 3, 0, 0, 0)
""",
        calls=True,
    ),
    Attack(
        "doors of the kernel",
        """
buffer = ctypes.create_string_buffer(256)
call('userfaultfd', 323, 0)
call('perf_event_open', 298, buffer, 0, -1, -1, 0)
call('bpf', 321, 0, buffer, 48)
call('syslog', 103, 3, buffer, 200)
call('init_module', 175, buffer, 1, b'')
call('kexec_load', 246, 0, 0, 0, 0)
call('iopl', 172, 3)
call('modify_ldt', 154, 0, buffer, 16)
""",
        calls=True,
    ),
    Attack(
        "devices",
        """
for name in (
    'mem', 'kmem', 'kmsg', 'sda', 'vda', 'nvme0n1', 'fuse', 'kvm', 'net/tun', 'shm', 'ptmx',
    'loop-control', 'vsock',
):
    attempt(name, os.open, '/dev/' + name, os.O_RDONLY)
    attempt(name, os.open, '/dev/' + name, os.O_RDWR)
""",
    ),
    Attack(
        "what the kernel tells",
        """
for path in (
    '/proc/kallsyms', '/proc/kcore', '/proc/mounts', '/proc/net/tcp', '/proc/cmdline',
    '/proc/sys/kernel/core_pattern', '/sys/kernel/notes', '/sys/class/net',
    '/sys/class/dmi/id/product_uuid',
):
    attempt('read', content, path)
    attempt('list', os.listdir, path)
""",
    ),
    Attack(
        "memory of others, shared",
        """
got = call('shmget', 29, shared, 0, 0)
call('shmat', 30, max(got, 0), 0, 0)
call('shmget', 29, 0, 4096, 0o1600)
call('msgget', 68, 0, 0o1600)
call('semget', 64, 0, 1, 0o1600)
call('mq_open', 240, b'queue', 0o102, 0o600, 0)
attempt('list', os.listdir, '/dev/shm')
""",
        calls=True,
    ),
)
