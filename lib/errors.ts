/**
 * All errors in the input, the settings or the environment. Each class covers one area. Each error has a stable code,
 * so that programs and tests do not depend on the message. A plain Error is a bug in Tunebook.
 */

/** Exit codes of the commands. A scheduler may retry 130, 138 and 143; 2 and 3 need a correction first. */
export const exitCodes = {
  /** Success. */
  done: 0,
  /** An error without a more specific exit code. */
  unexpected: 1,
  /** An invalid option, setting, path or run folder. Nothing was started. */
  invalid: 2,
  /** The model or the reviews are missing or invalid. */
  data: 3,
  /** The loss is NaN or infinite. The last checkpoint is valid. */
  diverged: 4,
  /** The disk is full. The last checkpoint is valid. */
  diskFull: 5,
  /** Stopped by a signal; a checkpoint was written if training had started. */
  SIGHUP: 129,
  SIGINT: 130,
  SIGTERM: 143,
  /** Another rank was lost. Kubeflow restarts a process that ends with 138. */
  rankLost: 138,
} as const;

/** Signals that stop a command. */
export type EndingSignal = 'SIGHUP' | 'SIGINT' | 'SIGTERM';

/**
 * The base class of all errors of Tunebook. The message says what failed, on what value, why, and how to fix it.
 * @example
 * try {
 *   await loadReviews('reviews.csv');
 * } catch (error) {
 *   if (error instanceof TunebookError && error.code === 'REVIEWS_NO_COLUMN') console.log(error.values);
 *   else throw error;
 * }
 */
export class TunebookError<Code extends string = string> extends Error {
  /** Exit code of a command that fails with this error. */
  readonly exitCode: number = exitCodes.unexpected;

  /**
   * @param code identifies the kind of error; it never changes
   * @param values the offending values, by name
   * @param options.cause the original error
   */
  constructor(
    readonly code: Code,
    message: string,
    readonly values: Readonly<Record<string, unknown>> = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
  }

  /** The name of the class. */
  override get name(): string {
    return this.constructor.name;
  }
}

/** A function was called with an argument that it does not accept. */
export class ArgumentError extends TunebookError<
  | 'ARGUMENT_LABEL_INVALID'
  | 'ARGUMENT_PROBLEM_TYPE'
  | 'ARGUMENT_NO_CHECKPOINTS'
  | 'ARGUMENT_NO_ROWS'
  | 'ARGUMENT_TOO_FEW_ROWS'
  | 'ARGUMENT_NO_SAMPLE'
  | 'ARGUMENT_METHOD_MISMATCH'
  | 'ARGUMENT_NO_BATCH'
  | 'ARGUMENT_NO_ACCUMULATION'
  | 'ARGUMENT_SHAPE_MISMATCH'
  | 'ARGUMENT_VARIABLE_DISPOSED'
  | 'ARGUMENT_LIMIT_INVALID'
  | 'ARGUMENT_NO_TEXT'
  | 'ARGUMENT_TEXT_TOO_LONG'
  | 'ARGUMENT_NO_VALUES'
  | 'ARGUMENT_NO_TOKENIZER'
  | 'ARGUMENT_NOT_CALIBRATED'
  | 'ARGUMENT_NOT_BINARY'
  | 'ARGUMENT_NOT_ONE_MASK'
  | 'ARGUMENT_KEY_NUMBER_INVALID'
  | 'ARGUMENT_KEY_NUMBER_REPEATED'
  | 'ARGUMENT_PRECISION_UNSUPPORTED'
  | 'ARGUMENT_XLA_UNSUPPORTED'
> {}

/** An unknown, invalid, missing or contradictory setting or option. */
export class SettingsError extends TunebookError<
  | 'SETTING_UNKNOWN'
  | 'SETTING_INVALID'
  | 'SETTING_MISSING'
  | 'SETTING_REPEATED'
  | 'SETTING_CONFLICT'
  | 'CLASS_WEIGHT_UNKNOWN'
  | 'SETFIT_TOO_MANY_PAIRS'
  | 'CONFIG_FILE_UNREADABLE'
  | 'CONFIG_FILE_INVALID'
  | 'PORT_UNAVAILABLE'
  | 'HOST_UNAVAILABLE'
  | 'NOTEBOOK_NOT_FOUND'
  | 'LAUNCH_COMMAND_INVALID'
  | 'LAUNCH_TOO_FEW_GPUS'
  | 'LAUNCH_HOSTS_INVALID'
  | 'LAUNCH_TOO_FEW_SLOTS'
  | 'LAUNCH_WRONG_HOST'
