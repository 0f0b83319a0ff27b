/** Where the app reads a record from: a server over HTTP, or the tags of an exported file. Only this folder fetches. */
import type { AnswerFile } from "./answer";
import type { Examples } from "./examples";
import type { FocusFile } from "./focus";
import type { Questions } from "./questions";
import type { Tensor } from "./safetensors";
import type { Manifest, PanelByLens, Summary } from "./schema.gen";
import type { TrainingPart } from "./training";

export interface Live {
  /** Whether any example can be computed on demand. */
  readonly available: boolean;
  /** Why not, or what would compute it. */
  readonly reason: string;
}

/** Something of the record changed while it was on screen. */
export type Change = { kind: "manifest" } | { kind: "training"; cursor: number };

/** Parameters of a question to the model; a list gives one as often as it has entries, null leaves it out. */
export type Parameters = Readonly<Record<string, string | number | null | readonly (string | number)[]>>;

export interface Asking<Said extends object> {
  /** Aborting it lets the model stop. */
  readonly signal?: AbortSignal;
  /** Called with what there is so far, while a long question is under way. */
  readonly onPartial?: (file: AnswerFile<Said>) => void;
}

/** An answer that is an error; `kind` is the class's name on the server. */
export class RecordProblem extends Error {
  readonly kind: string;

  constructor(kind: string, message: string) {
    super(message);
    this.kind = kind;
  }
}

export interface RecordSource {
  readonly kind: "http" | "static";
  /** Answers about the examples where they are too many to be sent; null where there is nobody to ask. */
  readonly questions: Questions | null;
  /** What of the record an exported file does not hold, one sentence each; known after `manifest()`. */
  readonly leftOut: readonly string[];
  manifest(): Promise<Manifest>;
  summary(): Promise<Summary>;
  /** null where the record has no such panel. */
  panel<Lens extends keyof PanelByLens>(lens: Lens): Promise<PanelByLens[Lens] | null>;
  /** null where there is none, or it was left out. */
  array(lens: string, tensor: string): Promise<Tensor | null>;
  /** null where the record has no examples table. */
  examples(): Promise<Examples | null>;
  /** null where nothing was watched. */
  training(cursor: number): Promise<TrainingPart | null>;
  /** null where the example was not looked at closely. */
  focus(row: number): Promise<FocusFile | null>;
  live(): Promise<Live>;
  /** Computed now, by a server that has the model at hand. */
  liveFocus(row: number, explained: number | null, signal?: AbortSignal): Promise<FocusFile>;
  /** Any question to a server that has the model at hand (docs/architecture.md): `GET /api/live/<question>`. */
  ask<Said extends object>(question: string, parameters: Parameters, asking?: Asking<Said>): Promise<AnswerFile<Said>>;
  /** Address of a picture; null where it was left out. */
  mediaUrl(name: string): Promise<string | null>;
  /** Calls back whenever the record changes; returns how to stop. */
  follow(changed: (change: Change) => void): () => void;
}
