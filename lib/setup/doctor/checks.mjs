// All checks in display order. Each check comes after those that it needs.
// @ts-check
import { disk } from './disk.mjs';
import { embedded } from './embedded.mjs';
import { gpu } from './gpu.mjs';
import { cache, hub } from './hub.mjs';
import { kernel } from './kernel.mjs';
import { library } from './library.mjs';
import { machineChecks } from './machine.mjs';
import { mlflow } from './mlflow.mjs';
import { packages } from './packages.mjs';
import { product } from './product.mjs';
import { settings } from './settings.mjs';
import { addon, tensorflow } from './tensorflow.mjs';
import { underWay } from './under-way.mjs';
import { venv } from './venv.mjs';

/** @type {import('./finding.mjs').Check[]} */
export const checks = [
  ...machineChecks,
  disk,
  underWay,
  packages,
  venv,
  kernel,
  library,
  tensorflow,
  addon,
  product,
  gpu,
  embedded,
  hub,
  cache,
  mlflow,
  settings,
];
