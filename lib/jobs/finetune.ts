/** Fine-tuning as a job: what finetune.ipynb does, for a scheduler. */
import { ArgumentError } from '../errors.js';
import type { EncodedReviews } from '../model/batch.js';
import { TextClassifier } from '../model/text-classifier.js';
import { loadReviews } from '../reviews/load-reviews.js';
import { describeClassRows, summarizeData } from '../reviews/describe-source.js';
import { ReviewStream } from '../batching/stream.js';
import { calibrate } from '../evaluation/calibrate.js';
import { selectReviews } from '../model/batch.js';
import { evaluate } from '../evaluation/evaluate.js';
import { evaluationWarnings, imbalanceWarnings, type Warning } from '../evaluation/warnings.js';
import { describeClassWeights, weightsByNumber } from '../training/class-weights.js';
import type { EndOfTraining } from '../training/training-record.js';
import { Trainer } from '../training/trainer.js';
import { trainingJob, type Job } from './job.js';
import { openTeacher } from './teacher.js';
import { writeAdapter } from '../runs/adapter.js';
import { writeOutOfFold } from '../runs/out-of-fold.js';
import { writeResult } from '../runs/result.js';
import { finetuneMetrics, namedClassWeights } from './run-metrics.js';
import { assertSameData, countRows, encodeRows, openModelOfJob, type Rows } from './rows.js';

/** Calibrates the trained model on the validation set, or notes why it cannot. */
async function calibrateModel({ settings, ranks, note }: Job, model: TextClassifier, validation: EncodedReviews) {
  const without = (reason: string) => note(`The model is not calibrated: ${reason}`);
  if (settings.overfitBatches > 0) return without('the validation set is the training set.');
  try {
    return await calibrate(model, validation, { batchSize: settings.evalBatchSize, ranks });
  } catch (error) {
    if (error instanceof ArgumentError && error.code === 'ARGUMENT_TOO_FEW_ROWS') return without(error.message);
    throw error;
  }
}

/** Fine-tunes a classifier on one rank. */
async function finetuneRank(job: Job): Promise<EndOfTraining> {
  const { settings, sources, checkpoint, download, journal, note, ranks } = job;
  const fetchModelOfJob = await openModelOfJob(job);
  const predictAsTeacher = await openTeacher(job);
  const { source, labels, ...split } = await loadReviews(sources.dataset, { ...settings, ...download });
  // A weight of an unknown class is rejected before a model is downloaded.
  if (typeof settings.classWeights === 'object') weightsByNumber(settings.classWeights, labels);
  const { folder, precision } = await fetchModelOfJob();
  const model = TextClassifier.fromFolder(folder, { ...settings, precision, reading: source.reading });
  let data: Rows | undefined;
  try {
    data = encodeRows(job, model, source, split);
    const trainer = new Trainer(model, settings);
    if (settings.overfitBatches > 0 && !(data.train instanceof ReviewStream)) {
      const rows = settings.overfitBatches * settings.batchSize;
      data.train = selectReviews(data.train, [...data.train.ids.keys()].slice(0, rows));
      data.validation = data.train;
      // The loss should continue to fall after all rows are predicted correctly.
      trainer.settings.earlyStoppingPatience = 0;
      note(`Overfitting: the training and validation sets are the same ${data.train.ids.length} reviews.`);
    }
    const rows = countRows(data);
    const summarized = summarizeData(source, split, settings.streaming, data.notes);
    journal.write('data', { ...summarized, rows, labelNames: labels });
    note(`${source.name}: ${rows.train} training, ${rows.validation} validation and ${rows.test} test reviews.`);
    summarized.sentences.forEach(note);
    note(`Rows per class: ${describeClassRows(summarized.classes)}.`);
    if (!checkpoint) model.notes.forEach(note);
    assertSameData(job, model, data);
    const { train, validation, test } = data;
    const classWeights = namedClassWeights(settings, labels, train);
    if (classWeights) {
      const isEstimate = settings.classWeights === 'balanced' && settings.streaming;
      note(
        `Class weights of the training loss: ${describeClassWeights(classWeights)}` +
          (isEstimate ? `, estimated from a sample of ${split.train.length} training reviews.` : '.'),
      );
    }
    const warn = (warnings: Warning[]) => warnings.forEach((warning) => journal.write('warning', warning));
    if (!checkpoint) warn(imbalanceWarnings(split.train, labels, settings));
    if (predictAsTeacher && !(train instanceof ReviewStream))
      train.teacherLogits = await predictAsTeacher(split.train.slice(0, train.ids.length), labels);
    const result = await job.train((options) => trainer.train(train, { ...options, validation }));
    if (result.end === 'interrupted') return result.end;

    const calibration = (await calibrateModel(job, model, validation)) ?? undefined;
    const evaluation = await evaluate(model, test, { batchSize: settings.evalBatchSize, ranks });
    if (!ranks.isChief) return result.end;
    warn(evaluationWarnings(evaluation.metrics, split.train, labels, settings));
    if (result.adapter) {
      writeAdapter(job.run, result.adapter, model, sources.model);
      note(`LoRA adapter for PEFT: ${job.run.path('adapter')}. The model has it merged.`);
    }
    if (settings.fold) writeOutOfFold(job.run, settings.fold, split.test, evaluation, labels);
    const trained = { settings, sources, source, split, data, result };
    await writeResult(job, finetuneMetrics(trained, evaluation, calibration), model);
    return result.end;
  } finally {
    model.dispose();
    if (data?.train instanceof ReviewStream) await data.train.dispose();
  }
}

/** Fine-tunes a classifier. */
export const finetune = trainingJob('finetune', finetuneRank);
