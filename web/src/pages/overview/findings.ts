/** Findings as the overview lists them: worst first, as a table too. */
import { pValue } from "../../marks/chance";
import { interval, number, percentInterval } from "../../marks/format";
import type { Finding, Manifest, Severity, Summary } from "../../record/schema.gen";
import { graphAlone } from "../../shell/pages";
import { type TableModel, tableOf } from "../../shell/table";

const ORDER: Readonly<Record<Severity, number>> = { high: 0, medium: 1, low: 2, info: 3 };

export const SEVERITIES: Readonly<Record<Severity, string>> = {
  high: "look at this first",
  medium: "worth a look",
  low: "minor",
  info: "good to know",
};

export function worstFirst(findings: readonly Finding[]): Finding[] {
  return [...findings].sort((a, b) => ORDER[a.severity] - ORDER[b.severity] || b.weight - a.weight);
}

export function findingsTable(findings: readonly Finding[]): TableModel {
  return tableOf(
    "findings",
    ["severity", "finding", "page", "count", "interval", "evidence"],
    findings.map((one) => [one.severity, one.sentence, one.page, one.count, interval(one.interval), evidence(one)]),
  );
}

/** Of these pages the intervals are of shares; others are in the unit of what the sentence names. */
const SHARES: ReadonlySet<string> = new Set(["accuracy", "confusion"]);
const SHARE_KINDS: ReadonlySet<string> = new Set(["broken", "only-people"]);

/** "95% interval 1.2% to 3.4%"; "" where there is none, or where the sentence says it already. */
export function intervalWords(finding: Finding): string {
  if (!finding.interval || finding.sentence.includes("95% interval")) return "";
  const share = SHARES.has(finding.page) || SHARE_KINDS.has(finding.kind);
  return `95% interval ${share ? percentInterval(finding.interval) : interval(finding.interval)}`;
}

export function evidence(finding: Finding): string {
  return Object.entries(finding.evidence)
    .map(([name, value]) => `${name.replaceAll("_", " ")} ${typeof value === "number" ? amount(name, value) : value}`)
    .join(", ");
}

function amount(name: string, value: number): string {
  return name === "p_value" || name === "adjusted" ? pValue(value) : number(value);
}

/** What a record without findings was looked through for, in words. */
function checked(
  { files, task, watched }: Pick<Manifest, "files" | "task" | "watched">,
  { accuracy }: Pick<Summary, "accuracy">,
): string[] {
  const holds = (lens: string) => files.some(({ path }) => path === `panels/${lens}.json`);
  const classes = task === "classification" && accuracy !== null;
  return [
    ...(classes && holds("confusion") ? ["no classes confused beyond chance"] : []),
    ...(holds("activations") ? ["no dead layers"] : []),
    ...(holds("weights") ? ["no weights that are not finite"] : []),
    ...(classes && holds("loss") ? ["no labels that look wrong"] : []),
    ...(watched ? ["no trouble in the training"] : []),
  ];
}

/** Said where there are no findings: as much as was looked for, and no more. */
export function nothingFound(
  manifest: Pick<Manifest, "state" | "examples" | "model" | "saved" | "files" | "task" | "watched"> | null,
  summary: Pick<Summary, "accuracy" | "mean_loss"> | null,
): string {
  if (!manifest || !summary) return "";
  if (graphAlone(manifest)) return "This is a graph alone: nothing was run, so that nothing was looked for.";
  const looked = checked(manifest, summary);
  if (looked.length > 0) {
    const unlabelled =
      manifest.examples > 0 && manifest.task !== "none" && summary.accuracy === null && summary.mean_loss === null;
    return `Nothing stood out: ${looked.join(", ")}. That is no proof; look around.${unlabelled ? " The examples have no labels, so that no answer was called right or wrong." : ""}`;
  }
  if (!manifest.model && !manifest.saved) return "No model answered these examples, so that nothing was looked for.";
  return summary.accuracy === null && summary.mean_loss === null
    ? "The examples have no labels, so that nothing could be looked for."
    : "None of the lenses that look for something was run.";
}
