/**
 * The decision threshold of two classes: the probability from which the second class is predicted. One half gives the most correct
 * predictions, but of a rare class it finds few.
 */

/** Numbers of rows of a probability, by class. */
interface Step {
  probability: number;
  counts: [number, number];
}

/** Rows with the same probability, in ascending order. */
function stepsOf(probabilities: ArrayLike<number>, labels: ArrayLike<number>): Step[] {
  const order = Array.from({ length: labels.length }, (_, row) => row).sort(
    (a, b) => probabilities[a]! - probabilities[b]!,
  );
  const steps: Step[] = [];
  for (const row of order) {
    const probability = probabilities[row]!;
    if (steps.at(-1)?.probability !== probability) steps.push({ probability, counts: [0, 0] });
    steps.at(-1)!.counts[labels[row] === 1 ? 1 : 0]++;
  }
  return steps;
}

/**
 * Fits the threshold with the highest balanced accuracy (mean recall of both classes), the criterion that scikit-learn's
 * TunedThresholdClassifierCV has by default. Unlike the accuracy it does not depend on the class shares, and unlike the F1 score it
 * does not prefer one class. Where several thresholds are equally good, it is the middle of the widest interval of them, so that a
 * small change of a probability changes no prediction of these rows.
 * @param probabilities of the second class, [n]
 * @param labels class numbers, 0 or 1, [n]; both occur
 * @returns from 0 to 1; the second class is predicted if its probability is at least this
 */
export function fitThreshold(probabilities: ArrayLike<number>, labels: ArrayLike<number>): number {
  const steps = stepsOf(probabilities, labels);
  const totals = [0, 1].map((label) => steps.reduce((sum, { counts }) => sum + counts[label]!, 0));
  // A threshold in the interval above the i-th step rejects all steps up to it; the first interval rejects none.
  const bounds = [0, ...steps.map(({ probability }) => probability), 1];
  let [negatives, positives] = [0, totals[1]!];
  // In integers, so that equal scores are equal.
  const scores = [totals[0]! * positives];
  for (const { counts } of steps) {
    negatives += counts[0];
    positives -= counts[1];
    scores.push(negatives * totals[1]! + positives * totals[0]!);
  }
  const best = Math.max(...scores);
  let widest = { low: 0, high: 0, width: -1 };
  for (let start = 0; start < scores.length; start++) {
    if (scores[start] !== best) continue;
    let end = start;
    while (scores[end + 1] === best) end++;
    const [low, high] = [bounds[start]!, bounds[end + 1]!];
    if (high - low > widest.width) widest = { low, high, width: high - low };
    start = end;
  }
  return (widest.low + widest.high) / 2;
}
