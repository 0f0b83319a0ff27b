/** How the graph came to be, in words. */
import { count, plain, plural } from "../../marks/format";
import type { GraphPanel } from "../../record/schema.gen";

const HOW = {
  meta: "Traced by shapes alone, without running it",
  fake: "Traced by shapes alone, without running it",
  real: "Traced by running on an input",
  file: "Read from a file",
  none: "Not traced",
} as const;

/** How it was traced and why, and that its calls were timed where any was: shapes alone have no times. */
export function howTraced(
  { backend, backend_reason }: Pick<GraphPanel, "backend" | "backend_reason">,
  seconds: readonly (number | null)[],
): string {
  const reason = backend_reason.trim().replace(/\.$/, "");
  // A sentence that stands by itself, as files give it, is not a cause.
  const because = reason === "" ? "" : /^[A-Z]/.test(reason) ? `: ${plain(reason)}` : ` because ${plain(reason)}`;
  const timed = seconds.some((one) => one !== null);
  return `${HOW[backend] ?? "Traced"}${because}.${timed ? " Its calls were timed in forwards that ran for that." : ""}`;
}

/** How many calls there are and what they come to: operators that ran, or operations that a file lists. */
export function callWords({ backend, nodes, operators }: Pick<GraphPanel, "backend" | "nodes" | "operators">): string {
  const calls = plural(nodes.length, "call");
  if (operators === 0) return calls;
  if (backend === "file") return `${calls}, of ${plural(operators, "operation")} in the file`;
  return `${calls}, which ${nodes.length === 1 ? "runs" : "run"} ${count(operators)} aten ${operators === 1 ? "operator" : "operators"}`;
}
