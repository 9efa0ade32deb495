// What the ways out of a pause are called on buttons: the same on every page.
import { said } from "../ui/words";

const TITLES: Record<string, string> = {
  go: "Resume",
  retry: "Try again",
  skip: "Skip",
  abort: "End the build",
};

export function answerTitle(name: string): string {
  return TITLES[name] ?? said(name);
}
