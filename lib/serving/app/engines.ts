/** The two ways to score: by the server, and wholly in this browser with transformers.js and the exported model. */

/** Probabilities by class name. */
export type Shares = Record<string, number>;
export type Engine = (texts: string[]) => Promise<Shares[]>;

interface LabelScore {
  label: string;
  score: number;
}

const sharesOf = (row: LabelScore[]): Shares => Object.fromEntries(row.map(({ label, score }) => [label, score]));

/** Texts of a request at most; the server's own limit is above it. */
const mostAtOnce = 256;

export const serverEngine: Engine = async (texts) => {
  const shares: Shares[] = [];
  for (let i = 0; i < texts.length; i += mostAtOnce) {
    const body = JSON.stringify({ inputs: texts.slice(i, i + mostAtOnce) });
    let response: Response;
    try {
      response = await fetch('predict', { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    } catch {
      throw new Error('The server does not answer. Is it still running?');
    }
    if (response.status === 429) {
      // It says when it will have room.
      await new Promise((resolve) => setTimeout(resolve, 1000 * Number(response.headers.get('retry-after') ?? 1)));
      i -= mostAtOnce;
      continue;
    }
    const answer = (await response.json()) as LabelScore[][] | { error: string };
    if (!response.ok || !Array.isArray(answer))
      throw new Error((answer as { error?: string }).error ?? `The server answers ${response.status}.`);
    shares.push(...answer.map(sharesOf));
  }
  return shares;
};

type Pipeline = (texts: string[], options: { top_k: null }) => Promise<LabelScore[][]>;
interface TransformersModule {
  env: {
    allowRemoteModels: boolean;
    allowLocalModels: boolean;
    localModelPath: string;
    useBrowserCache: boolean;
    backends: { onnx: { wasm: { wasmPaths: string; numThreads: number } } };
  };
  pipeline: (task: string, model: string, options: { dtype: string; device: string }) => Promise<Pipeline>;
}

let loading: Promise<Pipeline> | undefined;

async function load(): Promise<Pipeline> {
  const place = new URL('app/', document.baseURI).href;
  const module = (await import(
    /* its place is known to the page alone */ `${place}transformers.js`
  )) as TransformersModule;
  Object.assign(module.env, {
    allowRemoteModels: false,
    allowLocalModels: true,
    // A path, not an address: what has one counts as remote.
    localModelPath: new URL(place).pathname,
    useBrowserCache: false,
  });
  Object.assign(module.env.backends.onnx.wasm, { wasmPaths: `${place}ort/`, numThreads: 1 });
  return module.pipeline('text-classification', 'model', { dtype: 'fp32', device: 'wasm' });
}

/** @param say told when the model is on its way */
export const browserEngine =
  (say: (words: string) => void): Engine =>
  async (texts) => {
    if (!loading) say('The model is loaded into this browser …');
    loading ??= load();
    const classify = await loading.catch((error: unknown) => {
      loading = undefined;
      throw new Error(`The model could not be loaded into this browser: ${String(error)}`);
    });
    const shares: Shares[] = [];
    for (let i = 0; i < texts.length; i += 16)
      shares.push(...(await classify(texts.slice(i, i + 16), { top_k: null })).map(sharesOf));
    return shares;
  };
