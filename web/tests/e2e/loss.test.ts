import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type LiveStage, missing, stageOf, visit } from "./harness";

/** A classifier of known logits, people's votes as labels, and six labels that were turned to the next class. */
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
truth = generator.integers(3, size=160)
logits = generator.normal(size=(160, 3)).astype(np.float32)
logits[np.arange(160), truth] += 4
labels = truth.copy()
labels[:6] = (truth[:6] + 1) % 3
votes = 0.9 * np.eye(3)[labels] + 0.1 / 3
model = nn.Identity()
examples = [
    Example(f"row {row}", torch.from_numpy(logits[row]), int(labels[row]), None, {"shelf": "<b>low</b>" if row < 40 else "high"},
            tuple(votes[row].tolist()))
    for row in range(160)
]
record = pellucid.inspect(
    model, examples, out=f"{sys.argv[1]}/net.pellucid", chosen=0, learned=0, classes=["<i>salt</i>", "sugar", "coal"],
    lenses=["predictions", "loss", "accuracy", "confusion"], target_loss=0.25,
)
export(record.path, f"{sys.argv[1]}/net.html")
serve(record.path, open_browser=False, announce=lambda url: print(url, flush=True))
`;

const selected = async (page: Page) =>
  Number(await page.getByRole("region", { name: "Selection" }).locator(".count strong").textContent());
/** The number at the end of a name such as "The log loss in parts: 0.498 nats". */
const numberIn = (text: string | null) =>
  Number((/: −?([\d.]+)/.exec(text ?? "")?.[0] ?? "").replace(/: /, "").replace("−", "-"));

describe.skipIf(missing !== "")(`where the loss comes from${missing ? ` (skipped: ${missing})` : ""}`, () => {
  let folder = "";
  let here: LiveStage;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "pellucid-loss-"));
    here = await stageOf(SERVED, folder);
  });
  afterAll(async () => {
    await here?.close();
    rmSync(folder, { recursive: true });
  });

  it.each(["served", "exported"])("takes the loss apart so that it adds up, %s", async (kind) => {
    const { page, complaints } = await visit(
      here,
      kind === "served" ? here.served : `file://${folder}/net.html`,
      "#/loss",
    );
    const parts = page.getByRole("group", { name: /^The log loss in parts/ });
    await parts.waitFor();
    const steps = await parts
      .locator("text.value")
      .evaluateAll((values) =>
        values.map((value) => Number((value.textContent ?? "").replace("−", "-").replace("+", ""))),
      );
    expect(steps).toHaveLength(5);
    const whole = steps[4] as number;
    expect(Math.abs(steps.slice(0, 4).reduce((sum, one) => sum + one, 0) - whole)).toBeLessThan(0.003 * whole);
    expect(numberIn(await parts.getAttribute("aria-label"))).toBe(whole);
    await page.locator("main p", { hasText: /the labels' own disagreement: 0\.\d+/ }).waitFor();
    await page.getByRole("button", { name: "Brier score" }).click();
    await page.getByRole("group", { name: /^The Brier score in parts/ }).waitFor();
    // A group is selected, and its own parts take the place of all.
    await page.getByRole("combobox", { name: "by" }).first().selectOption("column.shelf");
    await page
      .getByRole("group", { name: "Parts by shelf" })
      .getByRole("link", { name: /^<b>low<\/b>: / })
      .click();
    await page.waitForURL(/column\.shelf=/);
    expect(await selected(page)).toBe(40);
    await page.locator("main p", { hasText: "cross-entropy of the selected 40 examples" }).waitFor();
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it("disputes the labels that were turned, of any selection and in either order", async () => {
    const { page, complaints } = await visit(here, here.served, "#/loss");
    const told = page.locator("main p", { hasText: /\d+ labels of 160 examples are disputed/ });
    await told.waitFor();
    const disputed = Number(/(\d+) labels/.exec((await told.textContent()) ?? "")?.[1]);
    expect(disputed).toBeGreaterThanOrEqual(4);
    expect(disputed).toBeLessThan(16);
    const list = page.locator("main li a", { hasText: /labelled .* looks like/ });
    expect(await list.count()).toBe(disputed);
    await page.getByRole("button", { name: "by probability of the label" }).click();
    await page.waitForURL(/v\.loss-issues=label/);
    expect(await list.count()).toBe(disputed);
    await list.first().click();
    await page.waitForURL(/example=\d/);
    const example = Number(/example=(\d+)/.exec(page.url())?.[1]);
    expect(example).toBeLessThan(6);
    await page.evaluate(() => {
      location.hash = "#/loss?column.shelf=high";
    });
    await page.locator("main p", { hasText: /of 120 examples? (is|are) disputed|No label of 120 selected/ }).waitFor();
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it("selects by a rectangle of confidence and loss, and shows margins too", async () => {
    const { page, complaints } = await visit(here, here.served, "#/loss");
    const cells = page.getByRole("img", { name: /^160 examples by confidence and loss/ });
    await cells.scrollIntoViewIfNeeded();
    const box = (await cells.boundingBox()) ?? { x: 0, y: 0, width: 0, height: 0 };
    await page.mouse.move(box.x + 0.8 * box.width, box.y + 2);
    await page.mouse.down();
    await page.mouse.move(box.x + 0.95 * box.width, box.y + box.height / 4, { steps: 4 });
    await page.mouse.move(box.x + box.width - 1, box.y + box.height / 3, { steps: 4 });
    await page.mouse.up();
    await page.waitForURL(/losses=.*confidences=|confidences=.*losses=/);
    const some = await selected(page);
    expect(some).toBeGreaterThan(0);
    expect(some).toBeLessThan(160);
    const [low, high] = /confidences=([\d.]+)\.\.([\d.]+)/.exec(page.url())?.slice(1).map(Number) ?? [];
    expect(low).toBeGreaterThan(0.78);
    expect(high).toBeLessThanOrEqual(1);
    // By keys from cell to cell: at the right, near the top, stand examples that are sure and wrong.
    await page.getByRole("button", { name: /^Clear confidence/ }).click();
    await page.getByRole("button", { name: /^Clear loss/ }).click();
    await cells.focus();
    for (let step = 0; step < 47; step++) await page.keyboard.press("ArrowRight");
    const said = page.locator("main p", { hasText: /^\s*[\d,]+ examples?, confidence .*select them/ });
    await said.waitFor();
    for (let step = 0; step < 20 && /^\s*0 examples/.test((await said.textContent()) ?? ""); step++)
      await page.keyboard.press("ArrowDown");
    const counted = Number(/(\d+) example/.exec((await said.textContent()) ?? "")?.[1]);
    await page.getByRole("button", { name: "select them" }).click();
    await page.waitForURL(/confidences=/);
    expect(await selected(page)).toBe(counted);
    await page.getByRole("button", { name: "margin", exact: true }).click();
    await page.getByRole("img", { name: /examples? by margin and loss/ }).waitFor();
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it("says of a bar under a resting pointer what is selected now", async () => {
    const { page, complaints } = await visit(here, here.served, "#/loss");
    const bars = page.getByRole("img", { name: /^Distribution of the loss/ });
    const box = (await bars.boundingBox()) ?? { x: 0, y: 0, width: 0, height: 0 };
    const said = page.getByRole("tooltip");
    await page.mouse.move(box.x + 0.4 * box.width, box.y + box.height / 2);
    await said.filter({ hasText: / examples?/ }).waitFor();
    expect(await said.textContent()).not.toContain("selected");
    await page.mouse.down();
    await page.mouse.move(box.x + 0.6 * box.width, box.y + box.height / 2, { steps: 4 });
    await page.mouse.up();
    await page.waitForURL(/losses=/);
    await said.filter({ hasText: "of them selected" }).waitFor();
    await page.evaluate(() => {
      location.hash = "#/loss";
    });
    await said.filter({ hasNotText: "selected" }).waitFor();
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it.each([1280, 390])("cuts no word of an axis or of a bar off, %d pixels wide", async (width) => {
    const { page, complaints } = await visit(here, here.served, "#/loss", { width });
    await page.getByRole("img", { name: /^160 examples by confidence and loss/ }).waitFor();
    const words = await page.locator("main svg .axis text, main svg[role=group] a text").evaluateAll((texts) =>
      texts.map((text) => {
        const [word, frame] = [text, (text as SVGTextElement).ownerSVGElement as Element].map((one) =>
          one.getBoundingClientRect(),
        ) as [DOMRect, DOMRect];
        const out = Math.max(frame.left - word.left, word.right - frame.right, word.bottom - frame.bottom);
        return { text: text.textContent, out };
      }),
    );
    expect(words.length).toBeGreaterThan(10);
    expect(words.map(({ text }) => text)).toContain("sugar");
    expect(words.filter(({ out }) => out > 0.5)).toEqual([]);
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it("is compared with a loss that was asked for, and with one that is typed", async () => {
    const { page, complaints } = await visit(here, here.served, "#/loss");
    await page.locator("main p", { hasText: "target 0.250: the loss that was asked for" }).waitFor();
    await page.getByRole("spinbutton", { name: "loss to reach" }).fill("0.4");
    await page.keyboard.press("Tab");
    await page.locator("main p", { hasText: "target 0.400: the loss that you typed" }).waitFor();
    await page.waitForURL(/v\.loss-target=0\.4/);
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it("says what is not defined for a selection of nothing, and keeps within a narrow screen", async () => {
    const { page, complaints } = await visit(here, here.served, "#/loss?losses=900..901", { width: 390 });
    await page
      .locator("main p", { hasText: "is not defined, because no selected example has a finite loss" })
      .waitFor();
    // Where the losses of all are is drawn still; of what is made of none nothing is.
    await page.locator("main p", { hasText: "the stronger part is the selection" }).waitFor();
    expect(await page.getByRole("heading", { name: /^(What it is made of|Loss against confidence)$/ }).count()).toBe(0);
    await page.evaluate(() => {
      location.hash = "#/loss";
    });
    await page.getByRole("group", { name: /^The log loss in parts/ }).waitFor();
    expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBe(0);
    expect(complaints).toEqual([]);
    await page.context().close();
  });
});
