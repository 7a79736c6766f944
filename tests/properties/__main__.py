"""Print the page of the properties: python -m tests.properties > docs/properties.md."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

from repro import models
from repro.render.page import escaped, joined
from tests.properties._case import DEEP, HEAVY, NORMALISES_ONE_POSITION
from tests.properties._drawn import DRAWN
from tests.properties._faults import PLANTED
from tests.properties._mechanism import PROPERTIES
from tests.properties.parts import EXAMPLES, PARTS
from tests.properties.train_mode import TRAIN

HOW = {
    "eval mode": "One to four images of a size near the smallest, in float64, where what is equal in exact arithmetic "
    "is equal to 1e-10 of the spread; weights from a formula under which no layer is silent.",
    "train mode": "As few images as it takes, forward and backward, and one more, forward; in float32.",
    "sizes": "One to four images, one to nine classes, one to four channels, heights and widths up to 40 pixels above "
    "the smallest; without values.",
    "receptive fields": "One element of the map of one layer, drawn: a convolution or a pooling that is a module of "
    "its own and runs once, with a field that lies in the image and is not all of it. Positive weights, so that "
    "nothing cancels; a normalisation by groups, which sees the whole map, is left out.",
}


def page() -> Iterator[str]:
    """The lines of the page."""
    few = " and ".join(f"`{name}` ({images})" for name, images in NORMALISES_ONE_POSITION.items())
    yield "# What holds for every network\n"
    yield joined(
        f"Each of the {len(models.catalog())} networks of the catalog is asked for what follows, on examples that "
        "Hypothesis draws. In the profile `ci`, under which `nox -s tests` runs, a network has three of them in each "
        f"group, and one if it has more than {HEAVY // 10**6} million weights or {DEEP} layers; `nox -s thorough` "
        "draws twenty times as many. A property counts when it has been seen to fail: on each of the mistakes in the "
        "last column, on as few examples as a large network gets. Most are planted in a small network that is "
        "otherwise sound, some in what the graph tells of it. `tests/properties/` has the properties and the "
        "mistakes; this page is made from them."
    )
    for drawn in DRAWN:
        group = drawn.group
        yield f"## In {group.name}\n" if "mode" in group.name else f"## Of {group.name}\n"
        yield joined(HOW[group.name])
        if group is TRAIN:
            yield joined(
                f"One image is enough for all but {few}: its auxiliary head normalises a map of 1x1, where one image "
                "has no variance and two always become -1 and 1."
            )
        yield from table(
            (each.statement, [planted.mistake for planted in PLANTED if planted.property == name])
            for name, each in group.properties.items()
        )
    yield "## Of the parts that networks are made of\n"
    yield joined(f"{EXAMPLES} drawn examples of each, and twenty times as many under `nox -s thorough`.")
    yield from table((part.statement, list(part.broken)) for part in PARTS)
    yield "## Of the comparison itself\n"
    yield joined(
        "On small random networks that are drawn as data and built from it twice, as two people would write them: of "
        "other layers and calls, under other names, defined in another order (`tests/strategies.py`)."
    )
    yield from table((each.statement, [each.fault]) for each in PROPERTIES)


def table(rows: Iterable[tuple[str, list[str]]]) -> Iterator[str]:
    """One row a property."""
    yield "| property | seen to fail on |"
    yield "|---|---|"
    for statement, mistakes in rows:
        yield f"| {escaped(statement)} | {escaped('; '.join(mistakes))} |"
    yield ""


if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in page())
