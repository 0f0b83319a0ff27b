/**
 * What a frame of a drawing costs, in a real Chromium: node frames.mjs BROWSER ADDRESS RENDERER SECONDS prints JSON, of what was
 * measured until the seconds were over. Every frame gets one step of the hand; what the page's script takes in it, everything
 * it does for that step included, is read from the browser's own trace, in milliseconds of the main thread's processor time and
 * of the clock.
 */
import { createRequire } from "node:module";

const { chromium } = createRequire(new URL("../web/package.json", import.meta.url))("playwright-core");
const [executablePath, address, renderer, seconds] = process.argv.slice(2);
const FRAMES = 300;
/** Microseconds of a frame, 60 a second. */
const FRAME = 16_667;
const TURNS = 5;
const WORDS = ["linear", "branches.7", "1x8", "lnr"];
/** Milliseconds for one hand: where a card is played by the processor a frame can take half a second. */
const PATIENCE = 6000;
const FLAGS = {
  webgl: ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"],
  canvas: ["--disable-gpu"],
  card: ["--use-gl=angle", "--use-angle=gl-egl", "--ignore-gpu-blocklist"],
}[renderer];
/** What runs a page's script, as the trace names it. */
const SCRIPT = new Set(["FireAnimationFrame", "EventDispatch", "RunMicrotasks", "TimerFire", "HandlePostMessage", "FunctionCall", "v8.run"]);
const CATEGORIES = ["devtools.timeline", "v8", "v8.execute"];

/** Runs in the page: one step of the hand a frame, and how many draw calls the frame after it said that it made. */
async function played([kind, frames, patience]) {
  const host = document.querySelector("[role=application]");
  const { left, top, width, height } = host.getBoundingClientRect();
  const middle = { clientX: left + width / 2, clientY: top + height / 2, bubbles: true, cancelable: true };
  const wheel = (more) => host.dispatchEvent(new WheelEvent("wheel", { ...middle, ...more }));
  const steps = {
    pan: (at) => wheel({ deltaY: 40, deltaX: Math.floor(at / 30) % 2 === 0 ? 12 : -12 }),
    point: (at) =>
      host.dispatchEvent(
        new PointerEvent("pointermove", { ...middle, clientX: left + ((at * 37) % width), clientY: top + ((at * 23) % height), pointerType: "mouse" }),
      ),
    zoom: (at) => wheel({ deltaY: Math.floor(at / 60) % 2 === 0 ? 8 : -8, ctrlKey: true }),
    whole: (at) => wheel({ deltaY: Math.floor(at / 15) % 2 === 0 ? 3 : -3, deltaX: Math.floor(at / 30) % 2 === 0 ? 3 : -3 }),
  };
  let draws = 0;
  let drawn = 0;
  const begun = Number(host.dataset.frames);
  const times = [];
  const until = performance.now() + patience;
  await new Promise((done) => {
    const step = (at) => {
      times.push(performance.now());
      draws = Math.max(draws, Number(host.dataset.draws));
      drawn = Number(host.dataset.frames) - begun;
      if (at >= frames || performance.now() > until) return done();
      steps[kind](at);
      requestAnimationFrame(() => step(at + 1));
    };
    requestAnimationFrame(() => step(0));
  });
  return { draws, drawn, apart: times.slice(1).map((time, at) => time - times[at]) };
}

/** Script of each frame, from the `first` on: what ran since the frame before it, nested parts counted once. */
function framesOf(events, first = 2) {
  const marks = events.filter((event) => event.name === "FireAnimationFrame" && event.ph === "X");
  const threads = new Map();
  for (const { pid, tid } of marks) threads.set(`${pid} ${tid}`, (threads.get(`${pid} ${tid}`) ?? 0) + 1);
  const main = [...threads].sort((one, other) => other[1] - one[1])[0]?.[0];
  const own = events
    .filter((event) => event.ph === "X" && `${event.pid} ${event.tid}` === main && SCRIPT.has(event.name))
    .sort((one, other) => one.ts - other.ts || other.dur - one.dur);
  const frames = [];
  let [end, cpu, clock] = [0, 0, 0];
  let [last, began] = [0, own[0]?.ts ?? 0];
  for (const event of own) {
    if (event.ts < end) continue;
    end = event.ts + event.dur;
    // A new frame begins with its first callback (those right after it are of the same), or when the time of one is over.
    const calls = event.name === "FireAnimationFrame" && event.ts - last > 4000;
    if (calls || event.ts - began > FRAME) {
      frames.push({ cpu, clock });
      [cpu, clock, began] = [0, 0, event.ts];
      if (calls) last = event.ts;
    }
    cpu += (event.tdur ?? event.dur) / 1000;
    clock += event.dur / 1000;
  }
  frames.push({ cpu, clock });
  return frames.slice(first);
}

/** Runs in the page: clicks a button of what is in hand; milliseconds until the page shows that it is at work, and until it is done. */
async function clicked(name) {
  const host = document.querySelector("[role=application]");
  const button = [...document.querySelectorAll("nav[aria-label='Where it stands'] button")].find((one) => one.textContent === name);
  const boxes = host.dataset.boxes;
  let shown = null;
  const begun = performance.now();
  const done = new Promise((stands) => {
    const observer = new MutationObserver(() => {
      const now = performance.now() - begun;
      if (host.parentElement.querySelector(".turned") !== null) shown ??= now;
      if (host.dataset.boxes === boxes) return;
      observer.disconnect();
      stands({ shown: shown ?? now, done: now });
    });
    observer.observe(host.parentElement, { subtree: true, childList: true, attributes: true });
  });
  button.click();
  return done;
}

