/** Which page or trial follows which, from where a session stands. */

import type { Session } from "./session";

export type Entry =
  | { readonly page: "welcome" | "back" | "practice" | "begin" | "end" }
  /** A break after so many blocks. */
  | { readonly page: "rest"; readonly blocks: number }
  | { readonly trial: number };

export function orderOf({ trials, done }: Session): Entry[] {
  const entries: Entry[] = [];
  if (done < trials.length) entries.push({ page: done ? "back" : "welcome" });
  // Who comes back has had the page of the block that was under way.
  let block = done ? (trials[done]?.block ?? null) : null;
  trials.forEach((trial, place) => {
    if (place < done) return;
    if (trial.block !== block) {
      if (trial.block > 1) entries.push({ page: "rest", blocks: trial.block - 1 });
      else entries.push({ page: trial.block ? "begin" : "practice" });
    }
    block = trial.block;
    entries.push({ trial: place });
  });
  entries.push({ page: "end" });
  return entries;
}
