/** The sixth step: the most confident errors among the test reviews. */
import { percent } from '../../../figures/format.js';
import { create, element } from '../element.js';
import { mostProbable } from '../../../model/softmax.js';
import { currentClassifier } from './try.js';
import type { Step } from './step.js';

/** Number of errors that are shown. */
const maxErrors = 15;

/** Creates the step. */
export function errorsStep(): Step {
  return {
    id: 'errors',
    name: 'Errors',
    async show(session) {
      element('errors-count').textContent = '';
      element('error-list').replaceChildren();
      const { model, count } = await currentClassifier(session);
      const { test, labels } = session.reviews;
      const errors = model.probabilities
        .map((probabilities, row) => {
          const predicted = mostProbable(probabilities);
          return { review: test[row]!, predicted, probability: probabilities[predicted]! };
        })
        .filter(({ review, predicted }) => predicted !== review.label)
        .sort((a, b) => b.probability - a.probability);
      element('errors-count').textContent =
        `With ${count} labels, ${errors.length} of ${test.length} test reviews are predicted wrongly` +
        (errors.length > maxErrors ? `; the first ${maxErrors}:` : errors.length > 0 ? ':' : '.');
      element('error-list').replaceChildren(
        ...errors
          .slice(0, maxErrors)
          .map(({ review, predicted, probability }) =>
            create(
              'li',
              {},
              create('strong', { className: 'class' }, `${labels[predicted]!}, ${percent(probability)}`),
              ' ',
              review.text,
              create('span', { className: 'hint' }, ` (data: ${labels[review.label]!})`),
            ),
          ),
      );
    },
  };
}
