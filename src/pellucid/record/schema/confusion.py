"""What is taken for what."""

from __future__ import annotations

import msgspec

from pellucid.record.schema.basis import Interval, Panel


class ConfusedPair(msgspec.Struct, frozen=True):
    """Examples of class `true` called `predicted`: `count` of `support`.

    `expected` is the count if the errors of that true class fell on the other classes in proportion to how often each
    is wrongly predicted for the classes beside the two, one added to each; `p_value` is that of Fisher's exact test
    against those classes, one-sided, after Holm's correction over all pairs. Where those classes make no errors it is that of
    an even spread over the other classes, a binomial tail.
    """

    true: int
    predicted: int
    count: int
    support: int
    rate: float
    interval: Interval
    expected: float
    p_value: float


class ConfusionPanel(Panel, tag="confusion"):
    """Sparse counts: rows are true classes, columns are predicted classes; three parallel lists.

    Many cells (`cells` counts them) stand in arrays instead, int32 `rows`, int32 `columns` and int64 `counts`, and the lists are
    empty. Where an example may have several classes, the index after the last class stands for nothing: a class that was
    missed with none called in its place, or called with none missed. `order` puts classes that are taken for one another
    side by side; `order_method` says in words how it was found.
    """

    classes: list[str]
    rows: list[int]
    columns: list[int]
    counts: list[int]
    pairs: list[ConfusedPair]
    cells: int = 0
    order: list[int] = msgspec.field(default_factory=list)
    order_method: str = ""
