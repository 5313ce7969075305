// Sends a request to a server with a short timeout.
// @ts-check

/**
 * Fetches a URL; a failed connection is a result, not an error.
 * @param {string} url
 * @param {Record<string, string>} headers
 * @param {number} [seconds]
 * @returns {Promise<{ status: number, text: string } | { unreachable: string }>} unreachable: the reason, such as
 *   ENOTFOUND
 */
export async function reach(url, headers = {}, seconds = 5) {
  try {
    const response = await fetch(url, { headers, signal: AbortSignal.timeout(seconds * 1000) });
    return { status: response.status, text: await response.text() };
  } catch (error) {
    const { name, message, cause } = /** @type {Error & { cause?: { code?: string, message?: string } }} */ (error);
    return {
      unreachable:
        name === 'TimeoutError' ? `no response within ${seconds} s` : (cause?.code ?? cause?.message ?? message),
    };
  }
}
