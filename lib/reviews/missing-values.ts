/**
 * Spellings of missing values, as pandas' read_csv knows them. Texts and labels that consist of one are missing, not data.
 * Source: pandas, `STR_NA_VALUES`.
 */

const spellings = new Set(
  ['', '<NA>', 'N/A', 'n/a', 'NA', 'NULL', 'null', 'None', 'NaN', 'nan', '-NaN', '-nan'].concat([
    '#N/A',
    '#N/A N/A',
    '#NA',
    '1.#IND',
    '-1.#IND',
    '1.#QNAN',
    '-1.#QNAN',
  ]),
);

/** Whether a value without surrounding spaces stands for a missing one. */
export const isMissing = (value: string): boolean => spellings.has(value);
