import { readFileSync } from "node:fs";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { browserPath, missing, type Stage, stage, visit } from "./harness";

/** Drawn in software by WebGL: what a machine without a graphics card does. */
const WEBGL = [
  "--no-sandbox",
  "--use-gl=angle",
  "--use-angle=swiftshader",
  "--enable-unsafe-swiftshader",
  "--ignore-gpu-blocklist",
  "--disable-background-networking",
];

const host = (page: Page) => page.getByRole("application");
const hand = (page: Page) => page.getByRole("complementary", { name: "In hand" });
const crumbs = (page: Page) => page.getByRole("navigation", { name: "Where it stands" });

async function drawn(page: Page): Promise<void> {
  await page.locator("main canvas[data-drawn]").first().waitFor();
}

async function boxes(page: Page): Promise<number> {
  return Number(await host(page).getAttribute("data-boxes"));
}

async function camera(page: Page): Promise<[number, number, number]> {
  return ((await host(page).getAttribute("data-camera")) ?? "").split(" ").map(Number) as [number, number, number];
}

/** How many colours the canvas shows: one where nothing is drawn. */
async function colours(page: Page): Promise<number> {
  const picture = await host(page).screenshot();
  return page.evaluate(
    async (bytes) => {
      const image = await createImageBitmap(new Blob([new Uint8Array(bytes)]));
      const canvas = new OffscreenCanvas(image.width, image.height);
      const context = canvas.getContext("2d");
      context?.drawImage(image, 0, 0);
      const pixels = context?.getImageData(0, 0, image.width, image.height).data ?? new Uint8ClampedArray(0);
      return new Set(new Uint32Array(pixels.buffer)).size;
    },
    [...picture],
  );
}

