"""The built app, read once at the start: what a client names is looked up, never joined to a path."""

from __future__ import annotations

import hashlib
import mimetypes
import re
from dataclasses import dataclass
from pathlib import Path

APP = Path(__file__).parent / "app"

_TYPES = {".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml"}
_HASHED = re.compile(r"[-.][A-Za-z0-9_-]{8,}\.[a-z0-9]+\Z")


@dataclass(frozen=True, slots=True)
class Asset:
    """A file of the app; `immutable` where its name holds a hash of its content."""

    content: bytes
    media_type: str
    sha256: str
    immutable: bool


def read_assets(folder: Path = APP) -> dict[str, Asset]:
    """The files of the built app by path ("index.html", "assets/index-3f2a.js"); empty where it was not built."""
    if not folder.is_dir():
        return {}
    return {
        place.relative_to(folder).as_posix(): _asset(place)
        for place in sorted(folder.rglob("*"))
        if place.is_file() and not place.is_symlink()
    }


def _asset(place: Path) -> Asset:
    content = place.read_bytes()
    guessed = _TYPES.get(place.suffix) or mimetypes.guess_type(place.name)[0] or "application/octet-stream"
    return Asset(content, guessed, hashlib.sha256(content).hexdigest(), bool(_HASHED.search(place.name)))
