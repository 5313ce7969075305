/**
 * Checkpoints: everything that training needs to resume with the same result. Each checkpoint is a folder in Hugging
 * Face format that can be loaded as a model (checkpoint-500 with model.safetensors, config and tokenizer). It also
 * contains the optimizer's moments, and trainer_state.json with the size and hash of every file.
 *
 * A checkpoint is written under a temporary name, synced to disk, and renamed when it is complete. A crash of the
 * process or the machine therefore leaves no incomplete checkpoint. No state of a random generator is stored: shuffling
 * and dropout are functions of seed, position and pass.
 */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { CheckpointError, DiskFullError, TunebookError } from '../errors.js';
import { settingText } from '../settings/setting-text.js';
import { fromJson, toJson } from '../json.js';
import { readSafetensors, writeSafetensors, type StoredTensor } from '../model/safetensors.js';
import type { StreamPosition } from '../batching/stream.js';
import { startEarlyStopping, type EarlyStopping } from './early-stopping.js';
import type { StepState } from './step.js';
import type { EndOfTraining, TrainingRecord } from './training-record.js';

/** Changes when checkpoints of earlier versions can no longer be resumed. */
const formatVersion = 2;

/** The state of a training run, besides the model and the optimizer's moments: trainer_state.json. */
export interface TrainerState {
  /** Optimizer steps so far. */
  step: number;
  /** The position of the next batch. */
  position: StreamPosition;
  /** Fingerprint of the training data: positions in other data are meaningless. */
  data: string;
  /** Rows trained on, with repetitions. */
  samples: number;
  /** Seconds since the start, in total across resumes. */
  seconds: number;
  /** Seconds without evaluation and checkpoints. */
  trainSeconds: number;
  /** Seconds in which no batch was ready. */
  dataWaitSeconds: number;
  /** The best evaluation. */
  best: { step: number; metrics: unknown } | null;
  /** The step of the last evaluation; 0 before the first. */
  lastEvalStep: number;
  earlyStopping: EarlyStopping;
  trainingStep: StepState | null;
  records: TrainingRecord[];
  /** How training ended; null while it continues. */
  end: EndOfTraining | null;
}

/** The state before the first step. */
export const initialState = (data: string): TrainerState => ({
  step: 0,
  position: { epoch: 0, block: 0, batch: 0 },
  data,
  samples: 0,
  seconds: 0,
  trainSeconds: 0,
  dataWaitSeconds: 0,
  best: null,
  lastEvalStep: 0,
  earlyStopping: startEarlyStopping(),
  trainingStep: null,
  records: [],
  end: null,
});

/** A complete checkpoint. */
export interface Checkpoint {
  folder: string;
  state: TrainerState;
}

const stateFile = 'trainer_state.json';
const optimizerFile = 'optimizer.safetensors';
const partialSuffix = '.partial';

function sha256(file: string): string {
  const hash = createHash('sha256');
  const descriptor = fs.openSync(file, 'r');
  try {
    const piece = Buffer.allocUnsafe(1 << 20);
    for (let read; (read = fs.readSync(descriptor, piece)) > 0;) hash.update(piece.subarray(0, read));
  } finally {
    fs.closeSync(descriptor);
  }
  return hash.digest('hex');
}

/** Flushes a file, or the entries of a folder, to disk. */
function sync(file: string): void {
  const descriptor = fs.openSync(file, 'r');
  try {
    fs.fsyncSync(descriptor);
  } finally {
    fs.closeSync(descriptor);
  }
}

const stepOf = (name: string) => Number(/^checkpoint-(\d+)$/.exec(name)?.[1] ?? NaN);

/**
 * The folder of a run's checkpoints.
 * @example
 * await trainer.train(reviews.train, { checkpoints: new CheckpointFolder('runs/mine/checkpoints') });
 */
export class CheckpointFolder {
  /** Incomplete or damaged checkpoints, each with the reason; set by `newest`. */
  readonly broken: string[] = [];

  constructor(readonly folder: string) {}

  /** The folder of a step's checkpoint. */
  path(step: number): string {
    return path.join(this.folder, `checkpoint-${step}`);
  }

  /** The steps of all checkpoints, newest first. */
  steps(): number[] {
    if (!fs.existsSync(this.folder)) return [];
    return fs
      .readdirSync(this.folder)
      .map(stepOf)
      .filter((step) => !Number.isNaN(step))
      .sort((a, b) => b - a);
  }

