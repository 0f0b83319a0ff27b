/** Graphs to fold and lay out in tests and benchmarks, always the same from the same seed. */
import type { Visible } from "../../src/layout/types";
import type { GraphEdge, GraphNode } from "../../src/record/schema.gen";

/** Numbers from 0 to 1 (mulberry32). */
export function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

export function node(id: number, name: string, parent: number | null = null, more: Partial<GraphNode> = {}): GraphNode {
  return {
    id,
    path: name,
    name,
    operation: "Module",
    kind: "module",
    parent,
    call: 1,
    inputs: [],
    outputs: [[1, 4]],
    input_dtypes: [],
    output_dtypes: ["float32"],
    parameters: 0,
    own_parameters: 0,
    trainable: 0,
    flops: 0,
    memory: 0,
    layer: null,
    source: null,
    role: "other",
    activation: null,
    arguments: {},
    operators: 0,
    steps: null,
    shares: [],
    pool: null,
    error: null,
    ...more,
  };
}

export function edge(source: number, target: number, more: Partial<GraphEdge> = {}): GraphEdge {
  return { source, target, output: 0, argument: 0, shape: [1, 4], activation: null, feeds_back: false, ...more };
}

/** Boxes of one frame and arrows between them. */
export function flat(count: number, arrows: readonly (readonly [number, number])[], width = 90, height = 28): Visible {
  return {
    ids: Int32Array.from({ length: count }, (_, at) => at),
    frame: new Int32Array(count).fill(-1),
    open: new Uint8Array(count),
    times: new Int32Array(count).fill(1),
    group: new Int32Array(count).fill(-1),
    width: new Float32Array(count).fill(width),
    height: new Float32Array(count).fill(height),
    source: Int32Array.from(arrows, ([from]) => from),
    target: Int32Array.from(arrows, ([, to]) => to),
    edge: Int32Array.from(arrows, (_, at) => at),
    weight: new Int32Array(arrows.length).fill(1),
    sourcePort: new Int32Array(arrows.length).fill(-1),
    targetPort: new Int32Array(arrows.length).fill(-1),
    back: new Uint8Array(arrows.length),
    label: new Int32Array(arrows.length).fill(-1),
  };
}

/** What is made step by step, made at once. */
export function whole<T>(work: Iterator<undefined, T>): T {
  let step = work.next();
  while (!step.done) step = work.next();
  return step.value;
}

/**
 * The calls of a large network with nothing folded: residual blocks with projections side by side, three hubs that every
 * block reads (a mask and two rotary embeddings), and long-range lines from the first half to the second.
 */
export function network(calls: number, seed = 1): [number, number][] {
  const chance = random(seed);
  const arrows: [number, number][] = [];
  let next = 0;
  const call = (...sources: number[]) => {
    for (const source of sources) arrows.push([source, next]);
    return next++;
  };
  const chain = (from: number, length: number) => {
    let at = from;
    for (let step = 0; step < length; step++) at = call(at);
    return at;
  };
  const hubs = [call(), call(), call()] as const;
  let stream = call(call());
  const passed: number[] = [];
  while (next < calls - 24) {
    const entry = stream;
    const normed = chain(entry, 1 + Math.floor(chance() * 3));
    const branches = Array.from({ length: 1 + Math.floor(chance() * 4) }, (_, at) => {
      const end = chain(normed, 1 + Math.floor(chance() * 4));
      return at < 2 ? call(end, hubs[1 + at] as number) : end;
    });
    const joined = chain(call(...branches, hubs[0]), 1 + Math.floor(chance() * 3));
    stream = call(joined, entry);
    if (chance() < 0.3) {
      const again = stream;
      stream = call(chain(again, 2 + Math.floor(chance() * 3)), again);
    }
    if (next < calls / 2 && chance() < 0.05) passed.push(stream);
    else if (next > calls / 2 && chance() < 0.05 && passed.length > 0) stream = call(stream, passed.pop() as number);
  }
  while (next < calls) stream = call(stream);
  return arrows;
}

/** A graph without rings: arrows lead from lower to higher numbers, most of them not far. */
export function dag(count: number, density: number, seed: number): [number, number][] {
  const chance = random(seed);
  const arrows = new Map<string, [number, number]>();
  for (let to = 1; to < count; to++) {
    const many = chance() < 0.1 ? 0 : 1 + Math.floor(chance() * density);
    for (let at = 0; at < many; at++) {
      const back = Math.floor(chance() ** 3 * to) + 1;
      const from = to - back;
      if (from >= 0) arrows.set(`${from} ${to}`, [from, to]);
    }
  }
  return [...arrows.values()];
}
