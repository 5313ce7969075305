/** All figures, exported as `tunebook.figures`. */
export { accuraciesFigure as accuracies } from './accuracies.js';
export { classBalanceFigure as classBalance } from './class-balance.js';
export { classScoresFigure as classScores } from './class-scores.js';
export type { NamedScores } from './class-scores.js';
export { confusionMatrixFigure as confusionMatrix } from './confusion-matrix.js';
export { coverageFigure as coverage } from './coverage.js';
export type { Figure } from './figure.js';
export { learningCurvesFigure as learningCurves } from './learning-curves.js';
export { lengthHistogramFigure as lengthHistogram } from './length-histogram.js';
export { labelCurveFigure as labelCurve, overSeedsFigure as overSeeds } from './over-seeds.js';
export type { LabelCurve, LabelCurveTexts, SeededAccuracies } from './over-seeds.js';
export { predictedNumbersFigure as predictedNumbers } from './predicted-numbers.js';
export { reliabilityFigure as reliability } from './reliability.js';
export { stagesFigure as stages } from './stages.js';
export { wordAssociationsFigure as wordAssociations } from './word-associations.js';
