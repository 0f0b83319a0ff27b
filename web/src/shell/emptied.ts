/** Why something is not there, in a record that no command can bring it to: without a model, or of no single classes. */

import { plain } from "../marks/format";
import type { Manifest } from "../record/schema.gen";

const NEEDS_MODEL = /\bMODEL\b|^pellucid (features|landscape)\b|pellucid\.watch/;

/** What adds to a record, or asks the model of one: neither goes where there never was a model. */
const OF_A_RECORD = /^pellucid (features|landscape|open)\b|--resume\b/;

/** A model at hand explains answers, and refuses records of others. */
const AT_HAND = /^pellucid open\b/;

const OF = {
  multilabel: "this record is of sets of classes",
  regression: "this record is of numbers",
  none: "the outputs of this record are no classes",
} as const;

/** Why no example of a record is looked at closely, whatever is typed; "" where it is of single classes. */
export function unexplained(task: Manifest["task"] | undefined): string {
  return task === undefined || task === "classification"
    ? ""
    : `A closer look explains the score of one class; ${OF[task]}.`;
}

export function emptied(
  why: string,
  command: string,
  manifest: Pick<Manifest, "saved" | "task"> | null,
): { readonly why: string; readonly command: string } {
  const saved = manifest?.saved ?? null;
  if (saved !== null && NEEDS_MODEL.test(command))
    return {
      why: `This record was made of saved ${saved.kind} (${plain(saved.name)}): no model was run, and this needs one.`,
      command: OF_A_RECORD.test(command) ? "pellucid inspect MODEL --data DATA --out RECORD" : command,
    };
  const never = unexplained(manifest?.task);
  return never && AT_HAND.test(command) ? { why: never, command: "" } : { why, command };
}
