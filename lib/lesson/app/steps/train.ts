/** The third step: a classifier is trained with the user's labels, and with more labels of the data. */
import { accuraciesFigure } from '../../../figures/accuracies.js';
import { drawFigure, lossCurve } from '../charts.js';
import { percent, percentInterval } from '../../../figures/format.js';
import { create, element } from '../element.js';
import { majorityAccuracy, type TestResult } from '../learner.js';
import type { Session, Trained } from '../session.js';
import type { Lesson, Step } from './step.js';

/** Numbers of labels that can be chosen, besides the user's own. */
export const labelCounts = [10, 20, 50, 100, 200, 500];

/** The test result of predicting the most frequent class. */
export const majorityOf = ({ reviews: { train, test, labels } }: Session): TestResult =>
  majorityAccuracy(train, test, labels.length);

/** An accuracy with its interval, in words. */
export const describeAccuracy = ({ accuracy, interval }: TestResult): string =>
  `${percent(accuracy)} (95 % interval ${percentInterval(interval)})`;

/** Creates the step. */
export function trainStep(lesson: Lesson): Step {
  async function showTrained(session: Session, { model, bag, count, milliseconds }: Trained): Promise<void> {
    const { test } = session.reviews;
    const majority = majorityOf(session);
    element('train-result').textContent =
      `${describeAccuracy(model)} of ${test.length} test reviews are predicted correctly.`;
    element('train-details').textContent =
      `Trained with ${count} labels in ${Math.max(1, Math.round(milliseconds))} ms; test loss ${model.loss.toFixed(3)}. ` +
      `Always predicting the most frequent class: ${percent(majority.accuracy)}.`;
    element('train-chart').hidden = false;
    await drawFigure(
      'train-chart',
      accuraciesFigure('Test accuracy', [
        { name: 'majority class', ...majority },
        { name: 'bag of words', ...bag },
        { name: 'pretrained model', ...model },
      ]),
    );
    const points = session.sortedPoints;
    if (points.length > 1) await drawFigure('loss-chart', lossCurve(points));
    element('loss-chart').hidden = points.length < 2;
  }

  async function train(session: Session, count: number): Promise<void> {
    // Results of another number of labels would be taken for these.
    clear();
    const missing = session.missingClasses(count);
    if (missing.length > 0) {
      element('train-result').textContent =
        `No label yet of ${missing.join(', ')}. Label at least one review of each class, or choose more labels below.`;
      return;
    }
    element('train-result').textContent = `Training with ${count} labels …`;
    try {
      const trained = await session.train(count);
      if (trained && lesson.session === session) await showTrained(session, trained);
    } catch (error) {
      element('train-result').textContent = '';
      throw error;
    }
  }

  function clear(): void {
    for (const id of ['train-result', 'train-details']) element(id).textContent = '';
    for (const id of ['train-chart', 'loss-chart']) element(id).hidden = true;
  }

  return {
    id: 'train',
    name: 'Train',
    clear,
    async show(session) {
      const { own, reviews } = session;
      const counts = [...new Set([own.length, ...labelCounts])].filter(
        (count) => count > 0 && count >= own.length && count <= reviews.train.length,
      );
      const current = session.trained?.count ?? own.length;
      const buttons = counts.map((count) => {
        const button = create(
          'button',
          { type: 'button' },
          count === own.length ? `${count}, all yours` : String(count),
        );
        button.setAttribute('aria-pressed', String(count === current));
        button.addEventListener('click', () => {
          for (const each of buttons) each.setAttribute('aria-pressed', String(each === button));
          void train(session, count).catch((error: unknown) => {
            element('trouble').textContent = (error as Error).message;
          });
        });
        return button;
      });
      element('more-labels').replaceChildren(...buttons);
      if (current === 0) {
        clear();
        element('train-result').textContent =
          'You have not labeled a review yet. Go back to label some, or choose a number below.';
        return;
      }
      if (session.trained) await showTrained(session, session.trained);
      else await train(session, current);
    },
  };
}
