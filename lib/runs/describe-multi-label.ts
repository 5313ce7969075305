/** The result of multi-label classification in tables and words. */
import type { LabelSetMetrics, SetScores } from '../evaluation/multi-label-metrics.js';
import { percent } from '../figures/format.js';
import type { ResultDescription } from './result-description.js';
import type { MultiLabelRunMetrics } from './metrics.js';

/** The metrics of one model as columns of a table. */
const columnsOf = ({ micro, macro, subsetAccuracy, hammingLoss }: LabelSetMetrics): Record<string, string> => ({
  'micro F1': micro.f1.toFixed(3),
  'macro F1': macro.f1.toFixed(3),
  'subset accuracy': percent(subsetAccuracy),
  'Hamming loss': hammingLoss.toFixed(3),
});

/** The scores of each class, and their means. */
function classRows({ perClass, micro, macro }: LabelSetMetrics): Record<string, string>[] {
  const row = (name: string, { precision, recall, f1 }: SetScores, reviews: string) => ({
    class: name,
    precision: precision.toFixed(3),
    recall: recall.toFixed(3),
    F1: f1.toFixed(3),
    reviews,
  });
  return [
    ...perClass.map((each) => row(each.name, each, String(each.support))),
    row('micro average', micro, ''),
    row('macro average', macro, ''),
  ];
}

/** Describes the result of multi-label classification. */
export function describeMultiLabel({ test, baselines, labelNames, errors }: MultiLabelRunMetrics): ResultDescription {
  const { micro, macro, subsetAccuracy, count } = test;
  return {
    title: 'Multi-label review classifier',
    predicts:
      `Predicts which of the classes ${labelNames.join(', ')} apply to a review: any number of them. Each has a probability of its own, ` +
      'the sigmoid of its logit, and applies from 0.5 on (problem_type multi_label_classification).',
    loss: 'mean binary cross-entropy',
    summary:
      `Micro F1 ${micro.f1.toFixed(3)}, macro F1 ${macro.f1.toFixed(3)}; all classes are right for ${percent(subsetAccuracy)} of ` +
      `${count} test reviews.`,
    short: `micro F1 ${micro.f1.toFixed(3)}, macro F1 ${macro.f1.toFixed(3)}`,
    subject: `${count} reviews`,
    test: columnsOf(test),
    baselines: baselines.map((each) => ({ name: each.name, metrics: columnsOf(each) })),
    classes: classRows(test),
    errors: {
      title: 'The wrong predictions with the largest loss:',
      rows: errors.map((row) => ({ ...row, loss: Number(row.loss.toFixed(3)) })),
    },
  };
}
