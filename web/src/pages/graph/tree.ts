/** The traced model as a foldable tree: modules hold modules and functions; edges are lifted to what is visible. */
import type { GraphEdge, GraphNode } from "../../record/schema.gen";

export interface Row {
  readonly node: GraphNode;
  readonly depth: number;
  readonly children: number;
  readonly folded: boolean;
  /** All members of the run of equal blocks that this row begins; empty elsewhere. */
  readonly run: readonly number[];
  /** Whether the row stands for the whole run. */
  readonly once: boolean;
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
  /** The run that a node belongs to, and begins where it is its first. */
  readonly runs: ReadonlyMap<number, readonly number[]>;

  constructor(nodes: readonly GraphNode[], repeats: readonly (readonly number[])[] = []) {
    this.runs = new Map(repeats.flatMap((run) => run.map((id) => [id, run] as const)));
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

  /** A call and all that it holds. */
  inside(id: number): GraphNode[] {
    const node = this.nodes.get(id);
    return node ? [node, ...this.childrenOf(id).flatMap((child) => this.inside(child.id))] : [];
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

  /**
   * What is visible with these nodes folded, in order of execution. A run of equal blocks is drawn once, as its first,
   * unless its first is in `apart`.
   */
  rows(folded: ReadonlySet<number>, apart: ReadonlySet<number>): Row[] {
    const rows: Row[] = [];
    const visit = (id: number | null, depth: number) => {
      for (const node of this.childrenOf(id)) {
        const run = this.runs.get(node.id) ?? [];
        const first = run[0] === node.id;
        const once = run.length > 0 && !apart.has(run[0] as number);
        if (once && !first) continue;
        const children = this.childrenOf(node.id).length;
        const closed = folded.has(node.id);
        rows.push({ node, depth, children, folded: closed, run: first ? run : [], once });
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

  /**
   * Edges between visible rows: the ends inside a folded node become that node, those inside a block that is drawn once
   * become the same place in the block that is drawn; edges within a row, and from one member of a run to the next, vanish.
   */
  lift(edges: readonly GraphEdge[], rows: readonly Row[]): Lifted[] {
    const place = new Map<number, number>();
    const leaves = new Set<number>();
    const drawnOnce = new Set<number>();
    // Leaves before each row, so that those between two rows need no counting.
    const before = new Int32Array(rows.length + 1);
    rows.forEach((row, index) => {
      place.set(row.node.id, index);
      const leaf = row.folded || row.children === 0;
      if (leaf) leaves.add(row.node.id);
      if (row.once) drawnOnce.add(row.node.id);
      before[index + 1] = (before[index] ?? 0) + (leaf ? 1 : 0);
    });
    const known = new Map<number, number | undefined>();
    const visible = (id: number): number | undefined => {
      if (!known.has(id)) known.set(id, this.#visible(id, leaves, drawnOnce));
      return known.get(id);
    };
    const lifted = new Map<string, Lifted>();
    for (const edge of edges) {
      const source = visible(edge.source);
      const target = visible(edge.target);
      if (source === undefined || target === undefined || source === target) continue;
      const key = `${source} ${target}`;
      if (lifted.has(key)) continue;
      const from = place.get(source) ?? 0;
      const to = place.get(target) ?? 0;
      // From a member to the next one: drawn once, it would seem to be fed back.
      if (to < from && edge.source < edge.target) continue;
      const between = (before[Math.max(from, to)] ?? 0) - (before[Math.min(from, to) + 1] ?? 0);
      lifted.set(key, { source, target, shape: edge.shape, skips: Math.max(0, between) });
    }
    return [...lifted.values()];
  }

  /** The visible row that a node lies in. */
  #visible(id: number, leaves: ReadonlySet<number>, drawnOnce: ReadonlySet<number>): number | undefined {
    let at = id;
    for (let step = 0; step < this.pathTo(at).length; step++) {
      const call = this.pathTo(at)[step] as number;
      const first = this.runs.get(call)?.[0];
      if (first !== undefined && first !== call && drawnOnce.has(first)) at = at - call + first;
      const now = this.pathTo(at)[step] as number;
      if (leaves.has(now)) return now;
    }
    return undefined;
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
