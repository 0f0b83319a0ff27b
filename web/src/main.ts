import { mount } from "svelte";
import "./theme.css";
import { theme } from "./marks/theme.svelte";
import { HttpSource } from "./record/http";
import { StaticSource } from "./record/static";
import { instrument } from "./selection/instrument.svelte";
import { place } from "./selection/place.svelte";
import App from "./shell/App.svelte";

const target = document.getElementById("app");
if (!target) throw new Error("The page has no element #app.");
theme.start();
place.follow();
void instrument.open(StaticSource.inside(document) ? new StaticSource(document) : new HttpSource());
mount(App, { target });
