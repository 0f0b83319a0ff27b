/** A record behind pellucid's own server. The cookie that the first page set is the token. */
import { AnswerFile } from "./answer";
import { AskedQuestions } from "./asking";
import { Examples } from "./examples";
import { FocusFile } from "./focus";
import { FRAMES, framesOf } from "./frames";
import type { Questions } from "./questions";
import { parseSafetensors, type Tensor } from "./safetensors";
import type { ErrorAnswer, Manifest, PanelByLens, Summary } from "./schema.gen";
import { type Asking, type Change, type Live, type Parameters, RecordProblem, type RecordSource } from "./source";
import { parseTraining, type TrainingPart } from "./training";

const RECONNECTS = 5;

export class HttpSource implements RecordSource {
  readonly kind = "http";
  readonly questions: Questions = new AskedQuestions((path) => this.#need(`questions${path}`));
  readonly leftOut: readonly string[] = [];
  readonly #base: string;

  constructor(base = "api") {
    this.#base = base;
  }

  async manifest(): Promise<Manifest> {
    return (await this.#need("manifest")).json();
  }

  async summary(): Promise<Summary> {
    return (await this.#need("summary")).json();
  }

  async panel<Lens extends keyof PanelByLens>(lens: Lens): Promise<PanelByLens[Lens] | null> {
    return (await this.#find(`panels/${segment(lens)}`))?.json() ?? null;
  }

  async array(lens: string, tensor: string): Promise<Tensor | null> {
    const answer = await this.#find(`arrays/${segment(lens)}/${segment(tensor)}`);
    return answer ? (parseSafetensors(await answer.arrayBuffer()).tensors.get(tensor) ?? null) : null;
  }

  async examples(): Promise<Examples | null> {
    const answer = await this.#find("examples");
    return answer ? Examples.parse(await answer.arrayBuffer()) : null;
  }

  async training(cursor: number): Promise<TrainingPart | null> {
    const answer = await this.#find(`training?cursor=${cursor}`);
    if (!answer) return null;
    return parseTraining(await answer.arrayBuffer(), Number(answer.headers.get("X-Cursor") ?? cursor));
  }

  async focus(row: number): Promise<FocusFile | null> {
    const answer = await this.#find(`focus/${row}`);
    return answer ? new FocusFile(await answer.arrayBuffer()) : null;
  }

  async live(): Promise<Live> {
    return (await this.#need("live")).json();
  }

  async liveFocus(row: number, explained: number | null, signal?: AbortSignal): Promise<FocusFile> {
    const answer = await this.#need(`live/focus/${row}${explained === null ? "" : `?explained=${explained}`}`, signal);
    return new FocusFile(await answer.arrayBuffer());
  }

  async ask<Said extends object>(
    question: string,
    parameters: Parameters,
    { signal, onPartial }: Asking<Said> = {},
  ): Promise<AnswerFile<Said>> {
    const words = new URLSearchParams();
    for (const [name, given] of Object.entries(parameters)) {
      for (const value of Array.isArray(given) ? given : given === null ? [] : [given])
        words.append(name, String(value));
    }
    const answer = await this.#need(`live/${segment(question)}?${words}`, signal, FRAMES);
    if (!answer.body) throw new RecordProblem("ServerError", "The server's answer is empty.");
    for await (const { kind, content } of framesOf(answer.body)) {
      if (kind === "error") {
        const said = JSON.parse(new TextDecoder().decode(content)) as ErrorAnswer;
        throw new RecordProblem(said.kind, said.message);
      }
      const file = new AnswerFile<Said>(content, question);
      if (kind === "answer") return file;
      onPartial?.(file);
    }
    throw new RecordProblem("Unreachable", "The server stopped before it had answered. Ask again, or start it again.");
  }

  async mediaUrl(name: string): Promise<string | null> {
    return `${this.#base}/media/${segment(name)}`;
  }

  follow(changed: (change: Change) => void): () => void {
    const events = new EventSource(`${this.#base}/events?cursor=0`);
    let failures = 0;
    events.addEventListener("open", () => {
      failures = 0;
    });
    events.addEventListener("training", (event) => {
      changed({
        kind: "training",
        cursor: (JSON.parse((event as MessageEvent<string>).data) as { cursor: number }).cursor,
      });
    });
    events.addEventListener("manifest", () => changed({ kind: "manifest" }));
    events.addEventListener("error", () => {
      failures += 1;
      if (failures >= RECONNECTS) events.close();
    });
    return () => events.close();
  }

  async #find(path: string): Promise<Response | null> {
    const answer = await this.#ask(path);
    if (answer.status === 404) return null;
    return this.#checked(answer);
  }

  async #need(path: string, signal?: AbortSignal, accept = "*/*"): Promise<Response> {
    return this.#checked(await this.#ask(path, signal, accept));
  }

  async #ask(path: string, signal?: AbortSignal, accept = "*/*"): Promise<Response> {
    try {
      return await fetch(`${this.#base}/${path}`, {
        credentials: "same-origin",
        headers: { Accept: accept },
        signal: signal ?? null,
      });
    } catch (error) {
      if (error instanceof DOMException && error.name === "AbortError") throw error;
      throw new RecordProblem("Unreachable", "The server does not answer. Start it again: pellucid open RECORD");
    }
  }

  async #checked(answer: Response): Promise<Response> {
    if (answer.ok) return answer;
    if (answer.status === 401 || answer.status === 403) {
      throw new RecordProblem(
        "TokenNeeded",
        "This page needs the token: open the whole address that `pellucid open` printed, with ?token=... at its end.",
      );
    }
    const said = (await answer.json().catch(() => null)) as ErrorAnswer | null;
    throw new RecordProblem(said?.kind ?? "ServerError", said?.message ?? `The server answered ${answer.status}.`);
  }
}

function segment(name: string): string {
  return encodeURIComponent(name);
}
