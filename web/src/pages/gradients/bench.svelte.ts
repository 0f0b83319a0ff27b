/** The maps of one example and one target: what was asked of the model, what came back, what is still on its way. */
import { SvelteMap } from "svelte/reactivity";
import { Asked } from "../../record/asked.svelte";
import type {
  AttributedMethod,
  AttributionAnswer,
  CurvesAnswer,
  MethodInfo,
  MethodList,
  SanityAnswer,
} from "../../record/schema.gen";
import type { Parameters, RecordSource } from "../../record/source";
import { type Aimed, type Maps, OF_SEQUENCES, parametersOf } from "./methods";

/** The map that is on screen first: it needs the deepest layers' gradient alone. */
export const FIRST = "grad_cam";

let list: Asked<MethodList> | null = null;

/** Which methods there are; asked once for all. */
export function methodList(source: RecordSource): Asked<MethodList> {
  list ??= new Asked<MethodList>(source, "methods", {});
  return list;
}

export interface Found {
  readonly asked: Asked<AttributionAnswer>;
  /** null until the first part has arrived. */
  readonly file: Maps | null;
  readonly method: AttributedMethod | null;
}

export class Bench {
  readonly aimed: Aimed;
  readonly first: Asked<AttributionAnswer>;
  readonly sanity = new SvelteMap<string, Asked<SanityAnswer>>();
  readonly curves = new SvelteMap<string, Asked<CurvesAnswer>>();
  readonly #own = new SvelteMap<string, Asked<AttributionAnswer>>();
  readonly #layered = new SvelteMap<string, Asked<AttributionAnswer>>();
  readonly #source: RecordSource;
  #plain = $state.raw<Asked<AttributionAnswer> | null>(null);
  /** JSON objects by method, where its settings are not the defaults. */
  #options = $state.raw<Readonly<Record<string, string>>>({});

  constructor(source: RecordSource, aimed: Aimed) {
    this.#source = source;
    this.aimed = aimed;
    this.first = this.#ask([FIRST]);
  }

  /** Asks for the plain methods together, once it is known which there are and what the input is. */
  plain(methods: readonly MethodInfo[]): void {
    const said = this.first.file;
    if (this.#plain || !said) return;
    const image = said.floats("input.values")?.shape.length === 3;
    const names = methods
      .filter(({ name, cost }) => cost === "plain" && !(image && OF_SEQUENCES.includes(name)))
      .map(({ name }) => name);
    this.#plain = this.#ask(names.filter((name) => !this.#options[name]));
    this.run(...names.filter((name) => this.#options[name]));
  }

  /**
   * Takes settings by method. What was made with others goes; what costs one pass is made again at once, what costs many
   * when it is asked for.
   */
  configure(options: Readonly<Record<string, string>>, methods: readonly MethodInfo[]): void {
    const before = this.#options;
    const changed = methods.filter(({ name }) => (before[name] ?? "") !== (options[name] ?? ""));
    if (changed.length === 0) return;
    this.#options = options;
    for (const { name, cost } of changed) {
      const ran = this.#own.has(name);
      this.#forget(name);
      const again = cost === "plain" ? this.#plain !== null : cost === "backward" && ran;
      if (again && this.found(name) === null) this.run(name);
    }
  }

  /** Asks for one method, or for several of them in one question; those with settings of their own each by itself. */
  run(...names: string[]): void {
    const together = names.filter((name) => !this.#options[name]);
    if (together.length > 0) {
      const asked = this.#ask(together);
      for (const name of together) this.#own.set(name, asked);
    }
    for (const name of names) if (this.#options[name]) this.#own.set(name, this.#ask([name]));
  }

  /** Asks for a method's maps of every layer. */
  layers(name: string): void {
    if (!this.#layered.has(name)) this.#layered.set(name, this.#ask([name], "*"));
  }

  check(name: string): void {
    this.sanity.set(name, new Asked(this.#source, "sanity", this.#of(name)));
  }

  perturb(name: string, fill: string): void {
    this.curves.set(name, new Asked(this.#source, "curves", { ...this.#of(name), fill }));
  }

  /** What there is of a method; null where it was not asked for. */
  found(name: string): Found | null {
    for (const asked of this.#options[name] ? [this.#own.get(name)] : [this.#own.get(name), this.#plain, this.first]) {
      if (!asked) continue;
      const method = asked.file?.said.methods.find((each) => each.name === name) ?? null;
      if (method || asked === this.#own.get(name)) return { asked, file: asked.file, method };
    }
    return null;
  }

  /** A method's maps of every layer, where they were asked for. */
  layered(name: string): Found | null {
    const asked = this.#layered.get(name);
    if (!asked) return null;
    return { asked, file: asked.file, method: asked.file?.said.methods.find((each) => each.name === name) ?? null };
  }

  /** What is explained, of which example; with the score as soon as a method has computed it. */
  get said(): AttributionAnswer | null {
    const first = this.first.file?.said ?? null;
    return first?.score === null ? (this.#plain?.file?.said ?? first) : first;
  }

  /** Whether the plain methods are still on their way, or about to be asked for. */
  get waiting(): boolean {
    return this.first.going || (this.#plain ? this.#plain.going : this.first.status === "ready");
  }

  /** What the plain question failed with. */
  get problem(): string {
    return this.first.problem || (this.#plain?.problem ?? "");
  }

  /** Lets the model stop whatever of this it still does. */
  stop(): void {
    const all = [this.first, this.#plain, ...this.#own.values(), ...this.#layered.values()];
    for (const asked of [...all, ...this.sanity.values(), ...this.curves.values()]) asked?.stop();
  }

  /** A question about one method with its settings. */
  #of(name: string): Parameters {
    return { ...parametersOf(this.aimed), method: name, options: this.#options[name] ?? null };
  }

  #forget(name: string): void {
    const own = this.#own.get(name);
    this.#own.delete(name);
    if (own && ![...this.#own.values()].includes(own)) own.stop();
    for (const kept of [this.#layered, this.sanity, this.curves]) {
      kept.get(name)?.stop();
      kept.delete(name);
    }
  }

  #ask(names: readonly string[], layers: string | null = null): Asked<AttributionAnswer> {
    const options = names.length === 1 ? (this.#options[names[0] as string] ?? null) : null;
    return new Asked(this.#source, "attribute", { ...parametersOf(this.aimed), method: names, layers, options });
  }
}
