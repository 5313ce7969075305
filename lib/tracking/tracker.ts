/**
 * Sends a run to MLflow. The source is the run's journal; tracking.json records how much of it the server has received.
 * If the server is down or slow, nothing is lost: this process or a later one continues from there.
 */
import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { MlflowError } from '../errors.js';
import type { RunEnvironment } from '../runs/environment.js';
import { isClassification, isMultiLabel, isRegression, type RunMetrics } from '../runs/metrics.js';
import { describeResult } from '../runs/describe-result.js';
import type { RunFolder } from '../runs/run-folder.js';
import { percent } from '../figures/format.js';
import { formatSetting, settingsList } from '../settings/settings.js';
import type { TrainingRecord } from '../training/training-record.js';
import { journalFile, readEntriesFrom } from '../runs/journal.js';
import { maxBatch, type KeyValue, type MlflowClient, type MlflowMetric } from './mlflow-client.js';

const stateFile = 'tracking.json';

/** The part of a run that a server has received. */
interface TrackingState {
  /** Tunebook's id, a tag of the run: finds the run if the response with MLflow's id was lost. */
  id: string;
  run?: { id: string; experiment: string; artifactUri: string };
  /** Bytes of the journal that have been sent. */
  offset: number;
  /** The last step that was sent. */
  step: number;
  /** Whether parameters and tags have been sent. */
  described: boolean;
  /** Size and modification time of each file when it was sent, by name. */
  files: Record<string, string>;
  /** Why no files are sent, if the server does not accept uploads. */
  withoutFiles?: string;
}

/** Maximum number of points per curve; longer runs are sampled evenly. */
const maxPoints = 2000;

/** Maximum length of a parameter's value, by MLflow's limits. */
const maxValueLength = 6000;

/** The metrics of a step, with the names that Hugging Face's Trainer uses in MLflow. */
function metricsOfRecord(record: TrainingRecord, timestamp: number): MlflowMetric[] {
  const values = {
    loss: record.loss,
    learning_rate: record.learningRate,
    grad_norm: record.gradNorm,
    epoch: record.epoch,
    train_samples_per_second: record.samplesPerSecond,
    eval_loss: record.evalLoss,
    eval_accuracy: record.evalAccuracy,
    eval_micro_f1: record.evalMicroF1,
  };
  return finite(values, record.step, timestamp);
}

/** Metrics with finite values; JSON cannot represent NaN and infinity. */
const finite = (values: Record<string, number | null | undefined>, step: number, timestamp: number): MlflowMetric[] =>
  Object.entries(values).flatMap(([key, value]) =>
    typeof value === 'number' && Number.isFinite(value) ? [{ key, value, timestamp, step }] : [],
  );

/** Maximum number of characters of a class name in the name of a metric. */
const maxClassName = 100;

/** The scores of each class with a name that MLflow accepts and that is unique. */
function namedByClass<Scores extends { name: string }>(perClass: Scores[]): { suffix: string; scores: Scores }[] {
  const names = perClass.map(({ name }) => name.replace(/[^\p{L}\p{N}_.-]+/gu, '_').slice(0, maxClassName));
  const isUnique = new Set(names.map((name) => name.toLowerCase())).size === names.length;
  return perClass.map((scores, label) => ({
    suffix: `class_${isUnique ? names[label] : `${label}_${names[label]}`}`,
    scores,
  }));
}

function metricsOfSummary(metrics: RunMetrics, timestamp: number): MlflowMetric[] {
  const { training } = metrics;
  const values: Record<string, number | null> = {
    train_runtime: training.seconds,
    train_samples_per_second: training.samplesPerSecond,
  };
  if (metrics.command === 'adapt')
    for (const when of ['before', 'after'] as const)
      for (const name of ['loss', 'perplexity', 'accuracy'] as const)
        values[`test_${name}_${when}`] = metrics[when][name];
  else if (isRegression(metrics)) {
    const { test, baselines } = metrics;
    values['test_loss'] = test.loss;
    values['test_root_mean_squared_error'] = test.rootMeanSquaredError;
    values['test_mean_absolute_error'] = test.meanAbsoluteError;
    values['test_r2'] = test.r2;
    values['test_pearson'] = test.pearson;
    values['test_spearman'] = test.spearman;
    for (const { name, meanAbsoluteError } of baselines)
      values[`baseline_mean_absolute_error_${name.replaceAll(' ', '_')}`] = meanAbsoluteError;
  } else if (isMultiLabel(metrics)) {
    const { test, baselines } = metrics;
    values['test_loss'] = test.loss;
    values['test_subset_accuracy'] = test.subsetAccuracy;
    values['test_hamming_loss'] = test.hammingLoss;
    const averages = (['micro', 'macro'] as const).map((suffix) => ({ suffix, scores: test[suffix] }));
    for (const { suffix, scores } of [...averages, ...namedByClass(test.perClass)]) {
      values[`test_precision_${suffix}`] = scores.precision;
      values[`test_recall_${suffix}`] = scores.recall;
      values[`test_f1_${suffix}`] = scores.f1;
    }
    for (const { name, micro } of baselines) values[`baseline_f1_micro_${name.replaceAll(' ', '_')}`] = micro.f1;
  } else {
    const { test } = metrics;
    values['test_accuracy'] = test.accuracy;
    values['test_loss'] = test.loss;
    values['test_mean_absolute_error'] = test.meanAbsoluteError;
    const scored = [{ suffix: 'macro', scores: test.macro }, ...namedByClass(test.perClass)];
    for (const { suffix, scores } of scored) {
      values[`test_precision_${suffix}`] = scores.precision;
      values[`test_recall_${suffix}`] = scores.recall;
      values[`test_f1_${suffix}`] = scores.f1;
      values[`test_roc_auc_${suffix}`] = scores.rocAuc;
    }
    values['test_accuracy_low'] = test.interval.low;
    values['test_accuracy_high'] = test.interval.high;
    for (const { name, accuracy } of metrics.baselines) values[`baseline_${name.replaceAll(' ', '_')}`] = accuracy;
  }
  return finite(values, training.step, timestamp);
}

