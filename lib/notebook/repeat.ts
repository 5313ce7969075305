/** The same training several times over, with other seeds, other settings, fewer reviews: what comparisons are made of. */
import { randomUUID } from 'node:crypto';
import type { Review } from '../reviews/review.js';
import type { Settings } from '../settings/settings.js';
import type { EncodedReviews } from '../model/batch.js';
import { seededRandom, shuffle } from '../reviews/random.js';
import { evaluate } from '../evaluation/evaluate.js';
import { fineTune, type PreparedReviews } from './fine-tune.js';
import { tableBundle } from '../figures/html-table.js';
import { show } from './kernel.js';
import { duration } from '../figures/format.js';

/** A part of the training reviews, as texts and as token ids. */
export interface TrainingSubset {
  reviews: Review[];
  encoded: EncodedReviews;
}

/**
 * Some of the training reviews by chance.
 * @param rows how many; more than there are for all
 * @param seed of the choice
 */
export function trainingSubset(prepared: PreparedReviews, rows: number, seed: number): TrainingSubset {
  const { ids, labels } = prepared.train;
  const chosen = shuffle([...ids.keys()], seededRandom(seed)).slice(0, rows);
  return {
    reviews: chosen.map((row) => prepared.split.train[row]!),
    encoded: { ids: chosen.map((row) => ids[row]!), labels: Int32Array.from(chosen, (row) => labels[row]!) },
  };
}

/** What is tried, by name, and how it differs from the settings. */
export interface Variant {
  name: string;
  settings?: Partial<Settings>;
  /** Labelled reviews, chosen by the seed. @default all */
  rows?: number;
  /** Another model than the base. */
  modelFolder?: string;
}

/** How one training of a variant came out. */
export interface RepeatedRun {
  variant: string;
  seed: number;
  /** On the test reviews. */
  accuracy: number;
  /** Of training. */
  seconds: number;
  samplesPerSecond: number;
}

/** The accuracies of one variant, in order of the seeds. */
export const accuraciesOf = (runs: RepeatedRun[], variant: string): number[] =>
  runs.filter((run) => run.variant === variant).map(({ accuracy }) => accuracy);

/**
 * Fine-tunes every variant with every seed, one after the other, and says below the cell how far it is. The stop button ends
 * it with the runs that are through.
 * @param seeds of the head, the order and the dropout, and of which rows are chosen
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
  const tell = (update: boolean) => {
    const seconds = (performance.now() - started) / 1000;
    const rows = variants
      .map(({ name }) => ({ name, found: accuraciesOf(runs, name) }))
      .map(({ name, found }) => ({
        what: name,
        runs: `${found.length} of ${seeds.length}`,
        'held-out accuracy': found.map((accuracy) => (100 * accuracy).toFixed(1)).join(', '),
      }));
    const bundle = tableBundle(rows);
    const line = `${runs.length} of ${plan.length} trained in ${duration(seconds)}`;
    show(
      {
        'text/html': `${bundle['text/html']}<p>${line}</p>`,
        'text/plain': `${bundle['text/plain']}\n${line}`,
      },
      displayId,
      update,
    );
  };
  tell(false);
  for (const { variant, seed } of plan) {
    const chosen = { ...settings, ...variant.settings, seed };
    const { model, training } = await fineTune(prepared, chosen, {
      quiet: true,
      ...(variant.rows !== undefined && { train: trainingSubset(prepared, variant.rows, seed).encoded }),
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
    tell(true);
  }
  return runs;
}
