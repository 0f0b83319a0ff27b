import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { missing, PYTHON, type Stage, stage, visit } from "./harness";

const NETS = `
from torch import nn
def old(): return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 2))
def new(): return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.LayerNorm(8), nn.Tanh(), nn.Linear(8, 3))
`;
const host = (page: Page) => page.getByRole("application").first();

describe.skipIf(missing !== "")(`two graphs${missing ? ` (skipped: ${missing})` : ""}`, () => {
  let here: Stage;
  const folder = mkdtempSync(join(tmpdir(), "pellucid-difference-"));
  const file = join(folder, "difference.html");

  beforeAll(async () => {
    here = await stage("--examples", "8");
    const nets = join(folder, "nets.py");
    writeFileSync(nets, NETS);
    const command = "from pellucid.cli import main; main()";
    const parts = ["graph", `${nets}:new`, "--against", `${nets}:old`, "--input", "1,4", "--html", file];
    execFileSync(PYTHON, ["-c", command, ...parts], { stdio: ["ignore", "ignore", "inherit"] });
  });
  afterAll(async () => {
    await here?.close();
    rmSync(folder, { recursive: true });
  });

  it("are walked through by the keys n and p, there and back and around", async () => {
    const { page, complaints } = await visit(here, `file://${file}`, "#/graph");
    await page.locator("main canvas[data-drawn]").first().waitFor();
    const said = async (words: RegExp) => {
      await page.locator(".differences [role=status]").filter({ hasText: words }).waitFor();
      return (await page.locator(".differences [role=status]").textContent()) ?? "";
    };
    await host(page).focus();
    await page.keyboard.press("n");
    expect(await said(/^1 of/)).toContain("added");
    const first = page.url();
    await page.keyboard.press("n");
    expect(await said(/^2 of/)).toContain("changed");
    await page.waitForURL((url) => url.href !== first);
    await page.keyboard.press("p");
    await said(/^1 of/);
    await page.waitForURL(first);
    const all = Number(/of (\d+)/.exec(await said(/^1 of/))?.[1]);
    await page.keyboard.press("p");
    await said(new RegExp(`^${all} of ${all}`));
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it("stand alone: the menu has their page, and nothing speaks of examples", async () => {
    const { page } = await visit(here, `file://${file}`, "#/graph");
    await page.locator("main canvas[data-drawn]").first().waitFor();
    expect(await page.locator("nav a").allTextContents()).toEqual([expect.stringContaining("Graph")]);
    expect(await page.getByRole("region", { name: "Selection" }).textContent()).not.toMatch(/examples|filter/);
    await page.context().close();
  });

  it("have arrows that say what they carry and are taken in hand by a click", async () => {
    const { page } = await visit(here, `file://${file}`, "#/graph?v.diff=new");
    await page.locator("main canvas[data-drawn]").first().waitFor();
    const box = (await host(page).boundingBox()) ?? { x: 0, y: 0, width: 0, height: 0 };
    const middle = box.x + box.width / 2;
    const pointed = async (y: number) => {
      await page.mouse.move(middle, box.y + y);
      return (await page.getByRole("tooltip").count()) > 0
        ? ((await page.getByRole("tooltip").textContent()) ?? "")
        : "";
    };
    let down = 40;
    while (down < box.height && !(await pointed(down)).includes("to argument 0 of 1")) down += 3;
    expect(await pointed(down)).toContain("1 × 8 float32");
    await page.mouse.click(middle, box.y + down);
    const tensor = page.getByRole("group", { name: "The tensor in hand" });
    await tensor.getByRole("button", { name: "argument 0 of 1", exact: true }).click();
    await page.waitForURL(/layer=1\b|v\.node=\d+/);
    expect(await tensor.count()).toBe(0);
    await page.context().close();
  });
});
