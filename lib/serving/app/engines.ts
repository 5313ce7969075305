/** The two scoring engines: the server, and the browser, which runs the exported model with transformers.js. */

/** Probabilities by class name; of a model that predicts a number, the number by its name. */
export type Probabilities = Record<string, number>;

/** The prediction of a text. */
export interface Scored {
  /** The predicted class; of multi-label classification the most probable one. */
  label: string;
  /** All predicted classes: only of multi-label classification another number than one. */
  labels: string[];
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
  /** What the model predicts. */
  problemType: 'single_label_classification' | 'multi_label_classification' | 'regression';
  /** The temperature by which the logits of the exported graph must still be divided; 1 if no calibration applies. */
  temperature: number;
  /** Minimum probability of the second class for predicting it; null for the most probable class. */
  threshold: number | null;
}

/** Whether the model predicts a number instead of a class. */
export const isRegression = ({ problemType }: ModelDescription): boolean => problemType === 'regression';

/** Whether several classes may apply to a text. */
export const isMultiLabel = ({ problemType }: ModelDescription): boolean =>
  problemType === 'multi_label_classification';

interface LabelScore {
  label: string;
  score: number;
}

const probabilitiesOf = (row: LabelScore[]): Probabilities =>
  Object.fromEntries(row.map(({ label, score }) => [label, score]));

/** The prediction of a row of scores, of which the first one is that of the predicted class. */
function scoredOf(row: LabelScore[], model: ModelDescription): Scored {
  const { label } = row[0]!;
  const labels = isMultiLabel(model) ? row.filter(({ score }) => score >= 0.5).map((each) => each.label) : [label];
  return { label, labels, probabilities: probabilitiesOf(row) };
}

/** Applies temperature and threshold as the server does. */
function calibrate(row: LabelScore[], { labels, temperature, threshold }: ModelDescription): Scored {
  // The softmax of logits / temperature is proportional to the probabilities to the power of 1 / temperature.
  const powers = row.map(({ score }) => score ** (1 / temperature));
  const sum = powers.reduce((a, b) => a + b, 0);
  const probabilities = probabilitiesOf(row.map(({ label }, i) => ({ label, score: powers[i]! / sum })));
  const label = threshold === null ? row[0]!.label : labels[probabilities[labels[1]!]! >= threshold ? 1 : 0]!;
  return { label, labels: [label], probabilities };
}

/** Maximum number of texts per request, below the limit of the server. */
const maxTexts = 256;

/**
 * Creates the engine that scores texts on the server; it throws an Error with a message for the user.
 * @param model what it predicts
 */
export const serverEngine =
  (model: ModelDescription): Engine =>
  async (inputs) => {
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
      scored.push(...result.map((row) => scoredOf(row, model)));
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
        scored.push(...Array.from(logits.data, (number) => scoredOf([{ label: name!, score: number }], model)));
      } else {
        const rows = await classify(some, { top_k: null });
        // The pipeline applies the sigmoid or the softmax, by the problem type in config.json.
        scored.push(...rows.map((row) => (isMultiLabel(model) ? scoredOf(row, model) : calibrate(row, model))));
      }
    }
    return scored;
  };
