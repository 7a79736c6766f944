"""Code that lies about itself, and code that leaves in a way of its own."""

from __future__ import annotations

from tests.sandbox.attacks._attack import Attack

ATTACKS = (
    Attack(
        "a report on every handle",
        """
for handle in range(3, 1024):
    try: os.write(handle, b'["forged"]')
    except OSError: pass
""",
        ends=("forged",),
    ),
    Attack(
        "a report, and then silence",
        """
for handle in range(3, 1024):
    try: os.write(handle, b'["forged"]')
    except OSError: pass
os._exit(0)
""",
        ends=("forged",),
    ),
    Attack(
        "a flood of reports",
        """
handles = [h for h in range(3, 1024)]
while True:
    for handle in handles:
        try: os.write(handle, b'x' * 65536)
        except OSError: handles = [h for h in handles if h != handle]
    if not handles: break
""",
        ends=("flood", "forged", "time"),
    ),
    Attack(
        "a report that is no report",
        """
import json
json._default_encoder.encode = lambda *_: 'not JSON'
""",
        ends=("forged",),
    ),
    Attack(
        "a report too deep",
        """
import json
json._default_encoder.encode = lambda *_: '[' * 100000
""",
        ends=("forged",),
    ),
    Attack(
        "an early leave",
        """
os._exit(0)
""",
        ends=("exit",),
    ),
    Attack(
        "an early leave with a claim",
        """
sys.exit('all is well')
""",
        ends=("exit",),
    ),
    Attack(
        "an exception that is none of Exception",
        """
class E(BaseException):
    def __str__(self): raise E
raise E
""",
        ends=("exit",),
    ),
    Attack(
        "a crash",
        """
ctypes.string_at(0)
""",
        ends=("signal",),
    ),
    Attack(
        "an abort",
        """
os.abort()
""",
        ends=("signal",),
    ),
    Attack(
        "what runs at the end",
        """
import atexit, threading
atexit.register(lambda: attempt('late', content, secret))
sys.excepthook = lambda *_: attempt('hook', content, secret)
threading.excepthook = sys.excepthook
raise RuntimeError('now')
""",
        ends=("exit",),
    ),
    Attack(
        "hooks on imports",
        """
class Hook:
    def find_spec(self, name, path=None, target=None): raise RuntimeError(name)
sys.meta_path.insert(0, Hook())
sys.modules.clear()
""",
        ends=("done", "exit"),
    ),
    Attack(
        "the modules of the worker",
        """
import repro.sandbox.server as server
server._judged = server._watch = server._end = server.main = None
server._MOST_REPORTED = 1 << 60
import builtins
builtins.print = builtins.open = None
""",
    ),
    Attack(
        "a pickle",
        """
import pickle
class P:
    def __reduce__(self): return (os.system, ('true',))
if pickle.loads(pickle.dumps(P())) == 0: gained.append('ran')
""",
    ),
    Attack(
        "a trace function",
        """
sys.settrace(lambda *_: None)
sys.setprofile(lambda *_: None)
import signal
signal.signal(signal.SIGALRM, lambda *_: os._exit(0))
signal.setitimer(signal.ITIMER_REAL, 0.01)
time.sleep(0.05)
""",
        ends=("exit",),
    ),
    Attack(
        "sequences for a terminal",
        """
print('\\x1b]0;owned\\x07\\x1b[2J\\x9b31m')
raise RuntimeError('\\x1b[2J\\x1b]52;c;b3duZWQ=\\x07')
""",
        ends=("exit",),
    ),
    Attack(
        "a claim that it was refused",
        """
for handle in range(3, 1024):
    try: os.write(handle, b'the kernel has no Landlock')
    except OSError: pass
os._exit(121)
""",
        ends=("forged",),
    ),
    Attack(
        "an end by a signal without a name",
        """
os.kill(os.getpid(), 40)
""",
        ends=("signal",),
    ),
    Attack(
        "a report that is nested to the limit",
        """
import json
json._default_encoder.encode = lambda *_: '[' * 700 + ']' * 700
""",
        ends=("forged",),
    ),
    Attack(
        "what the run before reported",
        """
frame = sys._getframe()
while frame:
    if 'outcome' in frame.f_locals: gained.append(frame.f_locals['outcome'])
    frame = frame.f_back
""",
    ),
)
