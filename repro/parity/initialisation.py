"""The check of initial values: ours against their declaration; what the reference draws instead is told, not judged.

The key map says which parameter of the reference to hold against which law. It only moves elements, and no statistic
depends on their order, so tensors are measured as they are. A reference that initialises otherwise is the same network
still; its departures are evidence, recognised and grouped by law.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from repro import initialisation
from repro.errors import ReproError
from repro.initialisation import LIMIT, Law, Sample, Verdict
from repro.mapping import KeyMap
from repro.models import Initialisation
from repro.references import Source
from repro.result import Outcome, Result

if TYPE_CHECKING:
    from repro.parity.pair import Pair

# repro/references.py builds these with init_weights=False, because their own sampler is slow.
TORCH_DEFAULTS = ("torchvision:googlenet", "torchvision:inception_v3")


@dataclass(frozen=True)
class Drawn:
    """A network as it was built, measured and let go: statistics of its parameters in place of their values."""

    spec: str
    seed: int
    samples: Mapping[str, Sample]

    @classmethod
    def of(cls, source: Source, seed: int = 0) -> Drawn:
        """Build it with its own initial values; torch's generator is left as it was.

        Raises ReproError if it cannot be built, or has parameters without values.
        """
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)  # torch.manual_seed would reach other devices' generators too
            module = source.module()
        bare = [key for key, parameter in module.named_parameters() if parameter.is_meta]
        if bare:
            raise ReproError(f"{source.spec}: {bare[0]!r} is on the meta device; expected a module with initial values")
        return cls(source.spec, seed, initialisation.samples(module))


@dataclass(frozen=True)
class Departure:
    """Parameters of the reference that were drawn by one law, and not by the one declared for ours.

    law       recognised; "" for none
    declared  the laws of ours in their places
    keys      our key -> the reference's
    text      all of that in words, to be read after the reference's name
    """

    law: str
    declared: tuple[str, ...]
    keys: Mapping[str, str]
    text: str


def initial(pair: Pair) -> Result:
    """The check of a pair whose subject is declared."""
    declared = pair.declared
    if declared is None:
        raise ReproError(f"{pair.subject.source.spec}: nothing is declared of its initial values")
    return check(pair.subject.drawn, declared, pair.reference.drawn, pair.keys)


def check(
    subject: Drawn, declared: Initialisation, reference: Drawn | None = None, keys: KeyMap | None = None
) -> Result:
    """Whether the subject's values are draws by the declared laws, and how the reference's are not.

    keys: how the subject's state_dict becomes the reference's, as the mapping check finds it; needed with a reference.
    Raises ReproError for a rule that cannot be read.
    """
    drawn = subject.samples
    patterns = initialisation.matches(drawn, declared.rules)
    laws = initialisation.declared_laws(drawn, declared.rules)
    verdicts = initialisation.verdicts(drawn, laws, patterns)
    used = set(patterns.values())
    problems = [
        *(f"{key} matches no rule of {declared.name}; declare its law" for key in drawn if key not in patterns),
        *(
            f"no parameter is left for the rule {rule!r} of {declared.name}"
            for rule in declared.rules
            if rule not in used
        ),
        *(_problem(verdict, drawn) for verdict in verdicts if not verdict.passed),
        *_copies(drawn, laws),
    ]
    evidence: dict[str, Any] = {
        "initialisation": declared.name,
        "locus": declared.locus,
        "seed": subject.seed,
        "limit": LIMIT,
        "rules": [_rule(pattern, text, verdicts, drawn) for pattern, text in declared.rules.items()],
        "problems": problems,
    }
    if problems:
        more = (
            f"; and {len(problems) - 1} more problems" if len(problems) > 2 else "".join(f"; {p}" for p in problems[1:])
        )
        message = f"{problems[0]}{more}; declared by {declared.locus}"
    else:
        farthest = max((abs(verdict.score) for verdict in verdicts), default=0.0)
        message = f"{len(drawn)} parameters as declared, {farthest:.1f} standard errors off at most, {LIMIT} allowed"
    if reference is not None and keys is not None:
        text, evidence["reference"] = _reference(reference, laws, patterns, keys)
        message += text
    return Result(
        "initialisation",
        subject.spec.removeprefix("repro:"),
        reference.spec if reference is not None else "none",
        Outcome.FAIL if problems else Outcome.PASS,
        message,
        evidence,
    )


def departures(
    reference: Drawn, laws: Mapping[str, Law], patterns: Mapping[str, str], keys: KeyMap
) -> tuple[Departure, ...]:
    """Where the reference's values are not draws by our laws, grouped by kind of parameter and law, largest first.

    laws, patterns: of our keys. Parameters that the key map leaves out are not compared.
    """
    there = {e.source: e.target for e in keys.entries if e.source in laws and e.target in reference.samples}
    values = {key: reference.samples[target] for key, target in there.items()}
    verdicts = initialisation.verdicts(values, {key: laws[key] for key in there}, patterns)
    departing = {key for verdict in verdicts if not verdict.passed for key in verdict.keys if len(verdict.keys) == 1}
    for verdict in verdicts:  # a pool tells of its tensors only what none of them tells by itself
        if not verdict.passed and departing.isdisjoint(verdict.keys):
            departing.update(verdict.keys)
    kinds: dict[str, list[str]] = {}
    for key, target in there.items():
        kinds.setdefault(_kind(target, reference.samples), []).append(key)
    found = []
    for kind, members in kinds.items():
        ours = {there[key]: key for key in members if key in departing}
        for text, targets in initialisation.recognised(ours, reference.samples).items():
            group = {ours[target]: target for target in targets}
            expected = tuple(dict.fromkeys(laws[key].text for key in group))
            others = [
                key
                for key in members
                if text and key not in departing and initialisation.fits(there[key], reference.samples, text)
            ]
            first = targets[0], reference.samples[targets[0]]
            words = _departure(text, kind, len(group) + len(others), len(others), expected, first)
            found.append(Departure(text, expected, group, words))
    return tuple(sorted(found, key=lambda departure: -len(departure.keys)))


def _reference(
    reference: Drawn, laws: Mapping[str, Law], patterns: Mapping[str, str], keys: KeyMap
) -> tuple[str, dict[str, Any]]:
    """What to say of the reference, and the evidence of it."""
    if reference.spec.partition("+")[0] in TORCH_DEFAULTS:
        note = f"{reference.spec} is built with init_weights=False here: its values are torch's defaults, not its own"
        return f"; {note}", {"note": note}
    found = departures(reference, laws, patterns, keys)
    mapped = {entry.source for entry in keys.entries}
    evidence = {
        "seed": reference.seed,
        "departures": [
            {"text": each.text, "law": each.law, "declared": list(each.declared), "keys": dict(each.keys)}
            for each in found
        ],
        "not_compared": [key for key in laws if key not in mapped],
    }
    if not found:
        return f"; {reference.spec} draws by the same laws", evidence
    more = (
        f"; and {len(found) - 1} more departures" if len(found) > 2 else "".join(f"; {each.text}" for each in found[1:])
    )
    return f"; {reference.spec} {found[0].text}{more}", evidence


def _departure(law: str, kind: str, count: int, both: int, declared: tuple[str, ...], first: tuple[str, Sample]) -> str:
    """One departure in words. count: how many parameters have the law; both: those of them that fit ours as well."""
    key, sample = first
    plural = kind if count == 1 else f"{kind}es" if kind.endswith("bias") else f"{kind}s"
    expected = f"where {' or '.join(declared)} is declared"
    if not law:
        return f"draws {count} {plural} by no law known here {expected} ({key} has {sample})"
    if "(" in law:
        return f"draws {count} {plural} from {law} {expected}" + (f"; {both} of them fit both" if both else "")
    words = f"starts {count} {plural} at {float(law):g} {expected}"
    if kind == "norm scale" and float(law) == 0:
        words += (
            f" ({key}): what they scale is 0 in a fresh network, so comparing on its initial values would be vacuous"
        )
    return words


def _kind(key: str, drawn: Mapping[str, Sample]) -> str:
    """What people call a parameter."""
    name = key.rpartition(".")[2]
    beside = drawn.get(initialisation.beside_of(key), drawn[key])
    layer = {4: "convolution ", 2: "linear "}.get(len(beside.shape), "")
    if not layer and len(beside.shape) == 1 and name in ("weight", "bias"):
        return "norm scale" if name == "weight" else "norm shift"
    return layer + (name if name in ("weight", "bias") else "parameter")


def _copies(drawn: Mapping[str, Sample], laws: Mapping[str, Law]) -> list[str]:
    """Parameters that are drawn and hold the very values of another: a layer copied, or a generator seeded again.

    Five floating statistics over all elements are equal for no other reason.
    """
    first: dict[Sample, str] = {}
    problems = []
    for key, law in laws.items():
        sample = drawn[key]
        if law.shape is not None and sample.lowest != sample.highest and first.setdefault(sample, key) != key:
            problems.append(f"{key} starts with the very values of {first[sample]}, where each is drawn by itself")
    return problems


def _problem(verdict: Verdict, drawn: Mapping[str, Sample]) -> str:
    """What is wrong with one tensor or pool, in words."""
    key, law = verdict.keys[0], verdict.law
    width = f" (deviation {law.std:.4g})" if law.shape is not None else ""
    words = f"{key} should be {law.text}{width}, and is {drawn[key]}"
    if len(verdict.keys) > 1:
        pool = f"the {len(verdict.keys)} small parameters of the rule {verdict.pattern!r}, such as {key},"
        words = f"{pool} should be {law.text}; together"
    if verdict.statistic == "value":
        return words
    if not math.isfinite(verdict.score):
        return f"{words}: the {verdict.statistic} cannot be drawn"
    return f"{words}: the {verdict.statistic} is {verdict.score:+.3g} standard errors off, {LIMIT} allowed"


def _rule(pattern: str, text: str, verdicts: list[Verdict], drawn: Mapping[str, Sample]) -> dict[str, Any]:
    """The evidence of one rule: what it covers, and the verdict that is farthest out."""
    own = [verdict for verdict in verdicts if verdict.pattern == pattern]
    single = [verdict.keys[0] for verdict in own if len(verdict.keys) == 1]
    worst = max(own, key=lambda verdict: (not verdict.passed, abs(verdict.score)), default=None)
    return {
        "pattern": pattern,
        "law": text,
        "tensors": len(single),
        "elements": sum(drawn[key].count for key in single),
        "farthest": worst
        and {
            "keys": list(worst.keys),
            "statistic": worst.statistic,
            "score": worst.score if math.isfinite(worst.score) else None,
            "measured": str(drawn[worst.keys[0]]),
        },
    }
