"""The one exception that means "the user can mend this": its message is the whole story, no traceback needed."""


class ReproError(Exception):
    """What was given, what was expected, and what to do; the command line prints it and exits with 2."""
