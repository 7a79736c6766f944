"""Print the page of the bugs: python -m tests.specimens > docs/snippets.md."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from repro.render.page import escaped, joined
from tests.specimens._all import BUGS, SNIPPETS
from tests.specimens._bug import Bug, shown
from tests.specimens._originals import FILES, FOLDER
from tests.specimens.claims import CLAIMS
from tests.specimens.softmax import EPOCHS, HELD_OUT, LAGGING, LEARNT, least_loss, run

LONGEST = 200

ORDER = {"bug": 0, "risk": 1, "note": 2}

WHAT = {
    "000": "A page on VGG: one snippet. Its indentation is lost.",
    "001": "torchvision's VGG, explained: one snippet, which OCR has damaged. It is searched and never run: "
    "`it_is_python`, `the_import_is_there` and `exports_are_defined` ask what is found in its text; the other five "
    "look for the damaged line in it, and then ask our specimen.",
    "002": "A history of CNNs: LeNet, AlexNet, VGG and ResNet.",
    "003": "Backbones: AlexNet, VGG and ResNet. Its indentation is lost.",
}


def page() -> Iterator[str]:
    """The lines of the page."""
    counts = {word: sum(bug.severity == word for bug in BUGS) for word in ORDER}
    yield "# Bugs of published snippets\n"
    yield joined(
        "Four documents from the web have nine snippets of CNNs. Here is what is wrong with them: "
        f"{len(BUGS)} entries, {counts['bug']} bugs, {counts['risk']} risks, {counts['note']} notes. For each entry "
        "`tests/specimens/` has a property as a test, a specimen of our own with the same bug (most are networks, some "
        "are functions, values or a few lines of text), and the repaired form. The property fails on the specimen, "
        "passes on the repaired form, and passes on the networks of the catalog named under *kept by*, or on the files "
        "that they are in; a dash stands where nothing in the catalog could have the bug. *Shown* is what the property "
        "says about the specimen, measured when this page was made (`python -m tests.specimens`; a test holds it "
        "current).",
        "**bug**: it contradicts the document, crashes, or cannot have been meant. **risk**: it works as shown and "
        "breaks in ordinary use, such as another image size, a batch of one, no GPU. **note**: a common departure that "
        "somebody may have wanted, or something redundant.",
        f"The documents are not part of this project. With {FOLDER} set to a folder that has them, the same properties "
        "are asked of the snippets themselves, or for 001 as is told there, and fail with the same telling words; "
        "without it these tests are skipped. A document runs only if its SHA-256 is that of the file that was read.",
    )
    for document in FILES:
        yield from table(document)
    yield from effect()
    yield from claims()


def table(document: str) -> Iterator[str]:
    """The bugs of one document, the snippets in their order and in each the bugs first."""
    file, digest = FILES[document]
    yield f"## {file}\n"
    yield joined(f"{WHAT[document]} SHA-256 `{digest}`.")
    yield "| snippet | severity | bug | what should hold | shown | kept by | test |"
    yield "|---|---|---|---|---|---|---|"
    own = [bug for bug in BUGS if bug.document == document]
    for bug in sorted(own, key=lambda bug: (SNIPPETS.index((bug.document, bug.snippet)), ORDER[bug.severity])):
        yield row(bug)
    yield ""


def row(bug: Bug) -> str:
    """One bug."""
    told = shown(bug)
    cut = told if len(told) <= LONGEST else f"{told[: LONGEST - 3]}..."
    kept = ", ".join(f"`{name}`" for name in bug.kept_by) or "—"
    cells = [bug.snippet, bug.severity, escaped(bug.bug), escaped(bug.holds), f"`{cut}`", kept, f"`{bug.name}`"]
    return f"| {' | '.join(cells)} |"


def effect() -> Iterator[str]:
    """What a softmax before the loss does."""
    plain, doubled = run(softmax=False), run(softmax=True)
    yield "## A softmax before the loss\n"
    yield joined(
        "The VGG of document 000 ends in a softmax. CrossEntropyLoss has one of its own, which then gets numbers from "
        "0 to 1: no class can be put ahead of another by more than a factor of e, and with K classes the loss cannot "
        f"fall below log(1 + (K - 1) / e), which is {least_loss(10):.2f} for 10 and {least_loss(1000):.2f} for 1000. "
        "One small network, with and without it, from the same initial values and on the same batches of "
        "scikit-learn's digits (`tests/specimens/test_softmax.py`):",
    )
    yield "| | without | with |"
    yield "|---|--:|--:|"
    yield f"| loss before training (log 10 = 2.30) | {plain.first:.2f} | {doubled.first:.2f} |"
    yield f"| gradient before training, of that without | 1 | 1/{plain.gradient / doubled.gradient:.0f} |"
    yield f"| least loss that can be reached | 0 | {least_loss(10):.2f} |"
    yield f"| accuracy after {EPOCHS} epochs, {HELD_OUT} images held out | over {LEARNT:.0%} | under {LAGGING:.0%} |"
    yield ""


def claims() -> Iterator[str]:
    """What the documents say in numbers."""
    yield "## What the documents say in numbers\n"
    yield joined(
        "Each is computed; *nearly* and round numbers are taken as within a tenth (`tests/specimens/test_claims.py`)."
    )
    yield "| document | claim | true | measured |"
    yield "|---|---|---|---|"
    for claim in CLAIMS:
        true, told = claim.found()
        yield f"| {claim.document} | {escaped(claim.says)} | {'yes' if true else 'no'} | {escaped(told)} |"


if __name__ == "__main__":
    sys.stdout.write("\n".join(page()) + "\n")
