"""What goes wrong, said in a sentence: the one exception that reaches a person as its own words."""


class WorkbenchError(Exception):
    """A failure that a person can act on.

    `sentence` says what happened and what to do; it is shown as it is. `cause` is for the log
    (an exception's text, a path, a stack) and is never shown first.
    """

    def __init__(self, sentence: str, cause: object = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.cause = str(cause)


class Refused(WorkbenchError):
    """A file that is not taken: the sentence begins with `file:` or `file:line:`."""

    def __init__(self, file: object, sentence: str, line: int = 0, cause: object = "") -> None:
        place = f"{file}:{line}" if line else f"{file}"
        super().__init__(f"{place}: {sentence}", cause)
        self.file = str(file)
        self.line = line
        self.reason = sentence


class Damaged(WorkbenchError):
    """A project file that is damaged. Whoever opens it says which copy is good (core.backups)."""


class ReadOnly(WorkbenchError):
    """An edit was asked of a project that is open for reading only."""
