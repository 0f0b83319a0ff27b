"""The model at hand beside its record: questions that are answered now, one a file."""

from __future__ import annotations

from pellucid.inspection.live.model import LiveModel
from pellucid.inspection.live.preparation import recipe_of
from pellucid.inspection.live.questions import Answer, Question, Tell

__all__ = ["Answer", "LiveModel", "Question", "Tell", "recipe_of"]
