/** The page's side of the worker that computes features: loads it, and orders its work. */
import { loadFile } from './files.js';

/** The files of the model, see lesson-model.ts. */
export const modelFiles = ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'model.onnx'];

/** A request to the worker: files to load, or texts. */
export type EncoderRequest = { id: number } & (
  { files: Record<string, ArrayBuffer>; wasm: ArrayBuffer } | { texts: string[] }
);

/** The answer to the request with the same number: nothing for files, or features [texts, width], or an error. */
export interface EncoderResponse {
  id: number;
  features?: Float32Array;
  error?: string;
}

/** Texts that the worker computes at once. Fewer would take longer in total, more would delay what the user waits for. */
const batchSize = 8;

interface Waiting {
  text: string;
  isUrgent: boolean;
  resolve: (features: Float32Array) => void;
  reject: (error: Error) => void;
}

/** Computes features of texts. */
export class Encoder {
  readonly #worker: Worker;
  readonly #answers = new Map<
    number,
    { resolve: (response: EncoderResponse) => void; reject: (error: Error) => void }
  >();
  readonly #known = new Map<string, Promise<Float32Array>>();
  readonly #waiting: Waiting[] = [];
  #requests = 0;
  #isBusy = false;

  private constructor(code: ArrayBuffer) {
    this.#worker = new Worker(URL.createObjectURL(new Blob([code], { type: 'text/javascript' })));
    this.#worker.onmessage = ({ data }: MessageEvent<EncoderResponse>) => {
      const { resolve, reject } = this.#answers.get(data.id)!;
      this.#answers.delete(data.id);
      if (data.error === undefined) resolve(data);
      else reject(new Error(data.error));
    };
  }

  /**
   * Loads the worker and the model.
   * @param onProgress called with the fraction that is loaded
   * @throws Error with a message for the user if a file cannot be loaded, or if the browser cannot run the model
   */
  static async load(onProgress: (fraction: number) => void): Promise<Encoder> {
    const encoder = new Encoder(await loadFile('encoder-worker.js'));
    const wasm = await loadFile('onnxruntime.wasm', (fraction) => onProgress(0.15 * fraction));
    const files: Record<string, ArrayBuffer> = {};
    for (const name of modelFiles)
      files[name] = await loadFile(name, (fraction) => {
        if (name === 'model.onnx') onProgress(0.15 + 0.85 * fraction);
      });
    await encoder.#request({ files, wasm }, [wasm, ...Object.values(files)]);
    return encoder;
  }

  #request(
    content: { files: Record<string, ArrayBuffer>; wasm: ArrayBuffer } | { texts: string[] },
    transfer: ArrayBuffer[] = [],
  ) {
    const id = this.#requests++;
    return new Promise<EncoderResponse>((resolve, reject) => {
      this.#answers.set(id, { resolve, reject });
      this.#worker.postMessage({ id, ...content }, transfer);
    });
  }

  /**
   * The features of a text, computed once.
   * @param isUrgent computes it before what is not urgent, and before what was urgent earlier
   */
  features(text: string, isUrgent = true): Promise<Float32Array> {
    const known = this.#known.get(text);
    if (known) {
      if (isUrgent) for (const each of this.#waiting) if (each.text === text) each.isUrgent = true;
      return known;
    }
    const promise = new Promise<Float32Array>((resolve, reject) => {
      this.#waiting.push({ text, isUrgent, resolve, reject });
    });
    this.#known.set(text, promise);
    void this.#work();
    return promise;
  }

  async #work(): Promise<void> {
    if (this.#isBusy) return;
    this.#isBusy = true;
    // Texts that are added at the same time make one batch.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const urgent = this.#waiting.filter(({ isUrgent }) => isUrgent);
      const batch = urgent.length > 0 ? urgent.slice(-batchSize) : this.#waiting.slice(0, batchSize);
      for (const each of batch) this.#waiting.splice(this.#waiting.indexOf(each), 1);
      try {
        const { features } = await this.#request({ texts: batch.map(({ text }) => text) });
        const width = features!.length / batch.length;
        batch.forEach(({ resolve }, row) => resolve(features!.slice(row * width, (row + 1) * width)));
      } catch (error) {
        for (const { text, reject } of batch) {
          this.#known.delete(text);
          reject(error as Error);
        }
      }
    }
    this.#isBusy = false;
  }
}
