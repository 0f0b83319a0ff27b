/** The order of pages and trials of a session, from where it stands. */

import { ForcedChoice } from "./forcedchoice";
import { pagesOf } from "./pages";
import { Preload } from "./preload";
import { deliver, type Session } from "./session";
import { Words } from "./words";

export interface Node_ {
  readonly type: typeof ForcedChoice | typeof Words;
  readonly [parameter: string]: unknown;
}

/**
 * @param frame ms between two frames of this screen.
 */
export function timelineOf(session: Session, frame: number): Node_[] {
  const pages = pagesOf(session);
  const pictures = new Preload(session);
  const words = (content: () => Node[], button: string): Node_ => ({ type: Words, content, button });
  const nodes: Node_[] = [];
  let block: number | null = null;
  if (session.done < session.trials.length) {
    nodes.push(session.done ? words(pages.back, "Go on") : words(pages.welcome, "Begin"));
    if (session.done) block = session.trials[session.done]?.block ?? null;
  }
  for (let place = session.done; place < session.trials.length; place += 1) {
    const trial = session.trials[place];
    if (!trial) break;
    if (trial.block !== block) {
      if (trial.block === 0) nodes.push(words(pages.practice, "Start practising"));
      else if (trial.block === 1) nodes.push(words(pages.begin, "Start"));
      else {
        const done = trial.block - 1;
        nodes.push(words(() => pages.rest(done), "Go on"));
      }
      block = trial.block;
    }
    nodes.push({ type: ForcedChoice, session, place, look: () => pictures.look(place), deliver, frame });
  }
  nodes.push(words(pages.end, ""));
  return nodes;
}
