import { namedFindings, type PageModule } from "../../shell/pages";
import LargeAccuracy from "../large/LargeAccuracy.svelte";
import Accuracy from "./Accuracy.svelte";

export const accuracy: PageModule = {
  id: "accuracy",
  title: "Accuracy",
  question: "How often is it right, and how sure can I be?",
  component: Accuracy,
  asking: LargeAccuracy,
  findingsOf: namedFindings("accuracy"),
};
