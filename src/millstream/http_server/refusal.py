"""Why a request is refused, as HTTP and JSON tell it."""

from __future__ import annotations


class Refusal(Exception):  # noqa: N818 - an answer, not a failure
    """A request that is not carried out.

    Attributes:
        status: of HTTP.
        code: a word for programs, such as `TorrentNotFound`.
        field: the part of the body that is at fault, such as `config.port`; None if it is none.
    """

    def __init__(self, status: int, code: str, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.field = field

    def body(self) -> dict[str, object]:
        """What the client is told."""
        told: dict[str, object] = {"ok": False, "error": self.code, "message": str(self)}
        if self.field is not None:
            told["field"] = self.field
        return told


def invalid(field: str, message: str) -> Refusal:
    """A field of the body is not what it must be; the message goes on after the field's name."""
    return Refusal(400, "InvalidField", f"{field} {message}", field)
