/** What every page shares: the record's answers as they arrive, and the rows that are selected. */
import { plain, visible } from "../marks/format";
import type { Examples } from "../record/examples";
import type { FocusFile } from "../record/focus";
import { Following } from "../record/following.svelte";
import { Loaded } from "../record/loaded.svelte";
import { MOST_HELD, type Questions, type Sums } from "../record/questions";
import type { Tensor } from "../record/safetensors";
import type { Finding, LayerInfo, Manifest, PanelByLens, Summary } from "../record/schema.gen";
import type { Change, Live, RecordSource } from "../record/source";
import { commandOf } from "./commands";
import { selectRows } from "./filter";
import { place } from "./place.svelte";
import { NOTHING_IN_HAND, parseSelection, type Selection, writeSelection } from "./selection";

const MOST_FOCUS_FILES = 24;
const NO_ROWS = new Uint32Array(0);

class Instrument {
  #source: RecordSource | null = null;
  manifest = $state.raw<Manifest | null>(null);
  summary = $state.raw<Summary | null>(null);
  /** null until loaded, or where the record has none; see `ready`. */
  examples = $state.raw<Examples | null>(null);
  live = $state.raw<Live>({ available: false, reason: "" });
  leftOut = $state.raw<readonly string[]>([]);
  /** Everything above has arrived. */
  ready = $state(false);
  problem = $state<string | null>(null);
  readonly #files = $derived(new Set(this.manifest?.files.map((file) => file.path)));
  readonly #panels = new Map<string, Loaded<unknown>>();
  readonly #arrays = new Map<string, Loaded<Tensor>>();
  readonly #focus = new Map<string, Loaded<FocusFile>>();
  readonly #listeners = new Set<(change: Change) => void>();
  #arrived: () => void = () => {};
  /** Settled once the manifest says what the record holds: what is asked for earlier waits. */
  readonly #listed = new Promise<void>((resolve) => {
    this.#arrived = resolve;
  });
  /** The examples are too many for a browser: pages ask `questions`, and `examples` stays null. */
  large = $state(false);
  /** Sums over the selected examples, where they are too many for a browser. */
  totals = $state.raw<Following<Selection, Sums> | null>(null);
  // Only the parts that filter: a change of what is in hand does not filter a million rows again.
  readonly #filterKey = $derived(filterKey(place.selection));
  readonly #rows = $derived.by(() => {
    const examples = this.examples;
    return examples
      ? selectRows(examples, parseSelection(new URLSearchParams(this.#filterKey)), this.classes.length)
      : NO_ROWS;
  });

  /** The parts of the selection that filter; the same object as long as they are the same. */
  readonly filter = $derived(parseSelection(new URLSearchParams(this.#filterKey)));

  /** Who answers about the examples. */
  get questions(): Questions {
    if (!this.source.questions) throw new Error("This record is read from a file, which answers no questions.");
    return this.source.questions;
  }

  /** How many examples are selected; null until that is known. */
  get selectedCount(): number | null {
    if (!this.large) return this.#rows.length;
    return this.totals?.key === this.filter ? (this.totals.value?.examples ?? null) : null;
  }

  /** Rows of the selected examples, ascending; none where they are too many for a browser. */
  get selected(): Uint32Array {
    return this.#rows;
  }

  /** Whether the address names an example that the record does not have. */
  get noExample(): boolean {
    const { example } = place.selection;
    const all = this.examples?.count ?? this.manifest?.examples ?? null;
    return example !== null && all !== null && example >= all;
  }

  get source(): RecordSource {
    if (!this.#source) throw new Error("The instrument was not opened on a record yet.");
    return this.#source;
  }

  /** Names of the classes in order of index. */
  get classes(): readonly string[] {
    return this.manifest?.data?.classes ?? [];
  }

  get findings(): readonly Finding[] {
    return this.summary?.findings ?? [];
  }

  /** What to type to have any example computed, as far as the record knows it. */
  get liveCommand(): string {
    return this.command("open");
  }

  /** What to type to run the record's model over its data again: "features", "--stimuli". */
  command(verb: string, ...more: readonly string[]): string {
    return commandOf(verb, this.summary?.record, this.manifest, more);
  }

  /** Captured layers in order of execution; empty until the graph has arrived. */
  get layers(): readonly LayerInfo[] {
    return this.panel("graph").value?.layers ?? [];
  }

  /** Name of a class; its number where it has no name that can be read. */
  className(index: number | null): string {
    if (index === null || index < 0) return "unknown";
    const name = this.classes[index];
    // The row of a multilabel confusion matrix for what was called with nothing missed, and the column for the reverse.
    if (name === undefined && index === this.classes.length && this.manifest?.task === "multilabel") return "nothing";
    return name === undefined || !visible(name) ? `class ${index}` : plain(name);
  }

  /** What the model answers with; classes and logits until the manifest is there. */
  get answers(): Pick<Manifest, "task" | "outputs"> {
    return this.manifest ?? { task: "classification", outputs: "logits" };
  }

  /** Name of a class's score, as the model gives it. */
  get scoreName(): "logit" | "probability" {
    return this.answers.outputs === "probabilities" ? "probability" : "logit";
  }

  /** Name of the loss's unit: nats for a cross-entropy. */
  get lossUnit(): string {
    return this.panel("loss").value?.unit ?? "";
  }

  async open(source: RecordSource): Promise<void> {
    this.#source = source;
    try {
      [this.manifest, this.summary] = await Promise.all([source.manifest(), source.summary()]);
      this.#arrived();
      this.leftOut = source.leftOut;
      const asked = this.manifest.examples > MOST_HELD || place.view("examples", "") === "asked";
      this.large = source.questions !== null && asked;
      if (this.large) this.#ask();
      [this.examples, this.live] = await Promise.all([this.large ? null : source.examples(), source.live()]);
      this.ready = true;
    } catch (error) {
      this.problem = error instanceof Error ? error.message : String(error);
    }
    if (this.manifest?.state === "running") source.follow((change) => void this.#changed(change));
  }

  #ask(): void {
    $effect.root(() => {
      this.totals = new Following(
        () => this.filter,
        (of) => this.questions.totals(of),
      );
    });
  }

  /** A lens's answer, on its way or there; asked for once. */
  panel<Lens extends keyof PanelByLens>(lens: Lens): Loaded<PanelByLens[Lens]> {
    return once(this.#panels, lens, async () =>
      (await this.#holds(`panels/${lens}.json`)) ? this.source.panel(lens) : null,
    ) as Loaded<PanelByLens[Lens]>;
  }

  array(lens: string, tensor: string): Loaded<Tensor> {
    return once(this.#arrays, `${lens}/${tensor}`, async () =>
      (await this.#holds(`arrays/${lens}.safetensors`)) ? this.source.array(lens, tensor) : null,
    ) as Loaded<Tensor>;
  }

  /**
   * An example looked at closely: the stored answer, else computed now where the server has the model at hand.
   * `explained` asks for another class than the stored one and can only be computed.
   */
  focus(row: number, explained: number | null = null): Loaded<FocusFile> {
    const found = once(this.#focus, `${row}/${explained ?? ""}`, async () => {
      const stored = (await this.#holds(`arrays/focus/${row}.safetensors`)) ? await this.source.focus(row) : null;
      if (stored && (explained === null || stored.focus.explained === explained)) return stored;
      return this.live.available ? this.source.liveFocus(row, explained) : null;
    });
    const oldest = this.#focus.keys().next().value;
    if (this.#focus.size > MOST_FOCUS_FILES && oldest !== undefined) this.#focus.delete(oldest);
    return found;
  }

  /** Whether the record lists this file: what it does not have is not asked for. */
  async #holds(path: string): Promise<boolean> {
    await this.#listed;
    return this.#files.has(path);
  }

  /** Calls back when the record changes while it is on screen; returns how to stop. */
  onChange(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async #changed(change: Change): Promise<void> {
    for (const listener of this.#listeners) listener(change);
    if (change.kind !== "manifest") return;
    const before = this.examples?.count ?? 0;
    [this.manifest, this.summary] = await Promise.all([this.source.manifest(), this.source.summary()]);
    if (!this.large && this.manifest.examples !== before) this.examples = await this.source.examples();
    for (const loaded of [...this.#panels.values(), ...this.#arrays.values()]) void loaded.reload();
  }
}

function once<Value>(
  known: Map<string, Loaded<Value>>,
  key: string,
  start: () => Promise<Value | null>,
): Loaded<Value> {
  let loaded = known.get(key);
  if (loaded) return loaded;
  // In a root of its own: state made inside a derivation would not be followed by that derivation.
  $effect.root(() => {
    loaded = new Loaded(start);
  });
  known.set(key, loaded as unknown as Loaded<Value>);
  return loaded as unknown as Loaded<Value>;
}

/** The parts that filter, as text, so that two equal filters are the same. */
function filterKey(selection: Selection): string {
  return writeSelection({ ...selection, ...NOTHING_IN_HAND }).toString();
}

export const instrument = new Instrument();
