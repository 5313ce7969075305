/** The second step: the user labels reviews, by buttons or keys. */
import { create, element } from '../element.js';
import { labelsWanted } from '../reviews.js';
import { reviewItem } from './reviews.js';
import type { Lesson, Step } from './step.js';

/** Creates the step. */
export function labelStep(lesson: Lesson): Step {
  const choices = element('label-choices');

  function showAgreement(): void {
    const { own, reviews } = lesson.session;
    const rows = own.map((label, row) => ({ ...reviews.train[row]!, label, ofData: reviews.train[row]!.label }));
    const others = rows.filter(({ label, ofData }) => label !== ofData);
    element('agreement').hidden = own.length < labelsWanted;
    element('agreement-text').textContent =
      `${own.length - others.length} of your ${own.length} labels are those of the data. ` +
      (others.length > 0 ? 'You decided differently for these:' : '');
    element('disagreements').replaceChildren(
      ...others.map((review) =>
        reviewItem(
          review,
          reviews.labels,
          create('span', { className: 'hint' }, ` (data: ${reviews.labels[review.ofData]!})`),
        ),
      ),
    );
  }

  function showReview(): void {
    const { own, reviews } = lesson.session;
    const review = own.length < labelsWanted ? reviews.train[own.length] : undefined;
    element('label-progress').textContent = review
      ? `Review ${own.length + 1} of ${labelsWanted}`
      : `All ${own.length} are labeled. Next: train.`;
    element('to-label').hidden = choices.hidden = review === undefined;
    element('to-label').textContent = review?.text ?? '';
    element<HTMLButtonElement>('undo').disabled = own.length === 0;
    showAgreement();
  }

  function choose(label: number): void {
    const { session } = lesson;
    if (session.own.length >= Math.min(labelsWanted, session.reviews.train.length)) return;
    session.own.push(label);
    session.forget();
    showReview();
    if (session.own.length === labelsWanted) element('next').focus();
  }

  function undo(): void {
    if (lesson.session.own.pop() === undefined) return;
    lesson.session.forget();
    showReview();
  }

  element('undo').addEventListener('click', undo);
  addEventListener('keydown', (event) => {
    const isField = (event.target as HTMLElement).closest('input, select, textarea') !== null;
    if (element('label').hidden || isField || event.ctrlKey || event.metaKey || event.altKey) return;
    const label = Number(event.key) - 1;
    if (event.key === 'Backspace') undo();
    else if (Number.isInteger(label) && label >= 0 && label < lesson.session.reviews.labels.length) choose(label);
  });
  return {
    id: 'label',
    name: 'Label',
    show({ reviews: { labels } }) {
      choices.replaceChildren(
        ...labels.map((name, label) => {
          const button = create('button', { type: 'button' }, name);
          button.addEventListener('click', () => choose(label));
          return button;
        }),
      );
      element('label-keys').textContent = labels.map((name, label) => `${label + 1} for ${name}`).join(', ');
      showReview();
    },
  };
}
