/** Fine-tuning as a job: what finetune.ipynb does, for a scheduler. */
import { ArgumentError } from '../errors.js';
import type { EncodedReviews } from '../model/batch.js';
import { TextClassifier, type MultiLabelModel, type RegressionModel } from '../model/text-classifier.js';
import { loadReviews } from '../reviews/load-reviews.js';
import { describeClassRows, summarizeData } from '../reviews/describe-source.js';
import type { ReviewSource } from '../reviews/review-source.js';
import type { ReviewSplit } from '../reviews/split.js';
import type { Settings } from '../settings/settings.js';
import { ReviewStream } from '../batching/stream.js';
import { calibrate } from '../evaluation/calibrate.js';
import { selectReviews } from '../model/batch.js';
import { evaluate } from '../evaluation/evaluate.js';
import { evaluateMultiLabel } from '../evaluation/evaluate-multi-label.js';
import { evaluateRegression } from '../evaluation/evaluate-regression.js';
import { multiLabelWarnings } from '../evaluation/multi-label-warnings.js';
import { evaluationWarnings, imbalanceWarnings, type Warning } from '../evaluation/warnings.js';
import { describeClassWeights, weightsByNumber } from '../training/class-weights.js';
import type { EndOfTraining } from '../training/training-record.js';
import { Trainer, type MetricsOf, type TrainingResult } from '../training/trainer.js';
import { trainingJob, type Job } from './job.js';
import { openTeacher } from './teacher.js';
import { writeAdapter } from '../runs/adapter.js';
import { writeOutOfFold } from '../runs/out-of-fold.js';
import { writeResult } from '../runs/result.js';
import { assertSameReviews } from '../runs/same-reviews.js';
import { finetuneMetrics, multiLabelRunMetrics, namedClassWeights, regressionRunMetrics } from './run-metrics.js';
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

/** What a run trains, and on what. */
interface Prepared {
  job: Job;
  model: TextClassifier;
  source: ReviewSource;
  split: ReviewSplit;
  data: Rows;
  predictAsTeacher: Awaited<ReturnType<typeof openTeacher>>;
  warn: (warnings: Warning[]) => void;
}

type Train = <Model extends TextClassifier>(trainer: Trainer<Model>) => Promise<TrainingResult<MetricsOf<Model>>>;

/** Trains a classifier of classes, and evaluates it. @returns how training ended, and on the chief the metrics */
async function trainClasses(prepared: Prepared, train: Train) {
  const { job, model, source, split, data, predictAsTeacher, warn } = prepared;
  const { settings, sources, checkpoint, note, ranks } = job;
  const { labelNames: labels } = source;
  const classWeights = namedClassWeights(settings, labels, data.train);
  if (classWeights) {
    const isEstimate = settings.classWeights === 'balanced' && settings.streaming;
    note(
      `Class weights of the training loss: ${describeClassWeights(classWeights)}` +
        (isEstimate ? `, estimated from a sample of ${split.train.length} training reviews.` : '.'),
    );
  }
  if (!checkpoint) warn(imbalanceWarnings(split.train, labels, settings));
  if (predictAsTeacher && !(data.train instanceof ReviewStream))
    data.train.teacherLogits = await predictAsTeacher(split.train.slice(0, data.train.ids.length), labels);
  const result = await train(new Trainer(model, trainerSettings(settings)));
  if (result.end === 'interrupted') return { result };
  const calibration = (await calibrateModel(job, model, data.validation)) ?? undefined;
  const evaluation = await evaluate(model, data.test, { batchSize: settings.evalBatchSize, ranks });
  if (!ranks.isChief) return { result };
  warn(evaluationWarnings(evaluation.metrics, split.train, labels, settings));
  if (settings.fold) writeOutOfFold(job.run, settings.fold, split.test, evaluation, labels);
  const trained = { settings, sources, source, split, data, result };
  return { result, metrics: finetuneMetrics(trained, evaluation, calibration) };
}

/** Trains a model that predicts a number, and evaluates it. @returns how training ended, and on the chief the metrics */
async function trainNumbers({ job, model, source, split, data, warn }: Prepared, train: Train) {
  const { settings, sources, ranks } = job;
  const result = await train(new Trainer(model as RegressionModel, trainerSettings(settings)));
  if (result.end === 'interrupted') return { result };
  const evaluation = await evaluateRegression(model, data.test, { batchSize: settings.evalBatchSize, ranks });
  if (!ranks.isChief) return { result };
  const trained = { settings, sources, source, split, data, result };
  const metrics = regressionRunMetrics(trained, evaluation);
  warn(metrics.warnings!);
  return { result, metrics };
}

