import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type LiveStage, missing, PYTHON, stageOf } from "./harness";

/** A small record, and two studies of it: one in a hurry, one without; prints the addresses of three observers. */
const SCRIPT = `
import json, sys, threading
sys.path.insert(0, "tests")
from pathlib import Path
from pellucid.server.trials import Design, Study, Timing, start_trials
from pellucid.server.trials.pictures import choose
from support.trials import small_record
record = small_record(Path(sys.argv[1]) / "r.pellucid", 24)
chosen = choose(record, conditions="condition", origins="original")
running = []
for name, label, observers in (("brief", False, 2), ("calm", True, 2)):
    design = Design(label=label, timing=Timing(100, 100, 50, 700), block=5, practice=2, checks=1, trials=5 if label else None)
    study = Study.begin(record, name, chosen, design)
    study.invite(observers)
    running.append(start_trials(study))
print(json.dumps([one.url for each in running for one in each.invitations]), flush=True)
threading.Event().wait()
`;

interface Line {
  readonly observer: string;
  readonly kind: string;
  readonly example: string;
  readonly category: string;
  readonly condition: string;
  readonly response: string | null;
  readonly seconds: number | null;
  readonly by: string | null;
  readonly shown: number | null;
  readonly frame: number | null;
}

const CATEGORIES = ["cat", "dog", "bird", "airplane"];

