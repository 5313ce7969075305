/** `tunebook compare A B`: whether the difference of two runs can be chance. */
import { comparePaired } from '../runs/paired-comparison.js';
import { openRun } from '../runs/run-folder.js';
import { percent } from '../figures/format.js';
import { titledRows } from './output.js';

const points = (difference: number) => (100 * difference).toFixed(1);

/**
 * Prints the comparison.
 * @throws RunError if a run does not exist, and see comparePaired
 */
export async function compare(first: string, second: string, { json }: { json?: boolean }): Promise<void> {
  const result = await comparePaired(openRun(first), openRun(second));
  if (json) return console.log(JSON.stringify(result, null, 2));
  const { runs, reviews, accuracies, counts, difference, interval, samples, pValue } = result;
  const verdict = pValue < 0.05 ? 'chance alone would rarely give this difference' : 'the difference can be chance';
  console.log(
    titledRows([
      ['A', `${runs[0]}: ${percent(accuracies[0])} of ${reviews} reviews in both test sets`],
      ['B', `${runs[1]}: ${percent(accuracies[1])}`],
      [
        'Reviews',
        `both right ${counts.both}, only A ${counts.onlyFirst}, only B ${counts.onlySecond}, both wrong ${counts.none}`,
      ],
      [
        'A minus B',
        `${points(difference)} points (95 % interval ${points(interval.low)} to ${points(interval.high)}, ${samples.toLocaleString('en')} bootstrap samples)`,
      ],
      ['McNemar', `p = ${pValue.toPrecision(2)}: ${verdict}`],
    ]),
  );
}
