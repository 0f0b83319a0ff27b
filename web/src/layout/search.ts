/** Finds calls by name, path, operation, shape and source line. */
import type { GraphNode } from "../record/schema.gen";

export type Where = "name" | "path" | "operation" | "shape" | "source";

export interface Hit {
  /** Node of the graph. */
  readonly id: number;
  readonly node: GraphNode;
  /** Lower is better: the whole of it, its beginning, inside it, its letters one after the other. */
  readonly rank: number;
  /** What of the call the last word was found in. */
  readonly where: Where;
}

const FIELDS: readonly Where[] = ["name", "path", "operation", "shape", "source"];
const EXACT = 0;
const PREFIX = 1;
const WORD = 2;
const INSIDE = 3;
const LETTERS = 4;
const NONE = 9;
/** Between the fields of a call and between calls: it is in no name, and no query can hold it. */
const END = "\n";

/** Calls between two places where building the index can be interrupted. */
const STEP = 400;

/** Built ahead, step by step, or else at the first question; questions then go through one string. */
export class SearchIndex {
  #text = "";
  /** Where in the text each field of each call begins. */
  #start = new Int32Array(0);
  readonly #work: Iterator<undefined, void>;
  #built = false;

  constructor(private readonly nodes: readonly GraphNode[]) {
    this.#work = this.#building();
  }

  /** Builds for so long, in milliseconds; true once all is built. */
  build(stretch = Number.POSITIVE_INFINITY): boolean {
    const until = performance.now() + stretch;
    while (!this.#built && !this.#work.next().done && performance.now() < until);
    return this.#built;
  }

  /**
   * The best calls first, those of equal rank in order of execution. All words of the query must be found, each in any
   * field; one that is found in no call at all is looked for as letters that follow one another.
   */
  find(query: string, limit = 50): Hit[] {
    const words = query.toLowerCase().replaceAll("×", "x").split(/\s+/).filter(Boolean);
    if (words.length === 0) return [];
    this.build();
    const count = this.nodes.length;
    const rank = new Uint8Array(count);
    const where = new Uint8Array(count);
    for (const [at, word] of words.entries()) this.#match(word, rank, where, at === 0);
    // Ranks are few: hits are taken rank by rank, and no sorting is needed.
    const hits: Hit[] = [];
    for (let wanted = 0; wanted <= LETTERS && hits.length < limit; wanted++) {
      for (let node = 0; node < count && hits.length < limit; node++) {
        if (rank[node] === wanted) hits.push(this.#hit(node, wanted, where[node] as number));
      }
    }
    return hits;
  }

  #hit(node: number, rank: number, where: number): Hit {
    const found = this.nodes[node] as GraphNode;
    return { id: found.id, node: found, rank, where: FIELDS[where] as Where };
  }

  /** Puts each call's rank for a word where it is worse than what it had; a call without the word is out. */
  #match(word: string, rank: Uint8Array, where: Uint8Array, first: boolean): void {
    const count = this.nodes.length;
    const own = new Uint8Array(count).fill(NONE);
    const field = new Uint8Array(count);
    let found = 0;
    const text = this.#text;
    let slot = 0;
    for (let at = text.indexOf(word); at >= 0; ) {
      slot = this.#slotAt(at, slot);
      const from = this.#start[slot] as number;
      const next = this.#start[slot + 1] as number;
      const node = Math.floor(slot / FIELDS.length);
      const here =
        at > from
          ? isLetter(text.charCodeAt(at - 1))
            ? INSIDE
            : WORD
          : at + word.length === next - 1
            ? EXACT
            : PREFIX;
      if (own[node] === NONE) found++;
      if (here < (own[node] as number)) {
        own[node] = here;
        field[node] = slot % FIELDS.length;
      }
      // Within a field nothing better follows than the start of a word: after that, on to the next field.
      at = text.indexOf(word, here === INSIDE ? at + 1 : next);
    }
    if (found === 0) this.#letters(word, rank, first, own, field);
    for (let node = 0; node < count; node++) {
      const worse = first ? (own[node] as number) : Math.max(rank[node] as number, own[node] as number);
      rank[node] = worse;
      where[node] = field[node] as number;
    }
  }

  /** The letters of a word in this order, in one field. */
  #letters(word: string, rank: Uint8Array, first: boolean, own: Uint8Array, field: Uint8Array): void {
    const text = this.#text;
    const letters = Array.from(word);
    // One letter that is nowhere has no other order.
    if (letters.length < 2) return;
    for (let slot = 0; slot + 1 < this.#start.length; ) {
      const node = Math.floor(slot / FIELDS.length);
      const next = this.#start[slot + 1] as number;
      if (own[node] !== NONE || (!first && rank[node] === NONE)) {
        slot++;
        continue;
      }
      let at = this.#start[slot] as number;
      for (const letter of letters) {
        at = text.indexOf(letter, at) + 1;
        if (at === 0) return;
        if (at >= next) break;
      }
      if (at < next) {
        own[node] = LETTERS;
        field[node] = slot % FIELDS.length;
        slot++;
      } else {
        // The letter that is missing here is in none of the fields up to where it is found.
        slot = Math.max(slot + 1, this.#slotAt(at - 1, slot));
      }
    }
  }

  /** The field in which a place of the text lies; not before `from`. */
  #slotAt(at: number, from: number): number {
    let low = from;
    let step = 1;
    while (low + step < this.#start.length && (this.#start[low + step] as number) <= at) {
      low += step;
      step *= 2;
    }
    let high = Math.min(low + step, this.#start.length - 1);
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((this.#start[middle] as number) <= at) low = middle;
      else high = middle;
    }
    return low;
  }

  *#building(): Generator<undefined, void> {
    const texts: string[] = [];
    this.#start = new Int32Array(FIELDS.length * this.nodes.length + 1);
    let slot = 0;
    let at = 0;
    for (let first = 0; first < this.nodes.length; first += STEP) {
      const parts: string[] = [];
      for (const node of this.nodes.slice(first, first + STEP))
        parts.push(node.name, node.path, node.operation, shapes(node), node.source ?? "");
      let text = joined(parts);
      if (text.length !== text.toLowerCase().length) text = joined(parts.map(evenly));
      texts.push(text.toLowerCase());
      for (const part of parts) {
        this.#start[slot++] = at;
        at += part.length + 1;
      }
      yield;
    }
    this.#start[slot] = at;
    this.#text = texts.join("");
    this.#built = true;
  }
}

/** One line a field; a line end within a name becomes a space. */
function joined(parts: string[]): string {
  for (let at = 0; at < parts.length; at++) {
    if ((parts[at] as string).includes(END)) parts[at] = (parts[at] as string).replaceAll(END, " ");
  }
  return parts.join(END) + END;
}

/** Without the few letters whose lower case is longer than they are: places in the text would move. */
function evenly(text: string): string {
  return Array.from(text, (one) => (one.toLowerCase().length === one.length ? one : "?")).join("");
}

function shapes(node: GraphNode): string {
  let text = "";
  let before = "";
  for (const shape of [...node.outputs, ...node.inputs]) {
    const one = shape.join("x");
    if (one !== before && one !== "") text += text === "" ? one : ` ${one}`;
    before = one;
  }
  return text;
}

function isLetter(code: number): boolean {
  return (code >= 97 && code <= 122) || (code >= 48 && code <= 57) || code > 127;
}
