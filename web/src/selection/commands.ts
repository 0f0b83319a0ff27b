/** Commands about the record on screen, ready to be typed. */
import { plain } from "../marks/format";
import type { Manifest } from "../record/schema.gen";

/** A word of a command line: as it is, or in single quotes where a shell would take it apart. */
export function quoted(word: string): string {
  return /^[\w./:@%+=,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/**
 * What opens the data again; "" where it was an object of a program: the name of its class is nothing that a command finds. A
 * model that was one, too, has no source, and names of files are seldom names of classes.
 */
function dataOf({ model, data }: Pick<Manifest, "model" | "data">): string {
  const { name = "", source = "" } = data ?? {};
  return model?.source === "" && source === name && /^[A-Za-z_]\w*$/.test(source) ? "" : source;
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
    `--data ${named(manifest ? dataOf(manifest) : undefined, "DATA")}`,
    ...more.map((word) => quoted(plain(word))),
  ].join(" ");
}
