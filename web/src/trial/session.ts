/** What the server says of this observer's trials, and how answers get back to it. */

export interface Timing {
  readonly fixation: number;
  readonly presentation: number;
  readonly mask: number;
  readonly choice: number;
}

export interface SessionTrial {
  readonly kind: "practice" | "trial" | "check";
  readonly block: number;
  readonly mask: number;
  /** What a check asks for; empty in others. */
  readonly word: string;
}

export interface Session {
  readonly code: string;
  readonly label: boolean;
  readonly timing: Timing;
  readonly size: number;
  readonly categories: readonly string[];
  readonly trials: readonly SessionTrial[];
  /** How many of the trials are answered. */
  readonly done: number;
}

export type By = "key" | "mouse" | "touch";

/** What happened in a trial; durations in ms, null where there was no such step. */
export interface Given {
  readonly trial: number;
  readonly response: number | null;
  readonly milliseconds: number | null;
  readonly by: By | null;
  readonly fixation: number | null;
  readonly shown: number | null;
  readonly mask: number | null;
  readonly frame: number | null;
  readonly dropped: number;
  readonly left: boolean;
}

export interface Kept {
  readonly done: number;
  /** After practice. */
  readonly right: boolean | null;
  readonly answer: string;
}

/** The server refuses for good; its words say why. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

export async function fetchSession(): Promise<Session> {
  return (await checked(await fetch("./api/session"))).json();
}

export async function fetchPicture(path: string): Promise<ImageBitmap> {
  return createImageBitmap(await (await checked(await fetch(path))).blob());
}

const PAUSE = 1000; // ms between two attempts

/** Says an answer again and again until the server has it; `waiting` hears that it takes long, and why. */
export async function deliver(given: Given, waiting: (why: string) => void): Promise<Kept> {
  for (;;) {
    try {
      const answer = await fetch("./api/responses", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(given),
      });
      return await (await checked(answer)).json();
    } catch (error) {
      if (error instanceof Refused && error.status < 500) throw error;
      waiting(
        error instanceof Refused
          ? error.message
          : "There is no connection. Your answer is sent again until it arrives.",
      );
      await new Promise((go) => setTimeout(go, PAUSE));
    }
  }
}

async function checked(answer: Response): Promise<Response> {
  if (answer.ok) return answer;
  const said: unknown = await answer.json().catch(() => null);
  const message =
    said && typeof said === "object" && "message" in said
      ? String(said.message)
      : `The server answered ${answer.status}.`;
  throw new Refused(answer.status, message);
}
