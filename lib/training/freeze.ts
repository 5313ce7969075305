/**
 * Frozen parameters. No gradients are computed for them: if the lower layers are frozen, the backward pass ends above
 * them.
 */

import { SettingsError } from '../errors.js';
import { layerCount, partOf } from '../model/families.js';
import { settingText } from '../settings/setting-text.js';
import type { Settings } from '../settings/settings.js';

/**
 * `none`, `embeddings`, the whole `encoder` (only the head is trained), or the number of lowest layers, with the
 * embeddings.
 */
export type Freeze = Settings['freeze'];

/**
 * The names of the parameters that are trained.
 * @param names of all parameters. Layers that share their parameters, as in ALBERT, count once
 * @throws SettingsError if `freeze` exceeds the number of layers
 */
export function trainedParameters(names: Iterable<string>, freeze: Freeze): string[] {
  const all = [...names];
  const layers = layerCount(all);
  if (typeof freeze === 'number' && freeze > layers)
    throw new SettingsError(
      'SETTING_INVALID',
      `${settingText('freeze')} is ${freeze}, but the model has ${layers} ${layers === 1 ? 'layer' : 'layers'} with parameters of their own. Use a smaller number, or ${settingText('freeze', 'encoder')} for the whole encoder.`,
      { name: 'freeze', value: freeze, layers },
    );
  const frozenLayers = freeze === 'encoder' ? layers : typeof freeze === 'number' ? freeze : 0;
  const isFrozen = (name: string) => {
    const part = partOf(name);
    if (typeof part === 'number') return part < frozenLayers;
    return part === 'embeddings' ? freeze !== 'none' : part === 'norm' && freeze === 'encoder';
  };
  return all.filter((name) => !isFrozen(name));
}
