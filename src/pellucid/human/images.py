"""What people saw: the name of an image in any file, and conditions that were written in several ways."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation

# 0001_edg_s01_0_oven_00_oven10.png: trial, experiment, observer, condition, category, number, and the image's own name.
_STIMULUS = re.compile(r"\d+_[^_]+_s\d+_[^_]*_[^_]*_\d+_(.+)", re.DOTALL)


def image_name(example: str) -> str:
    """An image's own name: in the layout of model-vs-human each observer has another prefix before it.

    >>> image_name("0002_cop_s01_c100_bicycle_10_n03792782_5966.png")
    'n03792782_5966.png'
    """
    found = _STIMULUS.fullmatch(example)
    return found[1] if found else example


def plain_condition(text: str) -> str:
    """A condition as it is compared: numbers without zeros that say nothing, all else as it stands.

    >>> plain_condition("0.60"), plain_condition("00"), plain_condition("1e-1"), plain_condition("c05")
    ('0.6', '0', '0.1', 'c05')
    """
    stripped = text.strip()
    try:
        number = Decimal(stripped)
    except InvalidOperation:
        return stripped
    if not number.is_finite() or abs(number.adjusted()) > _LONGEST:
        return stripped
    return format(number.normalize() + 0, "f")


_LONGEST = 30


def in_order(conditions: Iterable[str]) -> list[str]:
    """Conditions in order: by the number in them where all have one, else by name."""
    found = sorted(set(conditions))
    numbers = {one: re.search(r"-?\d+(?:\.\d+)?", one) for one in found}
    if all(numbers.values()):
        return sorted(found, key=lambda one: (float(match[0]) if (match := numbers[one]) else 0.0, one))
    return found
