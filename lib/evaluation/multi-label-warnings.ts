/** Warnings about a model that predicts all classes that apply: those of `warnings.ts` without class weights, which it cannot have. */
import type { LabelSetMetrics } from './multi-label-metrics.js';
import { format, neverPredictedWarning, type Warning } from './warnings.js';

/**
 * Warns of classes that a model never predicts, and of a micro F1 that is not above that of the most frequent set of classes.
 * @param test metrics on the test set
 * @param baseline metrics of `frequentSetBaseline`
 */
export function multiLabelWarnings({ perClass, micro, count }: LabelSetMetrics, baseline: LabelSetMetrics): Warning[] {
  const missed = perClass.filter(({ support, predicted }) => support > 0 && predicted === 0);
  const f1 = (value: number) => value.toFixed(3);
  return [
    ...(missed.length === 0
      ? []
      : [
          neverPredictedWarning(
            missed,
            perClass.length,
            count,
            (object) => `Train longer, raise the learning rate, or add reviews of ${object}.`,
          ),
        ]),
    ...(micro.f1 > baseline.micro.f1
      ? []
      : [
          {
            code: 'F1_NOT_ABOVE_MAJORITY' as const,
            message:
              `The micro F1 of ${f1(micro.f1)} on ${format(count)} test reviews is not better than always predicting the most frequent ` +
              `set of classes, which has ${f1(baseline.micro.f1)}. The model has learned little: train longer, or raise the learning rate.`,
          },
        ]),
  ];
}
