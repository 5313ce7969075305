/** How reviews are read; the settings of a run fit. */
import type { LabelMapping } from '../settings/label-mapping.js';
import type { ColumnOptions } from './columns.js';
import type { TextOptions } from './formats/row-reader.js';

/** Options of `openReviews`. */
export interface ReviewsOptions extends ColumnOptions, TextOptions {
  /** Labels of each class: `1-2 -> negative; 4-5 -> positive`, or `stars`. @default each value is a class */
  labelMapping?: LabelMapping | string | undefined;
  /** Configuration of a data set on the hub. @default its default or only configuration */
  datasetConfig?: string | undefined;
  /** Downloads files of the hub completely instead of reading ranges: every row is read repeatedly. @default false */
  streaming?: boolean;
  /** Keeps all columns, not only those of text and label: for scoring and inspection. @default false */
  allColumns?: boolean;
}
