/** Pictures of graphs in a worker. */
import { type Scope, serve } from "../../layout/serving";
import type { DrawingColumns } from "./columns";
import { type Scene, type SceneAsk, SceneMaker } from "./scene";

serve(self as unknown as Scope<DrawingColumns, SceneAsk, Scene>, (columns) => new SceneMaker(columns));
