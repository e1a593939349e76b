"""An authority made on the spot, and the certificates it vouches for."""

from __future__ import annotations

import ssl
from pathlib import Path

import trustme

__all__ = ["Authority"]


class Authority:
    """Signs certificates for the names that simulators go by; nothing of it outlives the process."""

    def __init__(self) -> None:
        self._authority = trustme.CA()

    @property
    def pem(self) -> bytes:
        """What a client has to trust."""
        return self._authority.cert_pem.bytes()

    def write(self, folder: Path) -> Path:
        """Write the authority's certificate as PEM; return where."""
        path = folder / "simulators.pem"
        path.write_bytes(self.pem)
        return path

    def server_context(self, *names: str) -> ssl.SSLContext:
        """Return the context of a server that goes by `names`; HTTP/1.1 is what it speaks."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_alpn_protocols(["http/1.1"])
        self._authority.issue_cert(*names).configure_cert(context)
        return context
