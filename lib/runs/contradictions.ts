/** Settings that contradict each other, known before anything is loaded. */
import { SettingsError } from '../errors.js';
import type { Settings } from '../settings.js';

/** @throws SettingsError naming them */
export function checkFinetune({ streaming, maxTrainSamples, overfitBatches }: Settings): void {
  const some = maxTrainSamples > 0 ? 'maxTrainSamples' : overfitBatches > 0 ? 'overfitBatches' : '';
  if (streaming && some)
    throw new SettingsError(
      'SETTING_CONFLICT',
      `streaming trains on all rows, ${some} on a few. Leave one of them out.`,
      { names: ['streaming', some] },
    );
}

/** @throws SettingsError naming them */
export function checkAdapt({ streaming, maxTrainSamples }: Settings): void {
  if (streaming && maxTrainSamples > 0)
    throw new SettingsError(
      'SETTING_CONFLICT',
      'streaming reads all rows, maxTrainSamples a few. Leave one of them out.',
      { names: ['streaming', 'maxTrainSamples'] },
    );
}
