"""A graph drawn without a browser, for documents and logs: a few hundred boxes at most, the rest folded.

The app has its own layout for large graphs in hand; this one is for looking at and printing.
"""

from pellucid.graph.drawing.svg import difference_svg, svg

__all__ = ["difference_svg", "svg"]
