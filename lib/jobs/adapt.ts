/** The optional stage before fine-tuning, as a job: a base model reads reviews, and what it has learnt of them is measured. */
import { loadMaskedModel, saveMaskedModel, type MaskedModel } from '../model/masked-model.js';
import { describeDropped } from '../reviews/review.js';
import { maskingVocabulary } from '../batching/masking.js';
import { ReviewStream } from '../batching/stream.js';
import { readTokenizer } from '../tokenizer/tokenizer.js';
import { adapt, evaluateMasked } from '../training/adapt.js';
import type { EndOfTraining } from '../training/training-record.js';
import type { MaskedMetrics } from '../evaluation/masked-metrics.js';
import { trainingJob, type Job } from './job.js';
import { trainingFigures, type AdaptMetrics } from '../runs/metrics.js';
import { keepResult } from '../runs/result.js';
import { runReviews } from './reviews.js';
import { agreeOn, countRows, encodeRows } from './rows.js';

/** How well the base model did, kept for the runs that go on. */
const beforeFile = 'before.json';

/**
 * Adapts a model, on one rank. Where the reviews have labels, they are split as fine-tuning splits them with the same seed: what
 * that will be tested by is not read here.
 */
async function adaptRank(job: Job): Promise<EndOfTraining> {
  const { run, settings, sources, journal, checkpoint, download, note, ranks } = job;
  const { source, split, labelled } = await runReviews(job, { ...download, labelsOptional: true });
  const encoded = await encodeRows(job, source, split);
  const { folder, precision, tokenizerFolder, train: trainSet, validation, test } = encoded;
  const rows = countRows(encoded);
  journal.write('data', { name: source.name, rows });
  const dropped = describeDropped(source.dropped);
  note(
    `${source.name}: ${rows.train} ${labelled ? 'reviews, whose labels are not looked at,' : 'texts'} to read, ${rows.validation} to choose by, ${rows.test} for the test` +
      (dropped ? `; left out: ${dropped}.` : '.'),
  );

  let loaded: MaskedModel | undefined;
  try {
    const model = (loaded = loadMaskedModel(folder, { ...settings, precision }));
    if (!checkpoint) model.notes.forEach(note);
    agreeOn(job, model, {
      'the texts to read': trainSet,
      'the texts to choose by': validation,
      'the texts for the test': test,
    });
    const vocabulary = maskingVocabulary(readTokenizer(tokenizerFolder), model.config.vocab_size);
    const masking = { probability: settings.mlmProbability, wholeWords: settings.wholeWordMask };
    const look = () =>
      evaluateMasked(model, test, vocabulary, { batchSize: settings.evalBatchSize, ranks, ...masking });
    let before = ranks.fromChief(run.read<MaskedMetrics>(beforeFile));
    if (!before) run.write(beforeFile, (before = await look()));
    note(`Before: perplexity ${before.perplexity.toFixed(2)} on ${before.count} hidden tokens of the test reviews.`);
    const result = await job.train((training) =>
      adapt(model, { train: trainSet, validation }, vocabulary, {
        ...training,
        arguments: settings,
        masking,
        tokenizerFolder,
      }),
    );
    if (result.end === 'interrupted') return result.end;
    const after = await look();
    if (!ranks.isChief) return result.end;
    const metrics: AdaptMetrics = {
      command: 'adapt',
      end: result.end,
      sources: sources.banner,
      model: sources.model,
      dataset: sources.dataset,
      rows,
      training: trainingFigures(result),
      before,
      after,
    };
    await keepResult(job, metrics, (aside) => saveMaskedModel(model, aside, tokenizerFolder));
    return result.end;
  } finally {
    loaded?.dispose();
    if (trainSet instanceof ReviewStream) await trainSet.dispose();
  }
}

/** Adapts a model. */
export const adaptModel = trainingJob('adapt', adaptRank);
