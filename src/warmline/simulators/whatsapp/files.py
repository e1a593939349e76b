"""The files that a business uploads and people send, and the addresses they are had at. No I/O."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from warmline.simulators.whatsapp.errors import Refused, no_object
from warmline.simulators.whatsapp.notes import SoundFacts

__all__ = ["LIMITS_BYTES", "Files", "StoredFile", "check_upload"]

_MB: Final = 1024 * 1024

LIMITS_BYTES: Final = {
    "audio/aac": 16 * _MB,
    "audio/amr": 16 * _MB,
    "audio/mp4": 16 * _MB,
    "audio/mpeg": 16 * _MB,
    "audio/ogg": 16 * _MB,
    "image/jpeg": 5 * _MB,
    "image/png": 5 * _MB,
    "image/webp": 500 * 1024,
    "text/plain": 100 * _MB,
    "application/pdf": 100 * _MB,
    "video/3gpp": 16 * _MB,
    "video/mp4": 16 * _MB,
}
"""What can be uploaded. Of documents there are more types, which are not simulated."""

_KEPT: Final = 2_000
"""Files; the oldest are forgotten."""

_UPLOADED_S: Final = 30 * 86_400.0
"""For how long what was uploaded can be had."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file."""

    id: str
    mime_type: str
    data: bytes
    until_s: float
    """When it is gone."""

    facts: SoundFacts | None = None
    """Of sound that can be decoded."""

    @property
    def sha256(self) -> bytes:
        """What it is checked with."""
        return hashlib.sha256(self.data).digest()

    @property
    def in_webhook(self) -> dict[str, str]:
        """Return what a webhook says of it."""
        return {
            "id": self.id,
            "mime_type": self.mime_type,
            "sha256": base64.b64encode(self.sha256).decode(),
        }


class Files:
    """All files of one number.

    What changes here: the files, in `add` and `delete`; their addresses, in `address`.
    """

    def __init__(self) -> None:
        self._files: OrderedDict[str, StoredFile] = OrderedDict()
        self._addresses: OrderedDict[str, tuple[str, float]] = OrderedDict()

    def add(
        self,
        mime_type: str,
        data: bytes,
        now_s: float,
        *,
        kept_s: float = _UPLOADED_S,
        facts: SoundFacts | None = None,
    ) -> StoredFile:
        """Keep a file, of a type that is trusted."""
        name = str(10**14 + secrets.randbelow(9 * 10**14))
        file = StoredFile(name, mime_type, data, now_s + kept_s, facts)
        self._files[name] = file
        while len(self._files) > _KEPT:
            self._files.popitem(last=False)
        return file

    def find(self, name: str, now_s: float) -> StoredFile | None:
        """Return a file that is still kept."""
        file = self._files.get(name)
        return file if file is not None and now_s < file.until_s else None

    def delete(self, name: str, now_s: float) -> None:
        """Forget a file.

        Raises:
            Refused: there is none by this name.
        """
        if self.find(name, now_s) is None:
            raise no_object(name, "delete")
        del self._files[name]

    def address(self, file: StoredFile, now_s: float, good_for_s: float) -> str:
        """Return a name under which a file can be had for a while."""
        name = secrets.token_urlsafe(32)
        self._addresses[name] = (file.id, now_s + good_for_s)
        while len(self._addresses) > _KEPT:
            self._addresses.popitem(last=False)
        return name

    def at(self, address: str, now_s: float) -> StoredFile | None:
        """Return the file at an address, while that is good."""
        name, until_s = self._addresses.get(address, ("", 0.0))
        return self.find(name, now_s) if now_s < until_s else None


def check_upload(mime_type: str, data: bytes) -> None:
    """See whether a file can be uploaded.

    A parameter in the type, such as `codecs=opus`, is refused: some report that it is not, others that it is.

    Raises:
        Refused: it can't.
    """
    if mime_type not in LIMITS_BYTES:
        kinds = ", ".join(LIMITS_BYTES)
        raise Refused(
            100,
            message=f"(#100) Param file must be a file with one of the following types: {kinds}. "
            f"Received file of type '{mime_type}'.",
        )
    if not data:
        raise Refused(131053, "The file is empty.")
    if len(data) > LIMITS_BYTES[mime_type]:
        limit = f"{LIMITS_BYTES[mime_type] // 1024} KB"
        raise Refused(131053, f"The file is larger than the {limit} that {mime_type} may have.")
