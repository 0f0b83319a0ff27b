"""Files of people's answers whose every answer a test has chosen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

COLUMNS = ("subj", "session", "trial", "rt", "object_response", "category", "condition", "imagename")


def model_vs_human(
    path: Path,
    observer: str,
    images: Sequence[str],
    categories: Sequence[str],
    responses: Sequence[str],
    *,
    conditions: Sequence[str] | None = None,
    seconds: Sequence[float] | None = None,
) -> Path:
    """Writes one observer's trials; the answer "na" is none, and has no time."""
    lines = [",".join(COLUMNS)]
    for trial, (image, category, response) in enumerate(zip(images, categories, responses, strict=True), 1):
        condition = conditions[trial - 1] if conditions else "0"
        taken = "NaN" if response == "na" else str(seconds[trial - 1] if seconds else 0.8)
        name = f"{trial:04d}_exp_s01_{condition}_{category}_00_{image}"
        lines.append(",".join([observer, "1", str(trial), taken, response, category, condition, name]))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
