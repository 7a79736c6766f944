"""repro: proving that a CNN implementation is what it says it is."""

__version__ = "0.1.0"
