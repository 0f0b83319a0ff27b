"""Intervals of the areas under a class's curves, each the outer ends of two: either alone is too narrow somewhere.

One of each two is a score interval after an example was lent to a group: where no error was seen, or all by luck far from the other
group, what one more would cost has its part in the variance, and the interval a width. `web/src/measures/curveintervals.ts` is the
same in TypeScript.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pellucid.measures.curves import Ordered
from pellucid.measures.intervals import LEVEL, delta_interval, newcombe_auc, outer, wilson
from pellucid.record.schema import Interval

Floats = NDArray[np.float64]

# Examples that are lent to a group, spread as those of the other group are.
LENT = 1.0


def area_interval(of: Ordered, value: float) -> Interval | None:
    """Interval of an area under the ROC curve; None where one of the two groups is empty.

    The outer ends of Newcombe's method 5, whose variance is that of exponential scores, whatever these are, and of a score
    interval whose variance is that of the placements, the share of the other group that lies below (above) each example. To each
    group one example is lent that lies anywhere among the other: its placement is anything between 0 and 1.

    Args:
        of: the examples by score.
        value: the area.

    Source: Newcombe 2006, Statistics in Medicine 25:559; DeLong, DeLong & Clarke-Pearson 1988, Biometrics 44:837; degrees of
        freedom as in Brunner & Munzel 2000, Biometrical Journal 42:17.
    """
    positives, negatives = float(of.positives.sum()), float(of.negatives.sum())
    one = newcombe_auc(value, positives, negatives)
    if one is None:
        return None
    others = of.others
    kept = negatives / float(others.sum())
    lower = 1 - (np.cumsum(others) - others / 2) / others.sum()
    higher = (np.cumsum(of.positives) - of.positives / 2) / positives
    weights = kept if of.weights is None else kept * of.weights
    mean = float((of.positives * lower).sum()) / positives
    # Of a placement between 0 and 1 the squared distance from the mean.
    lent = LENT * ((mean - 0.5) ** 2 + 1 / 12)
    own = float((of.positives * (lower - mean) ** 2).sum()) + lent
    theirs = float((of.negatives * (weights * (higher - mean)) ** 2).sum()) + lent
    drawn = value - (value - 0.5) * (LENT / (positives + LENT) + LENT / (negatives + LENT))
    parts = (own / positives / (positives + LENT), theirs / negatives / (negatives + LENT))
    return outer(one, _score(value, drawn, parts, (positives - 1 + LENT, negatives - 1 + LENT)))


def average_precision_interval(of: Ordered, value: float) -> Interval | None:
    """Interval of an average precision; None without a positive, Wilson's of all positives where there are no others.

    The outer ends of two. Both have the variance of the delta method: an example of the class adds its own precision and raises
    that of all thresholds below it, another one lowers them (with bins, the precision at the end of each). The first is on the
    log-odds. The second is a score interval after one other example was lent, spread over the places of the class's: where all
    others happen to lie at the end, what one among the class would cost has its part in the variance. Quantiles are those of t
    with Satterthwaite's degrees of freedom.

    Args:
        of: the examples by score.
        value: the average precision.
    """
    positives, negatives = float(of.positives.sum()), float(of.negatives.sum())
    if not positives:
        return None
    if not negatives:
        return wilson(positives, positives)
    true, false = np.cumsum(of.positives).astype(np.float64), np.cumsum(of.others)
    called = np.maximum(true + false, 1.0)
    # Sums over the thresholds at and below each place.
    raised = np.cumsum((of.positives * false / called**2)[::-1])[::-1]
    lowered = np.cumsum((of.positives * true / called**2)[::-1])[::-1] / positives
    weights = 1.0 if of.weights is None else of.weights
    own = float((of.positives * ((true / called - value + raised) / positives) ** 2).sum())
    theirs = float((of.negatives * (weights * lowered) ** 2).sum())
    one = None
    if own + theirs > 0:
        z = _quantile((own, theirs), (positives - 1, negatives - 1))
        one = delta_interval(value, math.sqrt(own + theirs), "share", quantile=z)
    kept = float(of.others.sum())
    kept /= kept + LENT
    drop = kept * LENT * float((of.positives * lowered).sum()) / positives
    lent = kept * (theirs + LENT * float((of.positives * lowered**2).sum()) / positives)
    # One example ahead of all halves a precision at most.
    two = _score(value, max(value - drop, value / 2), (own, lent), (positives - 1, negatives - 1 + LENT))
    return two if one is None else outer(one, two)


def _score(value: float, drawn: float, parts: tuple[float, float], freedoms: tuple[float, float]) -> Interval:
    """Wilson's interval of as many trials as give a share, `drawn` towards what is lent, the variance of two groups together."""
    trials = drawn * (1 - drawn) / sum(parts)
    found = wilson(min(value, 1.0) * trials, trials, quantile=_quantile(parts, freedoms))
    return Interval(found.low, found.high, LEVEL, "score") if found else Interval(0.0, 1.0, LEVEL, "score")


def _quantile(parts: tuple[float, float], freedoms: tuple[float, float]) -> float:
    """Of Student's t, with a sum of variances' degrees of freedom, at least 1 (Satterthwaite 1946, Biometrics Bulletin 2:110)."""
    from scipy import special  # scipy.stats takes a second to import

    spread = sum(part**2 / max(freedom, 1.0) for part, freedom in zip(parts, freedoms, strict=True))
    return float(special.stdtrit(max(sum(parts) ** 2 / spread, 1.0), 0.5 + LEVEL / 2))