  /**
   * Writes a checkpoint.
   * @param writeModel writes the model's files into a folder
   * @throws DiskFullError if the disk is full, CheckpointError if writing fails; existing checkpoints are kept
   */
  save(state: TrainerState, optimizer: Map<string, StoredTensor>, writeModel: (folder: string) => void): Checkpoint {
    const folder = this.path(state.step);
    const partialFolder = path.join(this.folder, `.checkpoint-${state.step}${partialSuffix}`);
    try {
      fs.mkdirSync(this.folder, { recursive: true });
      this.#removePartial();
      fs.mkdirSync(partialFolder);
      writeModel(partialFolder);
      writeSafetensors(path.join(partialFolder, optimizerFile), optimizer);
      const files = fs.readdirSync(partialFolder).map((name) => {
        const file = path.join(partialFolder, name);
        sync(file);
        return [name, { size: fs.statSync(file).size, sha256: sha256(file) }] as const;
      });
      const statePath = path.join(partialFolder, stateFile);
      fs.writeFileSync(statePath, toJson({ formatVersion, ...state, files: Object.fromEntries(files) }));
      sync(statePath);
      sync(partialFolder);
      // A run that was resumed from an older checkpoint reaches the same step again.
      if (fs.existsSync(folder))
        fs.renameSync(folder, path.join(this.folder, `.checkpoint-${state.step}-old${partialSuffix}`));
      fs.renameSync(partialFolder, folder);
      sync(this.folder);
      this.#removePartial();
    } catch (error) {
      throw this.#describeWriteError(error, state.step, partialFolder);
    }
    return { folder, state };
  }

  #describeWriteError(error: unknown, step: number, partialFolder: string): unknown {
    const { code, message } = error as NodeJS.ErrnoException;
    // Errors of the operating system have a code. All others are passed on.
    if (!code || error instanceof TunebookError) return error;
    try {
      fs.rmSync(partialFolder, { recursive: true, force: true });
    } catch {
      // `save` removes it before the next checkpoint is written.
    }
    const [newest] = this.steps();
    const fallback =
      newest === undefined
        ? 'There is no earlier checkpoint.'
        : `${this.path(newest)} is complete: resume from it with --resume.`;
    if (code === 'ENOSPC' || code === 'EDQUOT')
      return new DiskFullError(
        'CHECKPOINT_DISK_FULL',
        `The disk is full: the checkpoint of step ${step} could not be written to ${this.folder}. Free disk space, or keep fewer checkpoints (${settingText('saveTotalLimit', '1')}). ${fallback}`,
        { folder: this.folder, step },
      );
    return new CheckpointError(
      'CHECKPOINT_NOT_WRITTEN',
      `The checkpoint of step ${step} could not be written: ${message}. ${fallback}`,
      { folder: this.folder, step, systemCode: code },
    );
  }

  #removePartial(): void {
    for (const name of fs.readdirSync(this.folder))
      if (name.endsWith(partialSuffix)) fs.rmSync(path.join(this.folder, name), { recursive: true, force: true });
  }

  /** Removes all checkpoints except the newest `keep` and those of the steps `current` and `best`. */
  prune(keep: number, current: number, best: number | undefined): void {
    for (const step of this.steps().slice(keep))
      if (step !== current && step !== best) fs.rmSync(this.path(step), { recursive: true, force: true });
  }

  /** @throws CheckpointError if the newest checkpoint has the format of another version of Tunebook */
  assertSupported(): void {
    const [newest] = this.steps();
    if (newest === undefined) return;
    let version: unknown;
    try {
      const state = fs.readFileSync(path.join(this.path(newest), stateFile), 'utf8');
      version = (fromJson(state) as { formatVersion?: number }).formatVersion;
    } catch {
      // Damaged: `newest` skips it.
      return;
    }
    if (version === formatVersion) return;
    throw new CheckpointError(
      'CHECKPOINT_VERSION_UNSUPPORTED',
      `${this.path(newest)} was written by another version of Tunebook (format ${String(version)}, this version reads ${formatVersion}). ` +
        `Start a new run; ${settingText('model', this.path(newest))} starts from its model.`,
      { folder: this.path(newest), version, supported: formatVersion },
    );
  }

  /** Reads the state of a checkpoint and verifies its files; `problem` is the reason why it cannot be used. */
  #read(step: number): { state: TrainerState } | { problem: string } {
    const folder = this.path(step);
    try {
      const { files, ...state } = fromJson(fs.readFileSync(path.join(folder, stateFile), 'utf8')) as TrainerState & {
        files: Record<string, { size: number; sha256: string }>;
      };
      for (const [name, { size, sha256: expected }] of Object.entries(files)) {
        const file = path.join(folder, name);
        if (fs.statSync(file).size !== size || sha256(file) !== expected)
          return { problem: `${name} was changed or truncated after it was saved` };
      }
      return { state };
    } catch (error) {
      return { problem: (error as Error).message };
    }
  }

  /**
   * The newest complete checkpoint. Newer ones that cannot be used are listed in `broken`.
   * @throws CheckpointError if the newest has the format of another version of Tunebook
   */
  newest(): Checkpoint | undefined {
    this.assertSupported();
    this.broken.length = 0;
    for (const step of this.steps()) {
      const result = this.#read(step);
      if ('state' in result) return { folder: this.path(step), state: result.state };
      this.broken.push(`${this.path(step)}: ${result.problem}`);
    }
    return undefined;
  }
}

/**
 * The optimizer's tensors of a checkpoint.
 * @param checkpoint a complete checkpoint
 */
export const optimizerOf = ({ folder }: Pick<Checkpoint, 'folder'>): Map<string, StoredTensor> =>
  readSafetensors(path.join(folder, optimizerFile));
