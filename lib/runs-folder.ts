/** The default parent folder of runs, by which names such as runs/2026-11-24T09-30-00 are recognized as runs. */
export const runsFolder = 'runs';
