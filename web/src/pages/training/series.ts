/** What a Watch saw, from its long table of values to curves and layers x steps maps. */
import type { TrainingRow } from "../../record/training";

export type { TrainingRow };

export interface Curve {
  readonly steps: number[];
  readonly values: (number | null)[];
}

export interface LayerSteps {
  readonly layers: string[];
  readonly steps: number[];
  /** Row-major, layers x steps; NaN where nothing was recorded. */
  readonly values: Float64Array;
}

/** Gathers rows as they come; only what is new is added when a run goes on. */
export class Training {
  readonly curves = new Map<string, Curve>();
  readonly #layers: string[] = [];
  readonly #byQuantity = new Map<string, Map<string, Curve>>();
  readonly #histograms = new Map<string, Map<string, TrainingRow[]>>();
  #last = -1;

  get lastStep(): number {
    return this.#last;
  }

  get layers(): readonly string[] {
    return this.#layers;
  }

  add(rows: Iterable<TrainingRow>): void {
    for (const row of rows) {
      this.#last = Math.max(this.#last, row.step);
      if (row.layer === "") {
        append(entry(this.curves, row.quantity, emptyCurve), row);
        continue;
      }
      if (!this.#layers.includes(row.layer)) this.#layers.push(row.layer);
      if (row.bins) {
        const layers = entry(this.#histograms, row.quantity, () => new Map<string, TrainingRow[]>());
        entry(layers, row.layer, () => []).push(row);
      } else {
        append(
          entry(
            entry(this.#byQuantity, row.quantity, () => new Map()),
            row.layer,
            emptyCurve,
          ),
          row,
        );
      }
    }
  }

  quantities(): string[] {
    return [...this.#byQuantity.keys()];
  }

  histogramQuantities(): string[] {
    return [...this.#histograms.keys()];
  }

  /** The histograms of one layer in order of step. */
  histograms(quantity: string, layer: string): readonly TrainingRow[] {
    return this.#histograms.get(quantity)?.get(layer) ?? [];
  }

  histogramLayers(quantity: string): string[] {
    return [...(this.#histograms.get(quantity)?.keys() ?? [])];
  }

  curve(quantity: string, layer: string): Curve | undefined {
    return this.#byQuantity.get(quantity)?.get(layer);
  }

  /** One quantity of all layers over the recorded steps. */
  layerSteps(quantity: string): LayerSteps {
    const byLayer = this.#byQuantity.get(quantity) ?? new Map<string, Curve>();
    const layers = this.#layers.filter((layer) => byLayer.has(layer));
    const steps = [...new Set([...byLayer.values()].flatMap((curve) => curve.steps))].sort((a, b) => a - b);
    const place = new Map(steps.map((step, index) => [step, index]));
    const values = new Float64Array(layers.length * steps.length).fill(Number.NaN);
    layers.forEach((layer, row) => {
      const curve = byLayer.get(layer);
      curve?.steps.forEach((step, index) => {
        values[row * steps.length + (place.get(step) ?? 0)] = curve.values[index] ?? Number.NaN;
      });
    });
    return { layers, steps, values };
  }
}

function emptyCurve(): Curve {
  return { steps: [], values: [] };
}

function append(curve: Curve, row: TrainingRow): void {
  curve.steps.push(row.step);
  curve.values.push(row.value);
}

function entry<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const there = map.get(key);
  if (there !== undefined) return there;
  const made = make();
  map.set(key, made);
  return made;
}
