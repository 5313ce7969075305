/**
 * The public API of Tunebook: `import * as tunebook from 'tunebook'`.
 * @module tunebook
 */

// Settings and errors
export { describeSettings, readSettings } from './settings/settings.js';
export { TunebookError } from './errors.js';
export * as errors from './errors.js';

// Models and reviews by name
export { fetchModel } from './model/fetch-model.js';
export { chooseSources } from './hub/sources.js';
export { loadReviews } from './reviews/load-reviews.js';
export { openReviews } from './reviews/open-reviews.js';
export { describeSource } from './reviews/describe-source.js';
export { sampleReviews, sampleSize } from './reviews/sample.js';
export { splitReviews } from './reviews/split.js';
export { reviewTable } from './reviews/table.js';
export { wordAssociations } from './reviews/word-associations.js';
export { ReviewStream } from './batching/stream.js';

// Models and training
export { TextClassifier } from './model/text-classifier.js';
export { MaskedLM } from './model/masked-lm.js';
export { maskBatch } from './batching/masking.js';
export { CheckpointFolder } from './training/checkpoint.js';
export { overSeeds } from './training/seeds.js';
export { savePeftAdapter } from './model/peft-adapter.js';
export { describeTraining, Trainer } from './training/trainer.js';

// Data quality
export { findDamagedTexts } from './quality/damaged-texts.js';
export { findDuplicates } from './quality/duplicates.js';
export { findLeakingColumns } from './quality/leaking-columns.js';
export { findLeakingWords } from './quality/leaking-words.js';
export { findNearDuplicates } from './quality/near-duplicates.js';
export { textLengths } from './quality/text-lengths.js';
export { textNotes } from './quality/text-notes.js';
export { vocabularyFit } from './quality/vocabulary-fit.js';

// Evaluation
export { accuracyByLength, confidentErrors } from './evaluation/analysis.js';
export { wordAttribution } from './evaluation/attribution.js';
export { bagOfWordsBaseline, majorityBaseline } from './evaluation/baseline.js';
export { calibrate } from './evaluation/calibrate.js';
export { calibration, fitTemperature, withTemperature } from './evaluation/calibration.js';
export { capabilityProbes, capabilityResults } from './evaluation/capabilities.js';
export { evaluate } from './evaluation/evaluate.js';
export { evaluateMultiLabel } from './evaluation/evaluate-multi-label.js';
export { evaluateRegression } from './evaluation/evaluate-regression.js';
export { exportModel, exportMultiLabel, exportRegression } from './export/export.js';
export { findLabelNoise } from './evaluation/label-noise.js';
export { describeClasses, predictions } from './evaluation/metrics.js';
export { bagOfWordsSetBaseline, frequentSetBaseline } from './evaluation/multi-label-baseline.js';
export { meanBaseline, ridgeBaseline } from './evaluation/regression-baseline.js';
export { bootstrapDifference, mcnemar } from './evaluation/paired-tests.js';
export { coverageByThreshold } from './evaluation/thresholds.js';
export { evaluationWarnings, imbalanceWarnings } from './evaluation/warnings.js';

// Figures and output in notebooks
export * as figures from './figures/index.js';
export { downloadProgress } from './notebook/downloads.js';
export { showFigure } from './notebook/figure.js';
export { fineTune, prepareReviews } from './notebook/fine-tune.js';
export { showAttributions, showBanner, showTable, showTokens, showWarnings } from './notebook/html.js';
export { interruptible } from './notebook/interrupt.js';
export { show } from './notebook/kernel.js';
export { labelReviews } from './notebook/label-reviews.js';
export { showKeyNumbers } from './notebook/key-numbers.js';
export { trainingProgress } from './notebook/progress.js';
export { accuraciesOf, repeatFineTuning, trainingSubset } from './notebook/repeat.js';
export { adaptMetrics, finetuneMetrics } from './jobs/run-metrics.js';
export { runFolderOf, startRun } from './notebook/run.js';
export { describeDevice } from './tensorflow/device.js';
export { precisionOf } from './tensorflow/precision.js';

