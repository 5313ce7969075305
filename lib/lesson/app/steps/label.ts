/** The second step: the user labels reviews. */
import { labelsWanted } from '../../../reviews/balance-first.js';
import { element } from '../element.js';
import { Labeling } from '../labeling.js';
import type { Lesson, Step } from './step.js';

/** Creates the step. */
export function labelStep(lesson: Lesson): Step {
  let labeling: Labeling | undefined;
  addEventListener('keydown', (event) => {
    if (!element('label').hidden) labeling?.handleKey(event);
  });
  return {
    id: 'label',
    name: 'Label',
    show({ reviews: { labels, train }, own }) {
      const reviews = train.slice(0, labelsWanted);
      const onChange = () => {
        lesson.session.forget();
        if (own.length === reviews.length) element('next').focus();
      };
      labeling = new Labeling({ reviews, labels, own, onChange });
      element('labeling').replaceChildren(labeling.element);
    },
  };
}
