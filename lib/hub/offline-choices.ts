/** Alternatives for machines without network access, appended to errors. */
export const offlineChoices =
  'Use local files (the path of a folder or file), or the embedded model and reviews (TUNEBOOK_SOURCE=embedded, or ' +
  "the name 'embedded'), or fill the cache on a machine with network access and copy it here (HF_HOME sets its path).";
