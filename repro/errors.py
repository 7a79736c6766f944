"""The one exception that means "the user can mend this": its message is the whole story, no traceback needed."""


class ReproError(Exception):
    """What was given, what was expected, and what to do; the command line prints it and exits with 2."""


def first_line(error: BaseException) -> str:
    """An exception in one line: its type and the first line of what it says."""
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
