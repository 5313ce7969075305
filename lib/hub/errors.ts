/** What can go wrong with the hub, one class a kind, under the names of Python's huggingface_hub where it has one. */

/** Something could not be had from the hub; the message says what, why and what to do next. */
export class HubError extends Error {
  override name = 'HubError';
}

/** There is no model or data set of that name, or it is private and the token does not open it. */
export class RepositoryNotFoundError extends HubError {
  override name = 'RepositoryNotFoundError';
}

/** The repository has no such branch, tag or commit. */
export class RevisionNotFoundError extends HubError {
  override name = 'RevisionNotFoundError';
}

/** The repository lacks a file that is needed. */
export class EntryNotFoundError extends HubError {
  override name = 'EntryNotFoundError';
}

/** The hub does not know the token. */
export class TokenError extends HubError {
  override name = 'TokenError';
}

/** Its owner lets in only who has asked. */
export class GatedRepoError extends HubError {
  override name = 'GatedRepoError';
}

/** The hub cannot be reached from here, or must not be (HF_HUB_OFFLINE), and the files are not in the cache. */
export class OfflineError extends HubError {
  override name = 'OfflineError';
}

/** The hub answers, but not with what was asked for, try after try. */
export class HubUnavailableError extends HubError {
  override name = 'HubUnavailableError';
}

/** What arrived is not what the hub says the file is. */
export class IntegrityError extends HubError {
  override name = 'IntegrityError';
}

/** No space is left for a file, or it may not be written. */
export class CacheError extends HubError {
  override name = 'CacheError';
}

/** What helps whoever has no network. */
export const offlineChoices =
  "Use files of this machine (name a folder or a file), the embedded pair (TUNEBOOK_SOURCE=embedded, or 'embedded' as a name), " +
  'or fill the cache where there is a network and bring it here (HF_HOME says where it is).';
