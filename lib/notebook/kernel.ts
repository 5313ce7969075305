/**
 * Interface to the kernel, tslab's or Deno's: sends rich output from a package. Outside a kernel, plain text is printed
 * instead, so that the same code runs in scripts. On import, fixes a loss of messages of tslab after 512 sends.
 */
import { createRequire } from 'node:module';
import { useSettingForm } from '../settings/setting-text.js';

/** An output in several MIME types; a viewer shows the richest type that it supports. */
export type MimeBundle = { 'text/plain': string } & Record<string, unknown>;

interface JupyterModule {
  lastWriteDisplayData: ((content: object, update: boolean) => void) | null;
}

interface DenoJupyter {
  broadcast: (messageType: 'display_data' | 'update_display_data', content: object) => Promise<void>;
}

const require = createRequire(import.meta.url);

/** The tslab module that runs this kernel; of several loaded copies, the one that can write. */
function liveKernel(): { file: string; jupyter: JupyterModule } | undefined {
  for (const [file, module] of Object.entries(require.cache)) {
    const jupyter = module?.exports as JupyterModule | undefined;
    if (/[\\/]tslab[\\/]dist[\\/]jupyter\.js$/.test(file) && jupyter?.lastWriteDisplayData) return { file, jupyter };
  }
  return undefined;
}

/**
 * Works around a bug of tslab with zeromq, which defers the 513th send to the next turn of the event loop. The next
 * send of tslab in that turn fails: lines are lost, and a cell can stay busy forever. With a send timeout of 0, nothing
 * is deferred.
 */
function patchSocket(): void {
  const kernel = liveKernel();
  if (!kernel) return;
  const { Publisher } = createRequire(kernel.file)('zeromq') as { Publisher: { prototype: object } };
  const prototype = Publisher.prototype as { sendTimeout: number; send: (message: unknown) => Promise<void> };
  const send = prototype.send;
  if (send.name === 'sendImmediately') return;
  // The native method is read-only: assignment throws, defineProperty does not.
  Object.defineProperty(prototype, 'send', {
    configurable: true,
    writable: true,
    value: function sendImmediately(this: typeof prototype, message: unknown) {
      if (this.sendTimeout !== 0) this.sendTimeout = 0;
      return send.call(this, message);
    },
  });
}
patchSocket();

/** Outputs on their way to Deno's kernel. */
let sent: Promise<unknown> = Promise.resolve();

/** Waits until Deno's kernel has sent all outputs; after the end of the cell, they would be lost or below another one. */
export const outputsSent = (): Promise<unknown> => sent;

/** Deno's interface to its kernel. */
function denoKernel(): DenoJupyter | undefined {
  const { Deno } = globalThis as { Deno?: { jupyter: DenoJupyter } };
  try {
    return Deno?.jupyter;
  } catch {
    // Outside its kernel, Deno throws.
    return undefined;
  }
}

/** Returns the function of the kernel that sends an output or replaces one; undefined outside a kernel. */
function displayFunction(): ((content: object, update: boolean) => void) | undefined {
  const write = liveKernel()?.jupyter.lastWriteDisplayData;
  if (write) return write;
  const deno = denoKernel();
  return (
    deno &&
    ((content, update) => {
      const type = update ? 'update_display_data' : 'display_data';
      sent = Promise.all([sent, deno.broadcast(type, content)]);
    })
  );
}

/** Whether this code runs in a notebook. */
export const inKernel = (): boolean => displayFunction() !== undefined;

// npm start, whose settings are flags, executes a notebook too.
if (inKernel()) useSettingForm(process.env['TUNEBOOK_SETTING_FORM'] === 'flag' ? 'flag' : 'variable');

/**
 * Shows an output below the cell.
 * @param displayId id of the output
 * @param update whether to replace the output with this id. @default false
 * @example
 * show({ 'text/html': '<b>done</b>', 'text/plain': 'done' });
 */
export function show(data: MimeBundle, displayId?: string, update = false): void {
  const display = displayFunction();
  if (display) display({ data, metadata: {}, transient: displayId ? { display_id: displayId } : {} }, update);
  else if (!update) console.log(data['text/plain']);
}
