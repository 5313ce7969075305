/** Loads the files that build.ts has written as scripts, see script-file.ts. */

/** Number of scripts of each file; the bundler inserts it. */
declare const partsOfFiles: Record<string, number>;

/** Called by the scripts. */
declare global {
  // eslint-disable-next-line no-var
  var receiveFile: (name: string, part: number, base64: string) => void;
}

const received = new Map<string, string>();
globalThis.receiveFile = (name, part, base64) => received.set(`${name} ${part}`, base64);

/** Loads a script of the page's folder. @throws Error if it cannot be loaded */
export function loadScript(address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const script = document.createElement('script');
    script.src = address;
    script.onload = () => {
      script.remove();
      resolve();
    };
    script.onerror = () =>
      reject(
        new Error(
          `Cannot load ${address}. Check the connection, or that the folder is complete; then reload the page.`,
        ),
      );
    document.head.append(script);
  });
}

/** Requests files without using them, so that the service worker stores them. */
export async function requestFiles(names: string[]): Promise<void> {
  for (const name of names)
    for (let part = 0; part < partsOfFiles[name]!; part++)
      await (await fetch(`files/${name}.${part}.js`)).arrayBuffer();
}

/** Decodes base64; a data URL is decoded by the browser, several times as fast as a loop over atob. */
const decode = async (base64: string): Promise<Blob> =>
  (await fetch(`data:application/octet-stream;base64,${base64}`)).blob();

/**
 * Loads a file.
 * @param onProgress called with the fraction that is loaded
 * @throws Error with a message for the user if a part cannot be loaded
 */
export async function loadFile(name: string, onProgress?: (fraction: number) => void): Promise<ArrayBuffer> {
  const parts = partsOfFiles[name]!;
  const blobs: Blob[] = [];
  for (let part = 0; part < parts; part++) {
    await loadScript(`files/${name}.${part}.js`);
    const key = `${name} ${part}`;
    blobs.push(await decode(received.get(key)!));
    received.delete(key);
    onProgress?.((part + 1) / parts);
  }
  const stream = new Blob(blobs).stream().pipeThrough(new DecompressionStream('gzip'));
  return new Response(stream).arrayBuffer();
}
