"""repro: proving that a CNN implementation is what it says it is."""
