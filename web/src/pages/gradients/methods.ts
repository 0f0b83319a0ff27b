/** How maps of methods are named, grouped, drawn and measured; what their badges mean. */
import { NOT_DEFINED, number, percent } from "../../marks/format";
import { clippedDomain, type Held } from "../../marks/raster";
import type { AnswerFile, FloatTensor } from "../../record/answer";
import type { AttributedMethod, AttributionAnswer, Manifest, MethodInfo, SanityAnswer } from "../../record/schema.gen";
import type { Parameters } from "../../record/source";

export type Maps = AnswerFile<AttributionAnswer>;

export type Aim = "class" | "loss" | "unit";

/** What the model answers with. */
export type Answers = Pick<Manifest, "task" | "outputs">;

/** What is explained, of which example. */
export interface Aimed {
  readonly row: number;
  readonly aim: Aim;
  readonly explained: number | null;
  readonly layer: string;
  readonly unit: number | null;
  readonly place: string;
}

export interface Group {
  readonly cost: MethodInfo["cost"];
  readonly title: string;
  readonly note: string;
  readonly methods: readonly MethodInfo[];
}

const GROUPS: readonly Omit<Group, "methods">[] = [
  { cost: "plain", title: "Plain", note: "all of them from one forward and one backward" },
  { cost: "backward", title: "Modified", note: "one further forward and backward each" },
  { cost: "passes", title: "Many passes", note: "run on demand; each says its cost" },
];

/** These look at every layer for something that images do not have; elsewhere they come with the others. */
export const OF_SEQUENCES: readonly string[] = ["token_gradients", "time_gradients"];

export function groupsOf(methods: readonly MethodInfo[]): Group[] {
  return GROUPS.map((group) => ({ ...group, methods: methods.filter(({ cost }) => cost === group.cost) })).filter(
    (group) => group.methods.length > 0,
  );
}

/** Parameters of a question about this target. */
export function parametersOf({ row, aim, explained, layer, unit, place }: Aimed): Parameters {
  if (aim === "unit") return { row, aim, layer, unit, place };
  return aim === "class" ? { row, aim, explained } : { row, aim };
}

/** What the score is measured in: a regression's output in units of its own, a probability in none. */
export function scoreUnit(aim: Aim, { task, outputs }: Answers): string {
  if (aim === "unit") return "the unit's response";
  if (task === "regression") return aim === "loss" ? "squared error" : "output";
  return aim === "loss" ? "nats" : outputs === "probabilities" ? "probability" : "logits";
}

const SLOPES = ["saliency", "smoothgrad", "guided_backprop", "deconvnet", "time_gradients"];
const WITHOUT_UNIT = ["eigen_cam", "attention_rollout", "gradient_rollout", "score_cam"];

/** The unit of a method's map. */
export function unitOf(method: string, aim: Aim, answers: Answers): string {
  const score = scoreUnit(aim, answers);
  if (SLOPES.includes(method)) return `${score} per input unit`;
  if (method === "vargrad") return `(${score} per input unit)²`;
  if (method === "ablation_cam") return "share of the score";
  return WITHOUT_UNIT.includes(method) ? "" : score;
}

export interface Scale {
  readonly colours: "viridis" | "signed";
  readonly domain: readonly [number, number];
  readonly clipped: boolean;
  readonly held: Held;
}

const scales = new WeakMap<FloatTensor, Scale>();

/** Signed colours where anything speaks against the score; the strongest hundredth of many values may run out. */
export function scaleOf(tensor: FloatTensor): Scale {
  const known = scales.get(tensor); // a map is drawn in hand and in its row
  if (known) return known;
  const signed = tensor.values.some((value) => value < 0);
  const made: Scale = { colours: signed ? "signed" : "viridis", ...clippedDomain(tensor.values, signed) };
  scales.set(tensor, made);
  return made;
}

/** Names of the tensors that hold a method's map of the input: one, or one for each leaf of a tree. */
export function inputMaps(file: Maps, method: string): string[] {
  const name = `${method}.input`;
  return file.names.filter((each) => each === name || each.startsWith(`${name}.`)).sort();
}

