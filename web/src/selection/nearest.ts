/** The names that someone may have meant who wrote one that there is not. */

/** Longer ones, which an address may hold, are compared by their beginnings. */
const MOST_LETTERS = 128;

/**
 * What lies inside a module of that name, its last part first, for that is what the module gives; then names that few
 * letters tell from it (Levenshtein 1966), nearest first.
 */
export function nearestNames(wanted: string, names: readonly string[], most = 3): string[] {
  const low = wanted.slice(0, MOST_LETTERS).toLowerCase();
  const inside = names.filter((name) => low !== "" && name.toLowerCase().startsWith(`${low}.`)).reverse();
  const like = names
    .map((name, at) => ({ name, at, apart: lettersApart(low, name.slice(0, MOST_LETTERS).toLowerCase()) }))
    .filter(({ name, apart }) => apart <= Math.max(low.length, Math.min(MOST_LETTERS, name.length)) / 2)
    .sort((a, b) => a.apart - b.apart || a.at - b.at)
    .map(({ name }) => name);
  return [...new Set([...inside, ...like])].slice(0, most);
}

function lettersApart(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const changed = (row[j - 1] as number) + Number(a[i - 1] !== b[j - 1]);
      next.push(Math.min((row[j] as number) + 1, (next[j - 1] as number) + 1, changed));
    }
    row = next;
  }
  return row[b.length] as number;
}
