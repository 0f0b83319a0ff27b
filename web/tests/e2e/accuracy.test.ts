import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type LiveStage, missing, stageOf, visit } from "./harness";
import { inHand, says } from "./looking";

/** Known logits of twelve classes, worse on one shelf; numbers beside their targets; sets of classes. */
const SERVED = `
import sys

import numpy as np
import torch
from torch import nn

import pellucid
from pellucid.export import export
from pellucid.server import serve
from pellucid.types import Example

generator = np.random.default_rng(0)
COUNT, CLASSES = 400, 12
truth = generator.integers(CLASSES, size=COUNT)
shelf = generator.integers(4, size=COUNT)
logits = generator.normal(size=(COUNT, CLASSES)).astype(np.float32)
logits[np.arange(COUNT), truth] += np.where(shelf == 2, 1, 4)
lenses = ["predictions", "loss", "accuracy", "confusion"]
options = dict(chosen=0, learned=0, lenses=lenses)
record = pellucid.inspect(
    nn.Identity(),
    [Example(f"row {row}", torch.from_numpy(logits[row]), int(truth[row]), columns={"shelf": "<b>abcd"[shelf[row] + 3]}) for row in range(COUNT)],
    out=f"{sys.argv[1]}/net.pellucid", classes=[f"<i>{index}</i>" for index in range(CLASSES)], **options,
)
numbers = generator.normal(size=(120, 1)).astype(np.float32)
regression = pellucid.inspect(
    nn.Identity(),
    [Example(f"number {row}", torch.from_numpy(numbers[row]), float(numbers[row, 0] + 0.3 * (row % 3 - 1))) for row in range(120)],
    out=f"{sys.argv[1]}/numbers.pellucid", **options,
)
export(regression.path, f"{sys.argv[1]}/numbers.html")
true = generator.random((90, 3)) < 0.4
calls = (generator.normal(size=(90, 3)) + 3 * true - 1.5).astype(np.float32)
sets = pellucid.inspect(
    nn.Identity(),
    [Example(f"set {row}", torch.from_numpy(calls[row]), classes=frozenset(np.flatnonzero(true[row]).tolist())) for row in range(90)],
    out=f"{sys.argv[1]}/sets.pellucid", classes=["red", "green", "blue"], **options,
)
export(sets.path, f"{sys.argv[1]}/sets.html")
serve(record.path, open_browser=False, announce=lambda url: print(url, flush=True))
`;

const selected = async (page: Page) =>
  Number(await page.getByRole("region", { name: "Selection" }).locator(".count strong").textContent());
const part = (page: Page, name: string) =>
  page.getByRole("group", { name: "Part" }).getByRole("button", { name }).click();