/** Whether a method's map of the input is a layer's own, stretched over it: that of the deepest layer that can have one. */
export const isStretched = (method: string): boolean => /(^|_)cam(_|$)/.test(method);

/** Height and width of a tensor that is drawn as a plane; null where it is drawn as steps. */
export function planeShape({ shape }: FloatTensor): { height: number; width: number } | null {
  const [height = 0, width = 0] = shape;
  return shape.length === 2 && height > 1 && width > 1 ? { height, width } : null;
}

export interface Badge {
  readonly text: string;
  readonly bad: boolean;
  /** Title, definition and source, for whoever points at it. */
  readonly lines: readonly string[];
}

/** Completeness: how far the map is from adding up to what it promises. */
export function completeness({ residual, difference }: AttributedMethod): Badge | null {
  if (residual === null || difference === null) return null;
  const share = difference === 0 ? null : Math.abs(residual / difference);
  return {
    text: `residual ${share === null ? number(Math.abs(residual)) : share < 1e-4 ? "< 0.01%" : percent(share, 2)}`,
    bad: share === null || share > 0.01,
    lines: [
      `completeness residual ${number(residual)}`,
      `The map adds up to ${number(residual + difference)}; the score's difference to the baseline, F(x) − F(x₀), is ${number(difference)}.`,
      "A method that promises completeness shares out exactly this difference; the residual says how far it missed it.",
      "Sundararajan, Taly & Yan 2017, arXiv:1703.01365, axiom 2; for LRP: Bach et al. 2015, eq. 2",
    ],
  };
}

/** How sure an estimate is. */
export function spread({ error }: AttributedMethod): Badge | null {
  if (error === null) return null;
  return {
    text: `± ${percent(error)}`,
    bad: error > 0.5,
    lines: [
      `standard error ${percent(error)} of the map's mean size`,
      "The map is an estimate from samples; more of them make the error smaller, by half for four times as many.",
    ],
  };
}

const VERDICTS: Record<SanityAnswer["verdict"], string> = {
  fails: "fails the sanity check: maps of random weights are like the trained model's",
  passes: "passes the sanity check: maps of random weights are another's",
  undecided: "undecided: the map has too few places to tell, or the random models differ too much",
  undefined: "not defined: a map without any difference has no ranks",
};
const SAID: Record<SanityAnswer["verdict"], string> = {
  fails: "fails: ",
  passes: "",
  undecided: "undecided: ",
  undefined: "",
};

/** Whether the map depends on what the model has learned. */
export function sanityBadge(said: SanityAnswer): Badge {
  const { verdict, mean, low, high, chance, limit, random } = said;
  const known = random.filter((one) => one !== null).length;
  const interval = low === null || high === null ? "" : ` (95% interval ${rank(low)} to ${rank(high)})`;
  return {
    text: `${SAID[verdict]}${rank(mean)} on random weights`,
    bad: verdict === "fails",
    lines: [
      VERDICTS[verdict],
      `The mean size of Spearman's rank correlation of the map with the same map of ${known} models whose weights are wholly random is ${rank(mean)}${interval}.`,
      `Unrelated maps of this form reach up to ${rank(chance)} by chance, 19 times in 20. An interval above ${limit} and above that fails: the map shows the input or the architecture, not what was learned. One below ${limit} passes.`,
      "Adebayo et al. 2018, arXiv:1810.03292, section 3.1 (cascading randomisation)",
    ],
  };
}

function rank(value: number | null): string {
  return value === null ? NOT_DEFINED : value.toFixed(2).replace("-", "−");
}

export const CURVES: readonly string[] = [
  "deletion and insertion",
  "The places that the map ranks first are filled (deletion) or come back into a filled input (insertion), step by step.",
  "If they matter the score falls soon, a small area, or rises soon, a large one.",
  "Petsiuk, Das & Saenko 2018, arXiv:1806.07421, section 4.2",
];

/** How many seconds are left, from what is done; null while that says nothing. */
export function remaining(done: number, total: number, elapsed: number): number | null {
  return done > 0 && total > done ? (elapsed / 1000 / done) * (total - done) : null;
}