> {
  override readonly exitCode = exitCodes.invalid;
}

/** A file or folder that does not exist, exists already, may not be used, or could not be written. */
export class FileError extends TunebookError<'FILE_NOT_FOUND' | 'FILE_EXISTS' | 'FILE_UNUSABLE' | 'FILE_DISK_FULL'> {
  override readonly exitCode = this.code === 'FILE_DISK_FULL' ? exitCodes.diskFull : exitCodes.invalid;
}

/** Unreadable reviews, or reviews without any row to train on or score. */
export class ReviewsError extends TunebookError<
  | 'REVIEWS_NOT_INSTALLED'
  | 'REVIEWS_FORMAT_UNKNOWN'
  | 'REVIEWS_NO_TABLE'
  | 'REVIEWS_UNREADABLE'
  | 'REVIEWS_DAMAGED'
  | 'REVIEWS_ARCHIVE_UNSUPPORTED'
  | 'REVIEWS_ENCODING_UNKNOWN'
  | 'REVIEWS_COLUMNS_MISMATCH'
  | 'REVIEWS_COLUMNS_AMBIGUOUS'
  | 'REVIEWS_LABEL_NOT_NUMBER'
  | 'REVIEWS_LABELS_INVALID'
  | 'REVIEWS_MULTI_LABEL'
  | 'REVIEWS_ONE_NUMBER'
  | 'REVIEWS_MALFORMED'
  | 'REVIEWS_NO_FILES'
  | 'REVIEWS_NO_ROWS'
  | 'REVIEWS_NO_COLUMN'
  | 'REVIEWS_NO_TEXT_COLUMN'
  | 'REVIEWS_NO_LABEL_COLUMN'
  | 'REVIEWS_COLUMN_EXISTS'
  | 'REVIEWS_TOO_MANY_CLASSES'
  | 'REVIEWS_TOO_MANY_ROWS'
  | 'REVIEWS_TOO_FEW_ROWS'
  | 'REVIEWS_UNKNOWN_LABEL'
  | 'REVIEWS_ONE_CLASS'
  | 'REVIEWS_SMALL_CLASS'
  | 'REVIEWS_EMPTY_CLASS'
  | 'REVIEWS_CLASS_NOT_TRAINED'
  | 'REVIEWS_NOT_STREAMABLE'
  | 'REVIEWS_CHANGED'
  | 'LABEL_MAPPING_INVALID'
  | 'SPLIT_INVALID'
> {
  override readonly exitCode = exitCodes.data;
}

/** A model folder that is incomplete, damaged, or of an unsupported kind. */
export class ModelFormatError extends TunebookError<
  | 'MODEL_TYPE_UNSUPPORTED'
  | 'MODEL_CONFIG_UNSUPPORTED'
  | 'MODEL_CONFIG_INVALID'
  | 'MODEL_NO_FILE'
  | 'MODEL_NO_WEIGHTS'
  | 'MODEL_NO_TOKENIZER'
  | 'MODEL_NO_MASK_TOKEN'
  | 'MODEL_NO_PAIRS'
  | 'MODEL_NOT_CLASSIFIER'
  | 'MODEL_NOT_EXPORTED'
  | 'MODEL_NOT_CALIBRATED'
  | 'MODEL_FILE_DAMAGED'
  | 'MODEL_LFS_POINTER'
  | 'MODEL_ADAPTER'
  | 'MODEL_OTHER_FORMAT'
  | 'MODEL_DTYPE_UNSUPPORTED'
  | 'MODEL_SHAPE_MISMATCH'
> {
  override readonly exitCode = exitCodes.data;
}

/** The exported ONNX model does not reproduce TensorFlow's logits. */
export class ExportError extends TunebookError<'EXPORT_MISMATCH'> {}

/** A model or data set could not be fetched from the Hugging Face hub. Subclasses are named as in huggingface_hub. */
export class HubError<Code extends string = string> extends TunebookError<Code> {
  override readonly exitCode = exitCodes.data;
}

/** The hub sent an invalid response. */
export class HubResponseError extends HubError<'HUB_RESPONSE_INVALID'> {}

/** No model or data set has this name, or it is private and the token does not give access. */
export class RepositoryNotFoundError extends HubError<'HUB_REPOSITORY_NOT_FOUND'> {}

/** The repository has no such branch, tag or commit. */
export class RevisionNotFoundError extends HubError<'HUB_REVISION_NOT_FOUND'> {}

