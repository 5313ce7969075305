/**
 * Checkpoints: everything that training needs to continue with the same result, as folders in Hugging Face format
 * (checkpoint-500 with model.safetensors, config and tokenizer, so that each is a model), with the optimizer's moments and
 * trainer_state.json, which contains the size and hash of every file.
 *
 * A checkpoint is written under another name, synced, and renamed when it is complete, so that it is complete however the
 * process or the machine stops. It contains no state of a random generator, since there is none: shuffling and dropout are
 * functions of seed, position and pass.
 */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { CheckpointError, DiskFullError, TunebookError } from '../errors.js';
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
const partial = '.partial';

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

/** Has a file's or a folder's entries on the disk, not only in memory. */
function sync(file: string): void {
  const descriptor = fs.openSync(file, 'r');
  try {
    fs.fsyncSync(descriptor);
  } finally {
    fs.closeSync(descriptor);
  }
}

const stepOf = (name: string) => Number(/^checkpoint-(\d+)$/.exec(name)?.[1] ?? NaN);

/** The folder of a run's checkpoints. */
export class CheckpointFolder {
  /** Checkpoints that are there but not whole, and what is wrong with them; found by `newest`. */
  readonly broken: string[] = [];

  constructor(readonly folder: string) {}

  /** Where the checkpoint of a step is. */
  of(step: number): string {
    return path.join(this.folder, `checkpoint-${step}`);
  }

  /** The steps of all checkpoints, the newest first. */
  steps(): number[] {
    if (!fs.existsSync(this.folder)) return [];
    return fs
      .readdirSync(this.folder)
      .map(stepOf)
      .filter((step) => !Number.isNaN(step))
      .sort((a, b) => b - a);
  }

  /**
   * Writes one.
   * @param writeModel writes the model's files into a folder
   * @throws DiskFullError when there is no room, CheckpointError when it cannot be written; those that are there are kept
   */
  save(state: TrainerState, optimizer: Map<string, StoredTensor>, writeModel: (folder: string) => void): Checkpoint {
    const folder = this.of(state.step);
    const aside = path.join(this.folder, `.checkpoint-${state.step}${partial}`);
    try {
      fs.mkdirSync(this.folder, { recursive: true });
      this.#removePartial();
      fs.mkdirSync(aside);
      writeModel(aside);
      writeSafetensors(path.join(aside, optimizerFile), optimizer);
      const files = fs.readdirSync(aside).map((name) => {
        const file = path.join(aside, name);
        sync(file);
        return [name, { size: fs.statSync(file).size, sha256: sha256(file) }] as const;
      });
      const last = path.join(aside, stateFile);
      fs.writeFileSync(last, toJson({ formatVersion, ...state, files: Object.fromEntries(files) }));
      sync(last);
      sync(aside);
      // One of the same step is there when a run went on from an older one.
      if (fs.existsSync(folder))
        fs.renameSync(folder, path.join(this.folder, `.checkpoint-${state.step}-old${partial}`));
      fs.renameSync(aside, folder);
      sync(this.folder);
      this.#removePartial();
    } catch (error) {
      throw this.#explained(error, state.step, aside);
    }
    return { folder, state };
  }

  #explained(error: unknown, step: number, aside: string): unknown {
    const { code, message } = error as NodeJS.ErrnoException;
    // Only errors of the system are about writing.
    if (!code || error instanceof TunebookError) return error;
    try {
      fs.rmSync(aside, { recursive: true, force: true });
    } catch {
      // It is removed before the next one is written.
    }
    const [newest] = this.steps();
    const safe =
      newest === undefined ? 'There is no earlier one.' : `${this.of(newest)} is whole: go on from it with --resume.`;
    if (code === 'ENOSPC' || code === 'EDQUOT')
      return new DiskFullError(
        'CHECKPOINT_DISK_FULL',
        `The disk is full: the checkpoint of step ${step} could not be written to ${this.folder}. ${safe} Make room first, or keep fewer (--save-total-limit).`,
        { folder: this.folder, step },
      );
    return new CheckpointError(
      'CHECKPOINT_NOT_WRITTEN',
      `The checkpoint of step ${step} could not be written: ${message}. ${safe}`,
      { folder: this.folder, step, systemCode: code },
    );
  }

  #removePartial(): void {
    for (const name of fs.readdirSync(this.folder))
      if (name.endsWith(partial)) fs.rmSync(path.join(this.folder, name), { recursive: true, force: true });
  }

  /** Removes all but the newest `keep` and the one of step `best`. */
  prune(keep: number, best: number | undefined): void {
    for (const step of this.steps().slice(keep))
      if (step !== best) fs.rmSync(this.of(step), { recursive: true, force: true });
  }

  /** What is wrong with a checkpoint; nothing for a whole one. */
  #read(step: number): { state: TrainerState } | { wrong: string } {
    const folder = this.of(step);
    try {
      const {
        files,
        formatVersion: version,
        ...state
      } = fromJson(fs.readFileSync(path.join(folder, stateFile), 'utf8')) as TrainerState & {
        files: Record<string, { size: number; sha256: string }>;
        formatVersion?: number;
      };
      if (version !== formatVersion) return { wrong: 'it was written by another version of Tunebook' };
      for (const [name, { size, sha256: expected }] of Object.entries(files)) {
        const file = path.join(folder, name);
        if (fs.statSync(file).size !== size || sha256(file) !== expected)
          return { wrong: `${name} is not what was saved` };
      }
      return { state };
    } catch (error) {
      return { wrong: (error as Error).message };
    }
  }

  /** The newest whole one; what is wrong with newer ones is in `broken`. */
  newest(): Checkpoint | undefined {
    this.broken.length = 0;
    for (const step of this.steps()) {
      const found = this.#read(step);
      if ('state' in found) return { folder: this.of(step), state: found.state };
      this.broken.push(`${this.of(step)}: ${found.wrong}`);
    }
    return undefined;
  }
}

/**
 * The optimizer's tensors of a checkpoint.
 * @param checkpoint that is whole
 */
export const optimizerOf = ({ folder }: Checkpoint): Map<string, StoredTensor> =>
  readSafetensors(path.join(folder, optimizerFile));
