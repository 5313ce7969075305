/** Reviews as a danfo DataFrame: what a data scientist looks at them with. */
import type { DataFrame } from 'danfojs-node';
import type { Review } from './review.js';

/** Columns: text, label (its name), words (how many). */
export async function toDataFrame(reviews: Review[], labelNames: string[]): Promise<DataFrame> {
  const danfo = await import('danfojs-node');
  return new danfo.DataFrame({
    text: reviews.map(({ text }) => text),
    label: reviews.map(({ label }) => labelNames[label]!),
    words: reviews.map(({ text }) => text.split(/\s+/).length),
  });
}
