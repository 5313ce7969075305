/** Reading of ranges of a file on the hub, such as the footer and some row groups of a Parquet file. */
import type { AsyncBuffer } from 'hyparquet';
import type { Hub } from './environment.js';
import { TransientError, requestOnce, withRetries } from './request.js';

/**
 * Opens a file on the hub for reading by ranges.
 * @param size in bytes
 */
export function remoteFile(hub: Hub, url: string, size: number): AsyncBuffer {
  return {
    byteLength: size,
    slice: (start, end = size) =>
      withRetries(hub, url, async () => {
        const { response, alive, done } = await requestOnce(hub, url, {
          headers: { range: `bytes=${start}-${end - 1}` },
        });
        try {
          const result = new Uint8Array(end - start);
          // A server without range support sends the file from its start.
          let skip = response.status === 206 ? 0 : start;
          let filled = 0;
          for await (const bytes of response.body ?? []) {
            alive();
            const part = (bytes as Uint8Array).subarray(skip).subarray(0, result.length - filled);
            skip = Math.max(0, skip - (bytes as Uint8Array).length);
            result.set(part, filled);
            filled += part.length;
            if (filled === result.length) break;
          }
          if (filled < result.length)
            throw new TransientError(`only ${filled} of ${result.length} bytes were received`);
          return result.buffer;
        } finally {
          done();
        }
      }),
  };
}
