/**
 * A run as MLflow sees it. The journal is the truth, and what of it the server has is remembered beside it (tracking.json):
 * so a server that is down, slow or dies loses nothing, and sending goes on where it ended, in this process or in another.
 */
import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { MlflowError } from '../errors.js';
import type { RunEnvironment } from '../runs/environment.js';
import type { RunMetrics } from '../runs/metrics.js';
import type { RunFolder } from '../runs/run-folder.js';
import { percent } from '../figures/format.js';
import { formatSetting, settingsList } from '../settings/settings.js';
import type { TrainingRecord } from '../training/training-record.js';
import { journalFile, parseEntry, type JournalEntry } from '../runs/journal.js';
import { mostInBatch, type KeyValue, type MlflowClient, type MlflowMetric } from './mlflow-client.js';

const stateFile = 'tracking.json';

/** What a server has of a run. */
interface TrackingState {
  /** Ours, by which a run is found again whose id did not arrive. */
  id: string;
  run?: { id: string; experiment: string; artifactUri: string };
  /** Bytes of the journal that are through. */
  offset: number;
  /** The last update that was sent. */
  step: number;
  /** Parameters and tags are there. */
  described: boolean;
  /** Files by name, with what they were when they were sent. */
  files: Record<string, string>;
  /** Why files are not sent, where the server does not take them. */
  withoutFiles?: string;
}

/** Updates of which a curve is drawn at most; of longer runs evenly chosen ones. */
const mostUpdates = 2000;

/** Values of parameters at most, by MLflow's limits. */
const longestValue = 6000;

/** Names as Hugging Face's Trainer gives them to MLflow. */
function metricsOfRecord(record: TrainingRecord, timestamp: number): MlflowMetric[] {
  const values = {
    loss: record.loss,
    learning_rate: record.learningRate,
    grad_norm: record.gradNorm,
    epoch: record.epoch,
    train_samples_per_second: record.samplesPerSecond,
    eval_loss: record.evalLoss,
    eval_accuracy: record.evalAccuracy,
  };
  return finite(values, record.step, timestamp);
}

/** JSON has no word for what is no number. */
const finite = (values: Record<string, number | null | undefined>, step: number, timestamp: number): MlflowMetric[] =>
  Object.entries(values).flatMap(([key, value]) =>
    typeof value === 'number' && Number.isFinite(value) ? [{ key, value, timestamp, step }] : [],
  );

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
  else {
    for (const name of ['accuracy', 'loss', 'precision', 'recall', 'f1'] as const)
      values[`test_${name}`] = metrics.test[name];
    values['test_roc_auc'] = metrics.test.rocAuc;
    values['test_accuracy_low'] = metrics.test.interval.low;
    values['test_accuracy_high'] = metrics.test.interval.high;
    for (const { name, accuracy } of metrics.baselines) values[`baseline_${name.replaceAll(' ', '_')}`] = accuracy;
  }
  return finite(values, training.step, timestamp);
}

const snake = (name: string) => name.replace(/[A-Z]/g, '_$&').toLowerCase();

const chunks = <Item>(items: Item[], size: number): Item[][] =>
  Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size));

export class Tracker {
  readonly #state: TrackingState;

