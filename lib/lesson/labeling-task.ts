/** What labelReviews of a notebook sends to its output, app/labeling-output.ts. */

/** Reviews to label. */
export interface LabelingTask {
  /** The reviews to label, with the labels of the data; those that are labeled already come first. */
  reviews: { text: string; label: number }[];
  /** Class names by class number. */
  labels: string[];
  /** Labels of the first reviews. */
  own: number[];
  /** The file of labels, relative to the folder of the notebook. */
  file: string;
  /** Its content. */
  content: string;
  /** Folder and name of the notebook, without the path above them, which is private; undefined if no server has started the kernel. */
  notebook?: string;
  /** When the output was made, in milliseconds. */
  created: number;
}
