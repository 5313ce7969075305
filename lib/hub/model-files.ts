/** The names of Tunebook's own files in a model's folder. */

/** See lib/model/preprocessing.ts. */
export const preprocessingFile = 'tunebook.json';

/** See lib/model/calibration-file.ts. */
export const calibrationFile = 'calibration.json';
