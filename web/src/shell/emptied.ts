/** Why something is not there, in a record that was made of saved predictions: what needs the model cannot be brought to it. */

import { plain } from "../marks/format";
import type { SavedPredictions } from "../record/schema.gen";

const NEEDS_MODEL = /\bMODEL\b|^pellucid features\b|pellucid\.watch/;

/** What adds to a record, or asks the model of one: neither goes where there never was a model. */
const OF_A_RECORD = /^pellucid (features|open)\b|--resume\b/;

export function emptied(
  why: string,
  command: string,
  saved: SavedPredictions | null,
): { readonly why: string; readonly command: string } {
  if (saved === null || !NEEDS_MODEL.test(command)) return { why, command };
  return {
    why: `This record was made of saved ${saved.kind} (${plain(saved.name)}): no model was run, and this needs one.`,
    command: OF_A_RECORD.test(command) ? "pellucid inspect MODEL --data DATA --out RECORD" : command,
  };
}