// Types of the above
export type { MaskedBatch, MaskingOptions } from './batching/masking.js';
export type { BatchOptions } from './batching/batches.js';
export type { StreamedBatch, StreamOptions, StreamPosition } from './batching/stream.js';
export type { Ranks } from './distributed/ranks.js';
export type { Attribution } from './evaluation/attribution.js';
export type { BaselineResult } from './evaluation/baseline.js';
export type { CalibrationEffect, CalibrationMetrics } from './evaluation/calibrate.js';
export type { Calibration, ReliabilityBin } from './evaluation/calibration.js';
export type { CapabilityResult, Probe } from './evaluation/capabilities.js';
export type { MaskedMetrics } from './evaluation/evaluate-masked.js';
export type { EvaluateOptions } from './evaluation/compute-rows.js';
export type { Evaluation } from './evaluation/evaluate.js';
export type { MultiLabelEvaluation } from './evaluation/evaluate-multi-label.js';
export type { LabelSetMetrics, MultiLabelMetrics, SetScores } from './evaluation/multi-label-metrics.js';
export type { RegressionEvaluation } from './evaluation/evaluate-regression.js';
export type { RegressionMetrics } from './evaluation/regression-metrics.js';
export type { DoubtfulLabel, LabelNoise } from './evaluation/label-noise.js';
export type { Interval, NamedAccuracy } from './evaluation/interval.js';
export type { ClassificationMetrics, ClassScores } from './evaluation/metrics.js';
export type { ExportedGraphs, ExportReport, MultiLabelExportReport, RegressionExportReport } from './export/export.js';
export type { OnnxPrecision } from './export/onnx-operations.js';
export type { Coverage } from './evaluation/thresholds.js';
export type { Warning, WarningCode } from './evaluation/warnings.js';
export type { TableRow } from './figures/html-table.js';
export type { SplitName } from './hub/dataset.js';
export type { DownloadOptions, DownloadProgress, FetchedFile } from './hub/download.js';
export type { Hub } from './hub/environment.js';
export type { FetchedModel } from './hub/model.js';
export type { Sources } from './hub/sources.js';
export type { EncodedBatch, EncodedReviews, IndexedBatch, LabeledBatch, Labels } from './model/batch.js';
export type { ModelCalibration } from './model/calibration.js';
export type { PackedTexts } from './model/packed-texts.js';
export type { EncoderConfig, ModelType } from './model/config.js';
export type { DropoutSource } from './model/dropout.js';
export type { Weights } from './model/tensor-operations.js';
export type { Layers, TensorAttentionOptions } from './model/layers.js';
export type { Activation, AttentionOptions, Dense, Projections, RelativePositions } from './model/operations.js';
export type { TokenPrediction } from './model/masked-lm.js';
export type { Engine, EngineOptions, JitCompileSetting, Model } from './model/model.js';
export type { LoadOptions, ModelParts, ParameterCount, PretrainedModel } from './model/pretrained-model.js';
export type { Adapter, LoraConfig } from './model/lora.js';
export type { StoredTensor } from './model/safetensors.js';
export type { Prediction } from './model/prediction.js';
export type { ClassifierOptions, MultiLabelModel, RegressionModel } from './model/text-classifier.js';
export type { FineTuned, PreparedReviews } from './notebook/fine-tune.js';
export type { NotebookRun } from './notebook/run.js';
export type { Rows } from './jobs/rows.js';
export type { TrainedRun } from './jobs/run-metrics.js';
export type { RunCommand } from './runs/run-folder.js';
export type { MimeBundle } from './notebook/kernel.js';
export type { KeyNumber } from './notebook/key-numbers.js';
export type { LabeledReviews, LabelReviewsOptions } from './notebook/label-reviews.js';
export type { RepeatedRun, TrainingSubset, Variant } from './notebook/repeat.js';
export type { TextDamage } from './quality/damaged-texts.js';
export type { Duplicates, DuplicateText, SharedRows } from './quality/duplicates.js';
export type { Giveaway } from './quality/giveaway.js';
export type { LeakingColumn } from './quality/leaking-columns.js';
export type { LeakingWord } from './quality/leaking-words.js';
export type { NearDuplicate } from './quality/near-duplicates.js';
export type { Percentiles, TextLengths, Truncation } from './quality/text-lengths.js';
export type { VocabularyFit } from './quality/vocabulary-fit.js';
export type { Classes } from './reviews/labels.js';
export type { LoadedReviews, LoadReviewsOptions } from './reviews/load-reviews.js';
export type { AdamWState } from './optim/adamw.js';
export type { LossScaleState } from './optim/loss-scale.js';
export type { ReviewsOptions } from './reviews/reviews-options.js';
export type { DataSummary } from './reviews/describe-source.js';
export type { ReviewSource, SkippedFile, SourceFile } from './reviews/review-source.js';
export type { Dropped, NamedFormat, Reading, Review } from './reviews/review.js';
export type {
  BadRow,
  Chunk,
  FileDescription,
  ParquetPlace,
  ReadRows,
  Row,
  RowFile,
  RowLocation,
  StoredPlace,
} from './reviews/row-file.js';
export type { ReviewSplit, SplitOptions } from './reviews/split.js';
export type { ReviewTable } from './reviews/table.js';
export type { WordAssociation } from './reviews/word-associations.js';
export type { Journal, JournalContent, JournalEntry, JournalKind } from './runs/journal.js';
export type {
  AdaptMetrics,
  AnyFinetuneMetrics,
  FinetuneMetrics,
  MultiLabelRunMetrics,
  RegressionRunMetrics,
  RunMetrics,
} from './runs/metrics.js';
export type { ClassWeights } from './settings/class-weights.js';
export type { Fold } from './settings/fold.js';
export type { LabelMapping } from './settings/label-mapping.js';
export type { ProblemType } from './settings/problem-type.js';
export type { Settings, TrainingSettings } from './settings/settings.js';
export type { Device } from './tensorflow/device.js';
export type { NamedTensors, TensorFunction } from './tensorflow/function.js';
export type { Precision } from './tensorflow/kernels.js';
export type { PrecisionChoice, PrecisionSetting, ProductShape } from './tensorflow/precision.js';
export type { ResourceVariable } from './tensorflow/variables.js';
export type { MaskingVocabulary } from './tokenizer/masking-vocabulary.js';
export type { EncodedPair, TextInput, Tokenizer, TokenizerDefinition, TokenizerFiles } from './tokenizer/tokenizer.js';
export type { PostProcessor } from './tokenizer/pair-frame.js';
export type { Checkpoint, TrainerState } from './training/checkpoint.js';
export type { EarlyStopping } from './training/early-stopping.js';
export type { OverSeeds } from './training/seeds.js';
export type { StepState } from './training/step.js';
export type { UnusedDecay } from './training/used-vocabulary.js';
export type { MetricsOf, TrainingData, TrainingResult, TrainOptions } from './training/trainer.js';
export type { EndOfTraining, TrainingRecord } from './training/training-record.js';
