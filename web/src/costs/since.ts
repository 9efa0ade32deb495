/** The day so many days before a time, in UTC, as 2026-03-01. */
export function dayBefore(days: number, now: Date): string {
  return new Date(now.getTime() - days * 86_400_000).toISOString().slice(0, 10);
}
