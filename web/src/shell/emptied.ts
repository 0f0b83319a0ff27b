/** Why something is not there, in a record that no command can bring it to: without a model, or without a score to explain. */

import { plain } from "../marks/format";
import type { Manifest } from "../record/schema.gen";

const NEEDS_MODEL = /\bMODEL\b|^pellucid (features|landscape)\b|pellucid\.watch/;

/** What adds to a record, or asks the model of one: neither goes where there never was a model. */
const OF_A_RECORD = /^pellucid (features|landscape|open)\b|--resume\b/;

/** A model at hand explains answers, and refuses records of outputs that are none. */
const AT_HAND = /^pellucid open\b/;

/** Why no example of a record is looked at closely, whatever is typed; "" where one can be. */
export function unexplained(task: Manifest["task"] | undefined): string {
  return task === "none"
    ? "The outputs of this record are no classes, sets of classes or numbers: there is no score to explain."
    : "";
}

export function emptied(
  why: string,
  command: string,
  manifest: Pick<Manifest, "saved" | "task" | "model"> | null,
): { readonly why: string; readonly command: string } {
  const saved = manifest?.saved ?? null;
  if (saved !== null && NEEDS_MODEL.test(command))
    return {
      why: manifest?.model
        ? `This record holds the outputs of ${plain(manifest.model.name)} on a sample, for its fit: this needs an inspection.`
        : `This record was made of saved ${saved.kind} (${plain(saved.name)}): no model was run, and this needs one.`,
      command: OF_A_RECORD.test(command) ? "pellucid inspect MODEL --data DATA --out RECORD" : command,
    };
  const never = unexplained(manifest?.task);
  return never && AT_HAND.test(command) ? { why: never, command: "" } : { why, command };
}
