/** The first step: the user looks at reviews, or loads a CSV file. */
import { element, runAction } from '../element.js';
import { reviewItem } from '../labeling.js';
import { readCsvFile, reviewsOfCsv, type CsvFile } from '../reviews.js';
import type { Lesson, Step } from './step.js';

/** Number of examples. */
const examples = 6;

/** The share of each class, in words. */
function describeClasses({ train, test, labels }: Lesson['session']['reviews']): string {
  const all = [...train, ...test];
  return labels
    .map((name, label) => {
      const count = all.filter((each) => each.label === label).length;
      return `${name} ${((100 * count) / all.length).toFixed(0)} %`;
    })
    .join(', ');
}

/** Creates the step. */
export function reviewsStep(lesson: Lesson): Step {
  let first = 0;
  let file: CsvFile | undefined;
  const showExamples = () => {
    const { train, labels } = lesson.session.reviews;
    // From the end, since the user labels the first ones.
    const some = Array.from({ length: examples }, (_, i) => train[train.length - 1 - ((first + i) % train.length)]!);
    element('examples').replaceChildren(...some.map((review) => reviewItem(review, labels)));
  };
  element('more-examples').addEventListener('click', () => {
    first += examples;
    showExamples();
  });
  element<HTMLInputElement>('own-file').addEventListener('change', (event) => {
    const [chosen] = (event.target as HTMLInputElement).files ?? [];
    element('own-columns').hidden = true;
    if (!chosen) return;
    void runAction(async () => {
      file = await readCsvFile(chosen);
      const { columns } = file;
      const choose = (id: string, pattern: RegExp, other: number) => {
        const found = columns.findIndex((name) => pattern.test(name));
        const selected = found < 0 ? other : found;
        element(id).replaceChildren(
          ...columns.map((name, i) => new Option(name, name, i === selected, i === selected)),
        );
      };
      choose('text-column', /text|review|content|sentence|body/i, 0);
      choose('label-column', /label|class|star|rating|sentiment/i, columns.length - 1);
      element('own-columns').hidden = false;
    });
  });
  element('use-own').addEventListener('click', () => {
    void runAction(() => {
      const count = lesson.session.own.length;
      if (count > 0 && !confirm(`Your ${count} labels of the other reviews are discarded. Continue?`)) return;
      const [text, label] = ['text-column', 'label-column'].map((id) => element<HTMLSelectElement>(id).value);
      lesson.restart(reviewsOfCsv(file!, text!, label!));
    });
  });
  return {
    id: 'reviews',
    name: 'Reviews',
    show({ reviews }) {
      const { name, train, test } = reviews;
      element('reviews-description').textContent =
        `These are ${name}: ${(train.length + test.length).toLocaleString('en')} reviews (${describeClasses(reviews)}). ` +
        `The computer learns from some of ${train.length} of them. The other ${test.length} are the test: it never learns from these, ` +
        'so that they show how it judges reviews that are new to it.';
      showExamples();
    },
  };
}
