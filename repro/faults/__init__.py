"""Planted faults: healthy networks with one mistake, and where a report of it must point.

A checker is believed when it has been seen to catch what it exists for. Each kind is one small function in the file of
its family; adding a kind touches that file only.
"""

import importlib
import pkgutil

from repro.faults._fault import Fault, faults, kinds, places
from repro.faults.weights import off_by

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

__all__ = ["Fault", "faults", "kinds", "off_by", "places"]
