/**
 * What a frame of a drawing costs, in a real Chromium: node frames.mjs BROWSER ADDRESS RENDERER prints JSON. Every frame gets
 * one step of the hand; what the page's script takes in it, everything it does for that step included, is read from the
 * browser's own trace, in milliseconds of the main thread's processor time and of the clock.
 */
import { createRequire } from "node:module";

const { chromium } = createRequire(new URL("../web/package.json", import.meta.url))("playwright-core");
const [executablePath, address, renderer] = process.argv.slice(2);
const FRAMES = 300;
const FLAGS = {
  webgl: ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"],
  canvas: ["--disable-gpu"],
}[renderer];
/** What runs a page's script, as the trace names it. */
const SCRIPT = new Set(["FireAnimationFrame", "EventDispatch", "RunMicrotasks", "TimerFire", "HandlePostMessage", "FunctionCall", "v8.run"]);
const CATEGORIES = ["devtools.timeline", "v8", "v8.execute"];

/** Runs in the page: one step of the hand a frame, and how many draw calls the frame after it said that it made. */
async function played([kind, frames]) {
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
  await new Promise((done) => {
    const step = (at) => {
      draws = Math.max(draws, Number(host.dataset.draws));
      drawn = Number(host.dataset.frames) - begun;
      if (at >= frames) return done();
      steps[kind](at);
      requestAnimationFrame(() => step(at + 1));
    };
    requestAnimationFrame(() => step(0));
  });
  return { draws, drawn };
}

/** Script of each frame: what ran since the frame before it, nested parts counted once. */
function framesOf(events) {
  const marks = events.filter((event) => event.name === "FireAnimationFrame" && event.ph === "X");
  const threads = new Map();
  for (const { pid, tid } of marks) threads.set(`${pid} ${tid}`, (threads.get(`${pid} ${tid}`) ?? 0) + 1);
  const main = [...threads].sort((one, other) => other[1] - one[1])[0]?.[0];
  const own = events
    .filter((event) => event.ph === "X" && `${event.pid} ${event.tid}` === main && SCRIPT.has(event.name))
    .sort((one, other) => one.ts - other.ts || other.dur - one.dur);
  const frames = [];
  let [end, cpu, clock] = [0, 0, 0];
  let last = 0;
  for (const event of own) {
    if (event.ts < end) continue;
    end = event.ts + event.dur;
    // A new frame begins with its first callback; those right after it are of the same.
    if (event.name === "FireAnimationFrame" && event.ts - last > 4000) {
      frames.push({ cpu, clock });
      [cpu, clock] = [0, 0];
      last = event.ts;
    }
    cpu += (event.tdur ?? event.dur) / 1000;
    clock += event.dur / 1000;
  }
  return frames.slice(2);
}

const browser = await chromium.launch({ executablePath, args: ["--headless", "--no-sandbox", "--disable-background-networking", ...FLAGS] });
try {
  const page = await (await browser.newContext({ viewport: { width: 1280, height: 800 } })).newPage();
  await page.goto(`${address}#/graph?v.drawn=${renderer}&v.measure=memory`);
  await page.locator("main canvas[data-drawn]").waitFor();
  await page.getByRole("button", { name: "Unfold all", exact: true }).click();
  await page.waitForFunction(() => Number(document.querySelector("[role=application]").dataset.boxes) > 40_000, null, { timeout: 60_000 });
  const found = { boxes: Number(await page.getByRole("application").getAttribute("data-boxes")) };
  const rest = () => page.waitForTimeout(600);
  const measure = async (kind) => {
    await rest();
    await browser.startTracing(page, { categories: CATEGORIES });
    const said = await page.evaluate(played, [kind, FRAMES]);
    const { traceEvents } = JSON.parse((await browser.stopTracing()).toString());
    found[kind] = { ...said, frames: framesOf(traceEvents) };
  };
  await page.getByRole("application").focus();
  await measure("pan");
  await measure("point");
  await measure("zoom");
  await page.keyboard.press("0");
  await measure("whole");
  console.log(JSON.stringify(found));
} finally {
  await browser.close();
}
