/**
 * A worker that computes features of texts with transformers.js, so that the page stays responsive. All files come from the
 * page; nothing is fetched.
 */
import { AutoModel, AutoTokenizer, env, Tensor } from '@huggingface/transformers';
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
    const { input_ids } = tokenizer(texts, { return_tensor: false }) as { input_ids: number[][] };
    // transformers.js truncates the last token too, [SEP], which training and scoring in Node keep.
    const limit = tokenizer.model_max_length - 1;
    const ids = input_ids.map((each) => (each.length > limit ? [...each.slice(0, limit), each.at(-1)!] : each));
    const longest = Math.max(...ids.map(({ length }) => length));
    const tensorOf = (value: (each: number[], position: number) => number) =>
      new Tensor(
        'int64',
        BigInt64Array.from(ids.flatMap((each) => Array.from({ length: longest }, (_, i) => BigInt(value(each, i))))),
        [ids.length, longest],
      );
    const inputs = {
      input_ids: tensorOf((each, i) => each[i] ?? 0),
      attention_mask: tensorOf((each, i) => (i < each.length ? 1 : 0)),
    };
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
