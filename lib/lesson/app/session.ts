/** The state of the lesson: the reviews, the labels of the user, and what was learned from them. */
import type { LinearClassifier } from '../../evaluation/linear-classifier.js';
import { labelsWanted } from '../../reviews/balance-first.js';
import type { Encoder } from './encoder.js';
import { bagOfWords, evaluate, fit, predict, type TestResult } from './learner.js';
import type { LabeledText, LessonReviews } from './reviews.js';

/** Test results of the classifiers that were trained with a number of labels. */
export interface TrainedPoint {
  count: number;
  /** Of the classifier on the model's features. */
  model: TestResult;
  bag: TestResult;
  /** Time of fitting the classifier, in milliseconds. */
  milliseconds: number;
}

/** What a trained classifier consists of. */
export interface Trained extends TrainedPoint {
  classifier: LinearClassifier;
  bagOf: (text: string) => number[];
}

/** The state of the lesson. */
export class Session {
  /** Labels of the user, of the first reviews to learn from. */
  readonly own: number[] = [];
  /** By number of labels. */
  readonly points = new Map<number, TrainedPoint>();
  /** The one that the user has chosen, with which the page predicts; undefined before the first training. */
  trained: Trained | undefined;

  constructor(
    readonly reviews: LessonReviews,
    readonly encoder: Promise<Encoder>,
  ) {}

  /** The results in the order of the number of labels. */
  get sortedPoints(): TrainedPoint[] {
    return [...this.points.values()].sort((a, b) => a.count - b.count);
  }

  /** The reviews to learn from: those with labels of the user first, then those with labels of the data. */
  trainingReviews(count: number): LabeledText[] {
    return this.reviews.train.slice(0, count).map(({ text, label }, row) => ({ text, label: this.own[row] ?? label }));
  }

  /** Names of the classes of which none of the first reviews is. */
  missingClasses(count: number): string[] {
    const used = new Set(this.trainingReviews(count).map(({ label }) => label));
    return this.reviews.labels.filter((_, label) => !used.has(label));
  }

  /** Results with labels that the user has changed since are invalid. */
  forget(): void {
    this.points.clear();
    this.trained = undefined;
  }

  /**
   * Computes the features that the lesson needs, in the background: first the reviews that the user labels, then the test reviews.
   * @param onProgress called with the number of texts that are computed, and the number of all
   */
  async prepare(onProgress: (done: number, all: number) => void): Promise<void> {
    const encoder = await this.encoder;
    const { train, test } = this.reviews;
    // Texts of similar length make batches with little padding.
    const byLength = (texts: LabeledText[]) => texts.toSorted((a, b) => a.text.length - b.text.length);
    const all = [...train.slice(0, labelsWanted), ...byLength(test), ...byLength(train.slice(labelsWanted))];
    let done = 0;
    await Promise.all(
      all.map(async ({ text }) => {
        await encoder.features(text, false);
        onProgress(++done, all.length);
      }),
    );
  }

  async #featuresOf(reviews: LabeledText[]): Promise<Float32Array[]> {
    const encoder = await this.encoder;
    return Promise.all(reviews.map(({ text }) => encoder.features(text)));
  }

  /** Trains, see `measure`, and predicts with the result from now on. */
  async train(count: number): Promise<Trained | undefined> {
    const trained = await this.measure(count);
    if (trained) this.trained = trained;
    return trained;
  }

  /**
   * Trains with a number of labels and evaluates on the test reviews. Each class needs a label.
   * @returns undefined if labels have changed meanwhile
   */
  async measure(count: number): Promise<Trained | undefined> {
    const reviews = this.trainingReviews(count);
    const { test, labels } = this.reviews;
    const features = await this.#featuresOf(reviews);
    const testFeatures = await this.#featuresOf(test);
    if (this.trainingReviews(count).some(({ label }, row) => label !== reviews[row]!.label)) return undefined;
    const started = performance.now();
    const classifier = fit(features, reviews, labels.length);
    const milliseconds = performance.now() - started;
    const bagOf = bagOfWords(reviews);
    const trained = {
      count,
      classifier,
      bagOf,
      milliseconds,
      model: evaluate(
        testFeatures.map((row) => predict(row, classifier)),
        test,
      ),
      bag: evaluate(
        test.map(({ text }) => bagOf(text)),
        test,
      ),
    };
    this.points.set(count, trained);
    return trained;
  }
}
