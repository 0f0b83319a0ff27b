"""Data that a Python function returns: "file.py:function" or "package.module:function"."""

from __future__ import annotations

from pellucid.data.memory import from_python
from pellucid.data.recipe import Recipe
from pellucid.errors import DataError
from pellucid.types import Example


def open_data(
    spec: str, *, recipe: Recipe | None = None, limit: int | None = None, skip_bad: bool = False
):  # type: ignore[no-untyped-def]
    """Calls the function; what it returns may be anything that `pellucid.inspect` takes as examples."""
    from pellucid.data import Source
    from pellucid.importing import load_object

    found = load_object(spec, "data", DataError)
    examples = found() if callable(found) and not hasattr(found, "__getitem__") else found
    if isinstance(examples, Source):
        return examples
    source = from_python(examples, limit=limit)
    source.source = spec
    source.name = spec.rpartition(":")[2]
    return source


__all__ = ["Example", "open_data"]