/** What draws for WebGL, in its maker's words. */
async function cardOf() {
  const page = await (await browser.newContext()).newPage();
  const said = await page.evaluate(() => {
    const gl = document.createElement("canvas").getContext("webgl2");
    return gl?.getParameter(gl.getExtension("WEBGL_debug_renderer_info")?.UNMASKED_RENDERER_WEBGL ?? gl.RENDERER) ?? "no WebGL";
  });
  await page.context().close();
  return said;
}

/** Milliseconds from the beginning of a navigation until the folded graph is drawn, in contexts of their own. */
async function firstPaints() {
  const found = [];
  for (let turn = 0; turn < TURNS; turn++) {
    const page = await (await browser.newContext({ viewport: { width: 1280, height: 800 } })).newPage();
    await page.addInitScript(() => {
      const observer = new MutationObserver(() => {
        if (!document.querySelector("main canvas[data-drawn]")) return;
        observer.disconnect();
        window.drawnAfter = performance.now();
      });
      observer.observe(document, { subtree: true, childList: true, attributes: true });
    });
    await page.goto(`${address}#/graph?v.drawn=${renderer}`);
    await page.waitForFunction(() => window.drawnAfter !== undefined);
    found.push(await page.evaluate(() => window.drawnAfter));
    await page.context().close();
  }
  return found;
}

/** Runs in the page: milliseconds from a letter in the search to what was found on the page, for each further letter of each word. */
async function searched(words) {
  const field = document.querySelector("search input");
  const taken = [];
  for (const word of words) {
    for (let length = 1; length <= word.length; length++) {
      field.value = word.slice(0, length);
      const begun = performance.now();
      field.dispatchEvent(new InputEvent("input", { bubbles: true }));
      // The page changes what it shows in a microtask.
      await Promise.resolve().then(() => document.querySelector("search [role=status]")?.textContent);
      taken.push(performance.now() - begun);
    }
  }
  field.value = "";
  field.dispatchEvent(new InputEvent("input", { bubbles: true }));
  return taken;
}

/** Frames while a module is folded and unfolded again, near enough to read it, with all else open. */
async function turned(page) {
  await page.evaluate(() => {
    location.hash = `${location.hash}&v.node=2`;
  });
  const found = { fold: { frames: [], answers: [] }, unfold: { frames: [], answers: [] } };
  for (let turn = 0; turn < 2 * TURNS; turn++) {
    const kind = turn % 2 === 0 ? "fold" : "unfold";
    await page.waitForTimeout(600);
    await browser.startTracing(page, { categories: CATEGORIES });
    const answer = await page.evaluate(clicked, kind === "fold" ? "Fold" : "Unfold");
    await page.waitForTimeout(700);
    const { traceEvents } = JSON.parse((await browser.stopTracing()).toString());
    found[kind].frames.push(...framesOf(traceEvents, 0));
    found[kind].answers.push(answer);
    found[kind].draws = Number(await page.getByRole("application").getAttribute("data-draws"));
  }
  return found;
}

const browser = await chromium.launch({ executablePath, timeout: 30_000, args: ["--headless", "--no-sandbox", "--disable-background-networking", ...FLAGS] });
const found = {};
let ended = false;
/** Says what there is, and ends whatever still runs: a browser that hangs does not say that it was closed. */
async function end(problem) {
  // What is closed under a measurement fails then, too.
  if (ended) return;
  ended = true;
  if (problem) console.error(problem);
  await new Promise((said) => process.stdout.write(`${JSON.stringify(found)}\n`, said));
  setTimeout(() => process.exit(0), 5000).unref();
  await browser.close();
  process.exit(0);
}
setTimeout(() => end(`not done after ${seconds} s`), 1000 * Number(seconds));
try {
  found.card = await cardOf();
  if (renderer === "card" && /swiftshader|llvmpipe|no webgl/i.test(found.card)) throw new Error(`there is no graphics card: ${found.card}`);
  if (renderer === "canvas") found.first = await firstPaints();
  const page = await (await browser.newContext({ viewport: { width: 1280, height: 800 } })).newPage();
  await page.goto(`${address}#/graph?v.drawn=${renderer === "canvas" ? renderer : "webgl"}&v.measure=memory`);
  await page.locator("main canvas[data-drawn]").waitFor();
  await page.getByRole("button", { name: "Unfold all", exact: true }).click();
  await page.waitForFunction(() => Number(document.querySelector("[role=application]").dataset.boxes) > 40_000, null, { timeout: 60_000 });
  found.boxes = Number(await page.getByRole("application").getAttribute("data-boxes"));
  const rest = () => page.waitForTimeout(600);
  const measure = async (kind) => {
    await rest();
    await browser.startTracing(page, { categories: CATEGORIES });
    const said = await page.evaluate(played, [kind, FRAMES, PATIENCE]);
    const { traceEvents } = JSON.parse((await browser.stopTracing()).toString());
    found[kind] = { ...said, frames: framesOf(traceEvents) };
  };
  if (renderer === "canvas") {
    await page.waitForTimeout(2000);
    found.search = await page.evaluate(searched, WORDS);
  }
  await page.getByRole("application").focus();
  await measure("pan");
  await measure("point");
  await measure("zoom");
  await page.keyboard.press("0");
  await measure("whole");
  if (renderer === "canvas") Object.assign(found, await turned(page));
  await end("");
} catch (problem) {
  await end(String(problem.message).split("\n")[0]);
}
