"""Statements that stand one behind the other without a line break, perhaps with prose before, between and behind them.

Two tokens that no expression has side by side, such as two names, belong to two statements; so does what stands before
and behind the colon of an `if`. Which of the words around are prose is told by the same: those that begin no statement.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

# What a keyword that begins a statement is followed by; in a sentence, seldom.
_AFTER = {
    "import": r"\s{1,9}[A-Za-z_]",
    "from": r"\s{1,9}[\w.]{1,99}\s{1,9}import\b",
    "class": r"\s{1,9}\w{1,99}\s{0,9}[(:]",
    "def": r"\s{1,9}\w{1,99}\s{0,9}\(",
    "return": r"\b",
    "raise": r"\b",
    "assert": r"\b",
    "del": r"\s{1,9}[A-Za-z_]",
    "global": r"\s{1,9}[A-Za-z_]",
    "nonlocal": r"\s{1,9}[A-Za-z_]",
    "pass": r"\b",
    "break": r"\b",
    "continue": r"\b",
    "if": r"\b",
    "elif": r"\b",
    "else": r"\s{0,9}:",
    "for": r"\s{1,9}[^\n:]{1,99}\sin\b",
    "while": r"\b",
    "with": r"\b",
    "try": r"\s{0,9}:",
    "except": r"\b",
    "finally": r"\s{0,9}:",
    "async": r"\s{1,9}(?:def|for|with)\b",
}
_OPENS = {"class", "def", "if", "elif", "else", "for", "while", "with", "try", "except", "finally", "async"}
_ALONE = {"pass", "break", "continue"}
_TESTS = {"if", "elif", "while"}
_BEGINS = re.compile("|".join(rf"{word}\b{after}" for word, after in _AFTER.items()))
# A keyword that a line break before it was lost with, so that it is one word with what stood there.
_GLUED = (
    "|".join(rf"{word}{_AFTER[word]}" for word in ("import", "from", "class", "def")) + r"|return\s{1,9}[\w(\[{'\"]"
)
_TOKEN = re.compile(
    r"(?P<string>(?<![A-Za-z0-9_])[rbfuRBFU]{0,2}(?:\"\"\"[^\n]{0,4000}?\"\"\"|'''[^\n]{0,4000}?'''"
    r"|\"(?:[^\"\\\n]|\\.){0,400}\"|'(?:[^'\\\n]|\\.){0,400}'))"
    r"|(?P<number>(?:0[xXbBoO][0-9a-fA-F_]{1,99}|(?:[0-9][0-9_]*\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)[jJ]?)"
    rf"|(?P<name>[A-Za-z_][A-Za-z0-9_]*?(?={_GLUED})|[A-Za-z_][A-Za-z0-9_]*)"
    r"|-{4,}|={4,}|\*{4,}|~{4,}|\+{4,}"  # lines that are drawn, in comments
    r"|(?P<sign>\*\*=?|//=?|>>=?|<<=?|->|:=|\.\.\.|[-+*/%@&|^<>=!]=|[-+*/%@&|^~<>=()\[\]{},:;.])"
    r"|[^\x00-\x7f]+|[^\sA-Za-z0-9_]"
)
_DECORATES = re.compile(r"@[A-Za-z_][\w.]{0,99}(?:\([^()]{0,99}\))?\s{0,9}(?:@|(?:def|class|async)\b)")
_APART = re.compile(r"(?<=\s)@(?=[A-Za-z_])")  # a product of matrices has a space on both sides, or on none
_ASSIGNS = re.compile(r"\s*[A-Za-z_][\w.]{0,99}(?:\[[^\[\]\n]{0,99}\])?\s{0,9}=(?!=)")
_BULLET = re.compile(r"(?<![0-9])[0-9]{1,2}\Z")
_AUGMENTED = {"+=", "-=", "*=", "/=", "//=", "%=", "@=", "&=", "|=", "^=", ">>=", "<<=", "**="}
_PREFIXES = {"+", "-", "~", "*", "**"}
_CONNECT = {"in", "is", "and", "or"}
_FAR = 100  # tokens in which an `if` must show what it is


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the text.

    kind   statement; broken: it begins like one and cannot be read; call: one that prose may have as well; prose
    opens  whether it ends in the colon of a header
    """

    start: int
    end: int
    kind: str
    opens: bool = False


