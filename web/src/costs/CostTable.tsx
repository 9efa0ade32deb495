// Sums of requests to models as a table, each with a bar of its share of the largest.
import type { CostSum } from "../api/types";
import { dollars } from "../ui/words";
import styles from "./costs.module.css";

interface Props {
  readonly name: string;
  readonly rows: readonly CostSum[];
  /** What people call a key, where that is another word. */
  readonly words?: Readonly<Record<string, string>> | undefined;
  readonly link?: ((key: string) => string) | undefined;
}

export function CostTable({ name, rows, words, link }: Props) {
  const most = Math.max(...rows.map((row) => Number(row.cost_usd)), 0);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a wide table scrolls sideways, also by keyboard
    <section className={styles.wrap} tabIndex={0} aria-label={`Costs by ${name}`}>
      <table className={styles.table}>
        <thead>
          <tr>
            <th scope="col">{name}</th>
            <th scope="col">Cost</th>
            <th scope="col">Thrown away</th>
            <th scope="col">Requests</th>
            <th scope="col">Tokens in</th>
            <th scope="col">Out</th>
            <th scope="col">Cached</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => {
            const words_ = (words && Object.hasOwn(words, row.key) && words[row.key]) || row.key || "(none)";
            const address = link?.(row.key);
            return (
              <tr key={row.key}>
                <th scope="row">
                  {address ? <a href={address}>{words_}</a> : words_}
                  <span
                    className={styles.share}
                    aria-hidden="true"
                    style={{ width: `${most ? (100 * Number(row.cost_usd)) / most : 0}%` }}
                  />
                </th>
                <td>
                  {dollars(row.cost_usd)}
                  {row.unpriced > 0 && (
                    <span className={styles.quiet}> and {row.unpriced} without a price</span>
                  )}
                </td>
                <td>{Number(row.thrown_away_usd) > 0 ? dollars(row.thrown_away_usd) : "–"}</td>
                <td>{row.requests.toLocaleString("en")}</td>
                <td>{row.input_tokens.toLocaleString("en")}</td>
                <td>{row.output_tokens.toLocaleString("en")}</td>
                <td>{row.cache_tokens.toLocaleString("en")}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </section>
  );
}
