"""Sources whose examples are listed first and decoded one by one, ahead of the model and in order."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from pellucid.data.batching import in_batches
from pellucid.data.images import UndecodableImageError, decode, picture_of
from pellucid.errors import DataError, UnreadableError
from pellucid.recipe import Recipe
from pellucid.record.schema import Preprocessing, Skipped
from pellucid.types import Batch, Example, Scalar

THREADS = 4
AHEAD = 64


@dataclass(frozen=True, slots=True)
class Listing:
    """An image that is there but not yet read."""

    id: str
    read: Callable[[], bytes]
    target: int | float | None
    columns: dict[str, Scalar] = field(default_factory=dict)
    soft: tuple[float, ...] | None = None
    classes: frozenset[int] | None = None


@dataclass
class ListedImages:
    """Images in a fixed order; see pellucid.data.Source.

    Rows of the examples table count the readable ones: what is skipped takes no row, so that the order of the same
    files is the same at every visit.
    """

    name: str
    source: str
    classes: tuple[str, ...] | None
    listings: Sequence[Listing]
    recipe: Recipe
    skip_bad: bool = False
    labels: str = ""
    skipped: list[Skipped] = field(default_factory=list)
    _kept: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.listings) - len(self.skipped)

    @property
    def preprocessing(self) -> Preprocessing:
        """The recipe, as it stands in a manifest."""
        return self.recipe.to_schema()

    def example(self, row: int) -> Example:
        """Decodes one example, without the small picture that a record keeps of it: a click waits for this.

        Raises: UnreadableError, DataError (no such row).
        """
        if not self.skip_bad and 0 <= row < len(self.listings):
            return self._decoded(self.listings[row], pictured=False)  # every listing has its row, or is refused
        if row >= len(self._kept):
            for place, _ in self._readable(len(self._kept)):
                if place >= row:
                    break
        if row >= len(self._kept):
            raise DataError(f"There is no example {row}: {self.source} has {len(self._kept)} readable ones.")
        return self._decoded(self.listings[self._kept[row]], pictured=False)

    def batches(self, batch_size: int, *, start: int = 0) -> Iterator[Batch]:
        """Decodes ahead in a few threads; errors come in their turn."""
        examples = (example for _, example in self._readable(start))
        return in_batches(examples, batch_size, start)

    def fingerprint(self) -> str:
        """SHA-256 over the ids and targets in order."""
        digest = hashlib.sha256(self.name.encode())
        for listing in self.listings:
            label = listing.target if listing.soft is None else listing.soft
            label = label if listing.classes is None else tuple(sorted(listing.classes))
            digest.update(f"{listing.id}\0{label}\n".encode())
        return digest.hexdigest()

    def _readable(self, start: int) -> Iterator[tuple[int, Example]]:
        """Readable examples from row `start` on. Those before it are read once where it is not known which they are."""
        known = min(start, len(self._kept))
        first = self._kept[known] if known < len(self._kept) else (self._kept[-1] + 1 if self._kept else 0)
        row = known
        with ThreadPoolExecutor(THREADS) as pool:
            waiting: deque[tuple[int, Future[Example]]] = deque()
            upcoming = iter(range(first, len(self.listings)))
            try:
                while True:
                    while len(waiting) < AHEAD and (place := next(upcoming, None)) is not None:
                        waiting.append((place, pool.submit(self._decoded, self.listings[place])))
                    if not waiting:
                        return
                    place, future = waiting.popleft()
                    try:
                        example = future.result()
                    except UnreadableError as error:
                        if not self.skip_bad:
                            raise
                        self._skip(self.listings[place].id, str(error.__cause__))
                        continue
                    if row == len(self._kept):
                        self._kept.append(place)
                    if row >= start:
                        yield row, example
                    row += 1
            finally:
                for _, future in waiting:
                    future.cancel()

    def _skip(self, name: str, reason: str) -> None:
        if all(entry.id != name for entry in self.skipped):
            self.skipped.append(Skipped(name, reason))

    def _decoded(self, listing: Listing, *, pictured: bool = True) -> Example:
        try:
            picture = self.recipe.geometry(decode(listing.read()))
        except (UndecodableImageError, OSError) as error:
            raise UnreadableError(
                f"The image {listing.id} of {self.source} cannot be read: {error}. Repair or remove it, or leave such "
                "images out with --skip-bad.",
                (listing.id,),
            ) from error
        small = picture_of(picture) if pictured else None
        return Example(
            listing.id,
            self.recipe.tensor(picture),
            listing.target,
            small,
            listing.columns,
            listing.soft,
            listing.classes,
        )
