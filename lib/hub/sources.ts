/**
 * The choice of model and reviews: those that the settings name, else `distilbert-base-uncased` and `amazon_polarity`
 * from the hub. If it is not available, notebooks use the embedded ones, and commands end with an error: a job must not
 * train another model than the one that was meant. A banner says what was chosen and why.
 */
import { incompleteShard } from './dataset.js';
import { cachedRepository, parseRepositoryName } from './repository.js';
import { hubOfEnvironment, type Hub } from './environment.js';
import { isHubAvailable } from './request.js';
import type { Settings } from '../settings/settings.js';

/** The model and the reviews of a run, as names for `fetchModel` and `openReviews`. */
export interface Sources {
  /** `embedded`, a folder, or a name on the hub. */
  model: string;
  /** `embedded`, a file or folder, or a name on the hub. */
  dataset: string;
  /** What was chosen and why, in one or two sentences. */
  banner: string;
  /** Whether the embedded ones are used because the hub is not available. */
  fallback: boolean;
}

/** The model and data set of the original project. */
export const hubDefaults = { model: 'distilbert-base-uncased', dataset: 'amazon_polarity' } as const;

/** Seconds within which the hub must respond; otherwise notebooks use the embedded model and reviews. */
const hubTimeout = 3;

/** Whether the default model or data set is completely in the cache. */
function isCached(hub: Hub, type: keyof typeof hubDefaults): boolean {
  const { name, revision } = parseRepositoryName(hubDefaults[type]);
  const files = cachedRepository(hub, type, name, revision)?.files ?? [];
  if (type === 'model')
    return ['config.json', 'tokenizer.json', 'model.safetensors'].every((file) =>
      files.some(({ path }) => path === file),
    );
  const parquet = files.filter(({ path }) => path.endsWith('.parquet'));
  return parquet.length > 0 && incompleteShard(parquet) === undefined;
}

/**
 * Chooses the model and the reviews independently of each other: the one that is set, else by the source.
 * @param settings source, model and data set
 * @param settings.source `auto` uses the hub if it responds within 3 s or the files are cached
 * @param settings.model takes precedence over the source
 * @param settings.dataset takes precedence over the source
 * @param options which hub, and what to do without it
 * @param options.hub which hub. @default the one that HF_ENDPOINT and related variables describe
 * @param options.fallback whether `auto` uses the embedded ones if the hub is not available. Otherwise those of the hub are
 *   chosen without a request, so that opening them is an OfflineError. @default true
 * @example
 * const sources = await chooseSources(readSettings());
 * showBanner(sources.banner, sources.fallback);
 */
export async function chooseSources(
  { source, model, dataset }: Pick<Settings, 'source' | 'model' | 'dataset'>,
  { hub = hubOfEnvironment(), fallback = true }: { hub?: Hub; fallback?: boolean } = {},
): Promise<Sources> {
  const named = [model && `the model ${model}`, dataset && `the reviews ${dataset}`].filter(Boolean);
  const specified = named.length > 0 ? `${named.join(' and ')}, as specified` : '';
  const runsOn = (...parts: string[]) => `This runs on ${parts.filter((part) => part !== '').join(', and on ')}.`;
  if (model && dataset) return { model, dataset, banner: runsOn(specified), fallback: false };
  const embedded = { model: model ?? 'embedded', dataset: dataset ?? 'embedded' };
  const unspecified = (
    [
      ['model', model],
      ['dataset', dataset],
    ] as const
  ).flatMap(([type, name]) => (name ? [] : [type]));
  const pair =
    unspecified.length > 1
      ? 'the embedded model and reviews'
      : `the embedded ${unspecified[0] === 'model' ? 'model' : 'reviews'}`;
  if (source === 'embedded')
    return { ...embedded, banner: runsOn(specified, `${pair}, for which no network is needed`), fallback: false };

  const isAvailable = source === 'hub' || !fallback || (await isHubAvailable(hub, hubTimeout));
  if (isAvailable || unspecified.every((type) => isCached(hub, type))) {
    const names = unspecified.map((type) => hubDefaults[type]).join(' and ');
    const where = isAvailable && !hub.offline ? hub.endpoint : 'the cache of the hub';
    return {
      ...hubDefaults,
      ...(model && { model }),
      ...(dataset && { dataset }),
      banner: runsOn(specified, `${names} from ${where}`),
      fallback: false,
    };
  }
  const reason = hub.offline ? 'HF_HUB_OFFLINE is set' : `${hub.endpoint} cannot be reached within ${hubTimeout} s`;
  const missing = unspecified.map((type) => hubDefaults[type]).join(' and ');
  return {
    ...embedded,
    banner:
      `${reason}, and ${missing} ${unspecified.length > 1 ? 'are' : 'is'} not in the cache. ` +
      runsOn(specified, `${pair} instead`),
    fallback: true,
  };
}
