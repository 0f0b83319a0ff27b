"""Numbers in sentences."""

from __future__ import annotations


def counted(number: int, one: str, many: str = "") -> str:
    """A number of things.

    >>> counted(1, "image"), counted(1200, "image"), counted(2, "person", "people")
    ('1 image', '1,200 images', '2 people')
    """
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"
