/** The fifth step: predictions of sentences of the user, with the words that led to them. */
import { percent } from '../../../figures/format.js';
import { create, element, runAction, showStatus } from '../element.js';
import { mostProbable } from '../../../model/softmax.js';
import { predict } from '../learner.js';
import type { Session, Trained } from '../session.js';
import type { Lesson, Step } from './step.js';

/** Maximum number of words with an attribution. */
const maxWords = 60;

const sentences = [
  'The item came damanged, 1 star.',
  'Not bad at all, I would buy it again.',
  'I expected it to be great, but it was not.',
  'It broke after two days. Wonderful.',
];

/** A word or whitespace of a text, and the decrease of the probability of the predicted class without it. */
interface Attribution {
  piece: string;
  value: number;
}

/** The classifier to use: the latest, or one with the user's labels. @throws Error with a message for the user */
export async function currentClassifier(session: Session): Promise<Trained> {
  const count = session.trained?.count ?? session.own.length;
  const missing = session.missingClasses(count);
  if (missing.length > 0)
    throw new Error(`Nothing is trained yet: no review is labeled ${missing.join(' or ')}. Label some reviews first.`);
  return session.trained ?? (await session.train(count))!;
}

/** Word attributions by occlusion (Zeiler and Fergus, 2014): removes each word once. */
async function attributions(
  session: Session,
  { classifier }: Trained,
  text: string,
  label: number,
): Promise<Attribution[]> {
  const encoder = await session.encoder;
  const pieces = text.match(/\s+|\S+/g) ?? [];
  const words = pieces.flatMap((piece, i) => (piece.trim() === '' ? [] : [i])).slice(0, maxWords);
  const probabilityOf = async (some: string[]) =>
    predict(await encoder.features(some.join('').trim()), classifier)[label]!;
  const whole = await probabilityOf(pieces);
  // A text of one word would become empty.
  const values =
    words.length > 1 ? await Promise.all(words.map((word) => probabilityOf(pieces.filter((_, i) => i !== word)))) : [];
  const valueOf = new Map(values.map((value, i) => [words[i], whole - value]));
  return pieces.map((piece, i) => ({ piece, value: valueOf.get(i) ?? 0 }));
}

function showAttributions(shown: Attribution[]): void {
  const largest = Math.max(0.02, ...shown.map(({ value }) => Math.abs(value)));
  element('words').replaceChildren(
    ...shown.map(({ piece, value }) => {
      const span = create('span', {}, piece);
      if (value !== 0) {
        const strength = Math.round((45 * Math.abs(value)) / largest);
        span.style.background = `color-mix(in srgb, var(${value > 0 ? '--blue' : '--orange'}) ${strength}%, transparent)`;
        span.title = `${value > 0 ? '+' : '−'}${(100 * Math.abs(value)).toFixed(1)} points`;
      }
      return span;
    }),
  );
}

/** The strongest words, for those who do not see colors. */
function strongestWords(shown: Attribution[]): string {
  const strongest = (sign: number) =>
    shown
      .filter(({ value }) => sign * value > 0.01)
      .sort((a, b) => sign * (b.value - a.value))
      .slice(0, 3)
      .map(({ piece }) => `“${piece}”`);
  const [supporting, opposing] = [strongest(1), strongest(-1)];
  return [
    supporting.length > 0 ? `Most support: ${supporting.join(', ')}.` : '',
    opposing.length > 0 ? `Most against: ${opposing.join(', ')}.` : '',
  ]
    .filter(Boolean)
    .join(' ');
}

/** Predicts a sentence and shows why. */
async function predictSentence(session: Session, text: string): Promise<void> {
  const { labels } = session.reviews;
  showStatus('Predicting …');
  try {
    const trained = await currentClassifier(session);
    const encoder = await session.encoder;
    const probabilities = predict(await encoder.features(text), trained.classifier);
    const label = mostProbable(probabilities);
    element('prediction').textContent = `${labels[label]!}, ${percent(probabilities[label]!)}`;
    const ofBag = trained.bagOf(text);
    const bagLabel = mostProbable(ofBag);
    element('bag-prediction').textContent =
      `Bag of words: ${labels[bagLabel]!}, ${percent(ofBag[bagLabel]!)}. Both were trained with ${trained.count} labels.`;
    element('answer').hidden = false;
    element('words').replaceChildren();
    const shown = await attributions(session, trained, text, label);
    showAttributions(shown);
    element('legend').textContent =
      `Each word is removed once and the sentence predicted again. Blue words support ${labels[label]!}, orange words are against it. ` +
      strongestWords(shown);
  } finally {
    showStatus('');
  }
}

/** Creates the step. */
export function tryStep(lesson: Lesson): Step {
  const sentence = element<HTMLTextAreaElement>('sentence');
  const ask = () =>
    void runAction(async () => {
      const text = sentence.value.trim();
      if (text === '') {
        sentence.focus();
        throw new Error('The sentence is empty. Write one, or choose an example.');
      }
      await predictSentence(lesson.session, text);
    });
  element('ask').addEventListener('submit', (event) => {
    event.preventDefault();
    ask();
  });
  element('sentences').replaceChildren(
    ...sentences.map((text) => {
      const button = create('button', { type: 'button' }, text);
      button.addEventListener('click', () => {
        sentence.value = text;
        ask();
      });
      return button;
    }),
  );
  return {
    id: 'try',
    name: 'Try',
    show() {
      element('answer').hidden = true;
    },
  };
}
