/** Update ratios of layers, for the graph: at the step in hand, else of the whole training. */

/** One quantity of a layer over the training; `null` where a step has none. */
interface Over {
  readonly steps: ArrayLike<number>;
  readonly values: ArrayLike<number | null>;
}

export interface Updates {
  readonly byLayer: ReadonlyMap<string, number>;
  /** The step that they are of; null where they are medians. */
  readonly step: number | null;
  /** How many recorded steps the medians are over, at most. */
  readonly steps: number;
}

/**
 * At the last recorded step up to the one in hand. With none in hand the median over all recorded steps: schedules often
 * end at a rate of nothing, where the last step says nothing of the training.
 */
export function updatesOf(
  layers: readonly string[],
  curveOf: (layer: string) => Over | undefined,
  step: number | null,
): Updates {
  const byLayer = new Map<string, number>();
  let [at, steps] = [null as number | null, 0];
  for (const layer of layers) {
    const curve = curveOf(layer);
    if (!curve) continue;
    const known: number[] = [];
    let last: number | null = null;
    for (let index = 0; index < curve.steps.length; index++) {
      const value = curve.values[index];
      const of = curve.steps[index] as number;
      if (value === null || value === undefined || Number.isNaN(value) || (step !== null && of > step)) continue;
      known.push(value);
      last = of;
    }
    if (known.length === 0) continue;
    byLayer.set(layer, step === null ? median(known) : (known[known.length - 1] as number));
    steps = Math.max(steps, known.length);
    if (step !== null && last !== null && (at === null || last > at)) at = last;
  }
  return { byLayer, step: at, steps };
}

function median(values: number[]): number {
  values.sort((a, b) => a - b);
  const half = values.length >> 1;
  const upper = values[half] as number;
  return values.length % 2 === 1 ? upper : ((values[half - 1] as number) + upper) / 2;
}
