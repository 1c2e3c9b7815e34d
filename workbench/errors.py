"""Errors as sentences: the one exception whose own words are shown to the user."""


class WorkbenchError(Exception):
    """A failure that the user can act on.

    `sentence` says what happened and what to do; it is shown unchanged. `cause` is for the log
    (an exception's text, a path, a stack) and is never shown first.
    """

    def __init__(self, sentence: str, cause: object = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.cause = str(cause)


class Refused(WorkbenchError):
    """A file that is refused: the sentence begins with `file:` or `file:line:`."""

    def __init__(self, file: object, sentence: str, line: int = 0, cause: object = "") -> None:
        place = f"{file}:{line}" if line else f"{file}"
        super().__init__(f"{place}: {sentence}", cause)
        self.file = str(file)
        self.line = line
        self.reason = sentence


class Misused(WorkbenchError):
    """A command line that is wrong in itself, whatever the disk holds: scripts tell it apart by its exit code."""


class Damaged(WorkbenchError):
    """A damaged project file. The code that opens it adds which copy is good (core.storage.backups)."""


class ReadOnly(WorkbenchError):
    """An edit was attempted on a project that is open for reading only."""
