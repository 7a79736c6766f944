"""What one statement tells of where it may stand, before its indentation is known."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

# First word -> what must be around it for it to be Python alone.
_OPENED = {
    "else": "if 1: pass\n",
    "elif": "if 1: pass\n",
    "except": "try: pass\n",
    "finally": "try: pass\n",
    "case": "match 1:\n ",
}
_COMPOUND = {"def", "class", "if", "for", "while", "with", "try", "match", *_OPENED}
_WORD = re.compile(r"(?:async\s+)?(@|[^\W\d]\w*)?")
_NAME = re.compile(r"[^\W\d]\w*")
_NUMBER = re.compile(r"\d+")
_JUMPS = {ast.Return: "return", ast.Raise: "raise", ast.Break: "jump", ast.Continue: "jump"}
_KINDS: dict[type[ast.AST], str] = {
    **_JUMPS,
    ast.Import: "import",
    ast.ImportFrom: "import",
    ast.Assign: "assign",
    ast.AnnAssign: "assign",
    ast.AugAssign: "augmented",
    ast.Assert: "assert",
}
TAKES = {  # what goes on after a block of another kind
    "elif": {"if", "elif"},
    "else": {"if", "elif", "for", "while", "except"},
    "except": {"try", "except"},
    "finally": {"try", "except", "else"},
    "case": {"case"},
}
_CHANGE = {"append", "extend", "insert", "add", "update", "setdefault", "pop", "remove", "add_module", "clear", "sort"}
_IN_A_CLASS = {"property", "staticmethod", "classmethod", "abstractmethod", "setter", "getter", "cached_property"}


@dataclass(slots=True)
class Clue:
    """What one statement tells.

    start, end  its lines
    kind        its keyword, or what sort of a simple statement it is
    opens       whether a block must follow
    jumps       whether what follows in the same block is never reached
    reads       the names that it reads; `self.width` is one as well as `self`
    binds       the names that it binds
    changes     the names of what it changes: a list that something is appended to
    guards      of a condition, the names that are something where it holds
    denies      of a condition, the names that are nothing where it holds
    targets     of those, the ones that its own block begins with: of a loop, the parameters of a function
    head        of a condition what it is about; of others what they assign and call
    shape       the same without its numbers, if it has one
    called      the name of what it defines
    method      whether it defines something that only a class has
    test        of a condition, what sort it is
    holds       of a condition, what must hold for it, in its own words
    enough      of a condition, each of what it is enough that it holds
    main        whether it asks if the file is run, which stands at the top
    begins      whether it binds an empty list, or another thing that is going to be filled
    blanks      lines with nothing on them before it, and before the comments on it
    comment     whether a comment stands before it
    """

    start: int
    end: int
    kind: str = "other"
    opens: bool = False
    jumps: bool = False
    reads: frozenset[str] = frozenset()
    binds: frozenset[str] = frozenset()
    changes: frozenset[str] = frozenset()
    guards: frozenset[str] = frozenset()
    denies: frozenset[str] = frozenset()
    targets: frozenset[str] = frozenset()
    head: str = ""
    shape: str = ""
    called: str = ""
    method: bool = False
    test: str = ""
    holds: frozenset[str] = frozenset()
    enough: frozenset[str] = frozenset()
    main: bool = False
    begins: bool = False
    blanks: int = 0
    comment: bool = False


def numbered(one: Clue, other: Clue) -> bool:
    """Whether two statements are the same but for a number: `x1 = self.conv1(x1)` and `x2 = self.conv2(x2)`."""
    return one.shape == other.shape != "" and one.head != other.head


def clue(lines: Sequence[str], start: int, end: int) -> Clue:
    """What the statement in some lines tells. What cannot be read tells its words."""
    text = "\n".join([lines[start].strip(), *lines[start + 1 : end]])
    found = _WORD.match(text)
    word = (found and found[1]) or ""
    made = Clue(start, end, kind=word if word in _COMPOUND else "decorator" if word == "@" else "other")
    before = _OPENED.get(word, "")
    follows = {"@": ["\ndef f(): pass"], "": [""]}.get(word, ["\n   pass", ""] if word in _COMPOUND else [""])
    for after in follows:
        tree = _parsed(before + text + after)
        if tree is not None:
            made.opens = bool(after) and word != "@"
            _learn(made, tree, word)
            return made
    if word in _COMPOUND and re.search(r":\s*(?:#.*)?$", text):
        made.opens = True
    elif word in ("match", "case"):
        made.kind = "other"
    made.reads = frozenset(_NAME.findall(text))
    made.head = word
    return made


def _parsed(text: str) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _learn(made: Clue, tree: ast.Module, word: str) -> None:
    node: ast.AST = tree.body[0] if tree.body else tree
    if word in ("else", "finally") or not tree.body:
        return
    if word == "elif" and isinstance(node, ast.If):
        node = node.orelse[0]
    elif word == "except" and isinstance(node, ast.Try):
        node = node.handlers[0]
    elif word == "case" and isinstance(node, ast.Match):
        node = node.cases[0]
    else:
        made.kind = "match" if isinstance(node, ast.Match) else _KINDS.get(type(node), made.kind)
    made.jumps = type(node) in _JUMPS
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and word == "@":
        made.head = ast.unparse(node.decorator_list[0]).partition("(")[0]
        made.method = made.head.rpartition(".")[2] in _IN_A_CLASS
        reads, binds, changes = _names(*node.decorator_list)
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        arguments = node.args.posonlyargs + node.args.args
        every = [*arguments, *node.args.kwonlyargs, node.args.vararg, node.args.kwarg]
        made.method = bool(arguments) and arguments[0].arg in ("self", "cls")
        made.targets = frozenset(each.arg for each in every if each)
        reads, binds, changes = _names(*node.args.defaults, *filter(None, node.args.kw_defaults))
    elif isinstance(node, ast.ClassDef):
        reads, binds, changes = _names(*node.bases)
    else:
        reads, binds, changes = _names(node)
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and word != "@":
        made.kind = "class" if isinstance(node, ast.ClassDef) else "def"
        made.called = node.name
        binds.add(node.name)
    elif isinstance(node, ast.Expr):
        _expression(made, node.value)
    elif isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        of_self = _path(target).startswith("self.")
        if made.kind == "assign" and of_self:
            made.kind = "attribute"
        elif made.kind == "assign" and not node.value:
            made.kind = "annotation"
        made.begins = isinstance(node.value, ast.List | ast.Dict) and not ast.unparse(node.value).strip("[]{}")
        value = node.value.func if isinstance(node.value, ast.Call) else node.value
        made.head = f"{'self' if of_self else _path(target)} = {(value and _path(value)) or type(value).__name__}"
    elif isinstance(node, ast.If):
        made.main = "__name__" in reads
        made.head = _beginning(node.test)
        made.test = _form(node.test)
        guards, denies = set[str](), set[str]()
        _asked(node.test, True, guards, denies)
        made.guards, made.denies = frozenset(guards - {""}), frozenset(denies - {""})
        made.holds, made.enough = _parts(node.test, ast.And), _parts(node.test, ast.Or)
    elif made.opens and word in ("for", "with", "except"):
        made.targets = frozenset(binds)
        if isinstance(node, ast.For | ast.AsyncFor):
            over = _path(node.iter.func) if isinstance(node.iter, ast.Call) else ""
            made.test = over if over in ("range", "enumerate", "zip") else "each"
            made.head = f"for {over or _path(node.iter)}"
    made.head = made.head or made.kind
    made.shape = _NUMBER.sub("", made.head) if _NUMBER.search(made.head) else ""
    made.reads, made.binds = frozenset(reads), frozenset(binds)
    made.changes = frozenset(changes)


def _expression(made: Clue, value: ast.expr) -> None:
    if isinstance(value, ast.Await):
        value = value.value
    if isinstance(value, ast.Yield | ast.YieldFrom):
        made.kind = "yield"
    elif isinstance(value, ast.Constant) and isinstance(value.value, str):
        made.kind = "text"
    elif isinstance(value, ast.Call):
        callee = value.func
        made.kind = "call"
        if isinstance(callee, ast.Attribute) and isinstance(callee.value, ast.Call):
            inner = callee.value.func
            if isinstance(inner, ast.Name) and inner.id == "super":
                made.kind = "super"
        made.head = _path(callee)


def _names(*roots: ast.AST) -> tuple[set[str], set[str], set[str]]:
    """The names that are read, bound, and changed; those of a comprehension or a lambda stay its own."""
    reads: set[str] = set()
    binds: set[str] = set()
    changes: set[str] = set()
    own: set[str] = set()
    waiting: list[Any] = list(roots)
    while waiting:
        node = waiting.pop()
        kind = node.__class__
        if kind is ast.Name:
            (reads if node.ctx.__class__ is ast.Load else binds).add(node.id)
            continue
        if kind is ast.Constant:
            if node.value.__class__ is str and 0 < len(node.value) < 40:
                reads.add(repr(node.value))
            continue
        if kind is ast.Attribute:
            path = _path(node)
            if path:
                (reads if node.ctx.__class__ is ast.Load else binds).add(path)
        elif kind is ast.Subscript:
            if node.ctx.__class__ is not ast.Load:
                changes.add(_path(node.value))
        elif kind is ast.Call:
            if node.func.__class__ is ast.Attribute and node.func.attr in _CHANGE:
                changes.add(_path(node.func.value))
        elif kind is ast.AugAssign:
            reads.add(_path(node.target))
            changes.add(_path(node.target))
        elif kind is ast.comprehension:
            own |= {name.id for name in ast.walk(node.target) if isinstance(name, ast.Name)}
        elif kind is ast.arg:
            own.add(node.arg)
        elif kind is ast.ExceptHandler or kind is ast.MatchAs or kind is ast.MatchStar:
            binds.update(filter(None, (node.name,)))
        elif kind is ast.alias:
            binds.add((node.asname or node.name).partition(".")[0])
        elif kind is ast.Global or kind is ast.Nonlocal:
            binds.update(node.names)
        waiting.extend(ast.iter_child_nodes(node))
    return reads - own - {""}, binds - own, changes - own - {""}


def _path(node: ast.AST) -> str:
    """`self.width` as it is written; nothing for what is not made of names alone."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def _asked(test: ast.expr, holds: bool, guards: set[str], denies: set[str]) -> None:
    """What a condition makes sure of where it holds: names that are something, and names that are nothing."""
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And) == holds:
        for value in test.values:
            _asked(value, holds, guards, denies)
    elif isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        _asked(test.operand, not holds, guards, denies)
    elif isinstance(test, ast.Compare) and isinstance(test.ops[0], ast.Is | ast.Eq | ast.NotIn):
        (denies if holds else guards).add(_path(test.left))
    elif isinstance(test, ast.Compare):
        (guards if holds else denies).add(_path(test.left))
        if isinstance(test.ops[0], ast.In):
            (guards if holds else denies).add(_path(test.comparators[0]))
    elif isinstance(test, ast.Call) and test.args:
        (guards if holds else denies).add(_path(test.args[0]))
    else:
        (guards if holds else denies).add(_path(test))


def _parts(test: ast.expr, joined: type[ast.boolop]) -> frozenset[str]:
    """What a condition joins by `and`, or by `or`; it alone if it does not."""
    parts = test.values if isinstance(test, ast.BoolOp) and isinstance(test.op, joined) else [test]
    return frozenset(ast.unparse(part) for part in parts)


def _form(test: ast.expr) -> str:
    """What sort of a condition it is."""
    if isinstance(test, ast.UnaryOp):
        return _form(test.operand)
    if isinstance(test, ast.Compare):
        return type(test.ops[0]).__name__
    if isinstance(test, ast.Name | ast.Attribute):
        return "flag"
    if isinstance(test, ast.Call) and _path(test.func) == "isinstance":
        return "isinstance"
    return type(test).__name__


def _beginning(test: ast.expr) -> str:
    """What a condition is about, by which those of one ladder are known."""
    while isinstance(test, ast.BoolOp | ast.UnaryOp | ast.Compare):
        test = (
            test.values[0]
            if isinstance(test, ast.BoolOp)
            else test.operand
            if isinstance(test, ast.UnaryOp)
            else test.left
        )
    if isinstance(test, ast.Call):
        return f"{_path(test.func)}({_path(test.args[0]) if test.args else ''}"
    return _path(test)