def parts(text: str) -> list[Part]:
    """The statements of a text in its order, and the prose between them in one part each."""
    made: list[Part] = []
    inside = False  # a stretch of code, in which a statement may be one that prose might have
    raw = list(_raw_parts(text))
    for index, part in enumerate(raw):
        behind = raw[index + 1].kind if index + 1 < len(raw) else "foreign"
        if part.kind in ("statement", "broken"):
            inside = inside or part.opens or (part.kind == "statement" and behind != "words")
        elif part.kind in ("words", "foreign"):
            inside = False
        if inside:
            made.append(part)
        elif made and made[-1].kind == "prose":
            made[-1] = Part(made[-1].start, part.end, "prose")
        else:
            made.append(Part(part.start, part.end, "prose"))
    return made


def _raw_parts(text: str) -> Iterator[Part]:
    tokens = [_Token(found.lastgroup or "foreign", found[0], *found.span()) for found in _TOKEN.finditer(text)]
    index = 0
    while index < len(tokens):
        if tokens[index].kind == "foreign":
            yield Part(tokens[index].start, tokens[index].end, "foreign")
            index += 1
            continue
        reader = _Reader(text, tokens, index)
        yield reader.part()
        index = reader.index


class _Reader:
    """Reads one statement, as far as its tokens go together.

    index    of the token that is read next
    operand  whether a name, a number or the like may come next: one has not just ended
    sound    whether all may still be Python
    """

    def __init__(self, text: str, tokens: Sequence[_Token], index: int) -> None:
        self.text, self.tokens, self.first, self.index = text, tokens, index, index
        word = tokens[index].text
        self.word = word if word in _AFTER and _BEGINS.match(text, tokens[index].start) else ""
        self.decorates = tokens[index].text == "@"
        self.operand, self.sound, self.ended, self.opens = True, True, False, False
        self.assigned = self.called = self.imports = False
        self.opened: list[str] = []
        self.lambdas = 0
        self.bullet = 0  # characters at the end that number the prose behind

    def part(self) -> Part:
        """The statement, with all tokens that it has."""
        while self.index < len(self.tokens) and not self.ended and not self._is_over(self.tokens[self.index]):
            self._take(self.tokens[self.index])
            self.index += 1
        if self.index == self.first:  # a bracket that closes nothing
            self.index += 1
            self.sound = False
        first, last = self.tokens[self.first], self.tokens[self.index - 1]
        return Part(first.start, max(last.end - self.bullet, first.start), self._kind(), self.opens)

    def _kind(self) -> str:
        if self.word in _OPENS and not self.opens:
            return "words"
        sound = self.sound and not self.opened
        if self.decorates:
            return "statement" if _DECORATES.match(self.text, self.tokens[self.first].start) else "call"
        if self.word and sound:
            return "statement"
        if self.word in _OPENS or self.assigned:
            return "statement" if sound else "broken"
        return "call" if sound and (self.called or self._is_string()) else "words"

    def _is_string(self) -> bool:
        return self.index == self.first + 1 and self.tokens[self.first].kind == "string"

    def _is_over(self, token: _Token) -> bool:
        """Whether a token is part of something else."""
        if token.kind == "foreign":
            return True
        if token.text in (")", "]", "}") and not self.opened:
            self.bullet = self._bullet()
            return True
        if self.index == self.first:
            return False
        if token.kind == "name" and token.text in _AFTER:
            return self._is_over_at(token)
        if token.text == "@":
            apart = _APART.match(self.text, token.start) or _DECORATES.match(self.text, token.start)
            return apart is not None and not self.opened
        if self.operand:  # behind a `return` without a value, what is assigned
            alone = self.word == "return" and self.index == self.first + 1
            return alone and _ASSIGNS.match(self.text, token.start) is not None
        if token.kind == "name" and token.text == "not":
            return self._text(1) != "in"
        if token.kind == "name":
            return token.text not in _CONNECT and token.text != "as"
        if token.kind == "string":
            return self.tokens[self.index - 1].kind != "string"
        return token.kind == "number" or token.text == "{"

    def _is_over_at(self, token: _Token) -> bool:
        """The same for a keyword that may begin a statement."""
        word = token.text
        if word == "import" and self.tokens[self.first].text == "from" and not self.imports:
            return False
        if word in ("if", "for", "async", "else", "from") and self.opened:
            return False  # of a comprehension, or of a value that depends on something
        if word == "from" and self.tokens[self.first].text in ("raise", "yield"):
            return bool(_BEGINS.match(self.text, token.start))
        if word == "else":
            return self._text(1) == ":"
        if word == "if":
            return self.operand or not self._is_followed_by_else()
        if not _BEGINS.match(self.text, token.start):
            return not self.operand
        return True

    def _bullet(self) -> int:
        """How many of the characters before a bracket that closes nothing number the prose that it begins."""
        prose = any(each.kind == "foreign" for each in self.tokens[self.index + 1 : self.index + 3])
        number = _BULLET.search(self.tokens[self.index - 1].text) if prose and self.index > self.first else None
        return len(number[0]) if number and self.tokens[self.index].text == ")" else 0

    def _text(self, offset: int) -> str:
        at = self.index + offset
        return self.tokens[at].text if 0 <= at < len(self.tokens) else ""

    def _is_followed_by_else(self) -> bool:
        """Whether an `if` chooses between two values."""
        depth = 0
        for token in self.tokens[self.index + 1 : self.index + _FAR]:
            depth += (token.text in ("(", "[", "{")) - (token.text in (")", "]", "}"))
            if token.kind == "foreign" or (depth == 0 and token.text in (":", "=", ";")):
                return False
            if depth == 0 and token.text == "else":
                return True
        return False

    def _take(self, token: _Token) -> None:
        if token.kind == "name":
            self._take_name(token)
        elif token.kind == "sign":
            self._take_sign(token)
        else:
            self.operand = False

    def _take_name(self, token: _Token) -> None:
        word = token.text
        if word in _CONNECT or word in ("as", "if", "else", "for"):
            imports = self.imports and word != "as"
            self.sound = self.sound and not imports and (not self.operand or self.index == self.first)
            self.operand = True
        elif word == "lambda":
            self.lambdas += not self.opened
            self.operand = True
        elif word in _AFTER:
            self.imports = self.imports or word == "import"
            self.sound = self.sound and bool(self.word)
            self.operand, self.ended = True, word in _ALONE
        else:
            self.operand = word in ("not", "await", "yield")

    def _take_sign(self, token: _Token) -> None:
        sign = token.text
        if sign in ("(", "[", "{"):
            close_by = token.start == self.tokens[self.index - 1].end
            if sign == "(" and not self.operand and not self.opened and (close_by or self._text(-1) == "print"):
                self.called = True
            self.opened.append(sign)
            self.operand = True
        elif sign in (")", "]", "}"):
            self.sound = self.sound and self.opened.pop() + sign in ("()", "[]", "{}")
            self.operand = False
        elif self.opened:
            self._take_operator(sign)
        elif sign == ":":
            self._take_colon()
        elif sign == ";" or (sign == "," and self.assigned and _ASSIGNS.match(self.text, token.end)):
            self.ended = True
        elif sign == "=" or sign in _AUGMENTED:
            self.sound = self.sound and not self.operand and self.word == ""
            self.assigned, self.operand = True, True
        elif sign == "*" and self.imports:
            self.ended = True
        else:
            self._take_operator(sign)

    def _take_operator(self, sign: str) -> None:
        if sign == "...":
            self.operand = False
            return
        if self.operand and sign not in _PREFIXES and sign != "@" and sign not in (",", ":"):
            self.sound = self.sound and sign in (".", "...") and self.tokens[self.first].text == "from"
        self.operand = True

    def _take_colon(self) -> None:
        """A colon outside of all brackets."""
        if self.lambdas:
            self.lambdas -= 1
        elif self.word in _OPENS:
            self.ended = self.opens = True
            self.sound = self.sound and (not self.operand or self.word in ("else", "try", "except", "finally"))
        else:
            before = self.tokens[self.first : self.index]  # an annotation
            named = all(each.kind == "name" or each.text == "." for each in before)
            self.sound = self.sound and named and not self.operand and not self.word
        self.operand = True
