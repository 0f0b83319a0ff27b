"""Layout, folding and search of large graphs in Node, and dagre on the same graphs where it ends within a minute."""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
from pathlib import Path

from bench.ratios import begin, finish

DRIVER = Path(__file__).with_name("layout.mjs")
LIMITS = {"1100": "100 ms", "18000": "1500 ms", "46000": "4000 ms"}
PATIENCE = 60  # seconds for dagre


def measured(node: str) -> dict[str, dict[str, list[float]] | dict[str, float] | list[float]]:
    """Milliseconds by what was measured."""
    done = subprocess.run([node, str(DRIVER)], check=True, stdout=subprocess.PIPE, text=True, timeout=300)
    found: dict[str, dict[str, list[float]] | dict[str, float] | list[float]] = json.loads(done.stdout)
    return found


def dagre(node: str, size: str) -> str:
    """What dagre takes for the same graph, once."""
    command = [node, str(DRIVER), "dagre", size]
    try:
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                              timeout=PATIENCE)  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"dagre: not done after {PATIENCE} s"
    except subprocess.CalledProcessError:
        return "dagre: fails"
    return f"dagre: {json.loads(done.stdout)['dagre'] / 1000:.1f} s"


def row(what: str, milliseconds: list[float], limit: str, note: str, peer: str | None = None) -> dict[str, object]:
    return {
        "what": what,
        "ours": f"{statistics.median(milliseconds):.0f} ms",
        "range": f"{min(milliseconds):.0f} to {max(milliseconds):.0f} ms",
        "limit": limit,
        "peer": peer,
        "note": note,
    }


def main() -> None:
    options = begin(__doc__)
    node = shutil.which("node")
    if node is None:
        finish([{"what": "layout", "ours": None, "note": "not measured: no Node on PATH"}], options.out)
        return
    found = measured(node)
    layouts, stretches, edges = found["layouts"], found["stretches"], found["edges"]
    fold, index, search = found["fold"], found["index"], found["search"]
    if not (isinstance(layouts, dict) and isinstance(stretches, dict) and isinstance(edges, dict)):
        raise TypeError(f"{DRIVER.name} printed layouts that are no tables by size.")
    if not (isinstance(fold, list) and isinstance(index, list) and isinstance(search, list)):
        raise TypeError(f"{DRIVER.name} printed times that are no lists.")
    rows = []
    for size, limit in LIMITS.items():
        taken = layouts[size]
        note = f"{edges[size]:,.0f} arrows; can be stopped every {stretches[size]:.0f} ms at most"
        taken = taken if isinstance(taken, list) else [taken]
        rows.append(row(f"layout of {int(size):,} calls, nothing folded", taken, limit, note, dagre(node, size)))
    rows.append(row("folding a module of 46,000 calls, 90,000 edges", fold, "50 ms", "two levels, all else open"))
    rows.append(row("search among 200,000 calls", search, "50 ms",
                    f"8 queries, best of 5 each; the index is built ahead in {sum(index):.0f} ms, "
                    f"at most {max(index):.0f} ms at a stretch"))  # fmt: skip
    finish(rows, options.out)


if __name__ == "__main__":
    main()
