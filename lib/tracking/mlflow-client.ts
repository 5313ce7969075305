/**
 * A client of MLflow's tracking server, with the requests that a run needs, over its REST API (mlflow.org, "REST API",
 * version 2.0). MLflow has no JavaScript client for tracking.
 */
import fs from 'node:fs';
import { MlflowError, SettingsError } from '../errors.js';
import { fetch } from '../hub/fetch.js';

/** The tracking server, the credentials, and the experiment or run to use. */
export interface MlflowSettings {
  /** Address of the server, without user name and password. */
  trackingUri: string;
  /** The Authorization header; absent if there are no credentials. */
  authorization?: string;
  experimentId?: string;
  experimentName?: string;
  /** An existing run to use. */
  runId?: string;
  /** The run of which new runs are children. */
  parentRunId?: string;
}

const truePattern = /^(1|true|yes|on)$/i;

/**
 * Reads the settings of MLflow from its environment variables: MLFLOW_TRACKING_URI, MLFLOW_EXPERIMENT_NAME or
 * MLFLOW_EXPERIMENT_ID, MLFLOW_RUN_ID, MLFLOW_PARENT_RUN_ID, and MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and
 * MLFLOW_TRACKING_PASSWORD. The original project's DISABLE_MLFLOW_INTEGRATION disables tracking.
 * @returns undefined if no server is set or tracking is disabled
 * @throws SettingsError if MLFLOW_TRACKING_URI is not the address of a server
 */
export function mlflowOfEnvironment(environment: NodeJS.ProcessEnv = process.env): MlflowSettings | undefined {
  const given = (name: string) => environment[name]?.trim() || undefined;
  const uri = given('MLFLOW_TRACKING_URI');
  if (!uri || truePattern.test(given('DISABLE_MLFLOW_INTEGRATION') ?? '')) return undefined;
  const url = URL.canParse(uri) ? new URL(uri) : undefined;
  if (!url || !/^https?:$/.test(url.protocol))
    throw new SettingsError(
      'SETTING_INVALID',
      `MLFLOW_TRACKING_URI is '${uri}'; it must be the http:// or https:// address of a tracking server, since only Python clients can write to files and databases directly. Start 'mlflow server' with this store and set the server's address, or disable tracking with DISABLE_MLFLOW_INTEGRATION=TRUE.`,
      { name: 'MLFLOW_TRACKING_URI', value: uri },
    );
  const token = given('MLFLOW_TRACKING_TOKEN');
  const user = given('MLFLOW_TRACKING_USERNAME') ?? decodeURIComponent(url.username);
  const password = given('MLFLOW_TRACKING_PASSWORD') ?? decodeURIComponent(url.password);
  // The address appears in files and messages, which must not contain credentials.
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
  const parentRunId = given('MLFLOW_PARENT_RUN_ID');
  return {
    trackingUri: url.href.replace(/\/$/, ''),
    ...(authorization && { authorization }),
    ...(experimentId && { experimentId }),
    ...(experimentName && { experimentName }),
    ...(runId && { runId }),
    ...(parentRunId && { parentRunId }),
  };
}

/** One value of a metric. */
export interface MlflowMetric {
  key: string;
  value: number;
  /** Milliseconds since 1970. */
  timestamp: number;
  step: number;
}

/** A parameter or tag. */
export interface KeyValue {
  key: string;
  value: string;
}

/** A run as the server returns it. */
export interface MlflowRun {
  info: { run_id: string; experiment_id: string; artifact_uri: string; status: string };
}

/** Maximum number of entries per request, by MLflow's limits. */
export const maxBatch = { metrics: 1000, params: 100, tags: 100 } as const;

/** Timeout of a request in seconds. */
const requestTimeout = 10;
/** Minimum upload speed in bytes per second; the timeout of an upload grows with its size accordingly. */
const minUploadSpeed = 100_000;

/** A client of a tracking server. */
export class MlflowClient {
  constructor(readonly settings: MlflowSettings) {}

  async #request(method: string, url: string, body?: Blob | string, seconds = requestTimeout): Promise<Response> {
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
      const reason =
        name === 'TimeoutError'
          ? `no response within ${Math.ceil(seconds)} s`
          : ['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE'].includes(cause?.code ?? '')
            ? 'the connection was closed'
            : (cause?.code ?? (error as Error).message);
      throw new MlflowError('MLFLOW_UNREACHABLE', `${this.settings.trackingUri} is unreachable (${reason})`, {
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
        `${this.settings.trackingUri} rejected the credentials (${response.status}). Check MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD`,
        { status: response.status, serverCode: code },
      );
    throw new MlflowError(
      'MLFLOW_REQUEST_FAILED',
      `${this.settings.trackingUri} returned ${response.status}: ${code ?? ''} ${(message ?? text).slice(0, 300)}`.trim(),
      {
        status: response.status,
        serverCode: code,
        transient: response.status === 429 || response.status >= 500,
      },
    );
  }

