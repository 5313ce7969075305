/**
 * MLflow's tracking server, as far as a run needs it, over its REST API (mlflow.org, "REST API", version 2.0). MLflow has no
 * JavaScript client for tracking, and these few requests are all there is to it.
 */
import fs from 'node:fs';
import { MlflowError, SettingsError } from '../errors.js';

/** Where runs are tracked, and who asks. */
export interface MlflowSettings {
  /** Of the server, without a user's name or password in it. */
  trackingUri: string;
  /** The header that says who asks; none where nobody need. */
  authorization?: string;
  experimentId?: string;
  experimentName?: string;
  /** A run that is there already. */
  runId?: string;
}

const yes = /^(1|true|yes|on)$/i;

/**
 * What the environment says of MLflow, by its own variables: MLFLOW_TRACKING_URI, MLFLOW_EXPERIMENT_NAME or
 * MLFLOW_EXPERIMENT_ID, MLFLOW_RUN_ID, MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD; and
 * the original project's DISABLE_MLFLOW_INTEGRATION, which turns it off.
 * @returns nothing where there is no server, or none is wanted
 * @throws SettingsError for a place that is no server
 */
export function mlflowOfEnvironment(environment: NodeJS.ProcessEnv = process.env): MlflowSettings | undefined {
  const given = (name: string) => environment[name]?.trim() || undefined;
  const place = given('MLFLOW_TRACKING_URI');
  if (!place || yes.test(given('DISABLE_MLFLOW_INTEGRATION') ?? '')) return undefined;
  const url = URL.canParse(place) ? new URL(place) : undefined;
  if (!url || !/^https?:$/.test(url.protocol))
    throw new SettingsError(
      'SETTING_INVALID',
      `MLFLOW_TRACKING_URI is '${place}'; it must be the address of a tracking server, http://… or https://…, since files and databases are Python's alone to write. Start 'mlflow server' on them and name its address, or turn tracking off: DISABLE_MLFLOW_INTEGRATION=TRUE.`,
      { name: 'MLFLOW_TRACKING_URI', value: place },
    );
  const token = given('MLFLOW_TRACKING_TOKEN');
  const user = given('MLFLOW_TRACKING_USERNAME') ?? decodeURIComponent(url.username);
  const password = given('MLFLOW_TRACKING_PASSWORD') ?? decodeURIComponent(url.password);
  // Credentials have no place in the files and messages that this address goes into.
  url.username = '';
  url.password = '';
  const authorization = token
    ? `Bearer ${token}`
    : user
      ? `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
      : undefined;
  const experimentId = given('MLFLOW_EXPERIMENT_ID');
  const experimentName = given('MLFLOW_EXPERIMENT_NAME');
  const runId = given('MLFLOW_RUN_ID');
  return {
    trackingUri: url.href.replace(/\/$/, ''),
    ...(authorization && { authorization }),
    ...(experimentId && { experimentId }),
    ...(experimentName && { experimentName }),
    ...(runId && { runId }),
  };
}

export interface MlflowMetric {
  key: string;
  value: number;
  /** Milliseconds since 1970. */
  timestamp: number;
  step: number;
}

export interface KeyValue {
  key: string;
  value: string;
}

export interface MlflowRun {
  info: { run_id: string; experiment_id: string; artifact_uri: string; status: string };
}

/** Entries of one request at most, by MLflow's own limits. */
export const mostInBatch = { metrics: 1000, params: 100, tags: 100 } as const;

/** Seconds after which an answer is not waited for any more. */
const patience = 10;
/** Bytes a second that an upload must make at least. */
const slowest = 100_000;

export class MlflowClient {
  constructor(readonly settings: MlflowSettings) {}

  async #request(method: string, url: string, body?: Blob | string, seconds = patience): Promise<Response> {
    const { authorization } = this.settings;
    let response: Response;
    try {
      response = await fetch(url, {
        method,
        headers: {
          ...(authorization && { authorization }),
          'content-type': typeof body === 'string' ? 'application/json' : 'application/octet-stream',
        },
        ...(body !== undefined && { body }),
        signal: AbortSignal.timeout(Math.ceil(1000 * seconds)),
      });
    } catch (error) {
      const { cause, name } = error as Error & { cause?: NodeJS.ErrnoException };
      const why =
        name === 'TimeoutError'
          ? `no answer within ${Math.ceil(seconds)} s`
          : ['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE'].includes(cause?.code ?? '')
            ? 'the connection broke'
            : (cause?.code ?? (error as Error).message);
      throw new MlflowError('MLFLOW_UNREACHABLE', `${this.settings.trackingUri} cannot be reached (${why})`, {
        transient: true,
      });
    }
    if (response.ok) return response;
    const text = await response.text();
    const { error_code: code, message } = ((): { error_code?: string; message?: string } => {
      try {
        return JSON.parse(text) as { error_code?: string; message?: string };
      } catch {
        return {};
      }
    })();
    if (response.status === 401 || response.status === 403)
      throw new MlflowError(
        'MLFLOW_UNAUTHORIZED',
        `${this.settings.trackingUri} does not let this in (${response.status}). Look at MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD`,
        { status: response.status, serverCode: code },
      );
    throw new MlflowError(
      'MLFLOW_REQUEST_FAILED',
      `${this.settings.trackingUri} answers ${response.status}: ${code ?? ''} ${(message ?? text).slice(0, 300)}`.trim(),
      {
        status: response.status,
        serverCode: code,
        transient: response.status === 429 || response.status >= 500,
      },
    );
  }

  async #call<Answer>(method: 'GET' | 'POST', endpoint: string, content: object): Promise<Answer> {
    const base = `${this.settings.trackingUri}/api/2.0/mlflow/${endpoint}`;
    const response =
      method === 'GET'
        ? await this.#request(method, `${base}?${new URLSearchParams(content as Record<string, string>).toString()}`)
        : await this.#request(method, base, JSON.stringify(content));
    return (await response.json()) as Answer;
  }

  /** The experiment that is asked for, which is made where only its name is known. */
  async experiment(): Promise<string> {
    const { experimentId, experimentName } = this.settings;
    // 0 is the one that every server begins with.
    if (experimentId || !experimentName) return experimentId ?? '0';
    try {
      const { experiment } = await this.#call<{ experiment: { experiment_id: string; lifecycle_stage: string } }>(
        'GET',
        'experiments/get-by-name',
        { experiment_name: experimentName },
      );
      if (experiment.lifecycle_stage === 'deleted')
        throw new MlflowError(
          'MLFLOW_EXPERIMENT_DELETED',
          `The experiment ${experimentName} was deleted. Restore it in MLflow, or name another (MLFLOW_EXPERIMENT_NAME)`,
          { experimentName },
        );
      return experiment.experiment_id;
    } catch (error) {
      if ((error as MlflowError).serverCode !== 'RESOURCE_DOES_NOT_EXIST') throw error;
    }
    const made = await this.#call<{ experiment_id: string }>('POST', 'experiments/create', { name: experimentName });
    return made.experiment_id;
  }

  /** A run by its id. @throws MlflowError when there is none */
  async run(id: string): Promise<MlflowRun> {
    return (await this.#call<{ run: MlflowRun }>('GET', 'runs/get', { run_id: id })).run;
  }

  /** A run of an experiment by the value of a tag. */
  async findRun(experiment: string, tag: string, value: string): Promise<MlflowRun | undefined> {
    const { runs } = await this.#call<{ runs?: MlflowRun[] }>('POST', 'runs/search', {
      experiment_ids: [experiment],
      filter: `tags."${tag}" = '${value}'`,
      max_results: 1,
    });
    return runs?.[0];
  }

  async createRun(experiment: string, name: string, startTime: number, tags: KeyValue[]): Promise<MlflowRun> {
    const { run } = await this.#call<{ run: MlflowRun }>('POST', 'runs/create', {
      experiment_id: experiment,
      run_name: name,
      start_time: startTime,
      tags,
    });
    return run;
  }

  /** @param endTime milliseconds since 1970; none while it goes on */
  async updateRun(id: string, status: 'RUNNING' | 'FINISHED' | 'FAILED' | 'KILLED', endTime?: number): Promise<void> {
    await this.#call('POST', 'runs/update', { run_id: id, status, ...(endTime && { end_time: endTime }) });
  }

  /** Sends at most `mostInBatch` of each. What was sent before is not sent twice: MLflow knows it by key, step and time. */
  async logBatch(
    id: string,
    batch: { metrics?: MlflowMetric[]; params?: KeyValue[]; tags?: KeyValue[] },
  ): Promise<void> {
    await this.#call('POST', 'runs/log-batch', { run_id: id, ...batch });
  }

  /**
   * Uploads a file through the server.
   * @param artifactUri of the run
   * @param name below it, with slashes
   * @throws MlflowError where the server does not pass files on, but has its clients write to the store themselves
   */
  async uploadArtifact(artifactUri: string, name: string, file: string): Promise<void> {
    const uri = URL.canParse(artifactUri) ? new URL(artifactUri) : undefined;
    // Another host than the tracking server's must not be handed what lets this in.
    const elsewhere = uri?.host && uri.host !== new URL(this.settings.trackingUri).host;
    if (uri?.protocol !== 'mlflow-artifacts:' || elsewhere)
      throw new MlflowError(
        'MLFLOW_NO_ARTIFACT_PROXY',
        `files of this run belong to ${artifactUri}, where MLflow's Python clients write by themselves and Tunebook cannot. Start the server with --serve-artifacts and an experiment that was made since, or copy the run's folder`,
        { artifactUri },
      );
    const place = [...uri.pathname.split('/'), ...name.split('/')].filter(Boolean).map(encodeURIComponent).join('/');
    const { size } = fs.statSync(file);
    await this.#request(
      'PUT',
      `${this.settings.trackingUri}/api/2.0/mlflow-artifacts/artifacts/${place}`,
      await fs.openAsBlob(file),
      patience + size / slowest,
    );
  }
}
