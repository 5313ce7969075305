/** The two scoring engines: the server, and the browser, which runs the exported model with transformers.js. */

/** Probabilities by class name; of a model that predicts a number, the number by its name. */
export type Probabilities = Record<string, number>;

/** The prediction of a text. */
export interface Scored {
  /** The predicted class. */
  label: string;
  probabilities: Probabilities;
}

/** A text, or a pair of texts. */
export interface Input {
  text: string;
  pair?: string;
}

/** Scores texts, or pairs of texts. */
export type Engine = (inputs: Input[]) => Promise<Scored[]>;

/** What the page needs to know of the model. */
export interface ModelDescription {
  /** In tokens. */
  maxLength: number;
  /** Text columns of training; empty if they are unknown. */
  textColumns: string[];
  /** Column of the second text of training; null if the model classifies single texts. */
  textPairColumn: string | null;
  /** Class names by class number. */
  labels: string[];
  /** The temperature by which the logits of the exported graph must still be divided; 1 if no calibration applies. */
  temperature: number;
  /** Minimum probability of the second class for predicting it; null for the most probable class. */
  threshold: number | null;
}

/** Whether the model predicts a number instead of a class. */
export const isRegression = ({ labels }: ModelDescription): boolean => labels.length === 1;

interface LabelScore {
  label: string;
  score: number;
}

const probabilitiesOf = (row: LabelScore[]): Probabilities =>
  Object.fromEntries(row.map(({ label, score }) => [label, score]));

/** Applies temperature and threshold as the server does. */
function calibrate(row: LabelScore[], { labels, temperature, threshold }: ModelDescription): Scored {
  // The softmax of logits / temperature is proportional to the probabilities to the power of 1 / temperature.
  const powers = row.map(({ score }) => score ** (1 / temperature));
  const sum = powers.reduce((a, b) => a + b, 0);
  const probabilities = probabilitiesOf(row.map(({ label }, i) => ({ label, score: powers[i]! / sum })));
  if (threshold === null) return { label: row[0]!.label, probabilities };
  return { label: labels[probabilities[labels[1]!]! >= threshold ? 1 : 0]!, probabilities };
}

/** Maximum number of texts per request, below the limit of the server. */
const maxTexts = 256;

/**
 * Scores texts on the server.
 * @throws Error with a message for the user
 */
export const serverEngine: Engine = async (inputs) => {
  const scored: Scored[] = [];
  for (let i = 0; i < inputs.length; i += maxTexts) {
    const some = inputs.slice(i, i + maxTexts);
    const body = JSON.stringify({
      inputs: some.map(({ text, pair }) => (pair === undefined ? text : { text, text_pair: pair })),
    });
    let response: Response;
    try {
      response = await fetch('predict', { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    } catch {
      throw new Error('The server does not respond. Check that it is running.');
    }
    if (response.status === 429) {
      // The queue is full: retry after the time that the server gives.
      await new Promise((resolve) => setTimeout(resolve, 1000 * Number(response.headers.get('retry-after') ?? 1)));
      i -= maxTexts;
      continue;
    }
    const result = (await response.json()) as LabelScore[][] | { error: string };
    if (!response.ok || !Array.isArray(result))
      throw new Error((result as { error?: string }).error ?? `The server responded with status ${response.status}.`);
    // The predicted class is the first.
    scored.push(...result.map((row) => ({ label: row[0]!.label, probabilities: probabilitiesOf(row) })));
  }
  return scored;
};

interface Pipeline {
  (texts: string[], options: { top_k: null }): Promise<LabelScore[][]>;
  tokenizer: (texts: string[], options: { padding: boolean; truncation: boolean }) => object;
  model: (inputs: object) => Promise<{ logits: { data: Float32Array } }>;
}
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
  const baseUrl = new URL('app/', document.baseURI).href;
  const module = (await import(
    /* its URL is known only at run time */ `${baseUrl}transformers.js`
  )) as TransformersModule;
  Object.assign(module.env, {
    allowRemoteModels: false,
    allowLocalModels: true,
    // A path instead of a URL, since transformers.js treats URLs as remote.
    localModelPath: new URL(baseUrl).pathname,
    useBrowserCache: false,
  });
  Object.assign(module.env.backends.onnx.wasm, { wasmPaths: `${baseUrl}ort/`, numThreads: 1 });
  return module.pipeline('text-classification', 'model', { dtype: 'fp32', device: 'wasm' });
}

/**
 * Creates the engine that scores single texts in the browser; it loads the model at its first use.
 * @param model whose calibration is applied
 * @param onStatus called with a message when the model starts to load
 */
export const browserEngine =
  (model: ModelDescription, onStatus: (message: string) => void): Engine =>
  async (inputs) => {
    if (!loading) onStatus('Loading the model into the browser …');
    loading ??= load();
    const classify = await loading.catch((error: unknown) => {
      loading = undefined;
      throw new Error(`Cannot load the model into the browser: ${String(error)}`);
    });
    const scored: Scored[] = [];
    for (let i = 0; i < inputs.length; i += 16) {
      const some = inputs.slice(i, i + 16).map(({ text }) => text);
      const [name] = model.labels;
      if (isRegression(model)) {
        // The pipeline would apply a softmax to the number.
        const { logits } = await classify.model(classify.tokenizer(some, { padding: true, truncation: true }));
        scored.push(...Array.from(logits.data, (number) => ({ label: name!, probabilities: { [name!]: number } })));
      } else {
        const rows = await classify(some, { top_k: null });
        scored.push(...rows.map((row) => calibrate(row, model)));
      }
    }
    return scored;
  };
