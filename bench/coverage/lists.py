"""The entries of all lists, each with what builds its case."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from bench.coverage.cases import Case
from bench.coverage.oddities import ODDITIES
from bench.coverage.zoos import configurations, lines, timm_case, torchvision_case, transformers_case

Builders = dict[str, Callable[[], Case]]


def torchvision() -> Builders:
    return {name: partial(torchvision_case, name, inputs) for name, inputs in lines("torchvision.txt").items()}


def timm() -> Builders:
    return {family: partial(timm_case, *words) for family, words in lines("timm.txt").items()}


def transformers() -> Builders:
    return {name: partial(transformers_case, name, entry) for name, entry in configurations().items()}


def oddities() -> Builders:
    return dict(ODDITIES)


LISTS: dict[str, Callable[[], Builders]] = {
    "torchvision": torchvision,
    "timm": timm,
    "transformers": transformers,
    "oddities": oddities,
}
