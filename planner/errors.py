"""What the user did wrong, told so that he can mend it."""


class NetchangeError(Exception):
    """A mistake in what was given to the program: a fixed reference, the particulars, and what to do.

    What cannot be understood in the *content* of an input is a `Gap`, not an exception; a bug is a traceback.
    """

    def __init__(self, *, reference: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.reference = reference
        """Fixed and without user data, so that equal problems read equal: `fragment-kind-unknown`."""
        self.message = message
        """One sentence: what, and where (file and line)."""
        self.hint = hint
        """What to do about it; may be empty."""

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message