/** Trains a model that predicts all classes that apply, and evaluates it. @returns how training ended, and on the chief the metrics */
async function trainLabelSets({ job, model, source, split, data, warn }: Prepared, train: Train) {
  const { settings, sources, checkpoint, ranks } = job;
  if (!checkpoint) warn(imbalanceWarnings(split.train, source.labelNames, settings));
  const result = await train(new Trainer(model as MultiLabelModel, trainerSettings(settings)));
  if (result.end === 'interrupted') return { result };
  const evaluation = await evaluateMultiLabel(model, data.test, { batchSize: settings.evalBatchSize, ranks });
  if (!ranks.isChief) return { result };
  const trained = { settings, sources, source, split, data, result };
  const metrics = multiLabelRunMetrics(trained, evaluation);
  warn(multiLabelWarnings(metrics.test, metrics.baselines[0]!));
  return { result, metrics };
}

/** What trains and evaluates a model of each problem type. */
const trainings = {
  single_label_classification: trainClasses,
  multi_label_classification: trainLabelSets,
  regression: trainNumbers,
};

/** If a few batches are to be fitted, the loss should continue to fall after all rows are predicted correctly. */
const trainerSettings = (settings: Settings): Settings =>
  settings.overfitBatches > 0 && !settings.streaming ? { ...settings, earlyStoppingPatience: 0 } : settings;

/** Fine-tunes a classifier on one rank. */
async function finetuneRank(job: Job): Promise<EndOfTraining> {
  const { settings, sources, checkpoint, download, journal, note } = job;
  const fetchModelOfJob = await openModelOfJob(job);
  const predictAsTeacher = await openTeacher(job);
  const { source, labels, ...split } = await loadReviews(sources.dataset, { ...settings, ...download });
  assertSameReviews(job.run, settings, source.fingerprint);
  // A weight of an unknown class is rejected before a model is downloaded.
  if (typeof settings.classWeights === 'object') weightsByNumber(settings.classWeights, labels);
  const { folder, precision } = await fetchModelOfJob();
  const model = TextClassifier.fromFolder(folder, { ...settings, precision, reading: source.reading });
  let data: Rows | undefined;
  try {
    data = encodeRows(job, model, source, split);
    if (settings.overfitBatches > 0 && !(data.train instanceof ReviewStream)) {
      const rows = settings.overfitBatches * settings.batchSize;
      data.train = selectReviews(data.train, [...data.train.ids.keys()].slice(0, rows));
      data.validation = data.train;
      note(`Overfitting: the training and validation sets are the same ${data.train.ids.length} reviews.`);
    }
    const rows = countRows(data);
    const summarized = summarizeData(source, split, settings.streaming, data.notes);
    journal.write('data', { ...summarized, rows, labelNames: labels });
    note(`${source.name}: ${rows.train} training, ${rows.validation} validation and ${rows.test} test reviews.`);
    summarized.sentences.forEach(note);
    if (summarized.classes.length > 0) note(`Rows per class: ${describeClassRows(summarized.classes)}.`);
    if (!checkpoint) model.notes.forEach(note);
    assertSameData(job, model, data);
    const { train, validation } = data;
    const warn = (warnings: Warning[]) => warnings.forEach((warning) => journal.write('warning', warning));
    const prepared = { job, model, source, split, data, predictAsTeacher, warn };
    const fit: Train = (trainer) => job.train((options) => trainer.train(train, { ...options, validation }));
    const { result, metrics } = await trainings[model.problemType](prepared, fit);
    if (!metrics) return result.end;
    if (result.adapter) {
      writeAdapter(job.run, result.adapter, model, sources.model);
      note(`LoRA adapter for PEFT: ${job.run.path('adapter')}. The model has it merged.`);
    }
    await writeResult(job, metrics, model);
    return result.end;
  } finally {
    model.dispose();
    if (data?.train instanceof ReviewStream) await data.train.dispose();
  }
}

/** Fine-tunes a classifier. */
export const finetune = trainingJob('finetune', finetuneRank);
