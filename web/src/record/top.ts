/** The most probable classes of every example side by side, as plain arrays: curves read a million of them at a time. */
import type { Examples } from "./examples";

export interface Top {
  /** Classes kept of each example; 0 where the record has none. */
  readonly width: number;
  /** Place `row * width + k`: -1 where there is none. */
  readonly classes: Int32Array;
  readonly probabilities: Float32Array;
}

const kept = new WeakMap<Examples, Top>();

/** Made once for a record. */
export function topOf(examples: Examples): Top {
  const known = kept.get(examples);
  if (known) return known;
  const made = examples.plainTop() ?? oneByOne(examples);
  kept.set(examples, made);
  return made;
}

function oneByOne(examples: Examples): Top {
  let width = 0;
  for (let row = 0; row < examples.count; row++) width = Math.max(width, examples.topClasses(row).length);
  const classes = new Int32Array(examples.count * width).fill(-1);
  const probabilities = new Float32Array(examples.count * width).fill(Number.NaN);
  for (let row = 0; row < examples.count && width > 0; row++) {
    const [some, shares] = [examples.topClasses(row), examples.topProbabilities(row)];
    for (let place = 0; place < some.length; place++) {
      classes[row * width + place] = some[place] as number;
      probabilities[row * width + place] = shares[place] ?? Number.NaN;
    }
  }
  return { width, classes, probabilities };
}
