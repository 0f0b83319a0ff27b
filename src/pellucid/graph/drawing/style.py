"""The drawing's colours: Okabe and Ito's, told apart also by colour-blind readers, on light and on dark paper."""

from __future__ import annotations

_ROLES = {
    "compute": "#0072b2", "norm": "#56b4e9", "activation": "#e69f00", "pool": "#009e73", "join": "#cc79a7",
    "pass": "#999999", "other": "#999999",
}  # fmt: skip
_CHANGES = {"added": "#009e73", "removed": "#d55e00", "changed": "#e69f00", "moved": "#0072b2"}

STYLE = (
    "svg{--ink:#1c2024;--soft:#5b6570;--rule:#d5dae0;--paper:#ffffff;--box:#ffffff;--frame:#f6f8fa;--line:#8a949e}"
    "@media(prefers-color-scheme:dark){svg{--ink:#e8eaed;--soft:#a3adb8;--rule:#3b434c;--paper:#15181c;--box:#1d2126;"
    "--frame:#191d22;--line:#7d8894}}"
    "text{font:11px system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;fill:var(--ink);"
    "font-variant-numeric:tabular-nums}"
    ".paper{fill:var(--paper)}.title{font-size:16px;font-weight:600}.facts,.below,.operation{fill:var(--soft)}"
    ".facts{font-size:12px}.name{font-weight:600}.times{font-weight:600;text-anchor:end}"
    ".sign{font-weight:700;font-size:13px;text-anchor:end}.act{fill:#b07400;font-style:italic}"
    "@media(prefers-color-scheme:dark){.act{fill:#f0b840}}"
    ".box{fill:var(--box);stroke:var(--rule)}.frame{fill:var(--frame);stroke:var(--rule)}.behind{opacity:.7}"
    ".end{stroke:var(--ink);stroke-width:1.2}.failed{stroke:#d55e00;stroke-width:2}"
    ".rule{stroke:var(--rule)}.line{fill:none;stroke:var(--line);stroke-width:1.3}.head{fill:var(--line)}"
    ".line.lane{stroke:#cc79a7}.head.lane{fill:#cc79a7}"
    ".line.back{stroke:#d55e00;stroke-dasharray:4 3}.head.back{fill:#d55e00}"
    + "".join(f".stripe.{role}{{fill:{colour}}}" for role, colour in _ROLES.items())
    + "".join(
        f".box.{kind},.frame.{kind}{{stroke:{colour};stroke-width:2.2}}.sign.{kind}{{fill:{colour}}}"
        for kind, colour in _CHANGES.items()
    )
    + ".box.follows,.frame.follows{stroke:#e69f00;stroke-dasharray:1.5 2.5}"
    ".box.removed,.frame.removed{stroke-dasharray:5 3}"
)
