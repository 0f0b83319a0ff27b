"""A source around another one, which it is like but for its examples."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pellucid.data import Source
    from pellucid.record.schema import Preprocessing, Skipped


class Wrapped:
    """What is the inner source's; its examples are for those who inherit."""

    def __init__(self, inner: Source) -> None:
        self.inner = inner

    @property
    def name(self) -> str:
        """For people."""
        return self.inner.name

    @property
    def source(self) -> str:
        """How it was named."""
        return self.inner.source

    @property
    def classes(self) -> tuple[str, ...] | None:
        """Names in order of index; None where they are not known."""
        return self.inner.classes

    @property
    def preprocessing(self) -> Preprocessing:
        """What was done to the examples."""
        return self.inner.preprocessing

    @property
    def skipped(self) -> list[Skipped]:
        """Examples that were left out so far, and why."""
        return self.inner.skipped

    @property
    def labels(self) -> str:
        """Where the labels came from, where that was asked for."""
        return getattr(self.inner, "labels", "")

    def __len__(self) -> int:
        return len(self.inner)

    def fingerprint(self) -> str:
        """SHA-256 of what the inner examples are; hexadecimal."""
        return self.inner.fingerprint()
