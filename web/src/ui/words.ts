// How numbers and times are written. It knows nothing of builds.

/** Seconds as people say them: 8 s, 3 min 05 s, 4 min, 2 h 10 min. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min${more(whole % 60, "s")}`;
  return `${Math.floor(minutes / 60)} h${more(minutes % 60, "min")}`;
}

function more(number: number, unit: string): string {
  return number ? ` ${String(number).padStart(2, "0")} ${unit}` : "";
}

/** The range between two amounts, each written by `write`; one amount where both are written alike. */
export function range(
  amounts: { readonly low: number; readonly high: number },
  write: (amount: number) => string,
): string {
  const [low, high] = [write(amounts.low), write(amounts.high)];
  return low === high ? low : `${low} to ${high}`;
}

/** How long ago something was, in one unit. */
export function age(milliseconds: number): string {
  const seconds = Math.max(0, milliseconds) / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

/**
 * US dollars, which come as text so that no digit is lost: two decimals, or four below one cent, rounded as the program
 * rounds them (`core/figures.py`; `amounts.json` holds both to it).
 */
export function dollars(amount: string | number): string {
  const value = Number(amount);
  const size = Math.abs(value);
  if (size > 0 && size < LEAST) return `less than $${LEAST}`;
  const digits = String(amount).replace(/^-/, "") as `${number}`;
  return `${value < 0 ? "-" : ""}$${(size > 0 && size < 0.01 ? FINE : USUAL).format(digits)}`;
}

const LEAST = 0.0001;
const FINE = decimals(4);
const USUAL = decimals(2);

function decimals(digits: number): Intl.NumberFormat {
  return new Intl.NumberFormat("en", {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
    roundingMode: "halfEven",
    useGrouping: false,
  });
}

export function count(number: number, one: string, many = `${one}s`): string {
  return `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
}

/** The beginning of a build's id, as the command line writes it. */
export function short(id: string): string {
  return id.slice(0, 8);
}

export function clock(at: string): string {
  return new Date(at).toLocaleTimeString("en-GB");
}

export function moment(at: string): string {
  return new Date(at).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
}

/** A word of the server as the page writes it. */
export function said(word: string): string {
  const text = word.replaceAll("_", " ");
  return text.replace(/^(api|ui)\b|^./, (first) => first.toUpperCase());
}

/** Words of the server as a sentence begins. Names in them, such as `my_task`, stay. */
export function sentence(words: string): string {
  return words.replace(/^\p{Ll}/u, (first) => first.toUpperCase());
}

/** A number of bytes: 812 B, 3.4 kB, 1.2 MB. */
export function bytes(number: number): string {
  if (number < 1_000) return `${number} B`;
  return number < 1_000_000 ? `${(number / 1_000).toFixed(1)} kB` : `${(number / 1_000_000).toFixed(1)} MB`;
}
