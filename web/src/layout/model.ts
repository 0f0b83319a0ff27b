/** A graph as columns: every call has a place, those inside another directly follow it. */
import type { GraphEdge, GraphNode, GraphPanel } from "../record/schema.gen";
import type { FoldState } from "./fold";
import { type Group, groupsOf } from "./groups";
import type { Columns } from "./types";

export type GraphSource = Pick<GraphPanel, "nodes" | "edges" | "repeats" | "loops">;

export class GraphModel implements Columns {
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly GraphEdge[];
  readonly groups: readonly Group[];
  /** By place: index in `nodes`; the other columns are as `Columns` says. */
  readonly order: Int32Array;
  readonly ids: Int32Array;
  readonly parent: Int32Array;
  readonly end: Int32Array;
  readonly activation: Uint8Array;
  readonly group: Int32Array;
  readonly member: Int32Array;
  readonly counterpart: Int32Array;
  readonly source: Int32Array;
  readonly target: Int32Array;
  readonly leaving: Int32Array;
  readonly entering: Int32Array;
  readonly output: Int32Array;
  readonly times: Int32Array;
  readonly loop: Uint8Array;
  readonly #places: ReadonlyMap<number, number>;

  constructor(graph: GraphSource) {
    this.nodes = graph.nodes;
    this.edges = graph.edges;
    const count = graph.nodes.length;
    const index = new Map(graph.nodes.map((node, at) => [node.id, at]));
    const holder = Int32Array.from(graph.nodes, (node) => (node.parent === null ? -1 : (index.get(node.parent) ?? -1)));
    this.order = preorder(holder);
    const place = new Int32Array(count);
    for (let at = 0; at < count; at++) place[this.order[at] as number] = at;
    this.parent = Int32Array.from(this.order, (at) =>
      (holder[at] as number) < 0 ? -1 : (place[holder[at] as number] as number),
    );
    this.end = new Int32Array(count);
    for (let at = count - 1; at >= 0; at--) {
      this.end[at] = Math.max(this.end[at] as number, at + 1);
      const above = this.parent[at] as number;
      if (above >= 0) this.end[above] = Math.max(this.end[above] as number, this.end[at] as number);
    }
    this.#places = new Map(graph.nodes.map((node, at) => [node.id, place[at] as number]));
    this.ids = Int32Array.from(this.order, (at) => (graph.nodes[at] as GraphNode).id);
    this.activation = Uint8Array.from(this.order, (at) => Number(graph.nodes[at]?.role === "activation"));

    this.groups = groupsOf(graph, (id) => {
      const at = this.place(id);
      return at < 0 ? undefined : this.#id(this.parent[at] as number);
    });
    this.times = Int32Array.from(this.groups, ({ times }) => times);
    this.loop = Uint8Array.from(this.groups, ({ kind }) => Number(kind === "loop"));
    this.group = new Int32Array(count).fill(-1);
    this.member = new Int32Array(count);
    this.counterpart = Int32Array.from({ length: count }, (_, at) => at);
    for (const group of this.groups) {
      group.members.forEach((member, step) => {
        member.forEach((id, position) => {
          const at = this.place(id);
          this.group[at] = group.index;
          this.member[at] = step;
          this.counterpart[at] = this.place(group.firsts[position] as number);
        });
      });
    }

    const edges = graph.edges.length;
    this.source = new Int32Array(edges);
    this.target = new Int32Array(edges);
    this.output = Int32Array.from(graph.edges, ({ output }) => output);
    this.leaving = new Int32Array(edges).fill(-1);
    this.entering = new Int32Array(edges).fill(-1);
    graph.edges.forEach((edge, at) => {
      this.source[at] = this.place(edge.source);
      this.target[at] = this.place(edge.target);
    });
    this.#findSiblings();
  }

  /** Where a call stands in the columns; -1 where it is not in the graph. */
  place(id: number): number {
    return this.#places.get(id) ?? -1;
  }

  node(id: number): GraphNode | undefined {
    const at = this.place(id);
    return at < 0 ? undefined : this.at(at);
  }

  /** The call at a place. */
  at(place: number): GraphNode {
    return this.nodes[this.order[place] as number] as GraphNode;
  }

