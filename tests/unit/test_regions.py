"""Views of one memory: what they have in common, beside sets of their elements."""

from __future__ import annotations

import random

import torch
from torch import Tensor

from pellucid.graph.regions import Region, region_of

MEMORY = torch.arange(120)


def a_view(seeded: random.Random) -> Tensor:
    view = MEMORY.view(4, 5, 6)
    for _ in range(seeded.randint(1, 4)):
        if not view.dim():
            break
        axis = seeded.randrange(view.dim())
        first = seeded.randrange(view.shape[axis])
        change = seeded.choice(["narrow", "transpose", "select", "step", "expand"])
        if change == "narrow":
            view = view.narrow(axis, first, seeded.randint(1, view.shape[axis] - first))
        elif change == "transpose":
            view = view.transpose(axis, seeded.randrange(view.dim()))
        elif change == "select":
            view = view.select(axis, first)
        elif change == "step":
            view = view[..., :: seeded.randint(1, 3)]
        else:
            view = view[..., None].expand(*view.shape, 2)
    return view


def region(tensor: Tensor) -> Region:
    found = region_of(tensor)
    assert found is not None
    return found


def test_two_views_overlap_where_they_have_an_element_in_common() -> None:
    seeded = random.Random(0)
    found = set()
    for _ in range(1000):
        one, other = a_view(seeded), a_view(seeded)
        these, those = set(one.flatten().tolist()), set(other.flatten().tolist())
        shared = bool(these & those)
        assert region(one).overlaps(region(other)) is region(other).overlaps(region(one)) is shared
        if region(one).covers(region(other)):
            assert those <= these
        found.add((shared, region(one).covers(region(other))))
    assert found == {(False, False), (True, False), (True, True)}


def test_what_has_no_elements_has_no_region_and_what_has_no_strides_all_of_its_memory() -> None:
    assert region_of(torch.empty(0, 3)) is None
    sparse = region(torch.eye(3).to_sparse())
    assert sparse.covers(sparse)
    assert sparse.overlaps(region(MEMORY))


def test_elements_of_other_sizes_overlap_where_their_bytes_may() -> None:
    assert region(MEMORY[:2]).overlaps(region(MEMORY.view(torch.int32)[2:4]))
    assert not region(MEMORY[:2]).overlaps(region(MEMORY.view(torch.int32)[4:]))
