// How the cost of a build grew, with its budget as a line and what it is likely to end at as a band.
import type { Forecast } from "../api/types";
import { dollars, range } from "../ui/words";
import styles from "./costs.module.css";
import { shapeOf } from "./shape";

const WIDTH = 640;
const HEIGHT = 160;

export function Chart({ found }: { readonly found: Forecast }) {
  const shape = shapeOf(found, WIDTH, HEIGHT);
  if (!shape) return null;
  const likely =
    found.total_usd && found.open_tasks > 0 ? `, likely to end at ${range(found.total_usd, dollars)}` : "";
  const budget = found.budget_usd ? ` of a budget of ${dollars(found.budget_usd)}` : "";
  return (
    <figure className={styles.chart}>
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`${dollars(found.spent_usd)} spent${budget}${likely}`}
      >
        {shape.band && (
          <rect className={styles.band} x={0} width={WIDTH} y={shape.band.top} height={shape.band.height} />
        )}
        <path className={styles.grown} d={shape.line} vectorEffect="non-scaling-stroke" />
        {shape.budget !== null && (
          <path
            className={styles.budget}
            d={`M0 ${shape.budget}H${WIDTH}`}
            vectorEffect="non-scaling-stroke"
          />
        )}
      </svg>
      <figcaption className={styles.quiet}>
        The line is what was spent{found.budget_usd && "; the dashed one is the budget"}
        {shape.band && "; the band is where it is likely to end"}.
      </figcaption>
    </figure>
  );
}
