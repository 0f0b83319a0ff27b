/** Commands about the record on screen, ready to be typed. */
import { plain } from "../marks/format";
import type { Manifest } from "../record/schema.gen";

/** A word of a command line: as it is, or in single quotes where a shell would take it apart. */
export function quoted(word: string): string {
  return /^[\w./:@%+=,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/**
 * What to type to run the record's model over its data again, as far as the record knows them.
 *
 * @param verb "open", "features", "landscape".
 * @param more words that follow, each by itself.
 */
export function commandOf(
  verb: string,
  record: string | undefined,
  manifest: Pick<Manifest, "model" | "data"> | null,
  more: readonly string[] = [],
): string {
  const named = (text: string | undefined, otherwise: string) => (text ? quoted(plain(text)) : otherwise);
  const { source, weights } = manifest?.model ?? {};
  return [
    `pellucid ${verb} ${named(record, "RECORD")} --model ${named(source, "MODEL")}`,
    ...(weights ? [`--weights ${quoted(plain(weights))}`] : []),
    `--data ${named(manifest?.data?.source, "DATA")}`,
    ...more.map((word) => quoted(plain(word))),
  ].join(" ");
}
