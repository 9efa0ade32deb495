import { useEffect, useState } from "react";

/** The time in milliseconds, again and again while a page is shown. */
export function useTick(every: number): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), every);
    return () => clearInterval(timer);
  }, [every]);
  return now;
}