describe.skipIf(missing !== "")(`the graph${missing ? ` (skipped: ${missing})` : ""}`, () => {
  let here: Stage;
  let cards: Browser;
  let withCard: Stage;

  beforeAll(async () => {
    here = await stage("--examples", "120");
    cards = await chromium.launch({ executablePath: browserPath ?? "", args: WEBGL });
    withCard = { ...here, browser: cards };
  });
  afterAll(async () => {
    await cards?.close();
    await here?.close();
  });

  for (const [kind, exported] of [
    ["served", false],
    ["exported", true],
  ] as const) {
    it(`is drawn by WebGL in at most 10 draw calls and folds under the hand, ${kind}`, async () => {
      const { page, complaints } = await visit(
        withCard,
        exported ? here.exported : here.served,
        "#/graph?v.drawn=webgl",
      );
      await drawn(page);
      expect(await host(page).getAttribute("data-renderer")).toBe("webgl2");
      expect(await colours(page)).toBeGreaterThan(20);
      const before = await boxes(page);
      await host(page).focus();
      for (let step = 0; step < 4; step++) await page.keyboard.press("ArrowDown");
      await crumbs(page).getByRole("link", { name: "features", exact: true }).click();
      await crumbs(page).getByRole("button", { name: "Fold" }).click();
      await page.waitForFunction(
        (count) => Number(document.querySelector<HTMLElement>("[role=application]")?.dataset.boxes) < count,
        before,
      );
      expect(await boxes(page)).toBe(before - 9);
      await host(page).focus();
      await page.keyboard.press("Enter");
      await page.waitForFunction(
        (count) => document.querySelector<HTMLElement>("[role=application]")?.dataset.boxes === String(count),
        before,
      );
      for (let step = 0; step < 6; step++) await page.mouse.wheel(0, 40);
      const draws = Number(await host(page).getAttribute("data-draws"));
      expect(draws).toBeGreaterThan(2);
      expect(draws).toBeLessThanOrEqual(10);
      expect(complaints.filter((words) => !words.includes("GL Driver Message"))).toEqual([]);
      await page.context().close();
    });
  }

  it("survives that the card forgets everything", async () => {
    const { page } = await visit(withCard, here.served, "#/graph?v.drawn=webgl");
    await drawn(page);
    const frames = Number(await host(page).getAttribute("data-frames"));
    await page.evaluate(() => {
      const gl = document.querySelector<HTMLCanvasElement>("[role=application] canvas")?.getContext("webgl2");
      const extension = gl?.getExtension("WEBGL_lose_context");
      extension?.loseContext();
      setTimeout(() => extension?.restoreContext(), 50);
    });
    await page.waitForFunction(
      (before) => Number(document.querySelector<HTMLElement>("[role=application]")?.dataset.frames) > before,
      frames,
    );
    expect(await colours(page)).toBeGreaterThan(20);
    await page.context().close();
  });

  it("is drawn without WebGL, in dark and light, in the theme's colours", async () => {
    for (const dark of [true, false]) {
      const { page, complaints } = await visit(here, here.exported, "#/graph?v.drawn=canvas", { dark });
      await drawn(page);
      expect(await host(page).getAttribute("data-renderer")).toBe("canvas2d");
      expect(await colours(page)).toBeGreaterThan(20);
      const corner = await page
        .locator("main canvas[data-drawn]")
        .evaluate((canvas: HTMLCanvasElement) => [...(canvas.getContext("2d")?.getImageData(2, 2, 1, 1).data ?? [])]);
      expect(corner).toEqual(dark ? [21, 23, 26, 255] : [255, 255, 255, 255]);
      expect(complaints).toEqual([]);
      await page.context().close();
    }
  });

  it("takes what is clicked in hand, into the address and the inspector, and back", async () => {
    const { page } = await visit(here, here.served, "#/graph?layer=features.4");
    await drawn(page);
    await crumbs(page).getByRole("link", { name: "features", exact: true }).waitFor();
    await hand(page).getByRole("heading", { name: "features.4", exact: true }).waitFor();
    await hand(page).getByText("read by", { exact: true }).waitFor();
    // The selected box was brought into view: a click in its middle takes it, a key walks on.
    await host(page).focus();
    await page.keyboard.press("ArrowDown");
    await page.waitForURL(/v\.node=\d+/);
    await hand(page).getByRole("heading", { name: "5", exact: true }).waitFor();
    await hand(page).getByText("MaxPool2d", { exact: true }).first().waitFor();
    await page.keyboard.press("ArrowUp");
    await page.waitForURL(/layer=features\.4/);
    await page.keyboard.press("Escape");
    await page.waitForURL(/v\.node=1\b/);
    await page.keyboard.press("Escape");
    await page.waitForURL((url) => !url.hash.includes("node") && !url.hash.includes("layer"));
    const { width = 0 } = (await host(page).boundingBox()) ?? {};
    await page.keyboard.press("0");
    await host(page).click({ position: { x: 6, y: 6 } });
    expect(page.url()).not.toContain("layer");
    expect(width).toBeGreaterThan(300);
    await page.context().close();
  });

  it("opens under a double click, with the clicked box where it was", async () => {
    const { page } = await visit(here, here.served, "#/graph");
    await drawn(page);
    await page.getByRole("button", { name: "Fold all", exact: true }).click();
    await page.waitForFunction(
      () => Number(document.querySelector<HTMLElement>("[role=application]")?.dataset.boxes) < 8,
    );
    await host(page).focus();
    await page.keyboard.press("0");
    const folded = await boxes(page);
    const { x, y, width, height } = { x: 0, y: 0, width: 0, height: 0, ...(await host(page).boundingBox()) };
    const pointed = async (down: number) => {
      await page.mouse.move(x + width / 2, y + down);
      return (
        (await page.getByRole("tooltip").count()) > 0 &&
        (await page.getByRole("tooltip").textContent())?.startsWith("features")
      );
    };
    let top = 0;
    while (top < height && !(await pointed(top))) top += 3;
    expect(top).toBeLessThan(height);
    await page.mouse.dblclick(x + width / 2, y + top + 4);
    await page.waitForFunction(
      (count) => Number(document.querySelector<HTMLElement>("[role=application]")?.dataset.boxes) > count,
      folded,
    );
    // Its upper edge is where it was: just above it is not the module, at it is.
    await crumbs(page).getByRole("button", { name: "Fold", exact: true }).waitFor();
    expect(await pointed(top - 6)).toBe(false);
    expect(await pointed(top + 4)).toBe(true);
    await page.context().close();
  });

  it("comes nearer, fits, moves by wheel, drag and minimap", async () => {
    const { page } = await visit(here, here.served, "#/graph");
    await drawn(page);
    await host(page).focus();
    const [, , scale] = await camera(page);
    await page.keyboard.press("+");
    await page.waitForFunction(
      (before) =>
        Number(document.querySelector<HTMLElement>("[role=application]")?.dataset.camera?.split(" ")[2]) > before,
      scale,
    );
    const before = await camera(page);
    const box = (await host(page).boundingBox()) ?? { x: 0, y: 0, width: 0, height: 0 };
    await page.mouse.move(box.x + 40, box.y + 200);
    await page.mouse.wheel(0, 100);
    await page.waitForFunction(
      (y) => Number(document.querySelector<HTMLElement>("[role=application]")?.dataset.camera?.split(" ")[1]) > y,
      before[1],
    );
    const wheeled = await camera(page);
    await page.mouse.down();
    await page.mouse.move(box.x + 40, box.y + 260, { steps: 4 });
    await page.mouse.up();
    expect((await camera(page))[1]).toBeCloseTo(wheeled[1] - 60 / wheeled[2], 0);
    const map = page.locator("main .map");
    const size = (await map.boundingBox()) ?? { x: 0, y: 0, width: 0, height: 0 };
    await page.mouse.move(size.x + size.width / 2, size.y + size.height - 4);
    await page.mouse.down();
    await page.mouse.up();
    const bottom = (await camera(page))[1];
    expect(bottom).toBeGreaterThan(wheeled[1] + 100);
    await host(page).focus();
    await page.keyboard.press("0");
    await page.waitForFunction(
      (before) =>
        Number(document.querySelector<HTMLElement>("[role=application]")?.dataset.camera?.split(" ")[2]) < before,
      scale,
    );
    await page.context().close();
  });

  it("finds calls by operation and by path, and walks through them", async () => {
    const { page } = await visit(here, here.exported, "#/graph");
    await drawn(page);
    await host(page).focus();
    await page.keyboard.press("/");
    await page.keyboard.type("maxpool");
    await page.getByRole("status").filter({ hasText: /^3$/ }).waitFor();
    await page.keyboard.press("Enter");
    await page.getByRole("status").filter({ hasText: "1 of 3" }).waitFor();
    await crumbs(page).getByText("MaxPool2d").waitFor();
    await page.keyboard.press("Enter");
    await page.getByRole("status").filter({ hasText: "2 of 3" }).waitFor();
    await page.keyboard.press("Escape");
    await page.keyboard.type("nothing of this kind");
    await page.getByRole("status").filter({ hasText: "none" }).waitFor();
    await page.context().close();
  });

  it("offers the quantities that the record holds, and says why not the others", async () => {
    const { page } = await visit(here, here.served, "#/graph");
    await drawn(page);
    const menu = page.getByRole("combobox", { name: "colour" });
    expect(
      await menu
        .locator("option", { hasText: "measured time" })
        .evaluate((option: HTMLOptionElement) => [option.disabled, option.text]),
    ).toEqual([true, "measured time (calls were not timed)"]);
    await menu.selectOption("dead");
    await page.waitForURL(/v\.measure=dead/);
    await page
      .locator("main .legend", { hasText: "dead share" })
      .getByText(/most of any layer/)
      .waitFor();
    await menu.selectOption("update");
    await page.locator("main .legend.small", { hasText: "update ratio" }).waitFor();
    await page.context().close();
  });

  it("runs an example through, step by step, and says what is seen", async () => {
    const { page } = await visit(here, here.exported, "#/graph");
    await drawn(page);
    await page.getByRole("button", { name: "Play an example" }).click();
    const player = page.getByRole("group", { name: "The example on its way" });
    await player.getByRole("button", { name: "Pause" }).click();
    await page.waitForURL(/example=\d+/);
    while (!((await player.getByRole("status").textContent()) ?? "").includes("step 1 of"))
      await player.getByRole("button", { name: "Step back" }).click();
    await player.getByText(/the input as the model sees it/).waitFor();
    for (let step = 0; step < 2; step++) await player.getByRole("button", { name: "Step on" }).click();
    await player.getByText(/the map of channel \d+, the strongest/).waitFor();
    await player.getByRole("button", { name: "Stop" }).click();
    expect(await player.count()).toBe(0);
    await page.context().close();
  });

  it("hands the whole drawing out as SVG and PNG", async () => {
    const { page } = await visit(here, here.exported, "#/graph");
    await drawn(page);
    const take = async (name: string) => {
      const [file] = await Promise.all([
        page.waitForEvent("download"),
        page.getByRole("button", { name, exact: true }).click(),
      ]);
      return readFileSync(await file.path());
    };
    const svg = (await take("SVG")).toString();
    expect(svg.match(/<g><title>/g)).toHaveLength(await boxes(page));
    expect(svg).toContain("Conv2d");
    expect(svg).not.toContain("<image");
    const png = await take("PNG");
    expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual(
      ["width", "height"].map((name) => 2 * Number(new RegExp(` ${name}="(\\d+)"`).exec(svg)?.[1])),
    );
    await page.context().close();
  });

  it("fits a narrow screen and moves under fingers", async () => {
    const { page, complaints } = await visit(here, here.exported, "#/graph", { width: 390 });
    await drawn(page);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
    const before = await camera(page);
    const pinch = (kind: string, apart: number) =>
      host(page).evaluate(
        (element, [kind, apart]) => {
          const box = element.getBoundingClientRect();
          for (const [id, way] of [
            [1, -1],
            [2, 1],
          ] as const)
            element.dispatchEvent(
              new PointerEvent(kind as string, {
                pointerId: id,
                pointerType: "touch",
                isPrimary: id === 1,
                button: 0,
                clientX: box.left + 150 + way * (apart as number),
                clientY: box.top + 150,
                bubbles: true,
              }),
            );
        },
        [kind, apart] as const,
      );
    // Fingers that are not really there cannot be captured.
    await host(page).evaluate((element) => {
      element.setPointerCapture = () => {};
    });
    await pinch("pointerdown", 30);
    await pinch("pointermove", 50);
    await pinch("pointermove", 60);
    await pinch("pointerup", 60);
    expect((await camera(page))[2]).toBeGreaterThan(before[2] * 1.3);
    expect(complaints).toEqual([]);
    await page.context().close();
  });
});