/** The repository lacks a required file, configuration or split. */
export class EntryNotFoundError<
  Code extends string =
    'HUB_NO_FILE' | 'HUB_NO_HASH' | 'HUB_NO_CONFIGURATION' | 'HUB_NO_PARQUET' | 'HUB_NO_ROWS' | 'HUB_NO_MODEL',
> extends HubError<Code> {}

/** The repository has no model.safetensors. */
export class NoWeightsError extends EntryNotFoundError<'HUB_NO_WEIGHTS'> {}

/** The hub rejects the token. */
export class TokenError extends HubError<'HUB_TOKEN_INVALID'> {}

/** The owner grants access on request only. */
export class GatedRepoError extends HubError<'HUB_REPOSITORY_GATED'> {}

/** The hub is unreachable or disabled (HF_HUB_OFFLINE), and the files are not in the cache. */
export class OfflineError extends HubError<'HUB_OFFLINE' | 'HUB_UNREACHABLE'> {}

/** Every attempt failed: rate limits, server errors or timeouts. */
export class HubUnavailableError extends HubError<'HUB_UNAVAILABLE'> {}

/** The bytes received are not those that the hub lists. */
export class IntegrityError extends HubError<'HUB_FILE_DAMAGED'> {}

/** The cache is full or not writable. */
export class CacheError extends HubError<'HUB_CACHE_FULL' | 'HUB_CACHE_NOT_WRITABLE'> {}

/** A run folder that does not exist, is in use, or does not fit the command. */
export class RunError extends TunebookError<
  | 'RUN_NOT_FOUND'
  | 'RUN_NOT_A_RUN'
  | 'RUN_EXISTS'
  | 'RUN_IN_USE'
  | 'RUN_NO_CHECKPOINT'
  | 'RUN_NO_MODEL'
  | 'RUN_FILE_DAMAGED'
  | 'RUN_OF_OTHER_COMMAND'
  | 'RUN_SETTINGS_CHANGED'
  | 'RUN_PRUNED'
  | 'RUNS_NOT_COMPARABLE'
> {
  override readonly exitCode = exitCodes.invalid;
}

/** A checkpoint could not be written or cannot be resumed from. */
export class CheckpointError<
  Code extends string = 'CHECKPOINT_NOT_WRITTEN' | 'CHECKPOINT_PARAMETERS_DIFFER' | 'CHECKPOINT_VERSION_UNSUPPORTED',
> extends TunebookError<Code> {
  override readonly exitCode: number =
    (this.code as string) === 'CHECKPOINT_VERSION_UNSUPPORTED' ? exitCodes.invalid : exitCodes.unexpected;
}

/** The training data differ from the checkpoint's. */
export class OtherRowsError extends CheckpointError<'CHECKPOINT_DATA_CHANGED'> {
  override readonly exitCode = exitCodes.data;
}

/** The disk has no space for a checkpoint. */
export class DiskFullError extends CheckpointError<'CHECKPOINT_DISK_FULL'> {
  override readonly exitCode = exitCodes.diskFull;
}

/** The loss or the gradient norm is NaN or infinite. */
export class DivergedError extends TunebookError<'TRAINING_DIVERGED'> {
  override readonly exitCode = exitCodes.diverged;

  constructor(step: number, loss: number, learningRate: number) {
    super(
      'TRAINING_DIVERGED',
      `The loss became ${loss} at step ${step} (learning rate ${learningRate.toExponential(2)}). ` +
        'Divide the learning rate by 3, warm up for longer, or reduce the maximum gradient norm; check the data for invalid rows.',
      { step, loss, learningRate },
    );
  }
}

/** A signal stopped the command. */
export class InterruptedError extends TunebookError<'INTERRUPTED'> {
  override readonly exitCode: number;

  constructor(
    message: string,
    readonly signal: EndingSignal,
  ) {
    super('INTERRUPTED', message, { signal });
    this.exitCode = exitCodes[signal];
  }
}

/** TensorFlow's library or the addon could not be loaded. */
export class TensorFlowLoadError extends TunebookError<
  | 'TENSORFLOW_LIBRARY_MISSING'
  | 'TENSORFLOW_NOT_LOADED'
  | 'TENSORFLOW_KERNEL_LEVEL_UNSUPPORTED'
  | 'TENSORFLOW_BACKEND_UNAVAILABLE'
> {
  override readonly exitCode = exitCodes.invalid;
}

/** A function cannot be captured as a TensorFlow graph. */
export class CaptureError extends TunebookError<'CAPTURE_UNSUPPORTED'> {}

