/**
 * Amazon SageMaker's contract for training containers
 * (docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo-running-container.html): settings, data, model and
 * failure are files and folders below /opt/ml.
 */
import fs from 'node:fs';
import path from 'node:path';
import { FileError, SettingsError } from '../errors.js';
import type { RankPlace } from '../distributed/rank-environment.js';
import { containerPort, placesOnHost } from '../distributed/scheduler.js';

/** The folders of the contract. */
export interface SagemakerFolders {
  /** The folder of all others. */
  base: string;
  /** Files of the configuration. */
  configuration: string;
  /** Channels of data, one folder each. */
  data: string;
  /** Synced to S3 during training, and restored when a spot instance is replaced. */
  checkpoints: string;
  /** Its content becomes model.tar.gz. */
  model: string;
  /** Its content becomes output.tar.gz. */
  output: string;
  /** The first 1,024 characters of this file are the job's FailureReason. */
  failure: string;
}

/**
 * The folders of this container.
 * @param base @default /opt/ml, or SAGEMAKER_BASE_DIR, as in SageMaker's own toolkit
 */
export function sagemakerFolders(base = process.env['SAGEMAKER_BASE_DIR'] ?? '/opt/ml'): SagemakerFolders {
  const inBase = (name: string) => path.join(base, name);
  return {
    base,
    configuration: inBase('input/config'),
    data: inBase('input/data'),
    checkpoints: inBase('checkpoints'),
    model: inBase('model'),
    output: inBase('output/data'),
    failure: inBase('output/failure'),
  };
}

/**
 * Reads a file of the configuration.
 * @returns undefined if there is none
 * @throws FileError if it is not valid JSON
 */
function readConfiguration<Content>({ configuration }: SagemakerFolders, name: string): Content | undefined {
  const file = path.join(configuration, name);
  if (!fs.existsSync(file)) return undefined;
  try {
    return JSON.parse(fs.readFileSync(file, 'utf8')) as Content;
  } catch (error) {
    throw new FileError('FILE_UNUSABLE', `${file} is not valid JSON (${(error as Error).message}).`, { path: file });
  }
}

/** Hyperparameters of SageMaker's own toolkit and of its tuning jobs, which are not settings. */
const isOfSagemaker = (name: string) => name.startsWith('sagemaker_') || name.startsWith('_');

/** Flags whose values SageMaker's folders determine. */
const reserved = ['run-folder', 'output-dir', 'resume', 'config'];

/** SageMaker's SDK writes texts as JSON: `"reviews"` in quotes. */
const plainValue = (value: unknown): string => {
  const text = String(value);
  try {
    return /^".*"$/s.test(text) ? String(JSON.parse(text)) : text;
  } catch {
    return text;
  }
};

/** A channel whose model is trained further, and those whose names are splits. */
const modelChannel = 'model';
const splits = ['train', 'validation', 'test'];

/**
 * The data of the channels: the folder of the only one, or of all of them if their names are splits.
 * @throws SettingsError for other channels, or if data are piped
 */
function datasetOf(folders: SagemakerFolders, channels: Record<string, { TrainingInputMode?: string } | null>) {
  const piped = Object.keys(channels).find((name) => channels[name]?.TrainingInputMode === 'Pipe');
  if (piped !== undefined)
    throw new SettingsError(
      'SETTING_INVALID',
      `The channel ${piped} has the input mode Pipe, which is not supported. Use File or FastFile.`,
      { name: piped, value: 'Pipe' },
    );
  const names = Object.keys(channels).filter((name) => name !== modelChannel);
  if (names.length === 0) return undefined;
  if (names.length === 1) return path.join(folders.data, names[0]!);
  if (names.every((name) => splits.includes(name))) return folders.data;
  throw new SettingsError(
    'SETTING_INVALID',
    `The channels ${names.join(', ')} are not splits. Use one channel, or channels named ${splits.join(', ')}.`,
    { name: 'channels', value: names },
  );
}

/**
 * The arguments of `tunebook finetune` for a training job: its hyperparameters are flags, its channels are `--dataset` and
 * `--model`. The run is in the checkpoints' folder and is resumed if there is one.
 * @throws FileError, SettingsError for configurations that are invalid or not supported
 */
export function argumentsOfJob(folders: SagemakerFolders): string[] {
  const parameters = readConfiguration<Record<string, unknown>>(folders, 'hyperparameters.json') ?? {};
  const channels =
    readConfiguration<Record<string, { TrainingInputMode?: string } | null>>(folders, 'inputdataconfig.json') ?? {};
  const flags = Object.entries(parameters).flatMap(([name, value]) =>
    isOfSagemaker(name) ? [] : [`--${name.replaceAll('_', '-')}=${plainValue(value)}`],
  );
  const has = (name: string) => flags.some((flag) => flag.startsWith(`--${name}=`));
  const taken = reserved.find(has);
  if (taken !== undefined)
    throw new SettingsError(
      'SETTING_CONFLICT',
      `The hyperparameter ${taken} cannot be set: the run is in ${folders.checkpoints}, from which the model is delivered. Remove it.`,
      { names: [taken] },
    );
  const dataset = datasetOf(folders, channels);
  const added = {
    dataset: has('dataset-name') ? undefined : dataset,
    model: modelChannel in channels ? path.join(folders.data, modelChannel) : undefined,
  };
  return [
    ...flags,
    ...Object.entries(added).flatMap(([name, value]) =>
      value === undefined || has(name) ? [] : [`--${name}=${value}`],
    ),
    `--run-folder=${folders.checkpoints}`,
    '--resume',
  ];
}

/**
 * The places of the ranks on this host: one per GPU, or one. All hosts of a job have the same number of GPUs.
 * @param gpus number of GPUs of this host
 */
export function placesOfJob(folders: SagemakerFolders, gpus: number): RankPlace[] {
  const { SM_HOSTS, SM_CURRENT_HOST } = process.env;
  const resources =
    readConfiguration<{ current_host: string; hosts: string[] }>(folders, 'resourceconfig.json') ??
    (SM_HOSTS && SM_CURRENT_HOST
      ? { current_host: SM_CURRENT_HOST, hosts: JSON.parse(SM_HOSTS) as string[] }
      : { current_host: '127.0.0.1', hosts: ['127.0.0.1'] });
  const hosts = [...resources.hosts].sort();
  if (!hosts.includes(resources.current_host))
    throw new SettingsError(
      'LAUNCH_WRONG_HOST',
      `resourceconfig.json has the current host ${resources.current_host}, which is not one of its hosts ${hosts.join(', ')}.`,
      { current: resources.current_host, hosts },
    );
  return placesOnHost(hosts, hosts.indexOf(resources.current_host), gpus, containerPort);
}

/** Files of a run that become output.tar.gz. */
const outputs = ['report.html', 'metrics.json', 'settings.json', 'environment.json', 'journal.jsonl'];

/** Copies the model and the results of the run to SageMaker's folders. Does nothing on hosts without the chief. */
export function deliverResults(folders: SagemakerFolders): void {
  const inRun = (name: string) => path.join(folders.checkpoints, name);
  if (!fs.existsSync(inRun('model'))) return;
  fs.cpSync(inRun('model'), folders.model, { recursive: true });
  fs.mkdirSync(folders.output, { recursive: true });
  for (const name of outputs)
    if (fs.existsSync(inRun(name))) fs.copyFileSync(inRun(name), path.join(folders.output, name));
}
