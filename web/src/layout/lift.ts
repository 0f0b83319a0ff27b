/** Lifts the edges of a graph to arrows between boxes: out of the frames that are left, across, into those entered. */
import { Integers, mix, PairTable } from "./pairs";
import type { Columns, Visible } from "./types";

/** The boxes of a folded graph; `box` and `stands` are by place, the others by box. */
export interface Drawn {
  /** The place that is drawn for a call: its own, or its counterpart's where its group is drawn once. */
  readonly stands: Int32Array;
  /** The innermost box in which a call lies. */
  readonly box: Int32Array;
  readonly places: Int32Array;
  readonly frame: Int32Array;
  readonly open: Uint8Array;
  /** Whether the group of the call at a place is drawn once. */
  once(place: number): boolean;
}

type Arrows = Pick<Visible, "source" | "target" | "edge" | "weight" | "sourcePort" | "targetPort" | "back" | "label">;

/** Edges that cross from one box to another, in columns. */
interface Crossings {
  readonly edge: Integers;
  readonly from: Integers;
  readonly to: Integers;
  readonly back: Integers;
}

/**
 * One arrow for all edges that join the same two boxes through the same ports. A port is where signals pass a frame's
 * border: on the way out one for each box that they come from, on the way in one for all signals that are read by the
 * same boxes, so that a residual and a mask come in apart, and twenty features that are joined come in together.
 */
export function lift(model: Columns, drawn: Drawn): Arrows {
  const crossings = crossing(model, drawn);
  const entries = new Entries(model, drawn, crossings);
  const exits = new PairTable(drawn.places.length);
  const boxes = drawn.places.length;
  const ends = new PairTable(crossings.edge.length * 2);
  const expected = 2 * crossings.edge.length;
  const [source, target, edge, weight] = [
    new Integers(expected),
    new Integers(expected),
    new Integers(expected),
    new Integers(expected),
  ];
  const [sourcePort, targetPort, back] = [new Integers(expected), new Integers(expected), new Integers(expected)];
  const add = (from: number, fromPort: number, to: number, toPort: number, of: number, returns: number) => {
    const start = fromPort < 0 ? from : boxes + fromPort;
    const stop = toPort < 0 ? to : boxes + toPort;
    const at = ends.at(2 * start + returns, stop);
    if (at < source.length) {
      weight.set(at, weight.at(at) + 1);
      return;
    }
    source.push(from);
    target.push(to);
    edge.push(of);
    weight.push(1);
    sourcePort.push(fromPort);
    targetPort.push(toPort);
    back.push(returns);
  };
  for (let at = 0; at < crossings.edge.length; at++) {
    const of = crossings.edge.at(at);
    const from = crossings.from.at(at);
    const to = crossings.to.at(at);
    let box = drawn.box[model.source[of] as number] as number;
    let port = -1;
    while (box !== from) {
      const holder = drawn.frame[box] as number;
      const through = entries.ports + exits.at(box, port);
      add(box, port, holder, through, of, 0);
      box = holder;
      port = through;
    }
    const last = drawn.box[model.target[of] as number] as number;
    add(from, port, to, entries.port(to, at, last), of, crossings.back.at(at));
    for (let inner = last; inner !== to; ) {
      const holder = drawn.frame[inner] as number;
      add(holder, entries.port(holder, at, last), inner, entries.port(inner, at, last), of, 0);
      inner = holder;
    }
  }
  return {
    source: source.taken(),
    target: target.taken(),
    edge: edge.taken(),
    weight: weight.taken(),
    sourcePort: sourcePort.taken(),
    targetPort: targetPort.taken(),
    back: Uint8Array.from(back.taken()),
    label: new Int32Array(source.length).fill(-1),
  };
}

