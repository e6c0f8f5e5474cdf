"""What can go wrong while members learn."""

from __future__ import annotations


class NonFiniteLoss(FloatingPointError):
    """A loss or a gradient became NaN or infinite; the weights are those from before it.

    Attributes:
        members: Positions in the stack of the members that it happened to.
    """

    def __init__(self, message: str, members: tuple[int, ...] = (0,)) -> None:
        super().__init__(message)
        self.members = members

    def __reduce__(self) -> tuple[type[NonFiniteLoss], tuple[str, tuple[int, ...]]]:
        return type(self), (str(self.args[0]), self.members)
