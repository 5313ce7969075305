/** The last step: fine-tunes the whole model instead of a classifier on its features. */
import { zipSync } from 'fflate';
import { accuraciesFigure } from '../../../figures/accuracies.js';
import { duration } from '../../../figures/format.js';
import { finetuningSettings as settings } from '../../finetuning-settings.js';
import { drawFigure, stepLosses } from '../charts.js';
import { element, runAction, showStatus } from '../element.js';
import { evaluate, probabilitiesOf } from '../learner.js';
import type { Session } from '../session.js';
import { startTraining, type TrainedModel, type TrainerWorker } from '../trainer.js';
import { describeAccuracy, majorityOf } from './train.js';
import type { Lesson, Step } from './step.js';

/** Offers a trained model as a zip file in Hugging Face's layout; the weights are not compressible. */
function offerDownload({ saved }: TrainedModel): void {
  const zip = zipSync(Object.fromEntries(Object.entries(saved).map(([name, bytes]) => [`model/${name}`, bytes])), {
    level: 0,
  });
  const link = element<HTMLAnchorElement>('download-model');
  URL.revokeObjectURL(link.href);
  link.href = URL.createObjectURL(new Blob([zip], { type: 'application/zip' }));
  link.hidden = false;
}

async function showResult(session: Session, trained: TrainedModel, count: number): Promise<void> {
  const { test, labels } = session.reviews;
  const result = evaluate(probabilitiesOf(trained.logits, labels.length), test);
  const head = await session.measure(count).catch(() => undefined);
  element('finetune-result').textContent =
    `${describeAccuracy(result)} of ${test.length} test reviews are predicted correctly.`;
  element('finetune-details').textContent =
    `Fine-tuned with ${count} labels: ${trained.steps} steps in ${duration(trained.seconds)}` +
    (trained.backend === 'webgpu' ? ' on the graphics processor' : '') +
    (trained.end === 'interrupted' ? ', stopped by you.' : '.');
  element('finetune-chart').hidden = false;
  await drawFigure(
    'finetune-chart',
    accuraciesFigure(`Test accuracy with ${count} labels`, [
      { name: 'majority class', ...majorityOf(session) },
      ...(head
        ? [
            { name: 'bag of words', ...head.bag },
            { name: 'features', ...head.model },
          ]
        : []),
      { name: 'fine-tuned', ...result },
    ]),
  );
  offerDownload(trained);
}

/** Creates the step. */
export function finetuneStep(lesson: Lesson): Step {
  const [start, stop] = ['finetune-start', 'finetune-stop'].map((id) => element<HTMLButtonElement>(id)) as [
    HTMLButtonElement,
    HTMLButtonElement,
  ];
  const progress = element<HTMLProgressElement>('finetune-progress');
  // The lower layers, which do not learn, and the embeddings need no gradients and no state of the optimizer.
  const layers = element<HTMLSelectElement>('finetune-layers');
  let worker: TrainerWorker | undefined;

  async function train(session: Session): Promise<void> {
    const count = session.reviews.train.length;
    const losses: number[] = [];
    const { labels, test } = session.reviews;
    showStatus('Loading what training needs …');
    const freeze = layers.value === 'none' ? ('none' as const) : Number(layers.value);
    const task = { labels, test, train: session.trainingReviews(count), settings: { ...settings, freeze } };
    worker = await startTraining(task, (each) => {
      losses.push(each.loss);
      progress.value = each.step / each.totalSteps;
      element('finetune-details').textContent =
        each.step === each.totalSteps || stop.disabled
          ? `Testing on ${test.length} reviews …`
          : `Step ${each.step} of ${each.totalSteps}, ${duration(each.secondsLeft)} left`;
      element('finetune-losses').hidden = false;
      if (losses.length > 1 && !element('finetune').hidden) void drawFigure('finetune-losses', stepLosses(losses));
    });
    showStatus('');
    if (lesson.session !== session) return worker.end();
    element('finetune-details').textContent = 'Preparing the first step …';
    stop.disabled = false;
    // The button that had the focus is disabled now.
    stop.focus();
    const trained = await worker.result;
    if (trained && lesson.session === session) await showResult(session, trained, count);
  }

  function clear(): void {
    for (const id of ['finetune-chart', 'finetune-losses', 'download-model']) element(id).hidden = true;
    for (const id of ['finetune-result', 'finetune-details']) element(id).textContent = '';
    worker?.end();
    worker = undefined;
  }

  start.addEventListener('click', () => {
    void runAction(async () => {
      clear();
      start.disabled = true;
      progress.hidden = false;
      progress.value = 0;
      try {
        await train(lesson.session);
      } finally {
        start.disabled = false;
        stop.disabled = progress.hidden = true;
        showStatus('');
      }
    });
  });
  stop.addEventListener('click', () => {
    stop.disabled = true;
    element('finetune-details').textContent =
      `Stopping; then testing on ${lesson.session.reviews.test.length} reviews …`;
    worker?.stop();
  });
  return {
    id: 'finetune',
    name: 'Fine-tune',
    clear,
    show({ reviews, own }) {
      element('finetune-labels').textContent =
        `It learns from ${reviews.train.length} reviews` +
        (own.length > 0 ? `, ${own.length} of them with your labels.` : '.');
    },
  };
}
