/** A file on the hub, read by ranges: the footer of a Parquet file and some of its row groups, not all of it. */
import type { AsyncBuffer } from 'hyparquet';
import type { Hub } from './environment.js';
import { TransientError, requestOnce, withRetries } from './request.js';

/**
 * @param size bytes
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
          const whole = new Uint8Array(end - start);
          // A server that knows no ranges sends the file from its start.
          let skip = response.status === 206 ? 0 : start;
          let filled = 0;
          for await (const bytes of response.body ?? []) {
            alive();
            const part = (bytes as Uint8Array).subarray(skip).subarray(0, whole.length - filled);
            skip = Math.max(0, skip - (bytes as Uint8Array).length);
            whole.set(part, filled);
            filled += part.length;
            if (filled === whole.length) break;
          }
          if (filled < whole.length) throw new TransientError(`${filled} of ${whole.length} bytes came`);
          return whole.buffer;
        } finally {
          done();
        }
      }),
  };
}
