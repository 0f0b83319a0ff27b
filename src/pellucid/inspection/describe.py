"""What stands in the manifest about a model, its data and where it ran."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

from pellucid import __version__
from pellucid.data import Source
from pellucid.errors import RecordError
from pellucid.inspection.options import Options
from pellucid.models.fingerprint import model_info
from pellucid.record import schema

if TYPE_CHECKING:
    from torch import nn


def manifest_of(
    model: nn.Module,
    source: Source,
    classes: tuple[str, ...],
    options: Options,
    device: str,
    title: str | None,
    model_source: str,
    weights_source: str,
) -> schema.Manifest:
    """The manifest of a new record."""
    import numpy as np
    import torch

    return schema.Manifest(
        pellucid_version=__version__,
        title=title or type(model).__name__,
        model=model_info(model, model_source, weights_source),
        data=data_info(source, classes, None),
        preprocessing=source.preprocessing,
        options=options.recorded(),
        seed=options.seed,
        device=device,
        versions={
            "python": platform.python_version(),
            "torch": str(torch.__version__),
            "numpy": np.__version__,
            "pellucid": __version__,
        },
    )


def data_info(source: Source, classes: tuple[str, ...], examples: int | None) -> schema.DataInfo:
    """The data, as it is named, identified and counted."""
    return schema.DataInfo(
        name=source.name,
        source=source.source,
        fingerprint=source.fingerprint(),
        examples=examples if examples is not None else length_of(source),
        classes=list(classes),
        labels=getattr(source, "labels", "") or "",
    )


def length_of(source: Source) -> int | None:
    """How many examples there are, None where that is not known before the end."""
    try:
        return len(source)
    except TypeError:
        return None


def check_same(there: schema.Manifest, asked: schema.Manifest) -> None:
    """Refuses to go on with a record of something else, naming what differs."""
    differences = []
    if there.model and asked.model and there.model.fingerprint != asked.model.fingerprint:
        differences.append("the model's weights")
    if there.data and asked.data and there.data.fingerprint != asked.data.fingerprint:
        differences.append("the data")
    if (
        there.preprocessing
        and asked.preprocessing
        and there.preprocessing.fingerprint != asked.preprocessing.fingerprint
    ):
        differences.append("the preprocessing")
    if there.data and asked.data and there.data.classes:
        # Where none are given, the classes were numbered as soon as their number was known.
        numbered = [str(index) for index in range(len(there.data.classes))]
        if there.data.classes != (asked.data.classes or numbered):
            differences.append("the class names")
    if there.seed != asked.seed:
        differences.append("the seed")
    differences += [
        "--lens" if name == "lenses" else f"--{name.replace('_', '-')}"
        for name in asked.options
        if there.options.get(name, asked.options[name]) != asked.options[name]  # an older record knows fewer
    ]
    if differences:
        raise RecordError(
            f"The record was begun with something else: {', '.join(differences)} differ. Go on with what it was begun "
            "with, or begin anew (--overwrite, or another --out)."
        )