  async #call<Result>(method: 'GET' | 'POST', endpoint: string, content: object): Promise<Result> {
    const base = `${this.settings.trackingUri}/api/2.0/mlflow/${endpoint}`;
    const response =
      method === 'GET'
        ? await this.#request(method, `${base}?${new URLSearchParams(content as Record<string, string>).toString()}`)
        : await this.#request(method, base, JSON.stringify(content));
    return (await response.json()) as Result;
  }

  /** The id of the experiment in the settings; an experiment with a new name is created. */
  async experiment(): Promise<string> {
    const { experimentId, experimentName } = this.settings;
    // 0 is MLflow's default experiment.
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
          `The experiment ${experimentName} was deleted. Restore it in MLflow, or set another one (MLFLOW_EXPERIMENT_NAME)`,
          { experimentName },
        );
      return experiment.experiment_id;
    } catch (error) {
      if ((error as MlflowError).serverCode !== 'RESOURCE_DOES_NOT_EXIST') throw error;
    }
    const created = await this.#call<{ experiment_id: string }>('POST', 'experiments/create', { name: experimentName });
    return created.experiment_id;
  }

  /** Returns a run by its id. @throws MlflowError if there is none */
  async run(id: string): Promise<MlflowRun> {
    return (await this.#call<{ run: MlflowRun }>('GET', 'runs/get', { run_id: id })).run;
  }

  /** Returns the run of an experiment with a value of a tag. */
  async findRun(experiment: string, tag: string, value: string): Promise<MlflowRun | undefined> {
    const { runs } = await this.#call<{ runs?: MlflowRun[] }>('POST', 'runs/search', {
      experiment_ids: [experiment],
      filter: `tags."${tag}" = '${value}'`,
      max_results: 1,
    });
    return runs?.[0];
  }

  /** Creates a run. @param startTime milliseconds since 1970 */
  async createRun(experiment: string, name: string, startTime: number, tags: KeyValue[]): Promise<MlflowRun> {
    const { run } = await this.#call<{ run: MlflowRun }>('POST', 'runs/create', {
      experiment_id: experiment,
      run_name: name,
      start_time: startTime,
      tags,
    });
    return run;
  }

  /** Sets the status of a run. @param endTime milliseconds since 1970; undefined for a run in progress */
  async updateRun(id: string, status: 'RUNNING' | 'FINISHED' | 'FAILED' | 'KILLED', endTime?: number): Promise<void> {
    await this.#call('POST', 'runs/update', { run_id: id, status, ...(endTime && { end_time: endTime }) });
  }

  /** Sends at most `maxBatch` entries of each kind. MLflow ignores a repeated metric with equal key, step and time. */
  async logBatch(
    id: string,
    batch: { metrics?: MlflowMetric[]; params?: KeyValue[]; tags?: KeyValue[] },
  ): Promise<void> {
    await this.#call('POST', 'runs/log-batch', { run_id: id, ...batch });
  }

  /**
   * Uploads a file through the server.
   * @param artifactUri the run's artifact location
   * @param name the path within it, with slashes
   * @throws MlflowError if the server does not accept uploads, but expects clients to write to the store directly
   */
  async uploadArtifact(artifactUri: string, name: string, file: string): Promise<void> {
    const uri = URL.canParse(artifactUri) ? new URL(artifactUri) : undefined;
    // The credentials must not be sent to another host than the tracking server.
    const isOtherHost = uri?.host && uri.host !== new URL(this.settings.trackingUri).host;
    if (uri?.protocol !== 'mlflow-artifacts:' || isOtherHost)
      throw new MlflowError(
        'MLFLOW_NO_ARTIFACT_PROXY',
        `the artifact location of this run is ${artifactUri}, to which only MLflow's Python clients can write. Start the server with --serve-artifacts and create a new experiment, or copy the run folder`,
        { artifactUri },
      );
    const artifactPath = [...uri.pathname.split('/'), ...name.split('/')]
      .filter(Boolean)
      .map(encodeURIComponent)
      .join('/');
    const { size } = fs.statSync(file);
    await this.#request(
      'PUT',
      `${this.settings.trackingUri}/api/2.0/mlflow-artifacts/artifacts/${artifactPath}`,
      await fs.openAsBlob(file),
      requestTimeout + size / minUploadSpeed,
    );
  }
}
