"""The one exception that means "the user can mend this": its message is the whole story, no traceback needed."""


class ReproError(Exception):
    """What was given, what was expected, and what to do; the command line prints it and exits with 2."""


class MissingLibraryError(ReproError):
    """An optional library is not installed; the message says how to get it, and `library` which one it is."""

    def __init__(self, library: str) -> None:
        super().__init__(f'{library} is not installed; in a clone: python -m pip install ".[{library}]"')
        self.library = library


def first_line(error: BaseException) -> str:
    """An exception in one line: its type and the first line of what it says."""
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
