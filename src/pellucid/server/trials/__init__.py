"""Trials with people: the same pictures the model saw, shown to invited observers in their browsers; no torch."""

from pellucid.server.trials.application import build_trials_app, without_page
from pellucid.server.trials.export import Exported, export_trials
from pellucid.server.trials.serving import Invitation, RunningTrials, serve_trials, start_trials
from pellucid.server.trials.study import Design, Study, Timing

__all__ = [
    "Design",
    "Exported",
    "Invitation",
    "RunningTrials",
    "Study",
    "Timing",
    "build_trials_app",
    "export_trials",
    "serve_trials",
    "start_trials",
    "without_page",
]
