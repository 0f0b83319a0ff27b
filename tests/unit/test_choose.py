"""Which examples are looked at closely."""

from __future__ import annotations

import numpy as np

from pellucid.measures.choose import choose


def planted() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """30 examples of 3 classes: class 0 is taken for 1 four times, 2 for 0 once; row 29 has the highest loss."""
    targets = np.repeat([0, 1, 2], 10)
    predictions = targets.copy()
    predictions[:4] = 1
    predictions[20] = 0
    losses = np.linspace(0.0, 1.0, 30)
    return losses, targets, predictions


def test_each_reason_is_dealt_in_turn() -> None:
    first = choose(*planted(), number=4, seed=0)
    assert [reason for _, reason in first] == ["highest loss", "confusion", "right answer of its class", "random"]
    assert first[0][0] == 29
    assert first[1][0] in range(4)


def test_every_confusion_cell_and_every_class_is_there_before_the_number_runs_out() -> None:
    losses, targets, predictions = planted()
    chosen = choose(losses, targets, predictions, number=14, seed=0)
    rows = np.array([row for row, _ in chosen])
    assert len(set(rows.tolist())) == len(rows) == 14
    cells = {(targets[row], predictions[row]) for row in rows}
    assert {(0, 1), (2, 0), (0, 0), (1, 1), (2, 2)} <= cells


def test_where_there_are_no_single_classes_the_lowest_loss_speaks_for_what_is_right() -> None:
    losses = np.array([0.5, np.nan, 3.0, 0.1, 2.0, np.inf])
    chosen = choose(losses, None, None, number=5, seed=0)
    assert [reason for _, reason in chosen[:3]] == ["highest loss", "lowest loss", "random"]
    rows = {reason: [row for row, given in chosen if given == reason] for _, reason in chosen}
    assert rows["highest loss"][0] == 2
    assert rows["lowest loss"][0] == 3


def test_the_seed_decides_and_nothing_else() -> None:
    assert choose(*planted(), number=12, seed=3) == choose(*planted(), number=12, seed=3)
    assert choose(*planted(), number=12, seed=3) != choose(*planted(), number=12, seed=4)


def test_undefined_losses_and_missing_targets_are_no_reason_but_may_be_drawn() -> None:
    losses = np.full(5, np.nan)
    unknown = np.full(5, -1)
    chosen = choose(losses, unknown, unknown, number=9, seed=0)
    assert sorted(row for row, _ in chosen) == [0, 1, 2, 3, 4]
    assert {reason for _, reason in chosen} == {"random"}
