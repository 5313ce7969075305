/** The metadata that the `datasets` library writes into Parquet and Arrow files. */

/** A column; of a list `feature` is its elements. */
interface Feature {
  names?: string[];
  feature?: Feature;
}

/** Class names by column, also of lists: {"info": {"features": {"label": {"names": […]}}}}. Empty if there are none. */
export function classNamesOfHuggingFace(text: string | undefined): Record<string, string[]> {
  try {
    const { info } = JSON.parse(text ?? '{}') as { info?: { features?: Record<string, Feature> } };
    return Object.fromEntries(
      Object.entries(info?.features ?? {}).flatMap(([column, { feature, names = feature?.names }]) =>
        Array.isArray(names) ? [[column, names]] : [],
      ),
    );
  } catch {
    return {};
  }
}
