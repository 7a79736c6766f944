"""Something is imported that today's versions no longer have.

The file fails in its first lines, with ModuleNotFoundError or ImportError. Tutorials outlive the libraries that they
were written for: torchvision's `models.utils` is gone since 0.11, torch's `_six` since 2.0, Python's own `imp` since
3.12, and the modules of Python 2 since 3.0.

Fix: what is elsewhere under the same name is imported from there, and a module of Python that only changed its name
under the new one.

Limits: what is listed in this rule. An import under `try` or under a condition is passed over.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.fixes.edit import Edit, replaced
from repro.audit.fixes.imports import moved
from repro.audit.meaning.nesting import is_inside
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """导入了当前版本里已经没有的东西。

文件在头几行就会失败，抛出 ModuleNotFoundError 或 ImportError。
教程往往比它所依赖的库活得更久：torchvision 的 `models.utils`
从 0.11 起消失，torch 的 `_six` 从 2.0 起消失，
Python 自己的 `imp` 从 3.12 起消失，Python 2 的模块从 3.0 起消失。

修复：换了地方而名字没变的，改从新的地方导入；只改了名的 Python 模块，改用新的模块名。

局限：只查本规则列出的内容；`try` 或条件分支里的导入不作判断。
"""

# Full name -> the first version without it, and what there is in its place.
GONE: dict[str, tuple[str, str]] = {
    "torchvision.models.utils": ("torchvision 0.11", "torch.hub.load_state_dict_from_url"),
    "torchvision.transforms.functional_tensor": ("torchvision 0.17", "torchvision.transforms.functional"),
    "torchvision.transforms.functional_pil": ("torchvision 0.17", "torchvision.transforms.functional"),
    "torch._six": ("torch 2.0", "str, int, collections.abc"),
    "torch.legacy": ("torch 1.0", "torch.nn"),
    "torch.utils.ffi": ("torch 1.0", "torch.utils.cpp_extension"),
    "torchtext.legacy": ("torchtext 0.12", "torchtext.data"),
    "tensorflow.contrib": ("tensorflow 2.0", "tf.keras"),
    "tensorflow.examples.tutorials": ("tensorflow 2.0", "tf.keras.datasets"),
    "sklearn.cross_validation": ("scikit-learn 0.20", "sklearn.model_selection"),
    "sklearn.externals.joblib": ("scikit-learn 0.23", "joblib"),
    "scipy.misc.imread": ("scipy 1.2", "imageio.v3.imread"),
    "scipy.misc.imsave": ("scipy 1.2", "imageio.v3.imwrite"),
    "scipy.misc.imresize": ("scipy 1.3", "PIL.Image.Image.resize"),
    "imp": ("Python 3.12", "importlib"),
    "distutils": ("Python 3.12", "setuptools"),
    "fractions.gcd": ("Python 3.9", "math.gcd"),
    **{
        f"collections.{name}": ("Python 3.10", f"collections.abc.{name}")
        for name in "Callable Container Hashable Iterable Iterator Mapping MutableMapping Sequence Set Sized".split()
    },
    "cPickle": ("Python 3.0", "pickle"),
    "ConfigParser": ("Python 3.0", "configparser"),
    "Queue": ("Python 3.0", "queue"),
    "StringIO": ("Python 3.0", "io"),
    "cStringIO": ("Python 3.0", "io"),
    "Tkinter": ("Python 3.0", "tkinter"),
    "urllib2": ("Python 3.0", "urllib.request"),
    "urlparse": ("Python 3.0", "urllib.parse"),
    "urllib.urlretrieve": ("Python 3.0", "urllib.request.urlretrieve"),
    "itertools.izip": ("Python 3.0", "zip"),
    "itertools.imap": ("Python 3.0", "map"),
}

# Full name -> the module that has the same thing under the same name.
_MOVED = {
    **{name: "collections.abc" for name in GONE if name.startswith("collections.")},
    "torchvision.models.utils.load_state_dict_from_url": "torch.hub",
    "torchvision.transforms.functional_tensor.rgb_to_grayscale": "torchvision.transforms.functional",
    "sklearn.cross_validation.train_test_split": "sklearn.model_selection",
}
_RENAMED = {"cPickle": "pickle", "Queue": "queue", "Tkinter": "tkinter"}  # PEP 3108: only the name of the module

_NEWEST = "Python 3.12"  # whose predecessors are still in use


@rule(
    "CNN113",
    Severity.BUG,
    Confidence.HIGH,
    en="{name} is not there since {since}; use {instead}",
    zh="{name} 从 {since} 起不可用；应改用 {instead}",
)
def removed_import(program: Program) -> Iterator[Hit]:
    guarded = program.nodes(ast.Try, ast.If)
    for node in program.nodes(ast.Import, ast.ImportFrom):
        relative = isinstance(node, ast.ImportFrom) and node.level > 0
        if relative or any(is_inside(node, each) for each in guarded):
            continue
        for alias in node.names:
            name = alias.name if isinstance(node, ast.Import) else f"{node.module}.{alias.name}"
            known = next((each for each in GONE if name == each or name.startswith(f"{each}.")), None)
            if known is not None:
                since, instead = GONE[known]
                severity = Severity.RISK if since == _NEWEST else None
                yield Hit(node, {"name": known, "since": since, "instead": instead}, severity)


def fix(program: Program, hit: Hit) -> Iterator[Edit]:
    """The same thing from where it is now; nothing where what has taken its place is another one."""
    node = hit.at
    if isinstance(node, ast.ImportFrom):
        homes = {alias: _MOVED.get(f"{node.module}.{alias.name}") for alias in node.names}
        home = next(filter(None, homes.values()), None) or _RENAMED.get(node.module or "")
        if home is not None:
            whole = node.module in _RENAMED
            yield from moved(program, node, [each for each in node.names if whole or homes[each] == home], home)
    elif isinstance(node, ast.Import):
        for alias in node.names:
            if alias.name == hit.values["name"] and alias.name in _RENAMED:
                new, name = _RENAMED[alias.name], alias.asname or alias.name
                yield from replaced(program, alias, new if new == name else f"{new} as {name}")


VALID = (
    """
import torch
try:
    import cPickle as pickle
except ImportError:
    import pickle
from collections import OrderedDict
from collections.abc import Iterable
from torch.hub import load_state_dict_from_url
""",
)
INVALID = (
    """
import torch
from torchvision.models.utils import load_state_dict_from_url  # <- bug
from torch._six import string_classes  # <- bug
from collections import Iterable, OrderedDict  # <- bug
""",
)
FIXED = (
    (
        """
import cPickle as pickle
import Queue
from collections import Iterable, OrderedDict
from collections import (
    Mapping,
    Sequence,
)
from torchvision.models.utils import load_state_dict_from_url
from torch._six import string_classes
""",
        """
import pickle
import queue as Queue
from collections.abc import Iterable
from collections import OrderedDict
from collections.abc import (
    Mapping,
    Sequence,
)
from torch.hub import load_state_dict_from_url
from torch._six import string_classes
""",
    ),
)
