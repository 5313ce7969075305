/**
 * Data sets on the hub: which Parquet files belong to which split. This is defined by the YAML header of the README
 * (`configs`, `dataset_info`), or else by the names of the files (huggingface.co/docs/hub, "Data files configuration").
 * For files in other formats, the hub provides a conversion in the branch refs/convert/parquet.
 */
import fs from 'node:fs';
import path from 'node:path';
import picomatch from 'picomatch';
import { parse as parseYaml } from 'yaml';
import { EntryNotFoundError, OfflineError, RevisionNotFoundError } from '../errors.js';
import { settingText } from '../settings/setting-text.js';
import { offlineChoices } from './offline-choices.js';
import { fetchFiles } from './download.js';
import type { Hub } from './environment.js';
import { openRepository, parseRepositoryName, type HubFile, type Repository } from './repository.js';

/** The splits of a data set. */
export type SplitName = 'train' | 'validation' | 'test';

/** Words in file names that indicate a split. */
const splitKeywords: Record<SplitName, string[]> = {
  train: ['train', 'training'],
  validation: ['validation', 'valid', 'val', 'dev', 'development'],
  test: ['test', 'testing', 'eval', 'evaluation'],
};

/** The words of a name, without case: `test` of `testdata.manual.2009.csv` too. */
const wordsOf = (name: string): string[] =>
  name
    .toLowerCase()
    .split(/[^a-z]+/)
    .map((word) => word.replace(/(?:data|set)$/, ''))
    .filter((word) => word !== '');

/** Whether a name is that of a split and nothing else, such as `train`, `test_2` and `dev`. */
export function isSplitName(name: string): boolean {
  const words = wordsOf(name);
  const keywords = Object.values(splitKeywords).flat();
  return words.length > 0 && words.every((word) => keywords.includes(word));
}

/** The split that a file's path indicates. The name of the file takes precedence, then its folder, and so on upward. */
export function splitOfPath(file: string): SplitName | undefined {
  const parts = file.split('/').reverse();
  // In `train-00000-of-00004.parquet`, the folders are ignored.
  const isShard = /-\d+-of-\d+/.test(parts[0]!);
  for (const part of isShard ? parts.slice(0, 1) : parts) {
    const words = wordsOf(part);
    const split = (Object.keys(splitKeywords) as SplitName[]).findLast((name) =>
      splitKeywords[name].some((word) => words.includes(word)),
    );
    if (split) return split;
  }
  return undefined;
}

/** A data set on the hub. */
export interface HubDataset {
  /** The repository with its files: the data set's own branch, or the conversion's. */
  repository: Repository;
  /** The repository with its README. */
  card: Repository;
  /** Parquet files by split, ordered by path. */
  splits: Partial<Record<SplitName, HubFile[]>>;
  /** Class names by column, also of lists. */
  classNames: Record<string, string[]>;
}

/** The YAML header of a data set's README. */
interface Card {
  configs?: {
    config_name?: string;
    default?: boolean;
    data_dir?: string;
    data_files?: string | (string | { split: string; path: string | string[] })[];
  }[];
  dataset_info?: DatasetInfo | DatasetInfo[];
}

interface DatasetInfo {
  config_name?: string;
  /** Of a list of classes, `list` (`sequence` in older cards) is the type of its elements. */
  features?: { name: string; dtype?: unknown; list?: unknown; sequence?: unknown }[];
}

async function readCard(repository: Repository): Promise<Card> {
  if (!repository.files.some(({ path }) => path === 'README.md')) return {};
  const { folder } = await fetchFiles(repository, ['README.md']);
  const [, head] = /^---\r?\n([\s\S]*?)\r?\n---/.exec(fs.readFileSync(path.join(folder, 'README.md'), 'utf8')) ?? [];
  try {
    return ((head && parseYaml(head)) ?? {}) as Card;
  } catch {
    // If the header is not valid YAML, the names of the files determine the splits.
    return {};
  }
}

/** Chooses the requested configuration, the default, or the only one. */
function chooseConfig(
  name: string,
  names: string[],
  requested: string | undefined,
  preferred?: string,
): string | undefined {
  const only = names.length === 1 ? names[0] : undefined;
  const chosen = requested ?? preferred ?? (names.includes('default') ? 'default' : only);
  if (names.length > 0 && (chosen === undefined || !names.includes(chosen)))
    throw new EntryNotFoundError(
      'HUB_NO_CONFIGURATION',
      `${name} has ${requested ? `no configuration '${requested}'` : 'several configurations'}. ` +
        `It has: ${names.join(', ')}. Choose one of them: ${settingText('datasetConfig', names[0])}.`,
      { name, configuration: requested, configurations: names },
    );
  return chosen;
}

/** Class names by column, also of lists. */
function classNamesOf({ features = [] }: DatasetInfo): Record<string, string[]> {
  const classNames: Record<string, string[]> = {};
  for (const { name, dtype, list, sequence } of features) {
    const names = ((dtype ?? list ?? sequence) as { class_label?: { names?: Record<string, string> } } | undefined)
      ?.class_label?.names;
    if (names)
      classNames[name] = Object.keys(names)
        .sort((a, b) => Number(a) - Number(b))
        .map((id) => String(names[id]));
  }
  return classNames;
}

type Splits = HubDataset['splits'];

