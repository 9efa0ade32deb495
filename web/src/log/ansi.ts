// Colours of terminals in a line of text (SGR), as runs of text with class names. Other sequences are left out.
export interface Run {
  readonly text: string;
  readonly look: string;
}

const ESCAPE = "\u001b";
// Everything that a terminal takes as a command: CSI ... letter, OSC ... BEL or ST, and two-character ones.
const SEQUENCE = new RegExp(
  `${ESCAPE}(?:\\[([0-9;:<=>?]*)[ -/]*([@-~])|\\][^\\u0007${ESCAPE}]*(?:\\u0007|${ESCAPE}\\\\)|[@-Z\\\\^_])`,
  "g",
);

interface Pen {
  colour: number;
  bold: boolean;
  dim: boolean;
}

function take(pen: Pen, codes: string): void {
  const numbers = codes.split(/[;:]/).map(Number);
  for (let place = 0; place < numbers.length; place += 1) {
    const code = numbers[place] ?? 0;
    if (code === 0) Object.assign(pen, { colour: -1, bold: false, dim: false });
    else if (code === 1) pen.bold = true;
    else if (code === 2) pen.dim = true;
    else if (code === 22) Object.assign(pen, { bold: false, dim: false });
    else if (code >= 30 && code <= 37) pen.colour = code - 30;
    else if (code >= 90 && code <= 97) pen.colour = code - 90;
    else if (code === 39) pen.colour = -1;
    else if (code === 38 || code === 48) {
      // a colour of 256, or of red, green and blue: its parts are no codes of their own
      const kind = numbers[place + 1];
      if (code === 38 && kind === 5)
        pen.colour = (numbers[place + 2] ?? 0) < 16 ? (numbers[place + 2] ?? 0) % 8 : -1;
      place += kind === 2 ? 4 : 2;
    }
  }
}

function lookOf({ colour, bold, dim }: Pen): string {
  return [colour >= 0 ? `c${colour}` : "", bold ? "bold" : "", dim ? "dim" : ""].filter(Boolean).join(" ");
}

/** The runs of a line, each with the names of its looks: `c0` to `c7`, `bold`, `dim`. */
export function runsOf(line: string): Run[] {
  if (!line.includes(ESCAPE)) return [{ text: line, look: "" }];
  const pen: Pen = { colour: -1, bold: false, dim: false };
  const runs: Run[] = [];
  let from = 0;
  const add = (text: string) => text && runs.push({ text, look: lookOf(pen) });
  for (const found of line.matchAll(SEQUENCE)) {
    add(line.slice(from, found.index));
    from = found.index + found[0].length;
    if (found[2] === "m") take(pen, found[1] ?? "");
  }
  add(line.slice(from).replaceAll(ESCAPE, ""));
  return runs;
}

/** The text of a line without its colours: what is searched. */
export function plain(line: string): string {
  return line.includes(ESCAPE)
    ? runsOf(line)
        .map((run) => run.text)
        .join("")
    : line;
}
