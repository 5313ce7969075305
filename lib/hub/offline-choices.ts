/** Advice for machines without network access, at the end of an error. */
export const offlineChoices =
  "Use files of this machine (name a folder or a file), the embedded pair (TUNEBOOK_SOURCE=embedded, or 'embedded' as a name), " +
  'or fill the cache where there is a network and bring it here (HF_HOME says where it is).';
