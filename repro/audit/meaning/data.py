"""What rules about data ask: the datasets of torchvision that a program makes, and what is done to their images."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

from repro.audit.meaning.analysis import Analysis
from repro.audit.meaning.operations import pair
from repro.audit.meaning.values import Made, Round
from repro.audit.program import Program

GREY = frozenset({"MNIST", "FashionMNIST", "KMNIST", "QMNIST", "EMNIST", "USPS"})  # datasets with one channel

# The sides of images that are all of one size, and what of transforms leaves them alone, or says another one.
_SIDES = {**dict.fromkeys(GREY, 28), "USPS": 16, "CIFAR10": 32, "CIFAR100": 32, "SVHN": 32}
_KEEPING = frozenset(
    "ToTensor Normalize Grayscale RandomGrayscale ColorJitter RandomErasing RandomHorizontalFlip RandomVerticalFlip "
    "RandomRotation RandomAffine PILToTensor ConvertImageDtype ToImage ToDtype".split()
)
_SIZING = frozenset({"Resize", "CenterCrop", "RandomCrop", "RandomResizedCrop"})

Figures = tuple[float, ...]

# Means and standard deviations as they are published for images between 0 and 1, red first: torchvision's documentation
# of its weights, and what the usual CIFAR and MNIST programs compute.
STATISTICS: dict[str, tuple[tuple[Figures, ...], tuple[Figures, ...]]] = {
    "ImageNet": (((0.485, 0.456, 0.406),), ((0.229, 0.224, 0.225),)),
    "CIFAR-10": (((0.4914, 0.4822, 0.4465),), ((0.2470, 0.2435, 0.2616), (0.2023, 0.1994, 0.2010))),
    "CIFAR-100": (((0.5071, 0.4867, 0.4408),), ((0.2675, 0.2565, 0.2761),)),
    "MNIST": (((0.1307,),), ((0.3081,),)),
    "Fashion-MNIST": (((0.2860,),), ((0.3530,),)),
}
NEAR = 0.004  # by which published figures of the same thing differ


def made(program: Program, *prefixes: str) -> list[Made]:
    """What the program makes of these places of a library, each expression once."""
    found = {
        id(event.owner.call): event.owner
        for events in Analysis.of(program).stretches
        for event in events
        if event.kind == "make" and isinstance(event.owner, Made) and event.owner.kind.startswith(prefixes)
    }
    return sorted(
        found.values(), key=lambda each: (getattr(each.call, "lineno", 0), getattr(each.call, "col_offset", 0))
    )


def pipelines(program: Program) -> list[list[Made]]:
    """The steps of each `Compose` that is known whole, those of a `Compose` in it included."""
    every = [each for each in made(program, "torchvision.transforms.") if each.short == "Compose"]
    inside = {id(step) for each in every for step in _given(each)}
    return [steps for each in every if id(each) not in inside and (steps := steps_of(each)) is not None]


def steps_of(transform: Any) -> list[Made] | None:
    """What a transform does, in order; None if anything in it is not known."""
    if not isinstance(transform, Made) or not transform.kind.startswith("torchvision.transforms."):
        return None
    if transform.short != "Compose":
        return [transform]
    found: list[Made] = []
    for each in _given(transform):
        steps = steps_of(each)
        if steps is None:
            return None
        found += steps
    return found if isinstance(transform.argument(0, "transforms"), list | tuple) else None


def _given(compose: Made) -> list[Any]:
    steps = compose.argument(0, "transforms")
    return list(steps) if isinstance(steps, list | tuple) else []


def datasets(program: Program) -> Iterator[tuple[Made, list[Made]]]:
    """The datasets of torchvision whose transform is known, and its steps."""
    for dataset in made(program, "torchvision.datasets."):
        steps = _steps(dataset)
        if steps is not None:
            yield dataset, steps


def _steps(dataset: Made) -> list[Made] | None:
    position = 1 if dataset.short.endswith("Folder") else 2
    return steps_of(dataset.argument(position, "transform"))


def side_of(dataset: Made) -> int | None:
    """The side of the square images that a dataset of torchvision gives; None if it is not known."""
    side = _SIDES.get(dataset.short) if dataset.kind.startswith("torchvision.datasets.") else None
    steps = _steps(dataset)
    for step in steps or ():
        if step.short in _SIZING:
            size = step.argument(0, "size")
            keeps_shape = step.short == "Resize" and isinstance(size, int) and side is None
            sides = None if keeps_shape else pair(size)
            side = sides[0] if sides is not None and sides[0] == sides[1] else None
        elif step.short not in _KEEPING:
            return None
    return side if steps is not None else None


def is_for_test(dataset: Made) -> bool:
    """Whether the arguments of a dataset say that it is not to be trained on: `train=False`, a folder `val`."""
    return _split(dataset) in (False, "test", "val") or _has_folder(dataset, "test|val|valid|validation")


def is_test_set(dataset: Made) -> bool:
    """Whether it is even the test set, rather than a part kept for validation."""
    return _split(dataset) in (False, "test") or _has_folder(dataset, "test")


def _split(dataset: Made) -> Any:
    """The argument by which torchvision's datasets are told which part they are."""
    given = dataset.argument(1, "train" if "train" in dataset.named else "split")
    return given if isinstance(given, bool | str) else None


def _has_folder(dataset: Made, names: str) -> bool:
    """Whether the images are in a folder of one of these names: `data/val`, or `valdir`."""
    if not dataset.short.endswith("Folder"):
        return False
    inside = list(ast.walk(dataset.call))
    words = [node.value for node in inside if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    words += [node.id for node in inside if isinstance(node, ast.Name)]
    return any(re.search(rf"(?<![a-z])({names})(_?(dir|path|root|folder))?(?![a-z])", word.lower()) for word in words)


def goes_over(around: Round) -> Any:
    """The dataset that a loop goes over by a loader, or whatever else it goes over."""
    over = around.over
    return over.argument(0, "dataset") if isinstance(over, Made) and over.short == "DataLoader" else over


def name_of(program: Program, around: Round) -> str:
    """The name of the loader that a loop goes over, rather than that of a progress bar around it."""
    over = around.over
    if isinstance(over, Made):
        for node in program.nodes(ast.Assign):
            if node.value is over.call and isinstance(node.targets[0], ast.Name):
                return node.targets[0].id
    return around.name


def numbers(value: Any) -> Figures | None:
    """Means or deviations as a tuple; None if they are not known."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return (float(value),)
    if isinstance(value, list | tuple) and value and all(type(each) in (int, float) for each in value):
        return tuple(map(float, value))
    return None


def near(one: Figures, other: Figures) -> bool:
    """Whether two sets of figures are the same but for rounding."""
    return len(one) == len(other) and all(abs(a - b) <= NEAR for a, b in zip(one, other, strict=True))


def normalisations(program: Program) -> Iterator[tuple[Made, Figures, Figures]]:
    """Each `Normalize` with its means and its deviations, where they are known."""
    for step in made(program, "torchvision.transforms."):
        mean, std = numbers(step.argument(0, "mean")), numbers(step.argument(1, "std"))
        if step.short == "Normalize" and mean is not None and std is not None:
            yield step, mean, std


def with_means(values: Figures) -> set[str]:
    """The datasets that are published with these means."""
    return {name for name, (means, _) in STATISTICS.items() if any(near(values, each) for each in means)}


def with_deviations(values: Figures) -> set[str]:
    """The datasets that are published with these deviations."""
    return {name for name, (_, deviations) in STATISTICS.items() if any(near(values, each) for each in deviations)}
