/** Settings of a loss over exclusive classes, which regression and multi-label classification do not have. */
import { SettingsError } from '../../errors.js';
import { settingText } from '../../settings/setting-text.js';
import type { TrainingSettings } from '../../settings/settings.js';

/**
 * Checks that no setting is set that is only for one class of several.
 * @param predicts what the model predicts instead, for the error
 * @throws SettingsError
 */
export function assertNoClassSettings(
  { classWeights, labelSmoothingFactor, focalGamma, method }: TrainingSettings,
  predicts: string,
): void {
  const ofClasses = {
    // First, since other methods have other default class weights.
    method: method !== 'full',
    classWeights: classWeights !== 'none',
    labelSmoothingFactor: labelSmoothingFactor > 0,
    focalGamma: focalGamma > 0,
  };
  for (const name of Object.keys(ofClasses) as (keyof typeof ofClasses)[])
    if (ofClasses[name])
      throw new SettingsError(
        'SETTING_CONFLICT',
        `${settingText(name)} is set, but the model predicts ${predicts}. Remove it.`,
        {
          names: [name, 'problemType'],
        },
      );
}
