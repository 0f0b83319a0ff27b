"""The only place that runs a user's model: hooks in, what was asked for out, no trace left behind."""

from __future__ import annotations

from pellucid.capture.call import apply, as_arguments, to_device, unwrapped
from pellucid.capture.graphs import whole_graph
from pellucid.capture.logits import logits_of, scores_in, taken_from, unscored
from pellucid.capture.placing import on_device, place_of, unfused
from pellucid.capture.preserve import preserved
from pellucid.capture.scores import (
    as_logits,
    class_scores,
    explained_scores,
    is_single,
    kind_of,
    log_scores,
    sum_to_one,
)
from pellucid.capture.session import Captured, Session

__all__ = [
    "Captured",
    "Session",
    "apply",
    "as_arguments",
    "as_logits",
    "class_scores",
    "explained_scores",
    "is_single",
    "kind_of",
    "log_scores",
    "logits_of",
    "on_device",
    "place_of",
    "preserved",
    "scores_in",
    "sum_to_one",
    "taken_from",
    "to_device",
    "unfused",
    "unscored",
    "unwrapped",
    "whole_graph",
]
