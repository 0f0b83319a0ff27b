/**
 * How long a change of the selection takes in a real Chromium: node million.mjs BROWSER HOW ADDRESS... prints JSON.
 * HOW "held": pages of records whose examples the browser has; each change counts all that the main thread runs for it, in
 * milliseconds of its processor time, so that what else runs on the machine does not, and how long it takes by the clock until everything
 * is drawn; "first" has the changes that also make what is made once for a record. "asked": until the last number that the
 * server answered is on the page, by the clock. "file": until an exported file shows its overview, by the clock.
 */
import { createRequire } from "node:module";

const { chromium } = createRequire(new URL("../web/package.json", import.meta.url))("playwright-core");
const [executablePath, how, ...addresses] = process.argv.slice(2);
const PAGES = {
  overview: "",
  loss: "",
  accuracy: "",
  "accuracy: confidence": "v.part=confidence",
  "accuracy: slices": "v.part=slices",
  confusion: "",
  examples: "",
  "examples: list": "v.as=table",
};
const SELECTIONS = [
  "true=3",
  "outcome=wrong",
  "outcome=right",
  "losses=0.5..4",
  "confidences=0.2..0.95",
  "column.country=DE",
  "column.device=phone",
  "class=1",
  "predicted=2",
  "",
  "column.device=camera&outcome=wrong",
  "losses=0..0.2",
  "true=5",
  "column.country=FR&confidences=0.5..1",
];
const OPENS = 5;
const WAITING = "main .skeleton, main .waiting";

const browser = await chromium.launch({
  executablePath,
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"],
});

async function opened(address) {
  const page = await (await browser.newContext({ viewport: { width: 1280, height: 800 } })).newPage();
  await page.goto(address);
  await page.locator("main h1").waitFor();
  await settled(page);
  return page;
}

async function settled(page) {
  await page.waitForFunction((selector) => !document.querySelector(selector), WAITING, { timeout: 120_000 });
}

async function go(page, hash) {
  await page.evaluate((place) => {
    location.hash = place;
  }, hash);
}

const hashOf = (name, view, selection) => `#/${name.split(":")[0]}?${[selection, view].filter(Boolean).join("&")}`;

/** Processor time of the page's main thread so far, milliseconds: all of its scripts. */
async function meter(page) {
  const session = await page.context().newCDPSession(page);
  await session.send("Performance.enable", { timeDomain: "threadTicks" });
  return async () => {
    const { metrics } = await session.send("Performance.getMetrics");
    return 1000 * metrics.find((one) => one.name === "ScriptDuration").value;
  };
}

/** Runs in the page: milliseconds by the clock until everything is drawn, nothing on its way and the main thread idle for a while. */
function changed([hash, waiting]) {
  return new Promise((done) => {
    const begun = performance.now();
    location.hash = hash;
    const look = () => {
      const busy = document.querySelector(waiting) !== null;
      const taken = performance.now() - begun;
      if (busy) requestAnimationFrame(look);
      else setTimeout(() => (document.querySelector(waiting) ? requestAnimationFrame(look) : done(taken)), 40);
    };
    requestAnimationFrame(() => requestAnimationFrame(look));
  });
}

async function held(address) {
  const page = await opened(address);
  const script = await meter(page);
  const found = {};
  for (const [name, view] of Object.entries(PAGES)) {
    await go(page, hashOf(name, view, ""));
    await page.waitForTimeout(400);
    await settled(page);
    await page.waitForTimeout(1000);
    found[name] = { script: [], clock: [], first: [] };
    // The first round makes what is made once for a record.
    for (let round = 0; round < 3; round++) {
      for (const selection of SELECTIONS) {
        const before = await script();
        const clock = await page.evaluate(changed, [hashOf(name, view, selection), WAITING]);
        const taken = (await script()) - before;
        if (round === 0) found[name].first.push(taken);
        else {
          found[name].script.push(taken);
          found[name].clock.push(clock);
        }
      }
    }
  }
  await page.context().close();
  return found;
}

/** Runs in the page: milliseconds from the change to the last answer, with nothing on its way any more. */
function answered([hash, waiting]) {
  return new Promise((done) => {
    const begun = performance.now();
    let busy = false;
    location.hash = hash;
    const look = () => {
      const now = document.querySelector(waiting) !== null || document.querySelector(".count")?.textContent.includes("…");
      busy ||= now;
      const taken = performance.now() - begun;
      if ((busy && !now) || taken > 20_000) return done(taken);
      requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  });
}

async function asked(address) {
  const page = await opened(address);
  const found = {};
  for (const name of ["loss", "accuracy", "confusion", "examples"]) {
    await go(page, hashOf(name, "", ""));
    await page.waitForTimeout(500);
    await settled(page);
    found[name] = [];
    for (const selection of SELECTIONS.filter(Boolean)) {
      // Another range each time, which nobody has asked for yet.
      const own = `confidences=0.00${found[name].length + 1}..1&${selection.replace(/&?confidences=[^&]*/, "")}`;
      found[name].push(await page.evaluate(answered, [hashOf(name, "", own), WAITING]));
      await settled(page);
    }
  }
  await page.context().close();
  return found;
}

async function file(address) {
  const found = { opened: [] };
  for (let open = 0; open <= OPENS; open++) {
    const page = await (await browser.newContext({ viewport: { width: 1280, height: 800 } })).newPage();
    await page.addInitScript(() => {
      const look = () => {
        const ready = document.querySelector("main h1") && document.querySelector(".count")?.textContent.includes("all");
        if (ready) window.readyAfter = performance.now();
        else requestAnimationFrame(look);
      };
      requestAnimationFrame(look);
    });
    await page.goto(address);
    await page.waitForFunction(() => window.readyAfter !== undefined);
    if (open > 0) found.opened.push(await page.evaluate(() => window.readyAfter));
    await page.context().close();
  }
  return found;
}

try {
  const found = [];
  for (const address of addresses) found.push(await { held, asked, file }[how](address));
  console.log(JSON.stringify(found));
} finally {
  await browser.close();
}