  /** Whether a call holds others. */
  holds(id: number): boolean {
    const at = this.place(id);
    return at >= 0 && (this.end[at] as number) > at + 1;
  }

  /** Ids of the calls directly in a call, or at the top. */
  childrenOf(id: number | null): number[] {
    const above = id === null ? -1 : this.place(id);
    if (id !== null && above < 0) return [];
    const children: number[] = [];
    const last = above < 0 ? this.order.length : (this.end[above] as number);
    for (let at = above + 1; at < last; at = this.end[at] as number) children.push(this.at(at).id);
    return children;
  }

  /** Ids from the outermost holder down to a call, itself last. */
  pathTo(id: number): number[] {
    const path: number[] = [];
    for (let at = this.place(id); at >= 0; at = this.parent[at] as number) path.unshift(this.at(at).id);
    return path;
  }

  /** Ids of a call and of all that it holds. */
  inside(id: number): number[] {
    const at = this.place(id);
    if (at < 0) return [];
    return Array.from({ length: (this.end[at] as number) - at }, (_, step) => this.at(at + step).id);
  }

  groupOf(id: number): Group | undefined {
    const at = this.place(id);
    return at < 0 ? undefined : this.groups[this.group[at] as number];
  }

  /** Modules to open so that `depth` levels of what they hold are seen: none at 0. */
  openToDepth(depth: number): Set<number> {
    const open = new Set<number>();
    const level = new Int32Array(this.order.length);
    for (let at = 0; at < level.length; at++) {
      const above = this.parent[at] as number;
      level[at] = above < 0 ? 0 : (level[above] as number) + 1;
      if ((level[at] as number) < depth && (this.end[at] as number) > at + 1) open.add(this.at(at).id);
    }
    return open;
  }

  /** The state in which a call is a box of its own: what holds it is open, and groups that it is not the first of, spread. */
  reveal(id: number, state: FoldState): FoldState {
    const open = new Set(state.open);
    const spread = new Set(state.spread);
    for (const holder of this.pathTo(id)) {
      const at = this.place(holder);
      const group = this.groups[this.group[at] as number];
      if (group && (this.member[at] as number) > 0) spread.add(group.first);
      if (holder !== id) open.add(holder);
    }
    return { ...state, open, spread };
  }

  #id(place: number): number | null {
    return place < 0 ? null : this.at(place).id;
  }

  /** The two siblings that hold the ends of each edge: below their common holder, so the arrow is drawn in that one. */
  #findSiblings(): void {
    const { parent, source, target } = this;
    const depth = new Int32Array(this.order.length);
    for (let at = 0; at < depth.length; at++) {
      const above = parent[at] as number;
      depth[at] = above < 0 ? 0 : (depth[above] as number) + 1;
    }
    for (let edge = 0; edge < source.length; edge++) {
      let from = source[edge] as number;
      let to = target[edge] as number;
      if (from < 0 || to < 0) continue;
      while ((depth[from] as number) > (depth[to] as number)) from = parent[from] as number;
      while ((depth[to] as number) > (depth[from] as number)) to = parent[to] as number;
      if (from === to) continue;
      while (parent[from] !== parent[to]) {
        from = parent[from] as number;
        to = parent[to] as number;
      }
      this.leaving[edge] = from;
      this.entering[edge] = to;
    }
  }
}

/** Indices so that each is directly followed by those it holds, siblings as they come. */
function preorder(holder: Int32Array): Int32Array {
  const count = holder.length;
  // Children by holder, as a list in two columns; the top is kept under `count`.
  const first = new Int32Array(count + 1).fill(-1);
  const next = new Int32Array(count).fill(-1);
  for (let at = count - 1; at >= 0; at--) {
    const above = (holder[at] as number) < 0 ? count : (holder[at] as number);
    next[at] = first[above] as number;
    first[above] = at;
  }
  const order = new Int32Array(count);
  let placed = 0;
  for (let at = first[count] as number; at >= 0; ) {
    order[placed++] = at;
    let following = first[at] as number;
    for (let up = at; following < 0 && up >= 0; up = holder[up] as number) following = next[up] as number;
    at = following;
  }
  // A ring of holders hangs on nothing: what is in it would be lost.
  if (placed < count) throw new RangeError(`${count - placed} calls of the graph hold one another in a ring.`);
  return order;
}
