/** `tunebook compare A B`: tests whether the accuracies of two runs differ significantly. */
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
  console.log(
    titledRows([
      ['A', `${runs[0]}: ${percent(accuracies[0])} of ${reviews} reviews in both test sets`],
      ['B', `${runs[1]}: ${percent(accuracies[1])}`],
      [
        'Reviews',
        `both correct ${counts.both}, only A ${counts.onlyFirst}, only B ${counts.onlySecond}, both wrong ${counts.none}`,
      ],
      [
        'A minus B',
        `${points(difference)} points (95 % interval ${points(interval.low)} to ${points(interval.high)}, ${samples.toLocaleString('en')} bootstrap samples)`,
      ],
      ['McNemar test', `p = ${pValue.toPrecision(2)}, ${pValue < 0.05 ? '' : 'not '}significant at the 5 % level`],
    ]),
  );
}
