"""The code in a text that was pasted together, with prose around it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from repro.audit.source.line import Line
from repro.audit.source.logical import statement
from repro.audit.source.parse import parsed
from repro.audit.source.repairs import gutter, line_breaks, punctuation, spaces

_LONGEST = 400  # lines of a statement among prose
_PROMPT = re.compile(r"\s*(?:>>>|In \[\d*\]:)")
_NEXT_PROMPT = re.compile(r"\s*\.\.\.(?:\s|:|$)")
_OPAQUE = re.compile(r"#.*|\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'")
_FOREIGN = re.compile("[^\x00-\x7f]")
_REPRESENTED = re.compile(r"\s*\(\w+\): \w+\(")  # a line of a module as it prints itself
_OPENED = {
    "else": "if 1: pass\n",
    "elif": "if 1: pass\n",
    "except": "try: pass\n",
    "finally": "try: pass\n",
}
_WORD = re.compile(r"(?:async\s+)?(@|[^\W\d]\w*)?")
_SURE = (ast.Import, ast.ImportFrom, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
_GOES_ON = re.compile(r"\s+\S|(?:elif|else|except|finally|return|yield|break|continue)\b|def \w+\((?:self|cls)\b")
_LOOKS = re.compile(  # of what cannot be read, whether it was meant for Python
    r"\s*(?:(?:def|class)\s+\w+\s*[(:]|(?:from\s+[\w.]+\s+)?import\s+\w|@\w|(?:self\.|nn\.|torch\.)\w|(?:return|raise)\b"
    r"|(?:if|elif|for|while|with|try|else|except|finally)\b.*:\s*(?:#.*)?$|[\w.\[\]]+\s*[-+*/]?=[^=]|[\w.]+\([^)]*\)?\s*$"
    r"|print\s)"
)


@dataclass(frozen=True)
class _Piece:
    """The lines of one statement of a text, and its kind.

    sure   it can only be code
    code   it can be read as Python that does something
    weak   it is code if what is around it is: a comment, a string, a line with nothing on it
    bare   a name or an annotation alone: code if it is between code, a heading elsewhere
    looks  it cannot be read, and looks as if it had been code
    prompt it follows the prompt of an interactive session
    prose  none of these
    """

    start: int
    end: int
    kind: str

    def goes_with(self, run: Sequence[_Piece]) -> bool:
        """Whether it may stand in a stretch; what was typed at a prompt stands alone."""
        return self.kind != "prose" and (not run or (run[-1].kind == "prompt") == (self.kind == "prompt"))


def cells(text: str) -> Iterator[list[Line]]:
    """The lines of each piece of code."""
    lines = line_breaks.mend([Line.of(line, number) for number, line in enumerate(text.split("\n"), start=1)])
    found: list[list[Line]] = []
    for pieces in _runs(lines):
        start, end = pieces[0].start, pieces[-1].end
        numbers = _numbers_above(lines, start)
        code = [*numbers, *lines[start:end]]
        if found and _GOES_ON.match(lines[start].text):
            found[-1] += code  # of a block that prose interrupts
        else:
            found.append(code)
    yield from found


def is_code(lines: Sequence[Line]) -> bool:
    """Whether a block that does not say what it is has a statement of Python, or what was meant for one."""
    return any(piece.kind in ("sure", "code", "prompt", "looks") for piece in _pieces(lines))


def _runs(lines: Sequence[Line]) -> Iterator[list[_Piece]]:
    """Stretches of code, from a statement that is code to another one."""
    run: list[_Piece] = []
    for piece in (*_pieces(lines), _Piece(len(lines), len(lines), "prose")):
        if piece.goes_with(run):
            run.append(piece)
            continue
        while run and _is_at_the_end(run[-1], lines):
            run.pop()
        while run and not _begins(run, lines):
            run.pop(0)
        if {each.kind for each in run} & {"sure", "prompt"} or sum(each.kind == "code" for each in run) > 2:
            yield run
        run = [] if piece.kind == "prose" else [piece]


def _is_at_the_end(piece: _Piece, lines: Sequence[Line]) -> bool:
    """Whether what a statement is cannot be told behind the last code; where it is indented, it is code."""
    return piece.kind in ("weak", "bare") or (piece.kind == "looks" and lines[piece.start].text[0] not in " \t")


def _begins(run: Sequence[_Piece], lines: Sequence[Line]) -> bool:
    """Whether a stretch may begin with its first statement: code, or a comment or a string right above it."""
    for piece in run:
        if piece.kind in ("sure", "code", "prompt"):
            return True
        if piece.kind in ("bare", "looks") or not lines[piece.start].text.strip():
            return False
    return False


def _pieces(lines: Sequence[Line]) -> Iterator[_Piece]:
    """The text as statements, prose line by line."""
    plain = [line.text for line in punctuation.mend(spaces.mend(list(lines)))]
    plain = _without_numbers(plain)
    index, kind = 0, "prose"
    while index < len(lines):
        asked = kind == "prompt" and _NEXT_PROMPT.match(plain[index])
        kind, end = "prompt" if asked else "prose", index + 1
        if not asked and _may_be_code(plain[index]):
            end = statement(plain, index, _LONGEST).end
            kind = _kind(plain[index:end])
            if kind == "prose" and end > index + 1 and not any(map(_REPRESENTED.match, plain[index:end])):
                end = index + 1
                kind = _kind(plain[index:end])
        yield _Piece(index, end, kind)
        index = end


def _may_be_code(line: str) -> bool:
    """Whether a line, as far as its characters go, may begin a statement."""
    return not _FOREIGN.search(_OPAQUE.sub("", line)) or line.lstrip().startswith(('"""', "'''", "r'''", 'r"""'))


def _kind(lines: Sequence[str]) -> str:
    """What a statement is."""
    first = lines[0].strip()
    if not first or first.startswith("#"):
        return "weak"
    if _PROMPT.match(first):
        return "prompt"
    tree = _read("\n".join([first, *lines[1:]]))
    if tree is None:
        sound = len(lines) < 40 and not any(_FOREIGN.search(_OPAQUE.sub("", line)) for line in lines)
        return "looks" if sound and _LOOKS.match(first) and not any(map(_REPRESENTED.match, lines)) else "prose"
    if any(_FOREIGN.search(name) for name in _names(tree)):
        return "prose"
    return _kind_of(tree)


def _kind_of(tree: ast.Module) -> str:
    if not tree.body:
        return "weak"
    node = tree.body[-1]
    if isinstance(node, _SURE) or (isinstance(node, ast.Assign) and _is_special(node.targets[0])):
        return "sure"
    if isinstance(node, ast.AnnAssign) and node.value is None:
        return "bare"  # `author: Somebody` is one, too
    if isinstance(node, ast.Expr):
        value = node.value.value if isinstance(node.value, ast.Await) else node.value
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            return "weak"
        if not isinstance(value, ast.Call | ast.Yield | ast.YieldFrom):
            return "bare" if isinstance(value, ast.Name | ast.Attribute | ast.Subscript) else "prose"
    of_an_object = any(isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute) for each in ast.walk(node))
    prints = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and _called(node.value) == "print"
    return "sure" if of_an_object or prints else "code"


def _is_special(target: ast.expr) -> bool:
    """Whether a name is one of Python's own, such as `__all__`, also where it has lost underscores."""
    return isinstance(target, ast.Name) and target.id.startswith("_") and target.id.endswith("_") and len(target.id) > 2


def _called(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        for field in ("id", "attr", "name", "arg"):
            value = getattr(node, field, None)
            if isinstance(value, str):
                yield value


def _read(text: str) -> ast.Module | None:
    """The tree of one statement, of which the block that follows may be missing."""
    found = _WORD.match(text)
    word = (found and found[1]) or ""
    for after in ("", "\n def f(): pass" if word == "@" else "\n   pass"):
        tree = parsed(_OPENED.get(word, "") + text + (after.replace("\n def", "\ndef")))
        if isinstance(tree, ast.Module):
            return tree
    return None


def _without_numbers(lines: list[str]) -> list[str]:
    """The lines without the numbers of a gutter beside them, of which there are many in a row."""
    made = list(lines)
    start = 0
    while start < len(lines):
        end = start
        while end < len(lines) and (not lines[end].strip() or gutter.BESIDE.match(lines[end])):
            end += 1
        stretch = [Line.of(line, index) for index, line in enumerate(lines[start:end])]
        made[start:end] = [line.text for line in gutter.mend(stretch)]
        start = end + 1
    return made


def _numbers_above(lines: Sequence[Line], start: int) -> Sequence[Line]:
    """The column of numbers that stands right above some code."""
    first = start
    while first and lines[first - 1].text.strip().isdigit():
        first -= 1
    return lines[first:start] if start - first >= gutter.FEWEST else []
