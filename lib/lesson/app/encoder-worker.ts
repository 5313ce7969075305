/**
 * A worker that computes features of texts with transformers.js, so that the page stays responsive. All files come from the
 * page; nothing is fetched.
 */
import { AutoModel, AutoTokenizer, env } from '@huggingface/transformers';
import type { EncoderRequest, EncoderResponse } from './encoder.js';

/** The worker's side of the channel; the types of the page's window do not fit. */
const page = self as unknown as {
  onmessage: (event: MessageEvent<EncoderRequest>) => void;
  postMessage: (response: EncoderResponse) => void;
};

type Encode = (texts: string[]) => Promise<Float32Array>;

async function load(files: Record<string, ArrayBuffer>, wasm: ArrayBuffer): Promise<Encode> {
  // transformers.js asks for files by paths that end with their names.
  const match = (address: string) => {
    const name = Object.keys(files).find((each) => address.endsWith(`/${each}`));
    return Promise.resolve(name === undefined ? undefined : new Response(files[name]));
  };
  Object.assign(env, {
    allowRemoteModels: false,
    allowLocalModels: true,
    useBrowserCache: false,
    useWasmCache: false,
    useCustomCache: true,
    customCache: { match, put: () => Promise.resolve() },
  });
  Object.assign(env.backends.onnx.wasm!, { wasmBinary: wasm, wasmPaths: undefined, numThreads: 1, proxy: false });
  const options = { local_files_only: true };
  const tokenizer = await AutoTokenizer.from_pretrained('lesson', options);
  const model = await AutoModel.from_pretrained('lesson', {
    ...options,
    device: 'wasm',
    dtype: 'fp32',
    subfolder: '',
    // Otherwise onnxruntime rounds the inputs of products to 8 bits too, since the weights are stored in 8 bits.
    session_options: { extra: { session: { disable_quant_qdq: '1' } } },
  });
  return async (texts) => {
    const inputs = tokenizer(texts, { padding: true, truncation: true }) as Record<string, unknown>;
    const { features } = (await model(inputs)) as { features: { data: Float32Array } };
    return features.data;
  };
}

let encode: Promise<Encode>;

page.onmessage = ({ data }) => {
  const work =
    'files' in data
      ? (encode = load(data.files, data.wasm)).then(() => ({}))
      : encode.then((features) => features(data.texts)).then((features) => ({ features }));
  work.then(
    (result) => page.postMessage({ id: data.id, ...result }),
    (error: unknown) => page.postMessage({ id: data.id, error: String(error) }),
  );
};