describe.skipIf(missing !== "")(`trials with people${missing ? ` (skipped: ${missing})` : ""}`, () => {
  let here: LiveStage;
  let addresses: string[];
  const folder = mkdtempSync(join(tmpdir(), "pellucid-e2e-"));
  const record = join(folder, "r.pellucid");
  const lines = (study: string): Line[] =>
    readFileSync(join(record, "human", "trials", study, "responses.jsonl"), "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
  const pellucid = (...words: string[]) =>
    JSON.parse(
      execFileSync(PYTHON, ["-c", "from pellucid.cli import main; main()", ...words, "--json"], {
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"],
      }),
    );

  beforeAll(async () => {
    here = await stageOf(SCRIPT, folder);
    addresses = JSON.parse(here.served);
  });
  afterAll(async () => {
    await here?.close();
    rmSync(folder, { recursive: true });
  });

  /** Opens an invitation in a browser of its own. */
  async function invited(address: string, options: Parameters<LiveStage["browser"]["newContext"]>[0] = {}) {
    const context = await here.browser.newContext(options);
    const page = await context.newPage();
    const complaints: string[] = [];
    page.on("pageerror", (error) => complaints.push(`error: ${error.message}`));
    page.on("dialog", (dialog) => complaints.push(`dialog: ${dialog.message()}`));
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning") complaints.push(`console: ${message.text()}`);
    });
    page.on("request", (request) => {
      if (new URL(request.url()).host !== new URL(address).host) complaints.push(`request: ${request.url()}`);
    });
    await page.goto(address);
    await page.locator("h1").waitFor();
    return { page, complaints };
  }

  /** Answers trial after trial until a page with this title, or so many trials; what stands in `answer` is done at each choice. */
  async function run(page: Page, until: string, answer: (page: Page, trial: number) => Promise<void>, most = 1000) {
    const titles: string[] = [];
    for (let trial = 0; trial < most; ) {
      await page.locator(".onward, .choice, h1:text-is('Thank you')").first().waitFor();
      const title = await page
        .locator("h1")
        .textContent({ timeout: 50 })
        .catch(() => null);
      if (title) {
        titles.push(title);
        expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBe(0);
        if (title === until) break;
        await page.locator(".onward").click();
        await page.locator("h1", { hasText: title }).waitFor({ state: "detached" });
        continue;
      }
      const place = await page.locator(".stage").getAttribute("data-trial");
      await answer(page, trial);
      trial += 1;
      await page.locator(`.stage[data-trial="${place}"] .choices`).waitFor({ state: "detached" });
    }
    return titles;
  }

  it("goes from an invitation by keys to files and to the comparison", async () => {
    const { page, complaints } = await invited(addresses[0] ?? "");
    expect(new URL(page.url()).search, "the token leaves the address").toBe("");
    await page.getByText("No name is asked for").waitFor();
    const given: (string | null)[] = [];
    const titles = await run(page, "Thank you", async (page, trial) => {
      if (trial % 7 === 6) return void given.push(null); // too late
      const place = trial % CATEGORIES.length;
      given.push(CATEGORIES[place] ?? null);
      await page.keyboard.press(String(place + 1));
    });
    expect(titles).toEqual(["What do you see?", "First, practice", "Now it counts", "Time for a break", "Thank you"]);
    const kept = lines("brief");
    // Twelve originals: two are practised with, ten count, in two blocks with a check each.
    expect(kept.map((line) => line.kind).sort()).toEqual([
      ...Array(2).fill("check"),
      ...Array(2).fill("practice"),
      ...Array(10).fill("trial"),
    ]);
    expect(kept.map((line) => line.response)).toEqual(given);
    for (const line of kept) {
      expect(line.by).toBe(line.response === null ? null : "key");
      if (line.kind === "check") continue;
      // A picture stands for whole frames, never less than it should by more than half of one.
      expect(line.shown).toBeGreaterThan(100 - (line.frame ?? 0) / 2 - 1);
    }
    expect(complaints).toEqual([]);
    // Who comes back finds that it is over.
    await page.reload();
    await page.getByRole("heading", { name: "Thank you" }).waitFor();
    await page.context().close();
  });

  it("goes on where it was left, by touch, on a narrow screen", async () => {
    const { page, complaints } = await invited(addresses[1] ?? "", {
      viewport: { width: 390, height: 740 },
      hasTouch: true,
      colorScheme: "dark",
    });
    const touch = async (page: Page, trial: number) => {
      const button = page.locator(".choice").nth(trial % 4);
      expect((await button.boundingBox())?.height).toBeGreaterThanOrEqual(44);
      await button.tap();
    };
    await run(page, "", touch, 4);
    const before = lines("brief").filter((line) => line.observer === "subject-brief-02").length;
    expect(before).toBeGreaterThanOrEqual(3); // the last one may be on its way
    await page.reload();
    await page.getByRole("heading", { name: "Welcome back" }).waitFor();
    await run(page, "Thank you", touch);
    const own = lines("brief").filter((line) => line.observer === "subject-brief-02");
    expect(own).toHaveLength(14);
    expect(own.filter((line) => line.by === "touch").length).toBeGreaterThan(10);
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it("labels without hurry, with an answer for who cannot tell", async () => {
    const { page, complaints } = await invited(addresses[2] ?? "");
    await run(page, "Thank you", async (page, trial) => {
      if (trial > 1) expect(await page.locator(".picture:visible, .word:visible").count()).toBe(1);
      if (trial === 3) await page.keyboard.press(" ");
      else await page.locator(".choice").nth(1).click();
    });
    const kept = lines("calm");
    expect(kept.map((line) => line.response)).toEqual(kept.map((_, trial) => (trial === 3 ? null : "dog")));
    expect(kept[0]).toMatchObject({ by: "mouse", shown: null, frame: null });
    expect(kept[0]?.seconds).toBeGreaterThan(0);
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it("sends an answer again until it arrives, and once only", async () => {
    const { page } = await invited(addresses[3] ?? "");
    let refused = 0;
    await page.route("**/api/responses", async (route) => {
      refused += 1;
      if (refused === 1) return route.abort(); // never arrives
      if (refused > 2) return route.continue();
      await route.fetch(); // arrives, and nobody hears of it
      return route.abort();
    });
    const before = lines("calm").length;
    await page.locator(".onward").click();
    await page.locator("h1", { hasText: "What do you see?" }).waitFor({ state: "detached" });
    await page.locator(".onward").click();
    await page.locator(".choice").first().click();
    await page.getByText("There is no connection. Your answer is sent again until it arrives.").waitFor();
    await page.locator('.stage[data-trial="1"] .choice').first().waitFor();
    expect(refused).toBe(3);
    expect(lines("calm").length - before).toBe(1);
    await page.context().clearCookies();
    await page.reload();
    await page.getByText("This address needs the token").waitFor();
    await page.context().close();
  });

  it("exports what was answered, and the comparison counts the same", () => {
    const out = join(folder, "answers");
    const exported = pellucid("human", "export", record, out, "--study", "brief");
    expect(readdirSync(out).sort()).toEqual([
      "brief_subject-brief-01_session_1.csv",
      "brief_subject-brief-02_session_1.csv",
    ]);
    const counted = lines("brief").filter((line) => line.kind === "trial");
    expect(exported.trials).toBe(counted.length);
    const compared = pellucid("human", "import", out, "--record", record);
    for (const code of ["subject-brief-01", "subject-brief-02"]) {
      const own = counted.filter((line) => line.observer === code);
      expect(compared.observers.find((one: { name: string }) => one.name === code)).toMatchObject({
        count: own.length,
        correct: own.filter((line) => line.response === line.category).length,
        no_answer: own.filter((line) => line.response === null).length,
      });
    }
    expect(compared.match).toMatchObject({ judgements: counted.length, counted: counted.length, unmatched: 0 });
  });
});
