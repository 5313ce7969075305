/** The effect of a calibration in words and as a table, for report and model card. */
import type { CalibrationEffect, CalibrationMetrics } from '../evaluation/calibrate.js';
import { percent } from '../figures/format.js';

/**
 * Describes a calibration and its effect on the test set.
 * @param labelNames class names by class number
 */
export function describeCalibration(
  { temperature, threshold, rows: validationRows, before, after }: CalibrationEffect,
  labelNames: string[],
): { sentence: string; rows: Record<string, string>[] } {
  const decision =
    threshold === null
      ? 'the most probable class is predicted'
      : `${labelNames[1]} is predicted from a probability of ${threshold.toFixed(3)}`;
  const row = (predictions: string, { calibrationError, loss, accuracy, balancedAccuracy }: CalibrationMetrics) => ({
    predictions,
    'calibration error': percent(calibrationError),
    loss: loss.toFixed(3),
    accuracy: percent(accuracy),
    'balanced accuracy': percent(balancedAccuracy),
  });
  return {
    sentence: `Fitted on ${validationRows} validation reviews: the logits are divided by the temperature ${temperature.toFixed(3)}, and ${decision}.`,
    rows: [row('plain', before), row('calibrated', after)],
  };
}
