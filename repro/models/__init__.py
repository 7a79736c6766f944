"""Clean-room networks, one family per file, and the catalog of them. Importing this package does not import torch."""

from repro.models._catalog import Initialisation, UnknownVariantError, Variant, build, catalog, get, initialisation_of

__all__ = ["Initialisation", "UnknownVariantError", "Variant", "build", "catalog", "get", "initialisation_of"]
