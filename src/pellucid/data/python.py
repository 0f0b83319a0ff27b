"""Data that a Python function returns: "file.py:function" or "package.module:function"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pellucid.data import Source
from pellucid.data.memory import from_python
from pellucid.errors import DataError, OptionError
from pellucid.importing import load_object

if TYPE_CHECKING:
    from pellucid.recipe import Recipe


def open_data(spec: str, *, recipe: Recipe | None = None, limit: int | None = None, skip_bad: bool = False) -> Source:
    """Calls the function; what it returns may be anything that `pellucid.inspect` takes as examples.

    Its inputs are tensors already: a model's own recipe is not applied, and one from flags is refused.

    Raises: DataError: it cannot be imported or called. OptionError: flags ask to prepare its images.
    """
    if recipe is not None and recipe.origin == "flags":
        raise OptionError(
            f"'{spec}' returns tensors that are ready for the model; --resize, --size, --crop, --mean, --std and "
            "--grayscale do not apply to them. Prepare them in the function."
        )
    found = load_object(spec, "data", DataError)
    try:
        examples = found() if callable(found) and not hasattr(found, "__getitem__") else found
    except Exception as error:
        raise DataError(f"{spec} raised {type(error).__name__}: {error}.") from error
    if isinstance(examples, Source):
        return examples
    source = from_python(examples, limit=limit)
    source.source = spec
    source.name = spec.rpartition(":")[2]
    return source
