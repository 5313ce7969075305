/**
 * Parts of the model that stay as they came. Their gradients are not computed, and neither is what only they would need:
 * with the lower layers frozen, the way back ends above them.
 */

import { ArgumentError } from '../errors.js';
import { isEmbedding, layerOf } from '../model/families.js';
import type { Settings } from '../settings/settings.js';

/** `none`, `embeddings`, the whole `encoder` (only the head learns), or how many layers from below, embeddings included. */
export type Freeze = Settings['freeze'];

/**
 * The names of the parameters that are trained.
 * @throws ArgumentError for more layers than there are
 */
export function trainedParameters(names: Iterable<string>, layers: number, freeze: Freeze): string[] {
  if (typeof freeze === 'number' && freeze > layers)
    throw new ArgumentError('ARGUMENT_TOO_MANY_LAYERS', `freeze is ${freeze}, but the model has ${layers} layers.`, {
      freeze,
      layers,
    });
  const frozenLayers = freeze === 'encoder' ? layers : typeof freeze === 'number' ? freeze : 0;
  const isFrozen = (name: string) => {
    const layer = layerOf(name);
    return layer === undefined ? freeze !== 'none' && isEmbedding(name) : layer < frozenLayers;
  };
  return [...names].filter((name) => !isFrozen(name));
}
