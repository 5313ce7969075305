/**
 * The seam to the tslab kernel: sending rich output from a package. Outside a kernel it prints plain text instead, so the
 * same code runs in a script. Mends, once, the loss of messages after 512 sends.
 */
import { createRequire } from 'node:module';

/** Output of one cell in several types, the richest the viewer knows is shown. */
export type MimeBundle = { 'text/plain': string } & Record<string, unknown>;

interface JupyterModule {
  lastWriteDisplayData: ((content: object, update: boolean) => void) | null;
}

const require = createRequire(import.meta.url);

/** The copy of tslab that runs this kernel: of those loaded, the one that can write. */
function liveKernel(): { file: string; jupyter: JupyterModule } | undefined {
  for (const [file, module] of Object.entries(require.cache)) {
    const jupyter = module?.exports as JupyterModule | undefined;
    if (/[\\/]tslab[\\/]dist[\\/]jupyter\.js$/.test(file) && jupyter?.lastWriteDisplayData) return { file, jupyter };
  }
  return undefined;
}

/**
 * zeromq puts the 513th send off to the event loop's next turn, and tslab's next one in that turn fails: lines vanish and
 * a cell can stay busy for ever. With a send timeout of 0 every send is done at once.
 */
function mendSocket(): void {
  const kernel = liveKernel();
  if (!kernel) return;
  const { Publisher } = createRequire(kernel.file)('zeromq') as { Publisher: { prototype: object } };
  const prototype = Publisher.prototype as { sendTimeout: number; send: (message: unknown) => Promise<void> };
  const send = prototype.send;
  if (send.name === 'sendAtOnce') return;
  // The native method is read-only: assigning throws, defining does not.
  Object.defineProperty(prototype, 'send', {
    configurable: true,
    writable: true,
    value: function sendAtOnce(this: typeof prototype, message: unknown) {
      if (this.sendTimeout !== 0) this.sendTimeout = 0;
      return send.call(this, message);
    },
  });
}
mendSocket();

/** Whether this runs in a notebook. */
export const inKernel = (): boolean => liveKernel() !== undefined;

/**
 * Shows a bundle below the cell.
 * @param displayId with `update` the output of that id is replaced in place
 */
export function show(data: MimeBundle, displayId?: string, update = false): void {
  const kernel = liveKernel();
  if (kernel)
    kernel.jupyter.lastWriteDisplayData!(
      { data, metadata: {}, transient: displayId ? { display_id: displayId } : {} },
      update,
    );
  else if (!update) console.log(data['text/plain']);
}
