import { defineConfig } from "vite";

// The page of trials with people, apart from the app: an observer's browser gets nothing that knows of records.
export default defineConfig({
  base: "./",
  build: {
    outDir: "../src/pellucid/server/app/trial",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: false,
    assetsInlineLimit: 0,
    rolldownOptions: { input: "trial.html", output: { codeSplitting: false } },
  },
});
