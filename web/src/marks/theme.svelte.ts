/** Light or dark: as the system says, or as chosen here. Canvas marks read `theme.dark`; the rest is CSS. */

export type Choice = "system" | "light" | "dark";

const KEY = "pellucid.theme";

class Theme {
  choice = $state<Choice>("system");
  #systemDark = $state(false);

  get dark(): boolean {
    return this.choice === "system" ? this.#systemDark : this.choice === "dark";
  }

  start(): void {
    const query = matchMedia("(prefers-color-scheme: dark)");
    this.#systemDark = query.matches;
    query.addEventListener("change", (event) => {
      this.#systemDark = event.matches;
      this.#apply();
    });
    this.choice = remembered();
    this.#apply();
  }

  choose(choice: Choice): void {
    this.choice = choice;
    try {
      localStorage.setItem(KEY, choice);
    } catch {
      // A file opened from disk may have no storage; the choice then lasts as long as the page.
    }
    this.#apply();
  }

  #apply(): void {
    document.documentElement.dataset.theme = this.dark ? "dark" : "light";
  }
}

function remembered(): Choice {
  try {
    const said = localStorage.getItem(KEY);
    return said === "light" || said === "dark" ? said : "system";
  } catch {
    return "system";
  }
}

export const theme = new Theme();
