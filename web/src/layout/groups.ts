/** What can be drawn once: runs of equal blocks, and the steps of a loop. */
import type { GraphPanel } from "../record/schema.gen";

export interface Group {
  readonly index: number;
  readonly kind: "run" | "loop";
  /** Id of the first call of all: the group's key in `FoldState.spread`. */
  readonly first: number;
  /** Ids of the calls that are drawn while the group is folded: the first member, or the first step of a loop. */
  readonly firsts: readonly number[];
  /** How many members or steps. */
  readonly times: number;
  /** Ids, a list a member or step. */
  readonly members: readonly (readonly number[])[];
  /** Whether a step reads what the one before it made. */
  readonly feedsBack: boolean;
}

/**
 * Loops first, for they say more; a run that shares a call with a loop is left to it. What does not hang together (ids
 * that are not there, calls of different parents) is left out rather than drawn wrongly.
 */
export function groupsOf(
  graph: Pick<GraphPanel, "repeats" | "loops">,
  parentOf: (id: number) => number | null | undefined,
): Group[] {
  const groups: Group[] = [];
  const taken = new Set<number>();
  const add = (kind: Group["kind"], members: readonly (readonly number[])[], feedsBack: boolean) => {
    const firsts = members[0] ?? [];
    const first = firsts[0];
    if (members.length < 2 || first === undefined) return;
    const parent = parentOf(first);
    const fits = (id: number) => parent !== undefined && parentOf(id) === parent && !taken.has(id);
    if (!members.every((member) => member.length === firsts.length && member.every(fits))) return;
    for (const member of members) for (const id of member) taken.add(id);
    groups.push({ index: groups.length, kind, first, firsts, times: members.length, members, feedsBack });
  };
  for (const loop of graph.loops) add("loop", loop.calls, loop.feeds_back);
  for (const run of graph.repeats) {
    const members = run.map((id) => [id]);
    add("run", members, false);
  }
  return groups;
}
