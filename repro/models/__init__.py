"""Clean-room networks, one family per file, and the catalog of them. Importing this package does not import torch."""

from repro.models._catalog import UnknownVariant, Variant, build, catalog, get

__all__ = ["UnknownVariant", "Variant", "build", "catalog", "get"]
