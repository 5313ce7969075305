/** The teacher of a distillation: its predictions of all training reviews, computed once before training. */
import { ModelFormatError } from '../errors.js';
import { evaluate } from '../evaluation/evaluate.js';
import { openModel } from '../model/fetch-model.js';
import { TextClassifier } from '../model/text-classifier.js';
import type { Review } from '../reviews/review.js';
import type { Job } from './job.js';

/**
 * Opens a run's teacher: called before reviews are read, so that an unusable model is rejected first.
 * @returns a function that computes the logits of reviews, [n * classes]; undefined without a teacher
 */
export async function openTeacher({
  settings,
  download,
  note,
  ranks,
}: Job): Promise<((reviews: Review[], labels: string[]) => Promise<Float32Array>) | undefined> {
  const { teacher: name, maxLength, evalBatchSize } = settings;
  if (name === undefined) return undefined;
  const opened = await openModel(name, download);
  return async (reviews, labels) => {
    const { folder } = await opened.fetch();
    const teacher = TextClassifier.fromFolder(folder, { precision: settings.precision, labels });
    try {
      if (teacher.freshHead || teacher.problemType !== 'single_label_classification')
        throw new ModelFormatError(
          'MODEL_NOT_CLASSIFIER',
          `The teacher ${name} does not predict one of the classes ${labels.join(', ')}. Use a model that was fine-tuned for these classes.`,
          { folder: name, labels },
        );
      const { logits, metrics } = await evaluate(teacher, teacher.encode(reviews, maxLength), {
        batchSize: evalBatchSize,
        ranks,
      });
      note(`The teacher ${name} predicts ${(100 * metrics.accuracy).toFixed(1)} % of the training reviews correctly.`);
      return logits;
    } finally {
      teacher.dispose();
    }
  };
}
