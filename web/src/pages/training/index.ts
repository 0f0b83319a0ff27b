import type { PageModule } from "../../shell/pages";
import { namedFindings } from "../../shell/pages";
import Training from "./Training.svelte";

export const training: PageModule = {
  id: "training",
  title: "Training",
  question: "How did it learn?",
  component: Training,
  findingsOf: namedFindings("training"),
};
