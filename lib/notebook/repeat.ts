/** Repeated fine-tuning with several seeds, settings or training-set sizes, for comparisons. */
import { randomUUID } from 'node:crypto';
import type { Review } from '../reviews/review.js';
import type { Settings } from '../settings/settings.js';
import { selectReviews, type EncodedReviews } from '../model/batch.js';
import { seededRandom, shuffle } from '../reviews/random.js';
import { evaluate } from '../evaluation/evaluate.js';
import { fineTune, type PreparedReviews } from './fine-tune.js';
import { tableBundle } from '../figures/html-table.js';
import { show } from './kernel.js';
import { duration } from '../figures/format.js';

/** A subset of the training reviews, as texts and as token ids. */
export interface TrainingSubset {
  reviews: Review[];
  encoded: EncodedReviews;
}

/**
 * Samples training reviews at random.
 * @param rows number of reviews; if there are fewer, all are returned in random order
 * @param seed random seed of the sample
 * @param perClass whether `rows` is the number of each class, instead of all. @default false
 * @example
 * const { encoded: train } = trainingSubset(prepared, 100, settings.seed);
 * const { model } = await fineTune(prepared, settings, { train });
 */
export function trainingSubset(
  prepared: PreparedReviews,
  rows: number,
  seed: number,
  perClass = false,
): TrainingSubset {
  const { ids, labels } = prepared.train;
  const counts = new Map<number, number>();
  const isChosen = (row: number) => {
    const group = perClass ? labels[row]! : 0;
    counts.set(group, (counts.get(group) ?? 0) + 1);
    return counts.get(group)! <= rows;
  };
  const chosen = shuffle([...ids.keys()], seededRandom(seed)).filter(isChosen);
  return {
    reviews: chosen.map((row) => prepared.split.train[row]!),
    encoded: selectReviews(prepared.train, chosen),
  };
}

/** A variant of the training to compare. */
export interface Variant {
  name: string;
  /** Settings that differ from the common ones. */
  settings?: Partial<Settings>;
  /** Number of labeled training reviews, sampled with the run's seed. @default all */
  rows?: number;
  /** `rows` is the number of each class. @default false */
  perClass?: boolean;
  /** Model to fine-tune. @default the base model */
  modelFolder?: string;
}

/** The result of training one variant with one seed. */
export interface RepeatedRun {
  variant: string;
  seed: number;
  /** Accuracy on the test reviews. */
  accuracy: number;
  /** Training time. */
  seconds: number;
  samplesPerSecond: number;
}

/**
 * The test accuracies of a variant, in the order of the seeds.
 * @example
 * const runs = await repeatFineTuning(prepared, settings, [{ name: '100 labels', rows: 100 }], [1, 2, 3]);
 * console.log(accuraciesOf(runs, '100 labels'));
 */
export const accuraciesOf = (runs: RepeatedRun[], variant: string): number[] =>
  runs.filter((run) => run.variant === variant).map(({ accuracy }) => accuracy);

/**
 * Fine-tunes each variant with each seed and shows the progress below the cell. The stop button stops after the current
 * step and returns the finished runs.
 * @param seeds random seeds of the head's initialization, the order of the rows, dropout, and the sample of rows
 * @example
 * const runs = await repeatFineTuning(
 *   prepared,
 *   settings,
 *   [{ name: 'all layers' }, { name: 'head only', settings: { freeze: 'encoder' } }],
 *   [1, 2, 3],
 * );
 */
export async function repeatFineTuning(
  prepared: PreparedReviews,
  settings: Settings,
  variants: Variant[],
  seeds: number[],
): Promise<RepeatedRun[]> {
  const runs: RepeatedRun[] = [];
  const displayId = randomUUID();
  const plan = variants.flatMap((variant) => seeds.map((seed) => ({ variant, seed })));
  const started = performance.now();
  const showProgress = (update: boolean) => {
    const seconds = (performance.now() - started) / 1000;
    const rows = variants
      .map(({ name }) => ({ name, accuracies: accuraciesOf(runs, name) }))
      .map(({ name, accuracies }) => ({
        variant: name,
        runs: `${accuracies.length} of ${seeds.length}`,
        'held-out accuracy': accuracies.map((accuracy) => (100 * accuracy).toFixed(1)).join(', '),
      }));
    const bundle = tableBundle(rows);
    const line = `${runs.length} of ${plan.length} runs finished in ${duration(seconds)}`;
    show(
      {
        'text/html': `${bundle['text/html']}<p>${line}</p>`,
        'text/plain': `${bundle['text/plain']}\n${line}`,
      },
      displayId,
      update,
    );
  };
  showProgress(false);
  for (const { variant, seed } of plan) {
    const chosen = { ...settings, ...variant.settings, seed };
    const { model, training } = await fineTune(prepared, chosen, {
      quiet: true,
      ...(variant.rows !== undefined && {
        train: trainingSubset(prepared, variant.rows, seed, variant.perClass).encoded,
      }),
      ...(variant.modelFolder !== undefined && { modelFolder: variant.modelFolder }),
    });
    try {
      if (training.end === 'interrupted') break;
      const { metrics } = await evaluate(model, prepared.test, { batchSize: settings.evalBatchSize });
      const { seconds, samplesPerSecond } = training;
      runs.push({ variant: variant.name, seed, accuracy: metrics.accuracy, seconds, samplesPerSecond });
    } finally {
      model.dispose();
    }
    showProgress(true);
  }
  return runs;
}
