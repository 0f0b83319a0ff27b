/** One example looked at closely: its metadata and its maps. */
import { AnswerFile } from "./answer";
import type { Focus } from "./schema.gen";

export type { FloatTensor } from "./answer";

export class FocusFile extends AnswerFile<Focus> {
  constructor(buffer: ArrayBuffer) {
    super(buffer, "focus");
  }

  get focus(): Focus {
    return this.said;
  }
}
