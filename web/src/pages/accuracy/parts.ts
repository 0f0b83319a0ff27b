/** What stands on the page, one part at a time: in the URL as v.part. */
export const PARTS = {
  classes: "classes",
  confidence: "confidence",
  curves: "curves",
  slices: "slices",
} as const;

export type Part = keyof typeof PARTS;

export const READING: Record<Part, string> = {
  classes:
    "Dots are shares of examples, whiskers their 95% intervals: with fewer examples they are wider, and two classes whose whiskers overlap widely may well be equal. Every share can be clicked down to its examples.",
  confidence:
    "Each dot is a group of examples by how sure the model was; on the diagonal it is right as often as it says. Below the diagonal it says more than it keeps.",
  curves:
    "Each point is what calling an example of the class would do from one probability on. The area under the ROC curve is how often an example of the class is more probable than another.",
  slices:
    "Each dot is the share of right answers among examples that have something in common, against all others. A slice counts as found only where its adjusted p value is small: of those below 5%, at most one in twenty is a coincidence.",
};

export const READING_NUMBERS =
  "Each dot is an example: on the diagonal the output is the target. R² is the share of the targets' spread that the outputs explain; 0 is what always answering their mean would give.";

export interface Source {
  readonly label: string;
  readonly href: string;
}

export const SOURCES: Record<Part, Source> = {
  classes: { label: "Wilson 1927", href: "https://doi.org/10.1080/01621459.1927.10502953" },
  confidence: { label: "Naeini et al. 2015", href: "https://doi.org/10.1609/aaai.v29i1.9602" },
  curves: { label: "Hanley & McNeil 1982", href: "https://doi.org/10.1148/radiology.143.1.7063747" },
  slices: { label: "Benjamini & Hochberg 1995", href: "https://doi.org/10.1111/j.2517-6161.1995.tb02031.x" },
};

export const READING_SETS =
  "Dots are shares of examples, whiskers their 95% intervals. Recall of a class is the share of the examples it is true of that are called it, precision the share of those called it that it is true of.";

/** More rows than this make an address that is too long to send. */
export const MOST_ROWS = 5000;
