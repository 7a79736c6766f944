"""Clean-room networks, one family per file, and the catalog of them. Importing this package does not import torch."""

from repro.models._catalog import UnknownVariantError, Variant, build, catalog, get

__all__ = ["UnknownVariantError", "Variant", "build", "catalog", "get"]
