/** The job: the notebook's process as a scheduler runs it. Model, reviews, fine-tuning, test, and all of it written down. */
import { loadClassifier, saveClassifier, type Classifier } from '../model/classifier.js';
import { describeDropped } from '../reviews/review.js';
import type { ReviewSplit } from '../reviews/split.js';
import { trainingSettings } from '../settings/settings.js';
import { ReviewStream } from '../batching/stream.js';
import { accuracyByLength, confidentErrors } from '../evaluation/analysis.js';
import { bagOfWordsBaseline, majorityBaseline } from '../evaluation/baseline.js';
import { evaluate } from '../evaluation/evaluate.js';
import type { EndOfTraining } from '../training/training-record.js';
import { train } from '../training/train.js';
import { trainingJob, type Job } from './job.js';
import { trainingFigures, type FinetuneMetrics } from '../runs/metrics.js';
import { keepResult } from '../runs/result.js';
import { runReviews } from './reviews.js';
import { agreeOn, countRows, encodeRows } from './rows.js';

/** More training rows than a bag of words is worth waiting for. */
const mostBaselineRows = 50_000;

/** Wrong answers that are shown. */
const shownErrors = 8;

function baselines({ train, test }: ReviewSplit) {
  const found = [{ name: 'majority', ...majorityBaseline(train, test) }];
  if (train.length <= mostBaselineRows) found.push({ name: 'bag of words', ...bagOfWordsBaseline(train, test) });
  return found.map(({ name, accuracy, interval }) => ({ name, accuracy, interval }));
}

/** Fine-tunes a classifier, on one rank. */
async function finetuneRank(job: Job): Promise<EndOfTraining> {
  const { settings, sources, checkpoint, download, journal, note, ranks } = job;
  const { source, split } = await runReviews(job, download);
  const encoded = await encodeRows(job, source, split);
  const { folder, precision, tokenizerFolder, test: testSet } = encoded;
  let { train: trainSet, validation } = encoded;
  const chosen = trainingSettings(settings);
  if (settings.overfitBatches > 0 && !(trainSet instanceof ReviewStream)) {
    const rows = settings.overfitBatches * settings.batchSize;
    trainSet = { ids: trainSet.ids.slice(0, rows), labels: trainSet.labels.slice(0, rows) };
    validation = trainSet;
    // Being right about all of them is not the end: the loss is to be seen falling.
    chosen.earlyStoppingPatience = 0;
    note(
      `Overfitting on purpose: what is trained on and what is looked at are the same ${trainSet.ids.length} reviews.`,
    );
  }
  const rows = countRows({ train: trainSet, validation, test: testSet });
  journal.write('data', { name: source.name, rows, labelNames: source.labelNames });
  const dropped = describeDropped(source.dropped);
  note(
    `${source.name}: ${rows.train} reviews to learn from, ${rows.validation} to choose by, ${rows.test} for the test` +
      (dropped ? `; left out: ${dropped}.` : '.'),
  );

  let classifier: Classifier | undefined;
  try {
    classifier = loadClassifier(folder, { ...settings, precision, labels: source.labelNames });
    const model = classifier;
    if (!checkpoint) model.notes.forEach(note);
    agreeOn(job, model, {
      'the rows to learn from': trainSet,
      'the rows to choose by': validation,
      'the rows for the test': testSet,
    });
    const data = { train: trainSet, validation };
    const result = await job.train((training) =>
      train(model, data, { ...training, arguments: chosen, tokenizerFolder }),
    );
    if (result.end === 'interrupted') return result.end;

    const { metrics: test, logits } = await evaluate(model, testSet, { batchSize: settings.evalBatchSize, ranks });
    if (!ranks.isChief) return result.end;
    const lengths = testSet.ids.map((ids) => ids.length);
    const classes = source.labelNames.length;
    const metrics: FinetuneMetrics = {
      command: 'finetune',
      end: result.end,
      sources: sources.banner,
      model: sources.model,
      dataset: sources.dataset,
      rows,
      training: trainingFigures(result),
      labelNames: source.labelNames,
      validation: result.best ?? null,
      test,
      baselines: baselines(split),
      byLength: accuracyByLength(lengths, testSet.labels, logits, classes),
      errors: confidentErrors(split.test, logits, source.labelNames, shownErrors),
    };
    await keepResult(job, metrics, (aside) => saveClassifier(model, aside, tokenizerFolder));
    return result.end;
  } finally {
    classifier?.dispose();
    if (trainSet instanceof ReviewStream) await trainSet.dispose();
  }
}

/** Fine-tunes a classifier. */
export const finetune = trainingJob('finetune', finetuneRank);
