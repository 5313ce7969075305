/** The teacher of a distillation: its predictions of all training reviews, computed once before training. */
import { ModelFormatError, SettingsError } from '../errors.js';
import { evaluate } from '../evaluation/evaluate.js';
import { openModel } from '../model/fetch-model.js';
import { readPreprocessing } from '../model/preprocessing.js';
import { TextClassifier } from '../model/text-classifier.js';
import type { Review } from '../reviews/review.js';
import { settingText } from '../settings/setting-text.js';
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
    const reading = readPreprocessing(folder)?.reading;
    const takesPairs = settings.textPairColumn !== undefined;
    if (reading && (reading.textPairColumn !== undefined) !== takesPairs)
      throw new SettingsError(
        'SETTING_CONFLICT',
        `The teacher ${name} was trained on ${takesPairs ? 'single texts, but the model is' : 'pairs of texts, but the model is not'} (${settingText('textPairColumn')}). Use a teacher of the same texts.`,
        { names: ['teacher', 'textPairColumn'] },
      );
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
