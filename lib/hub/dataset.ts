/**
 * A data set on the hub: which Parquet files make which split. Said by the YAML at the head of its README (`configs`,
 * `dataset_info`), else by its files' names (huggingface.co/docs/hub, "Data files configuration"). Where its files are of
 * another kind, the hub keeps a conversion in the branch refs/convert/parquet.
 */
import fs from 'node:fs';
import path from 'node:path';
import picomatch from 'picomatch';
import { parse as parseYaml } from 'yaml';
import { fetchFiles } from './download.js';
import type { Hub } from './environment.js';
import { EntryNotFoundError, RevisionNotFoundError } from './errors.js';
import { openRepository, parseRepositoryName, type HubFile, type Repository } from './repository.js';

export type SplitName = 'train' | 'validation' | 'test';

/** What a split is called in the names of files. */
const splitWords: Record<SplitName, string[]> = {
  train: ['train', 'training'],
  validation: ['validation', 'valid', 'val', 'dev'],
  test: ['test', 'testing', 'eval', 'evaluation'],
};

/** The split that a file's path speaks of; `train` where it speaks of none. */
export function splitOfPath(file: string): SplitName {
  const words = file.toLowerCase().split(/[^a-z]+/);
  const found = (Object.keys(splitWords) as SplitName[]).filter((split) =>
    splitWords[split].some((word) => words.includes(word)),
  );
  return found.at(-1) ?? 'train';
}

export interface HubDataset {
  repository: Repository;
  /** Its Parquet files by split, in their order. */
  splits: Partial<Record<SplitName, HubFile[]>>;
  /** Names of a column's classes, by column. */
  classNames: Record<string, string[]>;
}

interface Card {
  configs?: {
    config_name?: string;
    default?: boolean;
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
      `${name} has several configurations${wanted ? `, and '${wanted}' is none of them` : ''}: ${names.join(', ')}. ` +
        'Name one of them (TUNEBOOK_DATASET_CONFIG).',
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

function splitsOf(files: HubFile[], splitOf: (path: string) => SplitName | undefined): Splits {
  const splits: Splits = {};
  for (const file of [...files].sort((a, b) => (a.path < b.path ? -1 : 1))) {
    const split = splitOf(file.path);
    if (split) (splits[split] ??= []).push(file);
  }
  return splits;
}

/** Splits by the card's `data_files`, none where it says nothing. */
function declaredSplits(config: NonNullable<Card['configs']>[number] | undefined, files: HubFile[]): Splits {
  const { data_files: declared } = config ?? {};
  if (!declared) return {};
  const entries = (Array.isArray(declared) ? declared : [declared]).map((entry) =>
    typeof entry === 'string' ? { split: 'train', path: entry } : entry,
  );
  const matchers = entries.map(({ split, path }) => ({ split: splitOfPath(split), matches: picomatch(path) }));
  return splitsOf(files, (file) => matchers.find(({ matches }) => matches(file))?.split);
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

  if (parquetOf(repository).length > 0) {
    const chosen = chooseConfig(repository.name, named, config, preferred);
    const classNames = classNamesOf(infos.find((info) => info.config_name === chosen) ?? infos[0] ?? {});
    const declared = declaredSplits(
      card.configs?.find(({ config_name }) => config_name === chosen),
      parquetOf(repository),
    );
    const splits = Object.keys(declared).length > 0 ? declared : splitsOf(parquetOf(repository), splitOfPath);
    return { repository, splits, classNames };
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
      `${name} has no Parquet files, nor a conversion to them. It has: ${
        repository.files
          .slice(0, 20)
          .map(({ path }) => path)
          .join(', ') || 'nothing'
      }. ` + 'Download one of its .csv or .jsonl files and name that.',
    );
  const chosen = chooseConfig(name, [...new Set(files.map(({ path }) => path.split('/')[0]!))], config, preferred);
  return {
    repository: converted,
    splits: splitsOf(
      files.filter(({ path }) => path.startsWith(`${chosen}/`)),
      (file) => splitOfPath(file.split('/')[1]!),
    ),
    classNames: classNamesOf(infos.find((info) => info.config_name === chosen) ?? {}),
  };
}
