// A sentence of Python's: what it has in backticks is drawn as code. Nothing else of Markdown is read.
export function Said({ text }: { readonly text: string }) {
  const parts = text.split(/`([^`\n]+)`/);
  return parts.map((part, number) =>
    // biome-ignore lint/suspicious/noArrayIndexKey: the parts of one sentence have no other name
    number % 2 ? <code key={number}>{part}</code> : part,
  );
}
