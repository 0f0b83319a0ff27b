/** What people and the model say of each image that is an example of the record, and what of it is selected. */
import { wilson } from "../../measures/intervals";
import { clusteredShare, type MeanDifference, pairedDifference, type Share } from "../../measures/people";
import type { Tensor } from "../../record/safetensors";

/** Its places: who gets an image right. */
export const OUTCOMES = ["both", "only people", "only the model", "neither"] as const;

const NAMES = [
  "row",
  "judgements",
  "right",
  "outcome",
  "category",
  "answer",
  "model",
  "people_entropy",
  "model_entropy",
  "seconds",
] as const;

export type ImageArray = (typeof NAMES)[number];
export const IMAGE_ARRAYS: readonly ImageArray[] = NAMES;

/** One element an image and condition; places among categories are -1 and numbers NaN where not known. */
export type Images = Readonly<Record<ImageArray, ArrayLike<number>>> & { readonly count: number };

/** The arrays of the panel together; null until all have arrived. */
export function imagesOf(tensors: ReadonlyMap<ImageArray, Tensor | null>): Images | null {
  const rows = tensors.get("row");
  if (!rows) return null;
  const found: Partial<Record<ImageArray, ArrayLike<number>>> = {};
  for (const name of NAMES) {
    const values = tensors.get(name)?.values;
    if (!values || values.length !== rows.values.length) return null;
    found[name] = values;
  }
  return { ...(found as Record<ImageArray, ArrayLike<number>>), count: rows.values.length };
}

/** Places of the images whose example is among the selected rows of `total`. */
export function among(images: Images, selected: Uint32Array, total: number): Int32Array {
  const marks = new Uint8Array(total);
  for (const row of selected) marks[row] = 1;
  const kept = new Int32Array(images.count);
  let many = 0;
  for (let place = 0; place < images.count; place++) if (marks[images.row[place] as number] === 1) kept[many++] = place;
  return kept.subarray(0, many);
}

/** Distinct rows of some images, ascending. */
export function rowsOf(images: Images, places: ArrayLike<number>): number[] {
  return [...new Set(Array.from(places, (place) => images.row[place] as number))].sort((a, b) => a - b);
}

/** How many of the images have each outcome; those that have none are not counted. */
export function outcomesOf(images: Images, places: Int32Array): number[] {
  const counts = OUTCOMES.map(() => 0);
  for (const place of places) {
    const outcome = images.outcome[place] as number;
    if (outcome >= 0) counts[outcome] = (counts[outcome] as number) + 1;
  }
  return counts;
}

/** The images of an outcome: first those of which people are surest, right or wrong; of equal ones as they come. */
export function gallery(images: Images, places: Int32Array, outcome: number): Int32Array {
  const kept = places.filter((place) => images.outcome[place] === outcome);
  const share = (place: number) => (images.right[place] as number) / Math.max(1, images.judgements[place] as number);
  const peopleRight = outcome === 0 || outcome === 1;
  return kept.sort((a, b) => (peopleRight ? share(b) - share(a) : share(a) - share(b)) || a - b);
}

export interface Standing {
  readonly people: Share;
  readonly model: Share;
  /** The model's minus people's, image by image. */
  readonly difference: MeanDifference;
}

/** How often people and the model are right on the images that both answered and whose true category is known. */
export function standing(images: Images, places: Int32Array): Standing {
  const successes: number[] = [];
  const trials: number[] = [];
  const model: number[] = [];
  const differences: number[] = [];
  for (const place of places) {
    const judgements = images.judgements[place] as number;
    const [category, said] = [images.category[place] as number, images.model[place] as number];
    if (judgements <= 0 || category < 0 || said < 0) continue;
    const right = images.right[place] as number;
    successes.push(right);
    trials.push(judgements);
    model.push(Number(said === category));
    differences.push(Number(said === category) - right / judgements);
  }
  return {
    people: clusteredShare(successes, trials),
    model: oneEach(model),
    difference: withinAll(pairedDifference(differences)),
  };
}

/** A difference of shares is between -1 and 1, and so is what it may be. */
const withinAll = ({ interval, ...found }: MeanDifference): MeanDifference => ({
  ...found,
  interval: interval && { low: Math.max(-1, interval.low), high: Math.min(1, interval.high) },
});

/** A share of images with one answer each: Wilson's interval, as everywhere else in the app. */
function oneEach(right: readonly number[]): Share {
  const hits = right.reduce((sum, one) => sum + one, 0);
  const images = right.length;
  return { value: images > 0 ? hits / images : null, interval: wilson(hits, images), count: images, images };
}

/** Where both numbers are finite. */
export function points(
  places: Int32Array,
  x: (place: number) => number,
  y: (place: number) => number,
): { places: Int32Array; xs: Float64Array; ys: Float64Array } {
  const kept = places.filter((place) => Number.isFinite(x(place)) && Number.isFinite(y(place)));
  return { places: kept, xs: Float64Array.from(kept, x), ys: Float64Array.from(kept, y) };
}
