"""Code that speaks to others."""

from __future__ import annotations

from tests.sandbox.attacks._attack import Attack

ATTACKS = (
    Attack(
        "sockets of every family",
        """
import socket
for family in range(64):
    for kind in (1, 2, 3, 4, 5):
        attempt(f'family {family}', socket.socket, family, kind)
""",
    ),
    Attack(
        "pairs of sockets",
        """
import socket
attempt('pair', socket.socketpair)
call('socketpair', 53, 1, 1, 0, (ctypes.c_int * 2)())
call('socket', 41, 2, 1, 0)
""",
        calls=True,
    ),
    Attack(
        "a listener on this machine",
        """
import socket
attempt('connect', socket.create_connection, ('127.0.0.1', port), 1)
attempt('connect', socket.create_connection, ('::1', port), 1)
""",
    ),
    Attack(
        "a socket in a folder",
        """
import socket
def reach(name):
    one = socket.socket(socket.AF_UNIX)
    one.connect(name)
attempt('path', reach, path)
attempt('abstract', reach, '\\0' + abstract)
""",
    ),
    Attack(
        "names on the network",
        """
import socket
attempt('name', socket.getaddrinfo, 'example.org', 80)
attempt('host', socket.gethostbyname, 'example.org')
""",
    ),
    Attack(
        "a page",
        """
import urllib.request
attempt('page', urllib.request.urlopen, f'http://127.0.0.1:{port}/', timeout=1)
attempt('file', lambda: urllib.request.urlopen('file://' + secret).read())
""",
    ),
    Attack(
        "a server of its own",
        """
import http.server
attempt('server', http.server.HTTPServer, ('', 0), None)
""",
    ),
    Attack(
        "an event loop",
        """
import asyncio
attempt('loop', asyncio.run, asyncio.sleep(0))
""",
    ),
)
