/** Commands that start several runs in one folder, sweeps and cross-validations: which folder they start or resume. */
import { clusterOfEnvironment } from '../distributed/cluster-definition.js';
import { RunError, SettingsError } from '../errors.js';
import { foldersWith, newRunFolder, RunFolder } from '../runs/run-folder.js';

/** A command with several runs. */
export interface Multirun<Plan> {
  /** What it executes, such as `sweep`; also the start of a new folder's name. */
  name: string;
  /** File in its folder that contains the plan. */
  planFile: string;
  /** A command line that starts one. */
  example: string;
  /** A command line for each run on several workers, and what it is for. */
  onWorkers: string;
  /** The plan of a folder; undefined if there is none, or one of an earlier version. */
  read: (folder: RunFolder) => Plan | undefined;
  /** Whether any run has trained. Until then, another plan, such as a corrected one, may replace it. */
  hasTrained: (folder: RunFolder, plan: Plan) => boolean;
  isFinished: (folder: RunFolder, plan: Plan) => boolean;
  /** Plans what the command line asks for. */
  plan: () => Plan;
  /** Plans how a stored plan is continued, and whether the command line asks for another one. */
  resume: (stored: Plan) => { plan: Plan; isChanged: boolean };
  /** The flags that a plan was started with. */
  describe: (plan: Plan) => string;
}

/**
 * Selects what to start or to resume, and its folder.
 * @throws SettingsError on a worker of a cluster; RunError if the folder contains another plan or a run, or nothing to resume
 */
export function chooseMultirun<Plan>(
  { resume, runFolder }: { resume?: string | true; runFolder?: string },
  { name, planFile, example, onWorkers, ...multirun }: Multirun<Plan>,
): { folder: RunFolder; plan: Plan } {
  if (clusterOfEnvironment())
    throw new SettingsError(
      'SETTING_CONFLICT',
      `TF_CONFIG is set, but a ${name} starts its runs from one process. Unset TF_CONFIG, or start ${onWorkers}.`,
      { names: ['TF_CONFIG', name] },
    );
  const named = runFolder === undefined ? undefined : new RunFolder(runFolder);
  const existing = named && multirun.read(named);
  if (resume === undefined || (resume === true && named && !existing)) {
    if (named && (named.hasTrained || (existing && multirun.hasTrained(named, existing))))
      throw new RunError(
        'RUN_EXISTS',
        `${named.folder} already contains ${existing ? `a ${name}. Resume it with --resume, or choose` : 'a run. Choose'} another folder with --run-folder.`,
        { folder: named.folder },
      );
    const plan = multirun.plan();
    return { folder: named ?? new RunFolder(newRunFolder('runs', `${name}-`)), plan };
  }
  const newestUnfinished = () =>
    foldersWith(planFile).findLast((folder) => {
      const plan = multirun.read(folder);
      return plan && multirun.hasTrained(folder, plan) && !multirun.isFinished(folder, plan);
    });
  const folder = typeof resume === 'string' ? new RunFolder(resume) : (named ?? newestUnfinished());
  const stored = folder && multirun.read(folder);
  if (!folder || !stored)
    throw new RunError(
      folder ? 'RUN_NOT_A_RUN' : 'RUN_NOT_FOUND',
      folder
        ? `${folder.folder} is not a ${name}: it has no ${planFile}. Give the folder of one to --resume.`
        : `There is no unfinished ${name} in runs/. Start one: ${example}`,
      { folder: folder?.folder ?? 'runs' },
    );
  const { plan, isChanged } = multirun.resume(stored);
  if (isChanged && multirun.hasTrained(folder, stored))
    throw new RunError(
      'RUN_SETTINGS_CHANGED',
      `${folder.folder} was started with other settings: ${multirun.describe(stored)}. ` +
        `Resume it with the same settings or without any, or start another ${name}.`,
      { folder: folder.folder },
    );
  return { folder, plan };
}
