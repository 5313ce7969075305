/** Labeling of reviews by buttons or keys, on the lesson page and below a notebook's cell. */
import { create } from './element.js';
import type { LabeledText } from './reviews.js';

/** A review with its class, as an item of a list. */
export const reviewItem = ({ text, label }: LabeledText, labels: string[], ...more: (Node | string)[]): HTMLLIElement =>
  create('li', {}, create('strong', { className: 'class' }, labels[label]!), ' ', text, ...more);

/** What is labeled. */
export interface LabelingOptions {
  /** The reviews to label, with the labels of the data. */
  reviews: LabeledText[];
  /** Class names by class number. */
  labels: string[];
  /** Labels of the user, of the first reviews; they are changed. */
  own: number[];
  /** Called after each change. */
  onChange: () => void;
}

/** Shows one review after another, with a button for each class. At the end, it compares the labels with those of the data. */
export class Labeling {
  readonly element: HTMLElement;
  readonly #options: LabelingOptions;
  readonly #progress = create('p', { className: 'hint label-progress' });
  readonly #review = create('blockquote', { className: 'to-label' });
  readonly #choices = create('div', { className: 'row label-choices' });
  readonly #undo = create('button', { type: 'button', className: 'undo' }, 'Take the last label back');
  readonly #agreement = create('div', { className: 'agreement' });

  constructor(options: LabelingOptions) {
    this.#options = options;
    const { labels } = options;
    this.#review.setAttribute('aria-live', 'polite');
    this.#choices.setAttribute('role', 'group');
    this.#choices.setAttribute('aria-label', 'Class of this review');
    this.#choices.append(
      ...labels.map((name, label) => {
        const button = create('button', { type: 'button' }, name);
        button.addEventListener('click', () => this.#choose(label));
        return button;
      }),
    );
    this.#undo.addEventListener('click', () => this.#takeBack());
    const keys = labels.slice(0, 9).map((name, label) => `${label + 1} for ${name}`);
    this.element = create(
      'div',
      {},
      this.#progress,
      this.#review,
      this.#choices,
      create('p', { className: 'hint keys' }, `Keys: ${keys.join(', ')}; Backspace takes the last label back.`),
      create('p', {}, this.#undo),
      this.#agreement,
    );
    this.#show();
  }

  /** Handles a key: 1 to 9 for a class, or Backspace. @returns whether it was one of these */
  handleKey(event: KeyboardEvent): boolean {
    const isField = (event.target as HTMLElement).closest('input, select, textarea') !== null;
    // A key that is held would label all reviews.
    if (isField || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return false;
    const label = Number(event.key) - 1;
    if (event.key === 'Backspace') this.#takeBack();
    else if (Number.isInteger(label) && label >= 0 && label < this.#options.labels.length) this.#choose(label);
    else return false;
    return true;
  }

  #choose(label: number): void {
    const { own, reviews, onChange } = this.#options;
    if (own.length >= reviews.length) return;
    own.push(label);
    this.#update();
    onChange();
  }

  #takeBack(): void {
    if (this.#options.own.pop() === undefined) return;
    this.#update();
    this.#options.onChange();
  }

  /** Shows the next review, and keeps the focus inside, so that keys continue to work. */
  #update(): void {
    const hadFocus = this.element.contains(document.activeElement);
    this.#show();
    if (hadFocus && this.#choices.hidden) this.#undo.focus();
    else if (hadFocus && this.#undo.disabled) this.#choices.querySelector('button')!.focus();
  }

  #show(): void {
    const { own, reviews } = this.#options;
    const review = reviews[own.length];
    this.#progress.textContent = review
      ? `Review ${own.length + 1} of ${reviews.length}`
      : `All ${own.length} are labeled.`;
    this.#review.hidden = this.#choices.hidden = review === undefined;
    this.#review.textContent = review?.text ?? '';
    this.#undo.disabled = own.length === 0;
    this.#agreement.replaceChildren(...(review ? [] : this.#compare()));
  }

  #compare(): Node[] {
    const { own, reviews, labels } = this.#options;
    const rows = own.map((label, row) => ({ ...reviews[row]!, label, ofData: reviews[row]!.label }));
    const others = rows.filter(({ label, ofData }) => label !== ofData);
    const count = `${own.length - others.length} of your ${own.length} labels are those of the data. `;
    const items = others.map((review) =>
      reviewItem(review, labels, create('span', { className: 'hint' }, ` (data: ${labels[review.ofData]!})`)),
    );
    return [
      create('h3', {}, 'Your labels and those of the data'),
      create('p', {}, count + (others.length > 0 ? 'You decided differently for these:' : '')),
      create('ul', { className: 'cards' }, ...items),
    ];
  }
}
