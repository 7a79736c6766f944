"""All bugs, in the order of the documents."""

from __future__ import annotations

from tests.specimens import (
    alexnet_002,
    alexnet_003,
    lenet_002,
    resnet_002,
    resnet_003,
    vgg_000,
    vgg_001,
    vgg_002,
    vgg_003,
)

SNIPPETS = [
    ("000", "VGG"),
    ("001", "VGG"),
    ("002", "LeNet"),
    ("002", "AlexNet"),
    ("002", "VGG"),
    ("002", "ResNet"),
    ("003", "AlexNet"),
    ("003", "VGG"),
    ("003", "ResNet"),
]

BUGS = [
    *vgg_000.BUGS,
    *vgg_001.BUGS,
    *lenet_002.BUGS,
    *alexnet_002.BUGS,
    *vgg_002.BUGS,
    *resnet_002.BUGS,
    *alexnet_003.BUGS,
    *vgg_003.BUGS,
    *resnet_003.BUGS,
]
