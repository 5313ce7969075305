/** The metadata that the `datasets` library writes into Parquet and Arrow files. */

/** Class names by column: {"info": {"features": {"label": {"names": […]}}}}. Empty if there are none. */
export function classNamesOfHuggingFace(text: string | undefined): Record<string, string[]> {
  try {
    const { info } = JSON.parse(text ?? '{}') as { info?: { features?: Record<string, { names?: string[] }> } };
    return Object.fromEntries(
      Object.entries(info?.features ?? {}).flatMap(([column, { names }]) =>
        Array.isArray(names) ? [[column, names]] : [],
      ),
    );
  } catch {
    return {};
  }
}