/** Groups files by split. Files of other splits, such as `unsupervised` and `extra`, are left out. */
function splitsOf(files: HubFile[], splitOf: (path: string) => SplitName | undefined): Splits {
  const splits: Splits = {};
  for (const file of [...files].sort((a, b) => (a.path < b.path ? -1 : 1))) {
    const split = splitOf(file.path);
    if (split) (splits[split] ??= []).push(file);
  }
  return splits;
}

type CardConfig = NonNullable<Card['configs']>[number];

/** Groups files by their names; if none indicates a split, all are training files. */
function splitsByName(files: HubFile[]): Splits {
  const splits = splitsOf(files, splitOfPath);
  return Object.keys(splits).length > 0 ? splits : splitsOf(files, () => 'train');
}

/** The splits of a configuration, by its `data_files` or by the names of the files in its folder. */
function splitsOfConfig({ data_files: declared, data_dir: folder }: CardConfig, all: HubFile[]): Splits {
  const within = folder?.replace(/^\.?\/|\/+$/g, '');
  const files = within ? all.filter(({ path }) => path.startsWith(`${within}/`)) : all;
  if (!declared) return splitsByName(files);
  const entries = (Array.isArray(declared) ? declared : [declared]).map((entry) =>
    typeof entry === 'string' ? { split: 'train', path: entry } : entry,
  );
  const matchers = entries.map(({ split, path }) => ({ split: splitOfPath(split), matches: picomatch(path) }));
  const nameIn = (path: string) => (within ? path.slice(within.length + 1) : path);
  return splitsOf(files, (path) => matchers.find(({ matches }) => matches(nameIn(path)))?.split);
}

/** The first file `…-00000-of-0000N.parquet` of a set of N shards that is incomplete, if any. */
export function incompleteShard(files: { path: string }[]): string | undefined {
  const counts = new Map<string, number>();
  const keyOf = (path: string) => path.replace(/-\d+-of-/, '-of-');
  for (const { path } of files) counts.set(keyOf(path), (counts.get(keyOf(path)) ?? 0) + 1);
  return files.find(({ path }) => {
    const total = /-\d+-of-(\d+)/.exec(path)?.[1];
    return total !== undefined && counts.get(keyOf(path))! < Number(total);
  })?.path;
}

/**
 * Finds a data set, its splits and its class names.
 * @param text `name`, `owner/name` or `owner/name@revision`
 * @param config configuration, if the data set has several
 * @throws HubError with the subclass of the problem
 */
export async function openDataset(hub: Hub, text: string, config?: string): Promise<HubDataset> {
  const repository = await openRepository(hub, 'dataset', text);
  const card = await readCard(repository);
  const infos = [card.dataset_info ?? []].flat();
  const parquetOf = ({ files }: Repository) => files.filter(({ path }) => path.endsWith('.parquet'));
  const named = (card.configs ?? []).flatMap(({ config_name }) => config_name ?? []);
  const preferred = card.configs?.find((entry) => entry.default)?.config_name;

  const configured = (card.configs ?? []).find(
    ({ config_name }) => config_name === chooseConfig(repository.name, named, config, preferred),
  );
  const splits = configured
    ? splitsOfConfig(configured, parquetOf(repository))
    : named.length === 0
      ? splitsByName(parquetOf(repository))
      : {};
  if (Object.keys(splits).length > 0) {
    const info = infos.find(({ config_name }) => config_name === configured?.config_name) ?? infos[0] ?? {};
    return checkSplits({ repository, card: repository, splits, classNames: classNamesOf(info) });
  }

  // The conversion's layout: configuration/split/0000.parquet.
  const { name } = parseRepositoryName(text);
  const converted = await openRepository(hub, 'dataset', `${name}@refs/convert/parquet`).catch((error: unknown) => {
    if (error instanceof RevisionNotFoundError) return undefined;
    throw error;
  });
  const files = converted ? parquetOf(converted) : [];
  if (!converted || files.length === 0)
    throw new EntryNotFoundError(
      'HUB_NO_PARQUET',
      `${name} has no Parquet files, and the hub has no conversion of it to Parquet. It has: ${
        repository.files
          .slice(0, 20)
          .map(({ path }) => path)
          .join(', ') || 'no files'
      }. ` + 'Download one of its .csv or .jsonl files and use the path of that file.',
      { name },
    );
  const chosen = chooseConfig(name, [...new Set(files.map(({ path }) => path.split('/')[0]!))], config, preferred);
  return checkSplits({
    repository: converted,
    card: repository,
    splits: splitsByName(files.filter(({ path }) => path.startsWith(`${chosen}/`))),
    classNames: classNamesOf(infos.find((info) => info.config_name === chosen) ?? {}),
  });
}

/**
 * Checks that a data set is complete and has training rows.
 * @throws OfflineError if the cache contains only some of its files, EntryNotFoundError if it has no training split
 */
function checkSplits(dataset: HubDataset): HubDataset {
  const { repository, splits } = dataset;
  const missing = repository.cached ? incompleteShard(Object.values(splits).flat()) : undefined;
  if (missing)
    throw new OfflineError(
      'HUB_OFFLINE',
      `The cache contains only some files of ${repository.name} (other shards of ${missing} are missing), ` +
        `and the hub is not available. ${offlineChoices()}`,
      { name: repository.name },
    );
  if (!splits.train)
    throw new EntryNotFoundError(
      'HUB_NO_ROWS',
      `${repository.name} has no training split, only ${Object.keys(splits).join(' and ')}. Choose another data set.`,
      { name: repository.name, splits: Object.keys(splits) },
    );
  return dataset;
}
