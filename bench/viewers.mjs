/**
 * How soon a viewer has drawn a graph, in a real Chromium: node viewers.mjs BROWSER ADDRESS READY LOADS SECONDS prints JSON.
 * READY is a selector that finds something in the page once the graph is there. Times are milliseconds from the beginning of
 * the navigation to the second frame after that; null where it was not there in time. Only ADDRESS's own origin is reached.
 */
import { createRequire } from "node:module";

const { chromium } = createRequire(new URL("../web/package.json", import.meta.url))("playwright-core");
const [executablePath, address, ready, loads, seconds] = process.argv.slice(2);
const { origin } = new URL(address);
const MARK = "drawn after ";

/** Runs in the page before anything else: says on the console when the selector has found something and it was painted. */
function watch([selector, mark]) {
  const frame = requestAnimationFrame.bind(window);
  const say = console.log.bind(console);
  const look = () =>
    document.querySelector(selector) ? frame(() => frame(() => say(mark + performance.now()))) : frame(look);
  frame(look);
}

async function drawn(browser) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  try {
    // Netron asks for leave to send reports before it shows anything: as for someone who has answered that before.
    if (origin !== "null") await context.addCookies([{ name: "consent", value: "1", url: origin }]);
    const page = await context.newPage();
    await page.route("**/*", (route) => (new URL(route.request().url()).origin === origin ? route.continue() : route.abort()));
    await page.addInitScript(watch, [ready, MARK]);
    const said = page.waitForEvent("console", {
      predicate: (message) => message.text().startsWith(MARK),
      timeout: Number(seconds) * 1000,
    });
    const time = said.then((message) => Number(message.text().slice(MARK.length))).catch(() => null);
    await page.goto(address, { waitUntil: "commit" });
    return await time;
  } finally {
    await context.close();
  }
}

const browser = await chromium.launch({
  executablePath,
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"],
});
try {
  await drawn(browser); // finds browser and server cold, and is not counted
  const taken = [];
  for (let load = 0; load < Number(loads); load++) taken.push(await drawn(browser));
  console.log(JSON.stringify(taken));
} finally {
  await browser.close();
}
