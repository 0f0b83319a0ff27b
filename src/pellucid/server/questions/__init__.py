"""Questions about the examples of a record that is too large for a browser, answered by DuckDB."""

from pellucid.server.questions.asking import LARGE, QUESTIONS, Asking

__all__ = ["LARGE", "QUESTIONS", "Asking"]