function crossing(model: Columns, drawn: Drawn): Crossings {
  const { leaving, entering, parent, group, member } = model;
  const { stands, box, places, open } = drawn;
  const most = leaving.length;
  const found = {
    edge: new Integers(most),
    from: new Integers(most),
    to: new Integers(most),
    back: new Integers(most),
  };
  for (let edge = 0; edge < leaving.length; edge++) {
    const out = leaving[edge] as number;
    const into = entering[edge] as number;
    if (out < 0) continue;
    const holder = parent[out] as number;
    if (holder >= 0) {
      // In a block that is drawn elsewhere the edge has its twin there; in one that is closed it is not seen.
      const frame = box[holder] as number;
      if (stands[holder] !== holder || places[frame] !== holder || !open[frame]) continue;
    }
    const from = box[stands[out] as number] as number;
    const to = box[stands[into] as number] as number;
    const shared = group[out] as number;
    let back = 0;
    if (shared >= 0 && shared === group[into] && drawn.once(out) && member[out] !== member[into]) {
      // From a block to the next one, both drawn as one: the multiplier says it. From a step to the next: fed back.
      if (!model.loop[shared]) continue;
      back = 1;
    }
    if (from === to && !back) continue;
    found.edge.push(edge);
    found.from.push(from);
    found.to.push(to);
    found.back.push(back);
  }
  return found;
}

/** The ports through which signals enter open frames. A signal is one result of one call. */
class Entries {
  readonly #drawn: Drawn;
  readonly #signal: Int32Array;
  /** Pairs of a frame and a signal that enters it, and the port that each has. */
  readonly #seen: PairTable;
  readonly #port: Int32Array;
  readonly ports: number;

  constructor(model: Columns, drawn: Drawn, crossings: Crossings) {
    this.#drawn = drawn;
    this.#seen = new PairTable(crossings.edge.length);
    const { box, frame, places } = drawn;
    const signals = new PairTable(crossings.edge.length);
    this.#signal = new Int32Array(crossings.edge.length);
    // Every step from a frame to a box in it, once for each signal; frames are numbered before what they hold.
    const steps = new PairTable(crossings.edge.length);
    for (let at = 0; at < crossings.edge.length; at++) {
      const edge = crossings.edge.at(at);
      const to = crossings.to.at(at);
      let inner = box[model.target[edge] as number] as number;
      if (inner === to) continue;
      const from = drawn.stands[model.source[edge] as number] as number;
      const signal = signals.at(from, model.output[edge] as number);
      this.#signal[at] = signal;
      for (; inner !== to; inner = frame[inner] as number) {
        steps.at(this.#seen.at(frame[inner] as number, signal), inner);
      }
    }
    const count = this.#seen.size;
    this.#port = new Int32Array(count).fill(-1);
    const hash = new Int32Array(2 * count);
    const ports = { read: new PairTable(count), ports: new PairTable(count) };
    // Inside first: which port of a box a signal takes says more than which box.
    for (const step of byFrame(steps, this.#seen, places.length)) {
      const entry = steps.first(step);
      const inner = steps.second(step);
      const below = this.#seen.get(inner, this.#seen.second(entry));
      const end = below < 0 ? -1 : this.#numbered(below, hash, ports);
      hash[2 * entry] = ((hash[2 * entry] as number) + mix(inner, end)) | 0;
      hash[2 * entry + 1] = (hash[2 * entry + 1] as number) ^ mix(end + 7, inner);
    }
    for (let entry = 0; entry < count; entry++) this.#numbered(entry, hash, ports);
    this.ports = ports.ports.size;
  }

  /** The port of `box` through which crossing `at` passes on its way to `last`; -1 where it ends there. */
  port(box: number, at: number, last: number): number {
    if (box === last || !this.#drawn.open[box]) return -1;
    return this.#port[this.#seen.get(box, this.#signal[at] as number)] ?? -1;
  }

  #numbered(entry: number, hash: Int32Array, { read, ports }: { read: PairTable; ports: PairTable }): number {
    const known = this.#port[entry] as number;
    if (known >= 0) return known;
    const port = ports.at(this.#seen.first(entry), read.at(hash[2 * entry] as number, hash[2 * entry + 1] as number));
    this.#port[entry] = port;
    return port;
  }
}

/** Numbers of the steps, those in inner frames first. */
function byFrame(steps: PairTable, seen: PairTable, frames: number): Int32Array {
  const start = new Int32Array(frames + 1);
  const frameOf = (step: number) => frames - 1 - seen.first(steps.first(step));
  for (let step = 0; step < steps.size; step++) start[frameOf(step) + 1] = (start[frameOf(step) + 1] as number) + 1;
  for (let at = 0; at < frames; at++) start[at + 1] = (start[at + 1] as number) + (start[at] as number);
  const sorted = new Int32Array(steps.size);
  for (let step = 0; step < steps.size; step++) {
    const slot = start[frameOf(step)] as number;
    sorted[slot] = step;
    start[frameOf(step)] = slot + 1;
  }
  return sorted;
}