describe.skipIf(missing !== "")(`how often it is right${missing ? ` (skipped: ${missing})` : ""}`, () => {
  let folder = "";
  let here: LiveStage;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "pellucid-accuracy-"));
    here = await stageOf(SERVED, folder);
  });
  afterAll(async () => {
    await here?.close();
    rmSync(folder, { recursive: true });
  });

  it("selects what the first k classes miss, and finds classes by name", async () => {
    const { page, complaints } = await visit(here, here.served, "#/accuracy");
    const scores = page.getByRole("table", { name: "scores" });
    await scores.getByRole("row", { name: /^Matthews correlation 0\.\d+ 0\.\d+ to 0\.\d+/ }).waitFor();
    const slider = page.getByRole("slider", { name: /Top-k/ });
    await slider.focus();
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowRight");
    const share = Number(/top 3: ([\d.]+)%/.exec((await slider.getAttribute("aria-valuetext")) ?? "")?.[1]);
    await page.keyboard.press("Enter");
    await page.waitForURL(/rows=/);
    expect(await selected(page)).toBe(Math.round(400 * (1 - share / 100)));
    await says(page, /of the selected \d+ examples are right: 0 right/);
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it("says how far confidence is off, and what a temperature does", async () => {
    const { page, complaints } = await visit(here, here.served, "#/accuracy");
    await part(page, "confidence");
    const errors = page.getByRole("table", { name: "calibration errors" });
    for (const name of ["equal width", "equal mass", "monotone", "debiased", "kernel", "class-wise"])
      await errors.getByRole("row", { name: new RegExp(`^${name}.*[\\d.]+%`) }).waitFor();
    await says(page, /Dividing the logits by [\d.]+/);
    await page.getByRole("button", { name: "equal mass" }).click();
    await page.getByRole("button", { name: "swap axes" }).click();
    await page.getByRole("group", { name: "Reliability: confidence against accuracy" }).waitFor();
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it("selects the examples that a threshold finds", async () => {
    const { page, complaints } = await visit(here, here.served, "#/accuracy?v.part=curves&v.of=3&v.from=0.2");
    await says(page, /^\s*Area 0\.\d+/);
    const outcomes = page.getByRole("table", { name: "outcomes at the threshold" });
    const counts = await outcomes
      .locator("td")
      .evaluateAll((cells) => cells.map((cell) => Number(cell.textContent?.replace(",", ""))));
    expect(counts.reduce((sum, one) => sum + one, 0)).toBe(400);
    await outcomes.getByRole("link").first().click();
    await page.waitForURL(/#\/examples\?.*rows=/);
    expect(await selected(page)).toBe(counts[0]);
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it("is not defined against a class that a selection does not hold", async () => {
    const { page } = await visit(here, here.served, "#/accuracy?v.part=curves&v.of=3&true=4");
    await says(page, /not defined, because none of the selected examples is of <i>3<\/i>/);
    await page.context().close();
  });

  it("finds the shelf that is answered worse, by name and by rule", async () => {
    const { page, complaints } = await visit(here, here.served, "#/accuracy?v.part=slices");
    const worst = page.getByRole("group", { name: "Accuracy by slice" }).getByRole("link").first();
    const count = Number(/of (\d+) right/.exec((await worst.getAttribute("aria-label")) ?? "")?.[1]);
    const rule = page.getByRole("table", { name: "rules" }).getByRole("row").nth(1);
    await rule.getByRole("link", { name: /^shelf is/ }).waitFor();
    await worst.click();
    await page.waitForURL(/column\.shelf=/);
    expect(await selected(page)).toBe(count);
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it("shows numbers against their targets, and selects by dragging", async () => {
    const { page, complaints } = await visit(here, `file://${folder}/numbers.html`, "#/accuracy");
    await says(page, /The outputs explain 0\.9\d+ \(0\.9\d+ to 0\.9\d+ at 95%\) of the spread/);
    await page
      .getByRole("table", { name: "errors" })
      .getByRole("row", { name: /^root mean squared error 0\.2\d+/ })
      .waitFor();
    const box = await page.getByRole("img", { name: /^output less target/ }).boundingBox();
    const { x, y, width, height } = { x: 0, y: 0, width: 0, height: 0, ...box };
    await page.mouse.move(x + 50, y + 6);
    await page.mouse.down();
    await page.mouse.move(x + width - 8, y + 0.3 * height, { steps: 3 });
    await page.mouse.up();
    await page.waitForURL(/rows=/);
    // A third of the numbers is too high by 0.3.
    expect(await selected(page)).toBe(40);
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it("says of sets what is right of them", async () => {
    const { page, complaints } = await visit(here, `file://${folder}/sets.html`, "#/accuracy");
    await says(page, /of all 90 examples have exactly their set of classes called/);
    await inHand(page).getByText("all classes right").waitFor();
    await page
      .getByRole("table", { name: "scores" })
      .getByRole("row", { name: /^micro F1 0\.\d+/ })
      .waitFor();
    await page.getByRole("group", { name: "recall by class" }).getByText("green").waitFor();
    // A class is clicked: the same numbers of the examples that it is true of, worked out here.
    await page.getByRole("group", { name: "recall by class" }).getByRole("link").first().click();
    await says(page, /of the selected \d+ examples have exactly their set of classes called/);
    await page
      .getByRole("table", { name: "scores" })
      .getByRole("row", { name: /^macro F1 0\.\d+/ })
      .waitFor();
    expect(complaints).toEqual([]);
    await page.context().close();
  });
});
