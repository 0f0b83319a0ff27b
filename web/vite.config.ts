import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

// One script and one style sheet, nothing inline: the server's policy is `script-src 'self'; style-src 'self'`, and
// the exported file names both by their hashes.
export default defineConfig({
  plugins: [svelte()],
  base: "./",
  build: {
    outDir: "../src/pellucid/server/app",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: false,
    cssCodeSplit: false,
    assetsInlineLimit: 0,
    // One file on purpose, a third of it when compressed: an exported record carries it whole and cannot fetch a second.
    chunkSizeWarningLimit: 900,
    rolldownOptions: { output: { codeSplitting: false } },
  },
  test: {
    projects: [
      {
        extends: true,
        test: { name: "unit", include: ["src/**/*.test.ts", "tests/unit/**/*.test.ts"], environment: "node" },
      },
      {
        extends: true,
        test: {
          name: "e2e",
          include: ["tests/e2e/**/*.test.ts"],
          environment: "node",
          testTimeout: 60_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
