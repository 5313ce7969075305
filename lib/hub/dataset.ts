/**
 * A data set on the hub: which Parquet files make which split. Said by the YAML at the head of its README (`configs`,
 * `dataset_info`), else by its files' names (huggingface.co/docs/hub, "Data files configuration"). Where its files are of
 * another kind, the hub keeps a conversion in the branch refs/convert/parquet.
 */
import fs from 'node:fs';
import path from 'node:path';
import picomatch from 'picomatch';
import { parse as parseYaml } from 'yaml';
import { EntryNotFoundError, OfflineError, RevisionNotFoundError } from '../errors.js';
import { offlineChoices } from './offline-choices.js';
import { fetchFiles } from './download.js';
import type { Hub } from './environment.js';
import { openRepository, parseRepositoryName, type HubFile, type Repository } from './repository.js';

/** The parts of a data set, by the names that they have here; files may call them otherwise. */
export type SplitName = 'train' | 'validation' | 'test';

/** What a split is called in the names of files. */
const splitWords: Record<SplitName, string[]> = {
  train: ['train', 'training'],
  validation: ['validation', 'valid', 'val', 'dev'],
  test: ['test', 'testing', 'eval', 'evaluation'],
};

/** The split that a file's path speaks of, if it speaks of one that is known: its name first, then its folder's, and so on. */
export function splitOfPath(file: string): SplitName | undefined {
  const parts = file.toLowerCase().split('/').reverse();
  // `train-00000-of-00004.parquet` names its split, and nothing else does then.
  const named = /-\d+-of-\d+/.test(parts[0]!);
  for (const part of named ? parts.slice(0, 1) : parts) {
    const words = part.split(/[^a-z]+/);
    const found = (Object.keys(splitWords) as SplitName[]).findLast((split) =>
      splitWords[split].some((word) => words.includes(word)),
    );
    if (found) return found;
  }
  return undefined;
}

export interface HubDataset {
  /** Where its files are: the data set's own branch, or that of its conversion. */
  repository: Repository;
  /** Where its README is. */
  card: Repository;
  /** Its Parquet files by split, in their order. */
  splits: Partial<Record<SplitName, HubFile[]>>;
  /** Names of a column's classes, by column. */
  classNames: Record<string, string[]>;
}

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
  features?: { name: string; dtype?: unknown }[];
}

async function readCard(repository: Repository): Promise<Card> {
  if (!repository.files.some(({ path }) => path === 'README.md')) return {};
  const { folder } = await fetchFiles(repository, ['README.md']);
  const [, head] = /^---\r?\n([\s\S]*?)\r?\n---/.exec(fs.readFileSync(path.join(folder, 'README.md'), 'utf8')) ?? [];
  try {
    return ((head && parseYaml(head)) ?? {}) as Card;
  } catch {
    // A head that is no YAML tells nothing; the files' names still do.
    return {};
  }
}

/** The configuration that is meant: the named one, the default, or the only one. */
function chooseConfig(
  name: string,
  names: string[],
  wanted: string | undefined,
  preferred?: string,
): string | undefined {
  const only = names.length === 1 ? names[0] : undefined;
  const chosen = wanted ?? preferred ?? (names.includes('default') ? 'default' : only);
  if (names.length > 0 && (chosen === undefined || !names.includes(chosen)))
    throw new EntryNotFoundError(
      'HUB_NO_CONFIGURATION',
      `${name} has several configurations${wanted ? `, and '${wanted}' is none of them` : ''}: ${names.join(', ')}. ` +
        'Name one of them (TUNEBOOK_DATASET_CONFIG).',
      { name, configuration: wanted, configurations: names },
    );
  return chosen;
}

function classNamesOf({ features = [] }: DatasetInfo): Record<string, string[]> {
  const found: Record<string, string[]> = {};
  for (const { name, dtype } of features) {
    const names = (dtype as { class_label?: { names?: Record<string, string> } } | undefined)?.class_label?.names;
    if (names)
      found[name] = Object.keys(names)
        .sort((a, b) => Number(a) - Number(b))
        .map((id) => String(names[id]));
  }
  return found;
}

type Splits = HubDataset['splits'];

/** Files by split; those of a split that is none of the three (`unsupervised`, `extra`) are nobody's. */
function splitsOf(files: HubFile[], splitOf: (path: string) => SplitName | undefined): Splits {
  const splits: Splits = {};
  for (const file of [...files].sort((a, b) => (a.path < b.path ? -1 : 1))) {
    const split = splitOf(file.path);
    if (split) (splits[split] ??= []).push(file);
  }
  return splits;
}

type CardConfig = NonNullable<Card['configs']>[number];

/** Splits by the names of files; where none speaks of one, all are to be learnt from. */
function splitsByName(files: HubFile[]): Splits {
  const splits = splitsOf(files, splitOfPath);
  return Object.keys(splits).length > 0 ? splits : splitsOf(files, () => 'train');
}

/** Splits of a configuration: by its `data_files`, or by the names of the files in its folder. */
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

/** The first of the files `…-00000-of-0000N.parquet` that lacks some of its N, if there is one. */
export function incompleteShard(files: { path: string }[]): string | undefined {
  const counts = new Map<string, number>();
  const keyOf = (path: string) => path.replace(/-\d+-of-/, '-of-');
  for (const { path } of files) counts.set(keyOf(path), (counts.get(keyOf(path)) ?? 0) + 1);
  return files.find(({ path }) => {
    const of = /-\d+-of-(\d+)/.exec(path)?.[1];
    return of !== undefined && counts.get(keyOf(path))! < Number(of);
  })?.path;
}

/**
 * Finds a data set and its splits.
 * @param text `name`, `owner/name` or `owner/name@revision`
 * @param config which configuration, where there are several
 * @throws HubError, of the kind that fits
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
  const found = configured
    ? splitsOfConfig(configured, parquetOf(repository))
    : named.length === 0
      ? splitsByName(parquetOf(repository))
      : {};
  if (Object.keys(found).length > 0) {
    const info = infos.find(({ config_name }) => config_name === configured?.config_name) ?? infos[0] ?? {};
    return checked({ repository, card: repository, splits: found, classNames: classNamesOf(info) });
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
      `${name} has no Parquet files, nor a conversion to them. It has: ${
        repository.files
          .slice(0, 20)
          .map(({ path }) => path)
          .join(', ') || 'nothing'
      }. ` + 'Download one of its .csv or .jsonl files and name that.',
      { name },
    );
  const chosen = chooseConfig(name, [...new Set(files.map(({ path }) => path.split('/')[0]!))], config, preferred);
  return checked({
    repository: converted,
    card: repository,
    splits: splitsByName(files.filter(({ path }) => path.startsWith(`${chosen}/`))),
    classNames: classNamesOf(infos.find((info) => info.config_name === chosen) ?? {}),
  });
}

/** @throws OfflineError when the cache has a part of it only, EntryNotFoundError when there is nothing to learn from */
function checked(dataset: HubDataset): HubDataset {
  const { repository, splits } = dataset;
  const missing = repository.cached ? incompleteShard(Object.values(splits).flat()) : undefined;
  if (missing)
    throw new OfflineError(
      'HUB_OFFLINE',
      `The cache has a part of ${repository.name} only (${missing} has fellows that are missing), and the hub cannot be asked. ${offlineChoices}`,
      { name: repository.name },
    );
  if (!splits.train)
    throw new EntryNotFoundError(
      'HUB_NO_ROWS',
      `${repository.name} has no rows to train on, only ${Object.keys(splits).join(' and ')}.`,
      { name: repository.name, splits: Object.keys(splits) },
    );
  return dataset;
}
