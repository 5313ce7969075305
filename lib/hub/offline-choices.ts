/** Alternatives for machines without network access, appended to errors. */
import { settingText } from '../settings/setting-text.js';

/** The alternatives, with settings in the form in which the user sets them. */
export const offlineChoices = (): string =>
  `Without network access, use local files (${settingText('model', 'FOLDER')}, ${settingText('dataset', 'FILE')}), ` +
  `the embedded model and reviews (${settingText('source', 'embedded')}, or their name 'embedded'), a mirror ` +
  '(HF_ENDPOINT), or a cache that was filled on a machine with network access (HF_HOME, HF_HUB_OFFLINE=1).';
