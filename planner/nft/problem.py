"""What a reader of nft cannot say yes to: words that it does not know, and what nft or the kernel would refuse."""


class NotReadError(Exception):
    """Nothing is known to be wrong; this reader does not know the words."""


class RefusedError(Exception):
    """nft or the kernel would refuse: nothing of the file is applied."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.line = line
