"""A claim: what a document says of a network, and how exactly."""

from __future__ import annotations

from dataclasses import dataclass

from repro.audit.finding import Place

# What a claim may be about -> what it is called.
KINDS = {
    "parameters": "how many elements all parameters have",
    "size": "how many bytes the parameters have as 32-bit numbers",
    "layers": "how many layers there are",
    "convolutions": "how many convolutions there are",
    "fully_connected": "how many fully connected layers there are",
    "dropouts": "how many dropouts there are",
    "lrn": "how many local response normalisations there are",
    "multiply_adds": "multiply-adds, or operations, for one image",
    "output_shape": "what shape a layer gives, without the batch",
    "repr": "how a network prints itself",
    "equal": "that the network is one of torchvision's",
}

UNITS = {"": (1.0,), "MB": (1e6, 2.0**20), "GB": (1e9, 2.0**30)}  # a unit -> what it may stand for
_HEDGED = 0.1  # how far "about" and "nearly" reach, as a share of the number


@dataclass(frozen=True)
class Quantity:
    """A number as it is said.

    unit   of `UNITS`
    error  half of what its last digit stands for; zeros at its end are not taken for exact
    bound  "" as it stands, "about", "least" or "most"
    """

    value: float
    unit: str = ""
    error: float = 0.0
    bound: str = ""

    def covers(self, measured: float) -> bool:
        """Whether it is a true thing to say of a measured number, in one of the meanings of its unit."""
        return any(self._covers(measured / unit) for unit in UNITS[self.unit])

    def _covers(self, measured: float) -> bool:
        if self.bound == "least":
            return measured >= self.value
        if self.bound == "most":
            return measured <= self.value
        if self.bound == "about":
            return abs(measured - self.value) <= _HEDGED * self.value
        return -self.error <= measured - self.value < 2 * self.error or measured == self.value  # rounded, or cut off


@dataclass(frozen=True)
class Claim:
    """One thing that a document says of a network.

    kind      of `KINDS`
    about     the network, as it is called there; the class or function whose comment it stands in
    network   its name in the catalog; empty if it is not there
    symbol    the class or function of the document that it stands in or above; empty in prose
    quantity  what is said; None where it is no number
    said      the words that say it
    text      the sentence
    layers    of a size or a number of parameters: of so many fully connected layers; 0: of the whole network
    path      of a claim beside one layer: its path in the module, as far as the text tells
    line      of the program's text that it stands beside
    shape     of an output, without the batch
    printed   what a network printed, line by line
    """

    kind: str
    about: str
    network: str
    symbol: str
    quantity: Quantity | None
    place: Place
    said: str
    text: str
    layers: int = 0
    path: str = ""
    line: int = 0
    shape: tuple[int, ...] = ()
    printed: tuple[str, ...] = ()
