/**
 * Which model and which reviews a run takes: those that are named, else the hub's `distilbert-base-uncased` and
 * `amazon_polarity`, else the embedded pair. What was chosen, and why, is told in a sentence that the reader sees.
 */
import { incompleteShard } from './dataset.js';
import { cachedRepository, parseRepositoryName } from './repository.js';
import { hubOfEnvironment, type Hub } from './environment.js';
import { hubAnswers } from './request.js';
import type { Settings } from '../settings/settings.js';

/** The model and the reviews of a run, by names that `fetchModel` and `openReviews` take. */
export interface Sources {
  /** `embedded`, a folder, or a name on the hub. */
  model: string;
  /** `embedded`, a file or folder, or a name on the hub. */
  dataset: string;
  /** What was chosen and why, a sentence or two. */
  banner: string;
  /** The hub was wanted and could not be had. */
  fallback: boolean;
}

/** The original project's. */
export const hubDefaults = { model: 'distilbert-base-uncased', dataset: 'amazon_polarity' } as const;

/** Seconds in which the hub must answer to be chosen. */
const patience = 3;

/** Whether all that the defaults need is in the cache. */
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
 * Chooses model and reviews, each for itself: the one that is named, else by the source.
 * @param settings the three of Settings that matter here
 * @param settings.source `auto` asks the hub, which must answer within 3 s, and looks into its cache
 * @param settings.model named: it is taken, whatever the source
 * @param settings.dataset named: it is taken, whatever the source
 * @param hub default: the one that HF_ENDPOINT and its like describe
 */
export async function chooseSources(
  { source, model, dataset }: Pick<Settings, 'source' | 'model' | 'dataset'>,
  hub: Hub = hubOfEnvironment(),
): Promise<Sources> {
  const named = [model && `the model ${model}`, dataset && `the reviews ${dataset}`].filter(Boolean);
  const asAsked = named.length > 0 ? `${named.join(' and ')}, as asked for` : '';
  const runsOn = (...parts: string[]) => `This runs on ${parts.filter((part) => part !== '').join(', and on ')}.`;
  if (model && dataset) return { model, dataset, banner: runsOn(asAsked), fallback: false };
  const embedded = { model: model ?? 'embedded', dataset: dataset ?? 'embedded' };
  const open = (
    [
      ['model', model],
      ['dataset', dataset],
    ] as const
  ).flatMap(([type, name]) => (name ? [] : [type]));
  const pair =
    open.length > 1 ? 'the embedded model and reviews' : `the embedded ${open[0] === 'model' ? 'model' : 'reviews'}`;
  if (source === 'embedded')
    return { ...embedded, banner: runsOn(asAsked, `${pair}, for which no network is needed`), fallback: false };

  const answers = source === 'hub' || (await hubAnswers(hub, patience));
  if (answers || open.every((type) => isCached(hub, type))) {
    const names = open.map((type) => hubDefaults[type]).join(' and ');
    const where = answers && !hub.offline ? `of ${hub.endpoint}` : 'of the hub, as they are in the cache';
    return {
      ...hubDefaults,
      ...(model && { model }),
      ...(dataset && { dataset }),
      banner: runsOn(asAsked, `${names} ${where}`),
      fallback: false,
    };
  }
  const why = hub.offline ? 'HF_HUB_OFFLINE is set' : `${hub.endpoint} did not answer within ${patience} s`;
  return {
    ...embedded,
    banner:
      `${why}, and ${open.map((type) => hubDefaults[type]).join(' and ')} ${open.length > 1 ? 'are' : 'is'} not in the cache. ` +
      runsOn(asAsked, `${pair} instead`),
    fallback: true,
  };
}
