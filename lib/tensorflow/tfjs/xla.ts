/** tfjs has no compiler of graphs. */
import type * as Native from '../xla.js';

/** Nothing is compiled. */
export const supportedJitCompile: typeof Native.supportedJitCompile = () => false;
