/** The lesson page: loads the model while the user looks at reviews, and leads through the steps. */
import { loadPlotly, redrawFigures } from './charts.js';
import { Encoder } from './encoder.js';
import { create, element, runAction } from './element.js';
import { pageReviews } from './reviews.js';
import { Session } from './session.js';
import { compareStep } from './steps/compare.js';
import { errorsStep } from './steps/errors.js';
import { requestFiles } from './files.js';
import { trainerFiles } from './trainer.js';
import { finetuneStep } from './steps/finetune.js';
import { labelStep } from './steps/label.js';
import { reviewsStep } from './steps/reviews.js';
import type { Lesson, Step } from './steps/step.js';
import { trainStep } from './steps/train.js';
import { tryStep } from './steps/try.js';

/** Shows how far loading is. It is not announced: a screen reader would read every change. */
function showLoading(text: string, fraction: number): void {
  element('loading').hidden = fraction === 1;
  element('loading-text').textContent = text;
  element<HTMLProgressElement>('loading-progress').value = fraction;
}

/**
 * Waits until the service worker stores what the page loads, so that the lesson works without a network afterwards. Only where a
 * server delivers the files; without a service worker the lesson works too.
 */
async function storeFiles(): Promise<void> {
  if (!location.protocol.startsWith('http') || !('serviceWorker' in navigator)) return;
  const { serviceWorker } = navigator;
  const controlled = new Promise((resolve) => serviceWorker.addEventListener('controllerchange', resolve));
  await serviceWorker.register('service-worker.js');
  if (serviceWorker.controller === null)
    await Promise.race([controlled, new Promise((resolve) => setTimeout(resolve, 3000))]);
}

async function loadEncoder(): Promise<Encoder> {
  await storeFiles().catch((error: unknown) => console.warn(error));
  const encoder = await Encoder.load((fraction) => showLoading('Loading the language model', 0.99 * fraction));
  void loadPlotly()
    // Fine-tuning works without a network too, if it is the first time.
    .then(() => (navigator.serviceWorker?.controller ? requestFiles(trainerFiles) : undefined))
    .catch((error: unknown) => console.warn(error));
  return encoder;
}

/** Computes the features of a session's reviews in the background. */
function prepare(session: Session, lesson: Lesson): void {
  session
    .prepare((done, all) => {
      if (lesson.session === session)
        showLoading('The model computes the features of the reviews; you can continue', done / all);
    })
    .catch((error: unknown) => {
      element('loading').hidden = true;
      element('trouble').textContent = (error as Error).message;
    });
}

/** Shows the steps, one at a time. @returns the function that shows a step by its number */
function showSteps(lesson: Lesson, steps: Step[]): (index: number, focus?: boolean) => void {
  let current = 0;
  const links = steps.map(({ name, id }, i) => {
    const link = create('a', { href: `#${id}` }, name);
    link.addEventListener('click', (event) => {
      event.preventDefault();
      showStep(i);
    });
    return link;
  });
  element('steps').replaceChildren(...links.map((link) => create('li', {}, link)));

  /** @param focus moves the focus to the title of the step, for keyboards and screen readers */
  function showStep(index: number, focus = true): void {
    current = index;
    steps.forEach(({ id }, i) => (element(id).hidden = i !== index));
    links.forEach((link, i) =>
      i === index ? link.setAttribute('aria-current', 'step') : link.removeAttribute('aria-current'),
    );
    element<HTMLButtonElement>('back').disabled = index === 0;
    element('next').hidden = index === steps.length - 1;
    const step = steps[index]!;
    if (focus) {
      scrollTo(0, 0);
      element(`${step.id}-title`).focus({ preventScroll: true });
    }
    void runAction(() => step.show(lesson.session)).then(redrawFigures);
  }
  element('back').addEventListener('click', () => showStep(current - 1));
  element('next').addEventListener('click', () => showStep(current + 1));
  return showStep;
}

async function startLesson(): Promise<void> {
  const reviews = await pageReviews();
  const encoder = loadEncoder();
  const lesson: Lesson = {
    session: new Session(reviews, encoder),
    restart(other) {
      for (const step of steps) step.clear?.();
      lesson.session = new Session(other, encoder);
      prepare(lesson.session, lesson);
      showStep(0);
    },
  };
  // For the console of the browser.
  Object.assign(globalThis, { lesson });
  const steps = [
    reviewsStep(lesson),
    labelStep(lesson),
    trainStep(lesson),
    compareStep(lesson),
    tryStep(lesson),
    errorsStep(),
    finetuneStep(lesson),
  ];
  const showStep = showSteps(lesson, steps);
  prepare(lesson.session, lesson);
  showStep(0, false);
  addEventListener('beforeunload', (event) => {
    // Labels, and a model that is being fine-tuned, are in memory only.
    if (lesson.session.own.length > 0 || element('finetune-start').matches(':disabled')) event.preventDefault();
  });
}

void runAction(startLesson);
