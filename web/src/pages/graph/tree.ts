/** The traced model as a foldable tree: modules hold modules and functions; edges are lifted to what is visible. */
import type { GraphEdge, GraphNode } from "../../record/schema.gen";

export interface Row {
  readonly node: GraphNode;
  readonly depth: number;
  readonly children: number;
  readonly folded: boolean;
}

export interface Lifted {
  readonly source: number;
  readonly target: number;
  readonly shape: readonly number[];
  /** Rows that the edge passes by: more than one between its ends makes it a skip connection. */
  readonly skips: number;
}

export class Tree {
  readonly nodes: ReadonlyMap<number, GraphNode>;
  readonly children: ReadonlyMap<number | null, readonly GraphNode[]>;

  constructor(nodes: readonly GraphNode[]) {
    this.nodes = new Map(nodes.map((node) => [node.id, node]));
    const children = new Map<number | null, GraphNode[]>();
    for (const node of nodes) {
      const parent = node.parent !== null && this.nodes.has(node.parent) ? node.parent : null;
      const siblings = children.get(parent);
      if (siblings) siblings.push(node);
      else children.set(parent, [node]);
    }
    this.children = children;
  }

  childrenOf(id: number | null): readonly GraphNode[] {
    return this.children.get(id) ?? [];
  }

  /** Folded at first: every module below `depth` that holds anything. */
  foldedBelow(depth: number): Set<number> {
    const folded = new Set<number>();
    const visit = (id: number | null, level: number) => {
      for (const child of this.childrenOf(id)) {
        if (level >= depth && this.childrenOf(child.id).length) folded.add(child.id);
        visit(child.id, level + 1);
      }
    };
    visit(null, 0);
    return folded;
  }

  /** What is visible with these nodes folded, in order of execution. */
  rows(folded: ReadonlySet<number>): Row[] {
    const rows: Row[] = [];
    const visit = (id: number | null, depth: number) => {
      for (const node of this.childrenOf(id)) {
        const children = this.childrenOf(node.id).length;
        const closed = folded.has(node.id);
        rows.push({ node, depth, children, folded: closed });
        if (!closed) visit(node.id, depth + 1);
      }
    };
    visit(null, 0);
    return rows;
  }

  /** The ids on the way from the top to a node, itself last. */
  pathTo(id: number): number[] {
    const path: number[] = [];
    for (let node = this.nodes.get(id); node; ) {
      path.unshift(node.id);
      node = node.parent === null ? undefined : this.nodes.get(node.parent);
    }
    return path;
  }

  /** Edges between visible rows: the ends inside a folded node become that node, and edges within it vanish. */
  lift(edges: readonly GraphEdge[], rows: readonly Row[]): Lifted[] {
    const place = new Map<number, number>();
    const leaves = new Set<number>();
    rows.forEach((row, index) => {
      place.set(row.node.id, index);
      if (row.folded || row.children === 0) leaves.add(row.node.id);
    });
    const visible = (id: number): number | undefined => this.pathTo(id).find((step) => leaves.has(step));
    const lifted = new Map<string, Lifted>();
    for (const edge of edges) {
      const source = visible(edge.source);
      const target = visible(edge.target);
      if (source === undefined || target === undefined || source === target) continue;
      const key = `${source} ${target}`;
      if (lifted.has(key)) continue;
      const from = place.get(source) ?? 0;
      const to = place.get(target) ?? 0;
      const between = rows
        .slice(Math.min(from, to) + 1, Math.max(from, to))
        .filter((row) => leaves.has(row.node.id)).length;
      lifted.set(key, { source, target, shape: edge.shape, skips: between });
    }
    return [...lifted.values()];
  }
}

/** Gives each edge that passes by others a lane of its own, shortest nearest; edges that do not overlap share one. */
export function lanes(spans: readonly { from: number; to: number }[]): Int32Array {
  const order = spans
    .map((_, index) => index)
    .sort((a, b) => length(spans[a]) - length(spans[b]) || (spans[a]?.from ?? 0) - (spans[b]?.from ?? 0));
  const taken: { from: number; to: number }[][] = [];
  const result = new Int32Array(spans.length);
  for (const index of order) {
    const span = spans[index];
    if (!span) continue;
    const low = Math.min(span.from, span.to);
    const high = Math.max(span.from, span.to);
    let lane = taken.findIndex((held) => held.every((other) => other.to <= low || other.from >= high));
    if (lane < 0) lane = taken.push([]) - 1;
    taken[lane]?.push({ from: low, to: high });
    result[index] = lane;
  }
  return result;
}

function length(span: { from: number; to: number } | undefined): number {
  return span ? Math.abs(span.to - span.from) : 0;
}
