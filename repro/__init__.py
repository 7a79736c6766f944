"""repro: proving that a CNN implementation is what it says it is."""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = [
    "Report",
    "ReproError",
    "assert_equivalent",
    "check_golden",
    "compare",
    "identify",
    "map_state_dict",
    "update_golden",
]

if TYPE_CHECKING:
    from repro.api import (
        Report,
        ReproError,
        assert_equivalent,
        check_golden,
        compare,
        identify,
        map_state_dict,
        update_golden,
    )
else:

    def __getattr__(name: str) -> Any:
        """What `repro.api` has, imported when it is asked for: that needs torch, and `import repro` does not."""
        if name not in __all__:
            raise AttributeError(f"module 'repro' has no attribute {name!r}")
        from repro import api

        return getattr(api, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
