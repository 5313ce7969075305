/**
 * A sweep in MLflow: one run whose children are the runs of the sweep. Its id is stored in the sweep's folder, so that a resumed
 * sweep continues it.
 */
import path from 'node:path';
import { MlflowError } from '../errors.js';
import type { RunFolder } from '../runs/run-folder.js';
import { MlflowClient, type KeyValue, type MlflowSettings } from './mlflow-client.js';

/** The file in a sweep's folder with the id of its run, by server. */
export const trackingFile = 'tracking.json';

/** The run of a sweep. */
export class SweepRun {
  readonly #client: MlflowClient;
  readonly #id: string;
  readonly #note: (message: string) => void;

  private constructor(client: MlflowClient, id: string, note: (message: string) => void) {
    this.#client = client;
    this.#id = id;
    this.#note = note;
  }

  /**
   * Creates the run, or continues it.
   * @param params the grid or the search space, and the names of sampler and pruner
   * @param note called with messages for the user
   * @returns undefined if the server cannot be used now; the runs of the sweep are then tracked without a parent
   */
  static async start(
    folder: RunFolder,
    settings: MlflowSettings,
    params: KeyValue[],
    note: (message: string) => void,
  ): Promise<SweepRun | undefined> {
    const client = new MlflowClient(settings);
    const stored = folder.read<Record<string, string>>(trackingFile) ?? {};
    try {
      let id = stored[settings.trackingUri];
      if (id) await client.updateRun(id, 'RUNNING');
      else {
        const tags = [
          { key: 'mlflow.source.name', value: 'tunebook sweep' },
          { key: 'mlflow.source.type', value: 'JOB' },
        ];
        const name = path.basename(path.resolve(folder.folder));
        id = (await client.createRun(await client.experiment(), name, Date.now(), tags)).info.run_id;
        folder.write(trackingFile, { ...stored, [settings.trackingUri]: id });
        await client.logBatch(id, { params });
      }
      return new SweepRun(client, id, note);
    } catch (error) {
      if (!(error instanceof MlflowError)) throw error;
      note(`MLflow: ${error.message}. The runs of the sweep are tracked without a common parent.`);
      return undefined;
    }
  }

  /** The environment variable by which a run becomes a child. */
  get environment(): Record<string, string> {
    return { MLFLOW_PARENT_RUN_ID: this.#id };
  }

  /**
   * Sends the end of the sweep.
   * @param metrics results of the best combination
   * @param tags its values
   */
  async finish(status: 'FINISHED' | 'FAILED' | 'KILLED', metrics: Record<string, number> = {}, tags: KeyValue[] = []) {
    const timestamp = Date.now();
    try {
      await this.#client.logBatch(this.#id, {
        metrics: Object.entries(metrics).map(([key, value]) => ({ key, value, timestamp, step: 0 })),
        tags,
      });
      await this.#client.updateRun(this.#id, status, timestamp);
    } catch (error) {
      if (!(error instanceof MlflowError)) throw error;
      this.#note(`MLflow has not received the end of the sweep: ${error.message}.`);
    }
  }
}
