/** Domain adaptation as a job: a base model is trained on unlabeled texts, and evaluated before and after. */
import { ReviewStream } from '../batching/stream.js';
import type { MaskedMetrics } from '../evaluation/evaluate-masked.js';
import { MaskedLM } from '../model/masked-lm.js';
import { loadReviews } from '../reviews/load-reviews.js';
import { summarizeData } from '../reviews/describe-source.js';
import { writeResult } from '../runs/result.js';
import { Trainer } from '../training/trainer.js';
import type { EndOfTraining } from '../training/training-record.js';
import { trainingJob, type Job } from './job.js';
import { adaptMetrics } from './run-metrics.js';
import { assertSameData, countRows, encodeRows, openModelOfJob, type Rows } from './rows.js';

/** Evaluation of the base model; stored so that a resumed run need not repeat it. */
const beforeFile = 'before.json';

/**
 * Adapts a model on one rank. Reviews with labels are split as for fine-tuning with the same seed and problem type, so that the
 * test set of fine-tuning is not used here.
 */
async function adaptRank(job: Job): Promise<EndOfTraining> {
  const { run, settings, sources, journal, checkpoint, download, note, ranks } = job;
  const fetchModelOfJob = await openModelOfJob(job);
  const reviews = await loadReviews(sources.dataset, { ...settings, labelsOptional: true, ...download });
  const { source } = reviews;
  const labeled = source.reading.labelColumn !== undefined;
  const { folder, precision } = await fetchModelOfJob();
  const model = MaskedLM.fromFolder(folder, { ...settings, precision });
  let data: Rows | undefined;
  try {
    data = encodeRows(job, model, source, reviews);
    const rows = countRows(data);
    const summarized = summarizeData(source, reviews, settings.streaming, data.notes);
    journal.write('data', { ...summarized, rows });
    note(
      `${source.name}: ${rows.train} training, ${rows.validation} validation and ${rows.test} test ` +
        `${labeled ? 'reviews, whose labels are ignored' : 'texts'}.`,
    );
    summarized.sentences.forEach(note);
    if (!checkpoint) model.notes.forEach(note);
    assertSameData(job, model, data);
    const { train, validation, test } = data;
    const trainer = new Trainer(model, settings);
    let before = ranks.fromChief(run.read<MaskedMetrics>(beforeFile));
    if (!before) run.write(beforeFile, (before = await trainer.evaluate(test, { ranks })));
    note(`Before: perplexity ${before.perplexity.toFixed(2)} on ${before.count} masked tokens of the test set.`);
    const result = await job.train((options) => trainer.train(train, { ...options, validation }));
    if (result.end === 'interrupted') return result.end;
    const after = await trainer.evaluate(test, { ranks });
    if (!ranks.isChief) return result.end;
    const trained = { settings, sources, source, split: reviews, data, result };
    await writeResult(job, adaptMetrics(trained, before, after), model);
    return result.end;
  } finally {
    model.dispose();
    if (data?.train instanceof ReviewStream) await data.train.dispose();
  }
}

/** Adapts a model. */
export const adaptModel = trainingJob('adapt', adaptRank);
