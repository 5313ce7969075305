/** What the page says of a model, by what it predicts. */
import { isMultiLabel, isRegression, type ModelDescription } from './engines.js';

/** The sentence below the title. */
export function leadText(model: ModelDescription): string {
  const { labels } = model;
  if (isRegression(model))
    return `A fine-tuned language model predicts the number ${labels[0]} of a review. A prediction can be wrong.`;
  return isMultiLabel(model)
    ? `A fine-tuned language model predicts which of the classes ${labels.join(', ')} apply to a review: several, one or none. ` +
        'A prediction can be wrong even if its probability is close to 0 or 1.'
    : 'A fine-tuned language model predicts the class of a review. A prediction can be wrong even if its probability is high.';
}

/**
 * What the colors of the words mean.
 * @param label the class whose probability the words change: of several classes the most probable one
 */
export function legendText(model: ModelDescription, label: string): string {
  const blueAndOrange = isRegression(model)
    ? `Blue words increase ${label}, orange words decrease it.`
    : isMultiLabel(model)
      ? `Blue words support ${label}, the most probable class, orange words oppose it.`
      : 'Blue words support the predicted class, orange words oppose it.';
  return `Each word is removed once and the review predicted again. ${blueAndOrange} The stronger the color, the larger the effect.`;
}

/** Whether the classes are those of sentiment, so that reviews are examples of them. */
export const isSentiment = ({ labels }: ModelDescription): boolean =>
  [/^neg(ative)?$/i, /^pos(itive)?$/i].every((name) => labels.some((label) => name.test(label.trim())));
