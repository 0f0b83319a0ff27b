"""A file of weights alone beside a graph: which modules hold how many parameters. It says no more, and names them as torch does."""

from __future__ import annotations

from collections.abc import Iterator

from pellucid.graph.structure import Graph, Node


def held(weights: Graph, graph: Graph) -> tuple[list[int], list[int], list[tuple[int, int]], list[tuple[int, int]]]:
    """Modules of a file of weights and of another graph, laid side by side by their paths.

    Of the graph only those are asked for that hold parameters and share them with no call before; of the file none that
    no graph shows: those that the forward leaves out, and those whose parameters the module around them reads itself, as an
    attention does, and which count as its own.

    Returns: ids of the outermost modules that the file alone has; the same of the graph; pairs of ids of those in both;
    which of these pairs hold another number of parameters, those of modules within them left out.
    """
    of_file, of_graph = _by_path(weights), _by_path(graph)
    pairs = [(node.id, of_graph[path].id) for path, node in of_file.items() if path in of_graph]
    whole = of_graph.keys() - {node.path.rpartition(".")[0] for node in of_graph.values()}
    missing = [node for path, node in of_graph.items() if path not in of_file and node.parameters and not node.shares]
    alone = [
        node
        for path, node in of_file.items()
        if path not in of_graph and not _left_out(path, graph) and not any(above in whole for above in _above(path))
    ]
    one, other = _own(weights), _own(graph)
    changed = [
        (old, new)
        for old, new in pairs
        if (weights.nodes[old].parameters if graph.nodes[new].path in whole else one[old]) != other[new]
    ]
    return _outermost(alone), _outermost(missing), pairs, changed


def _by_path(graph: Graph) -> dict[str, Node]:
    """The first call of every module."""
    found: dict[str, Node] = {}
    for node in graph.nodes:
        if node.kind == "module" and node.path:
            found.setdefault(node.path, node)
    return found


def _own(graph: Graph) -> list[int]:
    """How many parameters each node holds beside those of the modules in it; formats differ in which call of it has them."""
    own = [node.parameters for node in graph.nodes]
    for node in graph.nodes:
        if node.parent is not None and node.kind == "module" and node.call == 1:
            own[node.parent] -= node.parameters
    return own


def _left_out(path: str, graph: Graph) -> bool:
    """Whether a module is one that the forward never calls, or holds or lies in nothing else."""
    return any(
        path == one or path.startswith(f"{one}.") or one.startswith(f"{path}.")
        for one in (*graph.uncalled, *(name.rpartition(".")[0] for name in graph.unused))
        if one
    )


def _above(path: str) -> Iterator[str]:
    """The paths of the modules around one, from the inside out."""
    while path := path.rpartition(".")[0]:
        yield path


def _outermost(nodes: list[Node]) -> list[int]:
    ids = {node.id for node in nodes}
    return [node.id for node in nodes if node.parent not in ids]
