/** fastText's format: `__label__positive Great product`, one text per line. */
import type { Row } from '../row-file.js';
import { badEncoding, badRow, describeText, linesOf, type RowReader, type TextFile } from './row-reader.js';

const labels = /^\s*((?:__label__\S+\s+)*__label__\S+)(?:\s+(.*))?$/s;

/**
 * Opens a fastText file.
 * @returns undefined if the first line has no label
 */
export function openFastText(file: TextFile): RowReader | undefined {
  if (!/^\s*__label__\S/.test(file.head)) return undefined;
  return {
    columns: ['label', 'text'],
    roles: { texts: [['text']], labels: ['label'] },
    describe: () => describeText(file, 'fastText'),
    async *rows(onBadRow) {
      for await (const block of linesOf(file)) {
        const rows: Row[] = [];
        for (const { text: content, line } of block) {
          if (content.trim() === '') continue;
          const invalid = badEncoding(line, content, file.encoding());
          const match = labels.exec(content);
          // A label within the text belongs to a row whose newline is missing.
          const reason = !match
            ? 'has no label such as __label__positive'
            : match[2]?.includes('__label__')
              ? 'has a label within its text'
              : undefined;
          if (invalid ?? reason) {
            onBadRow(invalid ?? badRow(line, reason!, content));
            continue;
          }
          const found = match![1]!.split(/\s+/).map((label) => label.slice('__label__'.length));
          rows.push({ label: found.length > 1 ? found : found[0], text: match![2] ?? '' });
        }
        if (rows.length > 0) yield rows;
      }
    },
  };
}
