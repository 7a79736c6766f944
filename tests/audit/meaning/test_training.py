"""What a program does to train a network, as a list of events in their order."""

from __future__ import annotations

import ast

import pytest

from repro.audit.meaning.analysis import Analysis
from repro.audit.meaning.data import STATISTICS, is_for_test, is_test_set, made, near, numbers, pipelines
from repro.audit.meaning.interpreter import EPOCHS
from repro.audit.meaning.training import differs_by_mode, evaluations, is_optimizer, is_scheduler, loss_of, mode
from repro.audit.meaning.values import Event, Instance, Layer, Made
from repro.audit.program import Program


def program(text: str) -> Program:
    return Program("case.py", text, ast.parse(text))


def events(text: str, *kinds: str) -> list[Event]:
    return [each for stretch in Analysis.of(program(text)).stretches for each in stretch if each.kind in kinds]


TRAINING = """
import torch
import torch.nn as nn
net = nn.Sequential(nn.Linear(4, 8), nn.Dropout(), nn.Linear(8, 2))
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 30)
loader = torch.utils.data.DataLoader(images, 64)
def train(network, batches):
    network.train()
    for x, y in enumerate(batches):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(network(x), y)
        loss.backward()
        optimizer.step()
@torch.no_grad()
def test(network):
    network.eval()
    for x, y in others:
        print(network(x))
if __name__ == "__main__":
    for epoch in range(100):
        train(net, loader)
        test(net)
        scheduler.step()
"""


def test_a_loop_that_trains_goes_around_twice_and_its_methods_are_told_in_order() -> None:
    told = events(TRAINING, "train", "eval", "zero_grad", "backward", "step")
    batch = ["zero_grad", "backward", "step"]
    assert [each.kind for each in told] == EPOCHS * ["train", *(EPOCHS * batch), "eval", "step"]


def test_an_event_knows_its_loops_and_what_they_go_over() -> None:
    first = events(TRAINING, "backward")[0]
    assert [(each.number, each.name) for each in first.rounds] == [(0, ""), (0, "batches")]
    assert isinstance(first.rounds[1].over, Made)
    assert first.rounds[1].over.kind == "torch.utils.data.DataLoader"


def test_optimizers_schedulers_and_networks_are_told_apart_though_functions_name_them_otherwise() -> None:
    steps = events(TRAINING, "step")
    assert [is_optimizer(each) for each in steps[:3]] == [True, True, False]
    assert [is_scheduler(each) for each in steps[:3]] == [False, False, True]
    assert {type(each.key) for each in events(TRAINING, "train", "eval", "parameters")} == {Layer}


def test_a_decorator_and_a_context_switch_autograd_off_and_only_there() -> None:
    assert all(each.grad for each in events(TRAINING, "backward", "train"))
    assert not any(each.grad for each in events(TRAINING, "eval"))
    text = "import torch\nwith torch.set_grad_enabled(False):\n    net.eval()\nnet.train()"
    assert [each.grad for each in events(text, "eval", "train")] == [False, True]


def test_evaluations_are_the_calls_that_nothing_goes_backward_from() -> None:
    (stretch,) = Analysis.of(program(TRAINING)).stretches
    found = list(evaluations(stretch))
    assert {each.name for each in found} == {"network"}
    assert not any(each.grad for each in found)


def test_a_function_that_nothing_calls_is_a_stretch_of_its_own() -> None:
    text = "import torch\nnet.train()\ndef test(net):\n    net.eval()\n"
    kinds = [[each.kind for each in stretch] for stretch in Analysis.of(program(text)).stretches]
    assert kinds == [["train"], ["eval"]]


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("train()", True),
        ("train(True)", True),
        ("train(mode=False)", False),
        ("eval()", False),
        ("train(phase)", None),
    ],
)
def test_the_mode_that_a_call_sets(call: str, expected: bool | None) -> None:
    (event,) = events(f"import torch\nnet.{call}", "train", "eval")
    assert mode(event) is expected


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        ("nn.Sequential(nn.Linear(2, 2), nn.Dropout())", True),
        ("nn.Sequential(nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2))", True),
        ("nn.Sequential(nn.Linear(2, 2), nn.GroupNorm(1, 2))", False),
        ("torchvision.models.resnet18()", True),
        ("torchvision.models.vit_b_16()", None),
        ("build()", None),
    ],
)
def test_whether_the_mode_matters(network: str, expected: bool | None) -> None:
    text = f"import torch, torchvision\nimport torch.nn as nn\nfrom other import build\nnet = {network}\nnet.eval()"
    assert differs_by_mode(events(text, "eval")[0].owner) is expected


@pytest.mark.parametrize(
    ("added", "is_loss"),
    [
        ("loss", True),
        ("loss * 32", True),
        ("loss.detach()", False),
        ("loss.data", False),
        ("loss.data[0]", False),
        ("loss.item()", False),
        ("float(loss)", False),
        ("len(x)", False),
    ],
)
def test_a_loss_is_known_until_it_is_detached(added: str, is_loss: bool) -> None:
    text = f"""
import torch.nn.functional as F
total = 0
for x, y in loader:
    loss = F.cross_entropy(net(x), y)
    total += {added}
"""
    assert bool([each for each in events(text, "accumulate") if loss_of(each.owner)]) is is_loss


def test_a_layer_that_is_put_in_from_outside_is_told_and_one_of_the_class_itself_is_not() -> None:
    text = """
import torch.nn as nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(2, 2)
net = Net()
net.fc = nn.Linear(2, 3)
net.parts[0] = nn.Linear(2, 3)
"""
    told = events(text, "replace")
    assert [each.name for each in told] == ["net", "net.parts"]
    assert isinstance(told[0].owner, Instance)


DATA = """
import torch
from torchvision import datasets, transforms as T
basic = T.Compose([T.ToTensor(), T.Normalize((0.5,), [0.5])])
whole = T.Compose([T.Resize(32), basic])
other = T.Compose([T.Resize(32), something])
a = datasets.MNIST("data", True, whole)
b = datasets.MNIST("data", train=False)
c = datasets.SVHN("data", split="test")
d = datasets.ImageFolder("images/val", whole)
e = datasets.ImageFolder("latest/train")
f = datasets.ImageFolder(testdir, whole)
g = datasets.MNIST("test_data", train=True)
"""


def test_steps_are_those_of_all_that_is_composed_and_none_if_one_is_not_known() -> None:
    assert [[each.short for each in steps] for steps in pipelines(program(DATA))] == [
        ["Resize", "ToTensor", "Normalize"]
    ]


def test_which_datasets_are_not_to_be_trained_on() -> None:
    found = made(program(DATA), "torchvision.datasets.")
    assert [is_for_test(each) for each in found] == [False, True, True, True, False, True, False]
    assert [is_test_set(each) for each in found] == [False, True, True, False, False, True, False]


def test_figures() -> None:
    assert numbers([0.5, 1]) == (0.5, 1.0)
    assert numbers(0.5) == (0.5,)
    assert numbers([0.5, None]) is None
    assert numbers([]) is None
    assert near((0.485, 0.456), (0.4853, 0.4562))
    assert not near((0.485,), (0.495,))


def test_no_dataset_has_the_figures_of_another_one() -> None:
    every = [each for means, deviations in STATISTICS.values() for each in (*means, *deviations)]
    assert not [(a, b) for i, a in enumerate(every) for b in every[i + 1 :] if near(a, b)]
