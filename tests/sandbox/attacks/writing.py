"""Code that changes what is not its own."""

from __future__ import annotations

from tests.sandbox.attacks._attack import Attack

ATTACKS = (
    Attack(
        "a new file elsewhere",
        """
for folder in (outside, '/tmp', '/var/tmp', '/dev/shm', home, '/', os.path.dirname(os.getcwd())):
    attempt('create', open, os.path.join(folder, 'planted'), 'w')
    attempt('folder', os.mkdir, os.path.join(folder, 'planted'))
""",
    ),
    Attack(
        "a file that is there",
        """
for mode in ('a', 'w', 'r+'):
    attempt('open', open, outside + '/file', mode)
attempt('truncate', os.truncate, outside + '/file', 0)
attempt('truncate', os.open, outside + '/file', os.O_RDONLY | os.O_TRUNC)
""",
    ),
    Attack(
        "names elsewhere",
        """
attempt('unlink', os.unlink, outside + '/file')
attempt('rename', os.rename, outside + '/file', outside + '/other')
attempt('take', os.rename, outside + '/file', 'file')
open('mine', 'w').close()
attempt('put', os.rename, 'mine', outside + '/mine')
attempt('link', os.link, 'mine', outside + '/mine')
attempt('symlink', os.symlink, '/etc/passwd', outside + '/mine')
""",
    ),
    Attack(
        "modes, owners and times elsewhere",
        """
path = outside + '/file'
attempt('chmod', os.chmod, path, 0o4777)
attempt('chown', os.chown, path, 0, 0)
attempt('lchown', os.lchown, path, os.getuid(), os.getgid())
attempt('utime', os.utime, path)
attempt('xattr', os.setxattr, path, 'user.a', b'b')
""",
    ),
    Attack(
        "pipes, sockets and devices elsewhere",
        """
attempt('fifo', os.mkfifo, outside + '/fifo')
attempt('fifo here', os.mkfifo, 'fifo')
attempt('device', os.mknod, 'device', 0o60666, os.makedev(8, 0))
attempt('device', os.mknod, outside + '/device', 0o20666, os.makedev(1, 1))
""",
    ),
    Attack(
        "Python's own files",
        """
import sysconfig
for name in ('purelib', 'stdlib', 'platlib'):
    folder = sysconfig.get_path(name)
    attempt('write', open, folder + '/sitecustomize.py', 'w')
    attempt('cache', os.mkdir, folder + '/__pycache__/planted')
attempt('patch', open, os.__file__, 'r+')
""",
    ),
    Attack(
        "a file by a handle for reading",
        """
handle = os.open(os.__file__, os.O_RDONLY)
attempt('write', os.write, handle, b'x')
attempt('reopen', os.open, f'/proc/self/fd/{handle}', os.O_RDWR)
attempt('truncate', os.ftruncate, handle, 0)
""",
    ),
    Attack(
        "the tree of files",
        """
for target in (b'/', os.getcwd().encode()):
    call('mount', 165, b'none', target, b'tmpfs', 0, 0)
    call('bind', 165, b'/', target, 0, 4096, 0)
    call('umount2', 166, target, 2)
    call('chroot', 161, target)
    call('pivot_root', 155, target, target)
    call('open_tree', 428, -100, target, 1)
    call('fsopen', 430, b'tmpfs', 0)
""",
        calls=True,
    ),
)
