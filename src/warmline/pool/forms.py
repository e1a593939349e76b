"""Forms with a file in them, as requests carry them (RFC 7578)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["FormFile", "form", "form_type"]

_QUOTED: Final = {ord('"'): "%22", ord("\r"): "%0D", ord("\n"): "%0A"}
"""How a file's name is quoted in a form (WHATWG HTML, 4.10.21.8)."""


@dataclass(frozen=True, slots=True)
class FormFile:
    """A file as a form has it."""

    content: bytes
    name: str
    """Its ending may tell the far end the format."""

    mime_type: str = "application/octet-stream"


def form_type(boundary: str) -> tuple[str, str]:
    """Return the header that says what a form's body is."""
    return "content-type", f"multipart/form-data; boundary={boundary}"


def form(fields: Mapping[str, str], file: FormFile, *, boundary: str) -> bytes:
    """Return a form's body; its file is the field `file`, the last one.

    Args:
        fields: The others.
        file: Of any content.
        boundary: Stands between the fields; up to 70 ASCII letters, digits and `_`, at random, so that it
            does not occur in the file.
    """
    parts = [
        f'--{boundary}\r\ncontent-disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    parts.append(
        f"--{boundary}\r\n"
        f'content-disposition: form-data; name="file"; filename="{file.name.translate(_QUOTED)}"\r\n'
        f"content-type: {file.mime_type}\r\n\r\n"
    )
    return b"".join(("".join(parts).encode(), file.content, f"\r\n--{boundary}--\r\n".encode()))
