"""What the colours and lines of a drawing mean: only what the drawing holds."""

from __future__ import annotations

from collections.abc import Collection

ROLES = {
    "compute": "weights", "norm": "normalisation", "activation": "activation", "pool": "pooling", "join": "joins",
    "pass": "passes on",
}  # fmt: skip
MARKS = {"added": "+", "removed": "−", "changed": "≠", "moved": "↕", "follows": ""}
_KINDS = {"follows": "another shape, as what is further up changed"}
_ROUTES = {"lane": "skips what is between", "back": "feeds back"}


ROW = 20.0  # from one line of the legend to the next


def legend(
    roles: Collection[str], routes: Collection[str], kinds: Collection[str], *, folded: bool, width: float
) -> tuple[list[str], float]:
    """The elements of the legend, beginning at 0, 0, in lines of that width; and its height."""
    entries: list[tuple[str, float, str]] = []  # sign, width of the sign, meaning
    for kind in kinds:
        meaning = f"{MARKS[kind]} {_KINDS.get(kind, kind)}".strip()
        entries.append((f'<rect class="box {kind}" x="0" y="-9" width="12" height="12" rx="2"/>', 18.0, meaning))
    for role, meaning in ROLES.items():
        if role in roles:
            entries.append((f'<rect class="stripe {role}" x="0" y="-9" width="4" height="12" rx="2"/>', 10.0, meaning))
    for route, meaning in _ROUTES.items():
        if route in routes:
            entries.append((f'<path class="line {route}" d="M0 -3h22"/>', 28.0, meaning))
    if folded:
        entries.append(("", 0.0, "×N: N equal blocks, drawn once"))
    parts: list[str] = []
    x = y = 0.0
    for sign, wide, meaning in entries:
        long = wide + 6.2 * len(meaning)
        if x and x + long > width:
            x, y = 0.0, y + ROW
        parts.append(
            f'<g transform="translate({x:.1f} {y:.1f})">{sign}<text class="below" x="{wide:.0f}">{meaning}</text></g>'
        )
        x += long + 18.0
    return parts, y + ROW