const snake = (name: string) => name.replace(/[A-Z]/g, '_$&').toLowerCase();

const chunks = <Item>(items: Item[], size: number): Item[][] =>
  Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size));

/** Sends a run to a server. */
export class Tracker {
  readonly #state: TrackingState;

  constructor(
    readonly run: RunFolder,
    readonly client: MlflowClient,
    /** Called with messages for the user. */
    readonly note: (message: string) => void = () => {},
  ) {
    this.#state = this.#read()[client.settings.trackingUri] ?? {
      id: randomUUID(),
      offset: 0,
      step: 0,
      described: false,
      files: {},
    };
  }

  #read(): Record<string, TrackingState> {
    return this.run.read<Record<string, TrackingState>>(stateFile) ?? {};
  }

  #save(): void {
    this.run.write(stateFile, { ...this.#read(), [this.client.settings.trackingUri]: this.#state });
  }

  /** The address of the run's page. */
  get url(): string {
    const { run } = this.#state;
    const { trackingUri } = this.client.settings;
    return run ? `${trackingUri}/#/experiments/${run.experiment}/runs/${run.id}` : trackingUri;
  }

  /** The run on the server; created if it does not exist. */
  async #ensureRun(startedAt: number): Promise<NonNullable<TrackingState['run']>> {
    if (this.#state.run) return this.#state.run;
    const { client } = this;
    const { runId, parentRunId } = client.settings;
    let remoteRun = runId ? await client.run(runId) : undefined;
    if (!remoteRun) {
      const experiment = await client.experiment();
      // The id is saved before the run is created, so that a lost response does not lead to a second run.
      const isSaved = this.#read()[client.settings.trackingUri] !== undefined;
      if (!isSaved) this.#save();
      const tag = 'tunebook.id';
      remoteRun =
        (isSaved ? await client.findRun(experiment, tag, this.#state.id) : undefined) ??
        (await client.createRun(experiment, path.basename(path.resolve(this.run.folder)), startedAt, [
          { key: tag, value: this.#state.id },
          ...(parentRunId ? [{ key: 'mlflow.parentRunId', value: parentRunId }] : []),
        ]));
    }
    const { run_id, experiment_id, artifact_uri } = remoteRun.info;
    this.#state.run = { id: run_id, experiment: experiment_id, artifactUri: artifact_uri };
    this.#save();
    this.note(`Tracked by MLflow: ${this.url}`);
    return this.#state.run;
  }

  /** Sends parameters and tags. */
  async #describe(id: string): Promise<void> {
    const runSettings = this.run.settings;
    const environment = this.run.read<RunEnvironment>('environment.json');
    // The files are written shortly after the first entries of the journal.
    if (this.#state.described || !runSettings || !environment) return;
    const { settings, command, sources } = runSettings;
    const params = settingsList
      .filter(({ only }) => !only || only === command)
      .filter(({ name }) => settings[name] !== undefined)
      .map(({ name }) => ({ key: snake(name), value: formatSetting(name, settings[name]).slice(0, maxValueLength) }))
      .filter(({ value }) => value !== '');
    const { device, git } = environment;
    params.push({ key: 'device', value: `${device.kind}: ${device.name}` });
    const tags: KeyValue[] = [
      { key: 'mlflow.user', value: os.userInfo().username },
      { key: 'mlflow.source.name', value: `tunebook ${command}` },
      { key: 'mlflow.source.type', value: 'JOB' },
      ...(git ? [{ key: 'mlflow.source.git.commit', value: git.commit }] : []),
      { key: 'tunebook.sources', value: sources.banner },
      { key: 'tunebook.version', value: environment.tunebook },
    ];
    await this.client.logBatch(id, { tags });
    try {
      for (const chunk of chunks(params, maxBatch.params)) await this.client.logBatch(id, { params: chunk });
    } catch (error) {
      if ((error as MlflowError).serverCode !== 'INVALID_PARAMETER_VALUE') throw error;
      this.note('MLflow keeps the parameters with which this run was first tracked, since it does not allow changes.');
    }
    this.#state.described = true;
    this.#save();
  }

  /** Sends the files that are new or have changed since they were last sent. Called at the end of a run. */
  async #sendFiles({ artifactUri }: NonNullable<TrackingState['run']>): Promise<void> {
    if (this.#state.withoutFiles) return;
    const names = ['settings.json', 'environment.json', 'metrics.json', 'report.html', 'figures', 'model']
      .flatMap((name) => {
        const file = this.run.path(name);
        if (!fs.existsSync(file)) return [];
        return fs.statSync(file).isDirectory() ? fs.readdirSync(file).map((inner) => `${name}/${inner}`) : [name];
      })
      .concat(journalFile);
    for (const name of names) {
      const file = this.run.path(name);
      const { size, mtimeMs } = fs.statSync(file);
      const stamp = `${size} ${mtimeMs}`;
      if (this.#state.files[name] === stamp) continue;
      try {
        await this.client.uploadArtifact(artifactUri, name, file);
      } catch (error) {
        if ((error as MlflowError).code !== 'MLFLOW_NO_ARTIFACT_PROXY') throw error;
        this.#state.withoutFiles = (error as Error).message;
        this.#save();
        this.note(`No files are sent to MLflow: ${this.#state.withoutFiles}.`);
        return;
      }
      this.#state.files[name] = stamp;
      this.#save();
    }
  }

  /**
   * Sends everything that the server has not received yet.
   * @throws MlflowError if it cannot be sent now; the parts that were received are recorded
   */
  async send(): Promise<void> {
    const { entries, offset } = readEntriesFrom(this.run.folder, this.#state.offset);
    if (entries.length === 0) return;
    const run = await this.#ensureRun(Date.parse(entries[0]!.time));
    const hasStart = entries.some(({ kind }) => kind === 'start');
    // A run may be resumed with other settings.
    if (hasStart) this.#state.described = false;
    await this.#describe(run.id);
    const metrics: MlflowMetric[] = [];
    let step = this.#state.step;
    let ending: { status: 'FINISHED' | 'FAILED' | 'KILLED'; time: number } | undefined;
    const tags: KeyValue[] = [];
    for (const entry of entries) {
      const time = Date.parse(entry.time);
      if (entry.kind === 'start') ending = undefined;
      else if (entry.kind === 'step') {
        const every = Math.ceil(entry.totalSteps / maxPoints);
        const isKept = entry.step % every === 0 || entry.step === entry.totalSteps || entry.evalLoss !== undefined;
        // A run that resumes from a checkpoint writes the records after it again.
        if (entry.step > step && isKept) metrics.push(...metricsOfRecord(entry, time));
        step = Math.max(step, entry.step);
      } else if (entry.kind === 'summary') {
        metrics.push(...metricsOfSummary(entry, time));
        tags.push({ key: 'mlflow.note.content', value: noteOf(entry) });
      } else if (entry.kind === 'end') {
        const { state } = entry;
        // MLflow has no status for a pruned run: it is a killed one with a tag.
        const isStopped = state === 'interrupted' || state === 'pruned';
        ending = { status: state === 'failed' ? 'FAILED' : isStopped ? 'KILLED' : 'FINISHED', time };
        tags.push({ key: 'tunebook.state', value: state });
      }
    }
    if (hasStart && this.#state.offset > 0) await this.client.updateRun(run.id, 'RUNNING');
    for (const chunk of chunks(metrics, maxBatch.metrics)) await this.client.logBatch(run.id, { metrics: chunk });
    if (tags.length > 0) await this.client.logBatch(run.id, { tags });
    if (ending) {
      await this.#sendFiles(run);
      await this.client.updateRun(run.id, ending.status, ending.time);
    }
    Object.assign(this.#state, { offset, step });
    this.#save();
  }

  /** Sends the end of a run that died without writing it. */
  async close(): Promise<void> {
    const { run } = this.#state;
    if (!run) return;
    await this.#sendFiles(run);
    await this.client.updateRun(run.id, 'KILLED', fs.statSync(this.run.path(journalFile)).mtimeMs);
  }
}

function noteOf(metrics: RunMetrics): string {
  const result = isClassification(metrics)
    ? `${percent(metrics.test.accuracy)} accuracy on ${metrics.test.count} test reviews.`
    : metrics.command === 'adapt'
      ? `Perplexity ${metrics.before.perplexity.toFixed(2)} before, ${metrics.after.perplexity.toFixed(2)} after.`
      : describeResult(metrics).summary;
  return `${result} ${metrics.sources}`;
}
