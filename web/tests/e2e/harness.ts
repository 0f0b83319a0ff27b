/**
 * A real Chromium over the real server and over an exported file. PELLUCID_CHROMIUM names a browser, else PATH is
 * asked; PELLUCID_PYTHON names the Python that has pellucid, else the checkout's .venv, else python3.
 */
import { execFileSync, spawn } from "node:child_process";
import { accessSync, constants, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";

const ROOT = resolve(import.meta.dirname, "../../..");
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"];

export const browserPath = process.env.PELLUCID_CHROMIUM ?? onPath(["chromium", "chromium-browser", "google-chrome"]);

/** Why the tests cannot run here; empty where they can. */
export const missing = browserPath ? "" : "no Chromium on PATH: install chromium, or name one in PELLUCID_CHROMIUM";

const own = join(ROOT, ".venv", "bin", "python");
/** The Python that has pellucid. */
export const PYTHON = process.env.PELLUCID_PYTHON ?? (existsSync(own) ? own : "python3");

function onPath(names: readonly string[]): string | null {
  for (const name of names) {
    for (const folder of (process.env.PATH ?? "").split(delimiter)) {
      try {
        accessSync(join(folder, name), constants.X_OK);
        return join(folder, name);
      } catch {
        // Not in this folder; the next one may have it.
      }
    }
  }
  return null;
}

export interface Stage {
  readonly browser: Browser;
  /** Address of the served record, token included. */
  readonly served: string;
  /** Address of the same record as one file. */
  readonly exported: string;
  close(): Promise<void>;
}

/** Draws a record from seeded noise, serves it, exports it, and starts a browser. */
export async function stage(...options: string[]): Promise<Stage> {
  buildOnce();
  const folder = mkdtempSync(join(tmpdir(), "pellucid-e2e-"));
  const record = join(folder, "drawn.pellucid");
  const file = join(folder, "drawn.html");
  run(join(ROOT, "tests", "support", "synthetic.py"), record, ...options);
  run("-c", "import sys; from pellucid.export import export; export(sys.argv[1], sys.argv[2])", record, file);
  const script =
    "import sys; from pellucid.server import serve; serve(sys.argv[1], open_browser=False, announce=lambda url: print(url, flush=True))";
  const { served, browser, close } = await stageOf(script, record);
  return {
    browser,
    served,
    exported: `file://${file}`,
    async close() {
      await close();
      rmSync(folder, { recursive: true });
    },
  };
}

export interface LiveStage extends Stage {
  /** Says one line to the program. */
  tell(line: string): void;
}

/** Starts a Python program that serves a record of its own and prints its address first, and a browser. */
export async function stageOf(script: string, ...parts: string[]): Promise<LiveStage> {
  buildOnce();
  const server = spawn(PYTHON, ["-c", script, ...parts], { cwd: ROOT, stdio: ["pipe", "pipe", "inherit"] });
  const served = await new Promise<string>((found, failed) => {
    server.stdout.once("data", (line: Buffer) => found(line.toString().trim()));
    server.once("exit", (code) => failed(new Error(`The server ended with ${code} before it said its address.`)));
  });
  const browser = await chromium.launch({ executablePath: browserPath ?? "", args: FLAGS });
  return {
    browser,
    served,
    exported: "",
    tell(line) {
      server.stdin.write(`${line}\n`);
    },
    async close() {
      await browser.close();
      const ended = new Promise((end) => server.once("exit", end));
      if (server.exitCode === null && server.signalCode === null) {
        server.kill("SIGTERM");
        await ended;
      }
    },
  };
}

function run(...parts: string[]): void {
  execFileSync(PYTHON, parts, { cwd: ROOT, stdio: ["ignore", "ignore", "inherit"] });
}

let built = false;

/** The app as it is now, not as it was when somebody last built it. */
function buildOnce(): void {
  if (!built) execFileSync("npm", ["run", "--silent", "build"], { cwd: join(ROOT, "web"), stdio: "inherit" });
  built = true;
}

export interface Visit {
  readonly page: Page;
  /** What the browser complained about: errors of scripts, refusals of the policy, dialogs, requests elsewhere. */
  readonly complaints: string[];
}

/** Opens an address and goes to a place in the app, written as its hash. */
export async function visit(
  { browser }: Stage,
  address: string,
  hash = "#/overview",
  { width = 1280, height = 800, dark = false } = {},
): Promise<Visit> {
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: dark ? "dark" : "light",
    reducedMotion: "reduce",
  });
  const page = await context.newPage();
  const complaints: string[] = [];
  const home = new URL(address);
  page.on("pageerror", (error) => complaints.push(`error: ${error.message}`));
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") complaints.push(`console: ${message.text()}`);
  });
  page.on("dialog", (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (!["data:", "blob:"].includes(url.protocol) && url.host !== home.host)
      complaints.push(`request: ${request.url()}`);
  });
  if (home.protocol === "file:") await page.goto(address + hash);
  else {
    await page.goto(address);
    await page.waitForURL((url) => !url.search.includes("token"));
    await page.evaluate((place) => {
      location.hash = place;
    }, hash);
  }
  await page.locator("main h1, main .empty").first().waitFor();
  return { page, complaints };
}

/** Every page of the app, by id. */
export const PAGE_IDS = [
  "overview",
  "graph",
  "loss",
  "accuracy",
  "confusion",
  "gradients",
  "activations",
  "histograms",
  "training",
  "human",
  "compare",
  "fit",
  "examples",
] as const;
