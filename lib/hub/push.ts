/** Uploads a model folder to the Hugging Face hub as one commit. */
import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { createRepo, HubApiError, uploadFiles } from '@huggingface/hub';
import { HubUnavailableError, OfflineError, RepositoryNotFoundError, SettingsError, TokenError } from '../errors.js';
import { hubOfEnvironment, type Hub } from './environment.js';
import { fetch } from './fetch.js';

/** Options of `pushToHub`. */
export interface PushOptions {
  /** Whether a new repository is visible to its owner only. @default false */
  private?: boolean;
  /** Title of the commit. @default 'Upload model' */
  title?: string;
  hub?: Hub;
}

/** The files of a folder and of its folders, relative to it. */
const filesIn = (folder: string): string[] =>
  fs
    .readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => fs.statSync(path.join(folder, name)).isFile())
    .sort();

/** The error to show for an error of the hub. */
function asTunebookError(error: unknown, name: string, { endpoint }: Hub): unknown {
  if (!(error instanceof HubApiError)) {
    if (!(error instanceof TypeError)) return error;
    const reason = error.cause instanceof Error ? error.cause.message : error.message;
    return new OfflineError('HUB_UNREACHABLE', `${endpoint} cannot be reached (${reason}).`, { endpoint });
  }
  const { statusCode, message } = error;
  if (statusCode === 401)
    return new TokenError(
      'HUB_TOKEN_INVALID',
      `${endpoint} rejects the token. Create one with write access, and set HF_TOKEN.`,
    );
  if (statusCode === 403 || statusCode === 404)
    return new RepositoryNotFoundError(
      'HUB_REPOSITORY_NOT_FOUND',
      `The token may not write to ${name} (${message}). Choose a name of yours, or a token with write access to it.`,
      { name },
    );
  return new HubUnavailableError('HUB_UNAVAILABLE', `${endpoint} answered with ${statusCode}: ${message}`, { name });
}

/**
 * Uploads a model folder; the repository is created if it does not exist. Files that the repository has and the folder does not
 * are kept.
 * @param name `owner/name`
 * @param folder a model folder; its README.md becomes the model card
 * @returns the address of the commit
 * @throws SettingsError for an invalid name, TokenError, RepositoryNotFoundError, OfflineError, HubUnavailableError
 */
export async function pushToHub(name: string, folder: string, options: PushOptions = {}): Promise<string> {
  const { title = 'Upload model', hub = hubOfEnvironment() } = options;
  if (!/^[\w.-]+\/[\w.-]+$/.test(name))
    throw new SettingsError('SETTING_INVALID', `'${name}' is not the name of a repository. Write owner/name.`, {
      name: 'repository',
      value: name,
    });
  if (hub.offline)
    throw new OfflineError('HUB_OFFLINE', 'HF_HUB_OFFLINE is set, so nothing can be uploaded. Unset it.');
  if (!hub.token)
    throw new TokenError(
      'HUB_TOKEN_INVALID',
      `An upload needs a token with write access. Create one at ${hub.endpoint}/settings/tokens, and set HF_TOKEN.`,
    );
  const access = { accessToken: hub.token, hubUrl: hub.endpoint, fetch: fetch as typeof globalThis.fetch };
  try {
    await createRepo({ repo: name, visibility: options.private ? 'private' : 'public', ...access }).catch((error) => {
      // It exists already.
      if (!(error instanceof HubApiError && error.statusCode === 409)) throw error;
    });
    const files = filesIn(folder).map((file) => ({
      path: file.split(path.sep).join('/'),
      content: pathToFileURL(path.join(folder, file)),
    }));
    const output = await uploadFiles({ repo: name, files, commitTitle: title, ...access });
    return output!.commit.url;
  } catch (error) {
    throw asTunebookError(error, name, hub);
  }
}