  constructor(
    readonly run: RunFolder,
    readonly client: MlflowClient,
    /** Told what the reader should know. */
    readonly note: (words: string) => void = () => {},
  ) {
    this.#state = this.#read()[client.settings.trackingUri] ?? {
      ...{ id: randomUUID(), offset: 0, step: 0, described: false, files: {} },
    };
  }

  #read(): Record<string, TrackingState> {
    return this.run.read<Record<string, TrackingState>>(stateFile) ?? {};
  }

  #save(): void {
    this.run.write(stateFile, { ...this.#read(), [this.client.settings.trackingUri]: this.#state });
  }

  /** Where a person finds the run. */
  get url(): string {
    const { run } = this.#state;
    const { trackingUri } = this.client.settings;
    return run ? `${trackingUri}/#/experiments/${run.experiment}/runs/${run.id}` : trackingUri;
  }

  /** What is new in the journal since the last time, whole lines only. */
  #news(): { entries: JournalEntry[]; offset: number } {
    const { offset } = this.#state;
    const file = this.run.of(journalFile);
    if (!fs.existsSync(file)) return { entries: [], offset };
    const descriptor = fs.openSync(file, 'r');
    try {
      const bytes = Buffer.alloc(Math.max(0, fs.fstatSync(descriptor).size - offset));
      fs.readSync(descriptor, bytes, 0, bytes.length, offset);
      const end = bytes.lastIndexOf(10) + 1;
      const lines = bytes.subarray(0, end).toString('utf8').split('\n').filter(Boolean);
      return { entries: lines.flatMap((line) => parseEntry(line) ?? []), offset: offset + end };
    } finally {
      fs.closeSync(descriptor);
    }
  }

  /** The run on the server, which is made when it is not there. */
  async #ensureRun(startedAt: number): Promise<NonNullable<TrackingState['run']>> {
    if (this.#state.run) return this.#state.run;
    const { client } = this;
    const wanted = client.settings.runId;
    let found = wanted ? await client.run(wanted) : undefined;
    if (!found) {
      const experiment = await client.experiment();
      // Its id is on the disk before it is on the server: an answer that is lost makes no second run.
      const known = this.#read()[client.settings.trackingUri] !== undefined;
      if (!known) this.#save();
      const tag = 'tunebook.id';
      found =
        (known ? await client.findRun(experiment, tag, this.#state.id) : undefined) ??
        (await client.createRun(experiment, path.basename(path.resolve(this.run.folder)), startedAt, [
          { key: tag, value: this.#state.id },
        ]));
    }
    const { run_id, experiment_id, artifact_uri } = found.info;
    this.#state.run = { id: run_id, experiment: experiment_id, artifactUri: artifact_uri };
    this.#save();
    this.note(`Tracked by MLflow: ${this.url}`);
    return this.#state.run;
  }

  async #describe(id: string): Promise<void> {
    const told = this.run.settings;
    const environment = this.run.read<RunEnvironment>('environment.json');
    // They are written soon after the journal is begun.
    if (this.#state.described || !told || !environment) return;
    const { settings, command, sources } = told;
    const params = settingsList
      .filter(({ only }) => !only || only === command)
      .filter(({ name }) => settings[name] !== undefined)
      .map(({ name }) => ({ key: snake(name), value: formatSetting(name, settings[name]).slice(0, longestValue) }))
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
      for (const some of chunks(params, mostInBatch.params)) await this.client.logBatch(id, { params: some });
    } catch (error) {
      if ((error as MlflowError).serverCode !== 'INVALID_PARAMETER_VALUE') throw error;
      this.note('MLflow keeps the parameters that this run was first tracked with: they cannot be changed there.');
    }
    this.#state.described = true;
    this.#save();
  }

  /** Sends files that are new or have changed: of a run that is over all, before that none. */
  async #sendFiles({ artifactUri }: NonNullable<TrackingState['run']>): Promise<void> {
    if (this.#state.withoutFiles) return;
    const names = ['settings.json', 'environment.json', 'metrics.json', 'report.html', 'figures', 'model']
      .flatMap((name) => {
        const file = this.run.of(name);
        if (!fs.existsSync(file)) return [];
        return fs.statSync(file).isDirectory() ? fs.readdirSync(file).map((inner) => `${name}/${inner}`) : [name];
      })
      .concat(journalFile);
    for (const name of names) {
      const file = this.run.of(name);
      const { size, mtimeMs } = fs.statSync(file);
      const stamp = `${size} ${mtimeMs}`;
      if (this.#state.files[name] === stamp) continue;
      try {
        await this.client.uploadArtifact(artifactUri, name, file);
      } catch (error) {
        if ((error as MlflowError).code !== 'MLFLOW_NO_ARTIFACT_PROXY') throw error;
        this.#state.withoutFiles = (error as Error).message;
        this.#save();
        this.note(`MLflow gets no files: ${this.#state.withoutFiles}.`);
        return;
      }
      this.#state.files[name] = stamp;
      this.#save();
    }
  }

  /**
   * Sends all that the server does not have yet.
   * @throws MlflowError when it cannot be sent now; what arrived is remembered
   */
  async send(): Promise<void> {
    const { entries, offset } = this.#news();
    if (entries.length === 0) return;
    const run = await this.#ensureRun(Date.parse(entries[0]!.time));
    const begun = entries.some(({ kind }) => kind === 'start');
    // A run may go on with other settings, if it is told to.
    if (begun) this.#state.described = false;
    await this.#describe(run.id);
    const metrics: MlflowMetric[] = [];
    let step = this.#state.step;
    let ending: { status: 'FINISHED' | 'FAILED' | 'KILLED'; time: number } | undefined;
    const tags: KeyValue[] = [];
    for (const entry of entries) {
      const time = Date.parse(entry.time);
      if (entry.kind === 'start') ending = undefined;
      else if (entry.kind === 'step') {
        const record = entry as unknown as TrainingRecord;
        const every = Math.ceil(record.totalSteps / mostUpdates);
        const isShown = record.step % every === 0 || record.step === record.totalSteps || record.evalLoss !== undefined;
        // A run that goes on from a checkpoint says again what it had said behind it.
        if (record.step > step && isShown) metrics.push(...metricsOfRecord(record, time));
        step = Math.max(step, record.step);
      } else if (entry.kind === 'summary') {
        const summary = entry as unknown as RunMetrics;
        metrics.push(...metricsOfSummary(summary, time));
        tags.push({ key: 'mlflow.note.content', value: noteOf(summary) });
      } else if (entry.kind === 'end') {
        const state = entry['state'] as string;
        ending = { status: state === 'failed' ? 'FAILED' : state === 'interrupted' ? 'KILLED' : 'FINISHED', time };
      }
    }
    if (begun && this.#state.offset > 0) await this.client.updateRun(run.id, 'RUNNING');
    for (const some of chunks(metrics, mostInBatch.metrics)) await this.client.logBatch(run.id, { metrics: some });
    if (tags.length > 0) await this.client.logBatch(run.id, { tags });
    if (ending) {
      await this.#sendFiles(run);
      await this.client.updateRun(run.id, ending.status, ending.time);
    }
    Object.assign(this.#state, { offset, step });
    this.#save();
  }

  /** Says that a run is over which died before it could. */
  async close(): Promise<void> {
    const { run } = this.#state;
    if (!run) return;
    await this.#sendFiles(run);
    await this.client.updateRun(run.id, 'KILLED', fs.statSync(this.run.of(journalFile)).mtimeMs);
  }
}

function noteOf(metrics: RunMetrics): string {
  return metrics.command === 'adapt'
    ? `Perplexity ${metrics.before.perplexity.toFixed(2)} before, ${metrics.after.perplexity.toFixed(2)} after. ${metrics.sources}`
    : `${percent(metrics.test.accuracy)} of ${metrics.test.count} test reviews judged rightly. ${metrics.sources}`;
}