/** TF_CONFIG is invalid, or contains public addresses that are not allowed. */
export class ClusterDefinitionError extends TunebookError<'TF_CONFIG_INVALID' | 'CLUSTER_ADDRESS_PUBLIC'> {
  override readonly exitCode = exitCodes.invalid;
}

/** A rank did not join in time, or stopped responding. */
export class RankLostError extends TunebookError<'RANK_NOT_JOINED' | 'RANK_LOST'> {
  override readonly exitCode = exitCodes.rankLost;
}

/** Another rank failed and reported why; all ranks end with its exit code. */
export class RankFailedError extends TunebookError<'RANK_FAILED'> {
  override readonly exitCode: number;

  constructor(message: string, exitCode: number) {
    super('RANK_FAILED', message, { exitCode });
    this.exitCode = exitCode;
  }
}

/** The ranks were started with different settings, data or versions. */
export class RanksDifferError extends TunebookError<'RANKS_DIFFER'> {
  override readonly exitCode = exitCodes.invalid;
}

/** The MLflow server is unreachable or rejected a request. */
export class MlflowError extends TunebookError<
  | 'MLFLOW_UNREACHABLE'
  | 'MLFLOW_UNAUTHORIZED'
  | 'MLFLOW_REQUEST_FAILED'
  | 'MLFLOW_EXPERIMENT_DELETED'
  | 'MLFLOW_NO_ARTIFACT_PROXY'
> {
  /** MLflow's error code, such as INVALID_PARAMETER_VALUE. */
  get serverCode(): string | undefined {
    return this.values['serverCode'] as string | undefined;
  }

  /** Whether the same request may succeed later. */
  get transient(): boolean {
    return this.values['transient'] === true;
  }
}

/** A notebook could not be executed, or ended without a result. */
export class NotebookError extends TunebookError<'NOTEBOOK_NOT_EXECUTED' | 'NOTEBOOK_NO_RESULT'> {}

/** A notebook cell failed. */
export class CellError extends TunebookError<'NOTEBOOK_CELL_FAILED'> {
  constructor(
    /** The cell's number among the code cells, from 1. */
    readonly cell: number,
    /** The line within the cell, from 1; null if it is unknown. */
    readonly line: number | null,
    details: string,
    /** The cell's code. */
    readonly source: string,
  ) {
    super(
      'NOTEBOOK_CELL_FAILED',
      `Cell ${cell}${line ? `, line ${line} (${source.split('\n')[line - 1]?.trim()})` : ''} failed:\n${details}`,
      { cell, line },
    );
  }
}

/** The body of a scoring request is invalid. */
export class RequestError extends TunebookError<
  'REQUEST_INVALID' | 'REQUEST_NO_TEXT_COLUMN' | 'REQUEST_PAIR' | 'REQUEST_TOO_LARGE'
> {}

/** A scoring request for a model that is not served. */
export class UnknownModelError extends TunebookError<'REQUEST_UNKNOWN_MODEL'> {}

/** A served model could not be replaced, because the newer one could not be loaded. */
export class ModelLoadError extends TunebookError<'MODEL_NOT_LOADED'> {
  /**
   * @param version the version that is served
   * @param cause why loading failed
   */
  constructor(version: string, cause: unknown) {
    super(
      'MODEL_NOT_LOADED',
      `The model could not be loaded, so version ${version} is still served. ` +
        (cause instanceof TunebookError ? cause.message : 'The cause is an internal error (logged).'),
      { version, cause: cause instanceof TunebookError ? cause.code : undefined },
      { cause },
    );
  }
}

/** The server's queue is full. */
export class OverloadedError extends TunebookError<'SERVER_OVERLOADED'> {
  /** @param retryAfter seconds until the queue is likely to have room */
  constructor(readonly retryAfter: number) {
    super('SERVER_OVERLOADED', `The queue is full. Retry in ${retryAfter} s.`, { retryAfter });
  }
}

/** A client has sent more requests than its limit. */
export class RateLimitError extends TunebookError<'REQUEST_RATE_LIMITED'> {
  /** For the web framework. */
  readonly statusCode = 429;

  /**
   * @param limit requests per minute
   * @param retryAfter seconds until the next request is accepted
   */
  constructor(limit: number, retryAfter: number) {
    super(
      'REQUEST_RATE_LIMITED',
      `This client has sent its ${limit.toLocaleString('en')} requests of this minute. Retry in ${retryAfter} s, or send several texts per request.`,
      { limit, retryAfter },
    );
  }
}

/** A scoring request was not answered in time. */
export class TimeoutError extends TunebookError<'REQUEST_TIMEOUT'> {}
