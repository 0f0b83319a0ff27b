/** Two graphs as one: the new graph with what is gone put back where it was, and what became of every call. */
import { Change } from "../../marks/graph/picture";
import type { GraphChange, GraphDifferencePanel, GraphEdge, GraphNode, GraphPanel } from "../../record/schema.gen";

export interface Union {
  readonly graph: GraphPanel;
  /** What became of a call, by id in the union; of the old graph alone, by id there. */
  readonly changes: ReadonlyMap<number, number>;
  readonly oldChanges: ReadonlyMap<number, number>;
  /** Ids in the union of old calls. */
  readonly ofOld: ReadonlyMap<number, number>;
  /** Ids of old calls that are gone, by id in the union. */
  readonly gone: ReadonlyMap<number, number>;
}

const KINDS = { added: Change.added, removed: Change.removed, changed: Change.changed, moved: Change.moved } as const;

export function unionOf(now: GraphPanel, difference: GraphDifferencePanel): Union {
  const before = difference.old;
  const ofOld = new Map<number, number>(difference.matches.map(([old, own]) => [old as number, own as number]));
  const matched = new Set(ofOld.values());
  const offset = 1 + now.nodes.reduce((most, node) => Math.max(most, node.id), 0);
  const gone = new Map<number, number>();
  const changes = new Map<number, number>();
  const oldChanges = new Map<number, number>();
  for (const node of before.nodes) {
    if (ofOld.has(node.id)) continue;
    ofOld.set(node.id, offset + node.id);
    gone.set(offset + node.id, node.id);
    changes.set(offset + node.id, Change.removed);
    oldChanges.set(node.id, Change.removed);
  }
  for (const node of now.nodes) if (!matched.has(node.id)) changes.set(node.id, Change.added);
  // Moved first: what also changed is shown as changed.
  for (const kind of ["moved", "changed"] as const) {
    for (const change of difference.changes) {
      if (change.kind !== kind) continue;
      if (change.new !== null) changes.set(change.new, KINDS[kind]);
      if (change.old !== null) oldChanges.set(change.old, KINDS[kind]);
    }
  }
  return {
    graph: {
      ...now,
      nodes: nodesOf(now, before, ofOld, gone),
      edges: edgesOf(now, before, ofOld, gone),
      ...groupsOf(now, before, ofOld, gone, changes),
    },
    changes,
    oldChanges,
    ofOld,
    gone,
  };
}

export const OTHER_SHAPE = "of another shape";

/** How many calls each kind of change is about; those that only have another shape, as all after a change may, by themselves. */
export function countsOf(changes: readonly GraphChange[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const change of changes) {
    const kind = change.what.length === 1 && change.what[0] === "shape" ? OTHER_SHAPE : change.kind;
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return counts;
}

/** The new calls in their order; each that is gone follows what came before it. */
function nodesOf(
  now: GraphPanel,
  before: GraphPanel,
  ofOld: ReadonlyMap<number, number>,
  gone: ReadonlyMap<number, number>,
): GraphNode[] {
  const after = new Map<number | null, GraphNode[]>();
  let last: number | null = null;
  for (const node of before.nodes) {
    const id = ofOld.get(node.id) as number;
    if (!gone.has(id)) {
      last = id;
      continue;
    }
    const parent = node.parent === null ? null : (ofOld.get(node.parent) ?? null);
    const list = after.get(last) ?? [];
    list.push({ ...node, id, parent, layer: null });
    after.set(last, list);
  }
  return [...(after.get(null) ?? []), ...now.nodes.flatMap((node) => [node, ...(after.get(node.id) ?? [])])];
}

function edgesOf(
  now: GraphPanel,
  before: GraphPanel,
  ofOld: ReadonlyMap<number, number>,
  gone: ReadonlyMap<number, number>,
): GraphEdge[] {
  const edges = [...now.edges];
  for (const edge of before.edges) {
    const [source, target] = [ofOld.get(edge.source), ofOld.get(edge.target)];
    if (source === undefined || target === undefined || (!gone.has(source) && !gone.has(target))) continue;
    edges.push({ ...edge, source, target });
  }
  return edges;
}

/** Runs without a difference stay folded; a block that differs stands by itself, or nobody would see it. */
function groupsOf(
  now: GraphPanel,
  before: GraphPanel,
  ofOld: ReadonlyMap<number, number>,
  gone: ReadonlyMap<number, number>,
  changes: ReadonlyMap<number, number>,
): Pick<GraphPanel, "repeats" | "loops"> {
  const touched = new Set<number>(changes.keys());
  const parents = new Map<number, number | null>(now.nodes.map((node) => [node.id, node.parent]));
  for (const node of before.nodes) {
    const id = ofOld.get(node.id);
    if (id !== undefined && gone.has(id))
      parents.set(id, node.parent === null ? null : (ofOld.get(node.parent) ?? null));
  }
  for (const id of [...touched]) {
    for (let at = parents.get(id); at !== null && at !== undefined && !touched.has(at); at = parents.get(at))
      touched.add(at);
  }
  const repeats: number[][] = [];
  for (const run of now.repeats) {
    let part: number[] = [];
    for (const id of [...run, null]) {
      if (id !== null && !touched.has(id)) part.push(id);
      else {
        if (part.length > 1) repeats.push(part);
        part = [];
      }
    }
  }
  return {
    repeats,
    loops: now.loops.filter((loop) => !loop.calls.some((calls) => calls.some((id) => touched.has(id)))),
  };
}
