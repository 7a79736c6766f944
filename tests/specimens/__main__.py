"""Print the page of the bugs: python -m tests.specimens > docs/snippets.md; or one bug, which is named after it."""

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
    damage = sum(bug.severity == "bug" and bug.document == "001" for bug in BUGS)
    yield joined(
        f"Four documents from the web have nine snippets of CNNs. We found {len(BUGS)} things in them: "
        f"{counts['bug']} bugs, of which {damage} are OCR damage of one document and no mistakes of its author, "
        f"{counts['risk']} risks and {counts['note']} notes. For each we wrote a property as a test, a specimen with "
        "the same bug (most are networks, some are functions, values or a few lines of text) and a repaired form: in "
        "[tests/specimens](../tests/specimens). The property fails on the specimen; it passes on the repaired form and "
        "on the networks of the catalog under *passes on*, or the files that they are in. A dash stands where nothing "
        "in the catalog could have the bug. *Shown* is what the property says about the specimen. To see one:",
    )
    yield f"```\npython -m tests.specimens {BUGS[0]}\n```\n"
    yield joined(
        "**bug**: it contradicts the document, crashes, or cannot have been meant. **risk**: it works as shown and "
        "breaks in ordinary use, such as another image size, a batch of one, no GPU. **note**: a common departure that "
        "somebody may have wanted, or something redundant.",
        "The documents are other people's and not part of this project; what is known of them is the name and the "
        f"SHA-256 of the file. With {FOLDER} set to a folder that has them, the same properties are asked of the "
        "snippets themselves (of 001 as is told there) and have to say the same; without it these tests are skipped. A "
        "document runs only if its SHA-256 is that of the file that was read.",
    )
    for document in FILES:
        yield from table(document)
    yield from effect()
    yield from claims()


def table(document: str) -> Iterator[str]:
    """The bugs of one document, the snippets in their order and in each the bugs first."""
    file, digest = FILES[document]
    yield f"## Document {document}\n"
    yield joined(f"{WHAT[document]} File {file}, SHA-256 `{digest}`.")
    yield "| snippet | severity | what is wrong | what should hold | shown | passes on | test |"
    yield "|---|---|---|---|---|---|---|"
    own = [bug for bug in BUGS if bug.document == document]
    for bug in sorted(own, key=lambda bug: (SNIPPETS.index((bug.document, bug.snippet)), ORDER[bug.severity])):
        yield row(bug)
    yield ""


FILES_OF = {key: f"{key[1].lower()}_{key[0]}.py" for key in SNIPPETS}


def row(bug: Bug) -> str:
    """One bug."""
    told = shown(bug)
    cut = told if len(told) <= LONGEST else f"{told[: LONGEST - 3]}..."
    kept = ", ".join(f"`{name}`" for name in bug.kept_by) or "—"
    cells = [
        bug.snippet,
        bug.severity,
        escaped(bug.bug),
        escaped(bug.holds),
        f"`{cut}`",
        kept,
        f"[`{bug.name}`](../tests/specimens/{FILES_OF[bug.document, bug.snippet]})",
    ]
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
    weaker = plain.gradient / doubled.gradient
    yield f"| norm of the gradient before training, over that without | 1 | 1/{weaker:.0f} |"
    yield f"| least loss that can be reached | 0 | {least_loss(10):.2f} |"
    yield f"| accuracy after {EPOCHS} epochs, {HELD_OUT} images held out | over {LEARNT:.0%} | under {LAGGING:.0%} |"
    yield ""


def claims() -> Iterator[str]:
    """What the documents say in numbers."""
    yield "## What the documents say in numbers\n"
    yield joined(
        "Each is computed; *nearly* and round numbers are true within a tenth (`tests/specimens/test_claims.py`)."
    )
    yield "| document | claim | true | measured |"
    yield "|---|---|---|---|"
    for claim in CLAIMS:
        true, told = claim.found()
        yield f"| {claim.document} | {escaped(claim.says)} | {'yes' if true else 'no'} | {escaped(told)} |"


def one(name: str) -> str:
    """A bug by the name of its test: what is wrong, what the property says, and where the code is."""
    named = {str(bug): bug for bug in BUGS}
    if name not in named:
        raise SystemExit(f"no bug is called {name!r}; there are:\n" + "\n".join(named))
    bug = named[name]
    lines = [f"{name} ({bug.severity}), tests/specimens/{FILES_OF[bug.document, bug.snippet]}", "", bug.bug]
    lines += [f"should hold:    {bug.holds}", f"specimen:       FAIL {shown(bug)}"]
    lines += [f"repaired form:  {bug.complaint(bug.repaired) or 'pass'}"]
    lines += [f"{', '.join(bug.kept_by)}:  {bug.complaint(bug.build_ours) or 'pass'}"] if bug.kept_by else []
    return "\n".join(lines)


if __name__ == "__main__":
    print(one(sys.argv[1]) if len(sys.argv) > 1 else "\n".join(page()))
