// The look of a token by its kind, which is one of Pygments' short names. A longer name is a finer kind of the shorter one.
const LOOKS: Record<string, string> = {
  k: "keyword",
  kt: "type",
  nc: "type",
  nf: "call",
  fm: "call",
  nd: "call",
  nt: "keyword",
  na: "call",
  s: "string",
  m: "digits",
  c: "comment",
  gh: "keyword",
  gi: "string",
  gd: "bad",
  err: "bad",
  ow: "keyword",
};

export function lookOf(kind: string): string {
  for (let length = kind.length; length > 0; length -= 1) {
    const look = LOOKS[kind.slice(0, length)];
    if (look) return look;
  }
  return "";
}
