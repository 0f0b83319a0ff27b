"""Opening data: examples with targets, stable ids and what came along, one format a file.

Formats come by entry point; `open_data` chooses by what is named, `from_python` takes what a program holds already.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from pellucid.data.batching import check_targets, collate
from pellucid.errors import DataError, OptionError
from pellucid.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

    from pellucid.record.schema import Preprocessing, Skipped
    from pellucid.types import Batch, Example

__all__ = ["Recipe", "Source", "check_targets", "collate", "from_python", "open_data", "read_for"]


@runtime_checkable
class Source(Protocol):
    """Examples in a fixed order, again and again.

    Attributes: a plain field will do for each.
    """

    @property
    def name(self) -> str:
        """For people."""

    @property
    def source(self) -> str:
        """How it was named."""

    @property
    def classes(self) -> tuple[str, ...] | None:
        """Names in order of index; None where they are not known."""

    @property
    def preprocessing(self) -> Preprocessing:
        """What was done to the examples."""

    @property
    def skipped(self) -> list[Skipped]:
        """Examples that were left out so far, and why."""

    def __len__(self) -> int:
        """Number of examples; TypeError where it is not known."""

    def example(self, row: int) -> Example:
        """The example of one row of the examples table; it need not have its small picture (`media`)."""

    def batches(self, batch_size: int, *, start: int = 0) -> Iterator[Batch]:
        """Every example from row `start` on."""

    def fingerprint(self) -> str:
        """SHA-256 of what the examples are; hexadecimal."""


def open_data(
    spec: str,
    *,
    recipe: Recipe | None = None,
    limit: int | None = None,
    skip_bad: bool = False,
    labels: str | None = None,
) -> Source:
    """Opens data by name.

    Args:
        spec: a folder of class folders; a Parquet file or a folder of them; "digits", "digits:train", "digits:test";
            "file.py:function" or "package.module:function".
        recipe: how images are prepared; where None, as they are if they are all of one size.
        limit: at most so many examples.
        skip_bad: leave unreadable examples out, and list them, instead of refusing.
        labels: of a Parquet file, the column that holds the labels.

    Raises: DataError: nothing of that name, or it is not what it claims to be.
    """
    from importlib.metadata import entry_points

    openers = {entry.name: entry for entry in entry_points(group="pellucid.data")}
    kind = _kind(spec, openers)
    named = {} if labels is None else {"labels": labels}
    if named and kind != "parquet":
        raise OptionError(f"--labels names a column of a Parquet file; '{spec}' is none.")
    source: Source = openers[kind].load()(spec, recipe=recipe, limit=limit, skip_bad=skip_bad, **named)
    return source


def _kind(spec: str, openers: Container[str]) -> str:
    place = Path(spec)
    head = spec.partition(":")[0]
    if place.is_file() and place.suffix in (".parquet", ".pq"):
        return "parquet"
    if place.is_dir() and (place / "series.json").is_file():
        return "distorted"
    if place.is_dir():
        return "parquet" if any(place.glob("*.parquet")) else "folder"
    if head in openers and head not in ("folder", "parquet", "python", "distorted"):
        return head
    if ":" in spec:
        return "python"
    raise DataError(
        f"There is no data at '{spec}'. Expected a folder of class folders, a Parquet file, 'digits', or "
        "'file.py:function'."
    )


def from_python(examples: object, *, limit: int | None = None, classes: Sequence[str] | None = None) -> Source:
    """A Dataset, DataLoader, list or iterable of (input, target) as a source; see docs/datasets.md."""
    from pellucid.data.memory import from_python as build

    return build(examples, limit=limit, classes=classes)


def read_for(source: Source, model: nn.Module, classes: Sequence[str] | None = None) -> Source:
    """The same examples, read as they are given to a model: of a mapping what its forward names is its input; images of files
    with their channels last where it takes them so.

    Args:
        source: any.
        model: whose forward is called with them.
        classes: names of the model's classes, for targets that are text where the data know no names.
    """
    from pellucid.data.channels_last import in_order_for
    from pellucid.data.memory import read_for as read

    return in_order_for(read(source, model, classes), model)
