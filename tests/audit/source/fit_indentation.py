"""Fits the weights by which lost indentation is found: `python -m tests.audit.source.fit_indentation FILE...`.

Each file is read twice, with the lines that have nothing on them and without. For each statement and each block that
is open there, what speaks for its ending the block is one row of a logistic regression, one for each kind of block.
What it prints is the table of `repro/audit/source/indentation/weights.py`.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from repro.audit.source.indentation.evidence import evidence
from repro.audit.source.indentation.search import START, after
from repro.audit.source.indentation.text import Text
from repro.audit.source.indentation.weights import COLUMNS, GIVEN

SMALLEST = 2  # tenths; what weighs less is left out


def true_depths(lines: list[str], text: Text) -> list[int]:
    """The depth of each statement in lines that have their indentation."""
    found, columns = [], [0]
    for clue in text.clues:
        line = lines[clue.start].expandtabs(8)
        column = len(line) - len(line.lstrip())
        while column < columns[-1]:
            columns.pop()
        if column > columns[-1]:
            columns.append(column)
        found.append(len(columns) - 1)
    return found


def examples(lines: list[str]) -> Iterator[tuple[str, dict[str, int], bool]]:
    """For each statement and each block that it may end: its column, the evidence, and whether it does."""
    text = Text([line.strip() for line in lines])
    reading = START
    for index, depth in enumerate(true_depths(lines, text)):
        ended = len(reading.blocks) - 1 - depth
        if ended < 0:
            return  # indentation that no statement asks for
        if not reading.waits:
            for level in range(len(reading.blocks) - 1, max(depth - 1, 0), -1):
                column = reading.blocks[level].column
                found = [each for each in evidence(text, index, reading.blocks, level) if each not in GIVEN]
                yield column, dict.fromkeys(found, 1), level > depth
        reading = after(text, index, reading, ended, 0.0)


def main(paths: list[str]) -> None:
    from sklearn.feature_extraction import DictVectorizer  # which takes longer to import than a test of the rest
    from sklearn.linear_model import LogisticRegression

    rows: dict[str, list[dict[str, int]]] = defaultdict(list)
    ends: dict[str, list[bool]] = defaultdict(list)
    for path in paths:
        lines = Path(path).read_text(encoding="utf-8").split("\n")
        for version in (lines, [line for line in lines if line.strip()]):
            for column, found, end in examples(version):
                rows[column].append(found)
                ends[column].append(end)
    table: dict[str, list[int]] = defaultdict(lambda: [0] * len(COLUMNS))
    for column in rows:
        vectors = DictVectorizer()
        model = LogisticRegression(max_iter=2000, fit_intercept=False)
        model.fit(vectors.fit_transform(rows[column]), ends[column])
        for name, weight in zip(vectors.feature_names_, model.coef_[0], strict=True):
            table[name][COLUMNS.index(column)] = round(10 * float(weight))
        share = model.score(vectors.transform(rows[column]), ends[column])
        print(f"{column}: {len(ends[column]):,} decisions, {share:.2%} right", file=sys.stderr)
    for name, weights in sorted(table.items()):
        if max(map(abs, weights)) >= SMALLEST:
            print(f"{name:24}", *(f"{weight:5}" for weight in weights))


if __name__ == "__main__":
    main(sys.argv[1:])
