/** The fourth step: both methods with more and more labels. */
import { percent } from '../../../figures/format.js';
import { accuracyCurve, drawFigure, labelCurves } from '../charts.js';
import { create, element, runAction, showStatus } from '../element.js';
import type { Session, TrainedPoint } from '../session.js';
import type { Lesson, Step } from './step.js';
import { labelCounts, majorityOf } from './train.js';

const headings = ['labels', 'pretrained model', 'bag of words'];

const row = (kind: 'th' | 'td', cells: string[]) =>
  create('tr', {}, ...cells.map((cell) => create(kind, kind === 'th' ? { scope: 'col' } : {}, cell)));

/** The largest number of labels with which the model is better, in words. */
function summarize(results: TrainedPoint[]): string {
  const better = results.filter(({ model, bag }) => model.accuracy > bag.accuracy);
  const last = results.at(-1)!;
  const points = (100 * (last.model.accuracy - last.bag.accuracy)).toFixed(1);
  return (
    `The pretrained model is better for ${better.length} of these ${results.length} numbers of labels. ` +
    `With ${last.count} labels the difference is ${points.replace('-', '−')} points. ` +
    'Intervals that overlap much say that the difference may be chance.'
  );
}

/** Creates the step. */
export function compareStep(lesson: Lesson): Step {
  const button = element<HTMLButtonElement>('compare-run');
  async function show(session: Session): Promise<void> {
    const most = labelCounts.findLast((count) => count <= session.reviews.train.length);
    button.textContent = `Train both with 10 to ${most} labels`;
    const points = session.sortedPoints;
    element('compare-table').hidden = element('compare-chart').hidden = points.length === 0;
    element('compare-text').textContent = points.length > 1 ? summarize(points) : '';
    if (points.length === 0) return;
    element('compare-table').replaceChildren(
      create(
        'table',
        {},
        create('caption', {}, 'Test accuracy'),
        create('thead', {}, row('th', headings)),
        create(
          'tbody',
          {},
          ...points.map(({ count, model, bag }) =>
            row('td', [String(count), percent(model.accuracy), percent(bag.accuracy)]),
          ),
        ),
      ),
    );
    const curves = [labelCurves.model, labelCurves.bag];
    await drawFigure('compare-chart', accuracyCurve(points, curves, majorityOf(session).accuracy));
  }
  button.addEventListener('click', () => {
    void runAction(async () => {
      const { session } = lesson;
      button.disabled = true;
      try {
        for (const count of labelCounts) {
          if (count > session.reviews.train.length || session.missingClasses(count).length > 0) continue;
          showStatus(`Training both with ${count} labels …`);
          if (!session.points.has(count)) await session.measure(count);
          if (lesson.session !== session) return;
          await show(session);
        }
      } finally {
        button.disabled = false;
        showStatus('');
      }
    });
  });
  return { id: 'compare', name: 'Compare', show };
}
