/** The numbers of the page as tables. */
import type { HumanPanel } from "../../record/schema.gen";
import { type TableModel, tableOf } from "../../shell/table";
import { observerName } from "./observers";

/** What the page answers its question by: every pair of observers, or where who answered is not known, how often all are right. */
export function mainTable(panel: HumanPanel): TableModel | null {
  if (panel.pairs.length > 0) return pairTable(panel);
  return panel.accuracies.length > 0 ? accuracyTable(panel) : null;
}

/** How often each is right: in all, by true category, by condition. */
function accuracyTable(panel: HumanPanel): TableModel {
  return tableOf(
    "accuracy of people and model",
    ["observer", "by", "group", "answers", "right", "accuracy", "low", "high"],
    panel.accuracies.map((one) => [
      observerName(panel, one.observer),
      one.by,
      one.group,
      one.count,
      one.correct,
      one.accuracy,
      one.interval?.low ?? null,
      one.interval?.high ?? null,
    ]),
    ["accuracy", "low", "high"],
  );
}

/** Every pair of observers. */
function pairTable(panel: HumanPanel): TableModel {
  return tableOf(
    "error consistency",
    [
      "first",
      "second",
      "images",
      "observed",
      "expected",
      "kappa",
      "low",
      "high",
      "bootstrap low",
      "bootstrap high",
      "independent low",
      "independent high",
      "least possible",
      "most possible",
      "p",
      "not defined because",
    ],
    panel.pairs.map((pair) => [
      observerName(panel, pair.first),
      observerName(panel, pair.second),
      pair.count,
      pair.observed,
      pair.expected,
      pair.kappa,
      pair.interval?.low ?? null,
      pair.interval?.high ?? null,
      pair.bootstrap?.low ?? null,
      pair.bootstrap?.high ?? null,
      pair.null?.low ?? null,
      pair.null?.high ?? null,
      pair.least,
      pair.most,
      pair.p_value,
      pair.why,
    ]),
    ["observed", "expected"],
  );
}

/** Every observer, those who are left out too. */
export function observerTable(panel: HumanPanel): TableModel {
  return tableOf(
    "observers",
    ["observer", "is", "answers", "right", "accuracy", "low", "high", "no answer", "seconds", "remarks"],
    panel.observers.map((one, place) => [
      observerName(panel, place),
      one.kind,
      one.count,
      one.correct,
      one.accuracy,
      one.interval?.low ?? null,
      one.interval?.high ?? null,
      one.no_answer,
      one.seconds,
      [...one.flags, ...(one.excluded ? ["left out"] : [])].join(", "),
    ]),
    ["accuracy", "low", "high"],
  );
}
