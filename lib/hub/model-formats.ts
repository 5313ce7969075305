/** Models in formats that cannot be read, and the Python command that converts them. */
import path from 'node:path';
import { ModelFormatError } from '../errors.js';

/** Formats of weights that can only be converted, by the ending of their files. */
const otherFormats = /\.(bin|pt|pth|ckpt|h5|msgpack|onnx|gguf|safetensors)$/;

/** The files of a model that contain weights in other formats. */
export const otherWeights = (files: string[]): string[] => files.filter((file) => otherFormats.test(file));

/** The class of transformers that loads all weights of a model, by the `architectures` in its config.json. */
function classOf({ architectures }: { architectures?: unknown }): string {
  const head = /For(SequenceClassification|MaskedLM)$/.exec(String(architectures))?.[0] ?? '';
  return `AutoModel${head}`;
}

/**
 * How to convert weights to safetensors in Python, and which folder to use then; sentences.
 * @param source folder, or name on the hub
 * @param target folder to write; the tokenizer is written too if it differs from the source
 * @param config content of config.json
 * @param files names of the model's files
 */
export function howToConvert(source: string, target: string, config: object, files: string[]): string {
  if (files.every((file) => file.endsWith('.gguf')))
    return 'GGUF, which has quantized weights, is not supported. Use the original model, which has model.safetensors.';
  const isTensorFlow =
    !files.some((file) => /\.(bin|pt|pth|ckpt)$/.test(file)) && files.some((file) => /\.h5$/.test(file));
  const name = classOf(config);
  const tokenizer =
    source === target ? '' : `; AutoTokenizer.from_pretrained('${source}').save_pretrained('${target}')`;
  return (
    `Convert them in Python: python -c "from transformers import ${name}${tokenizer && ', AutoTokenizer'}; ` +
    `${name}.from_pretrained('${source}'${isTensorFlow ? ', from_tf=True' : ''})` +
    `.save_pretrained('${target}', safe_serialization=True)${tokenizer}"` +
    (isTensorFlow ? ', with transformers 4 and tensorflow' : '') +
    (source === target ? '.' : `. Then use ${target}.`)
  );
}

/**
 * Creates the error for a LoRA or other PEFT adapter, which contains only changes to the weights of another model.
 * @param source folder, or name on the hub
 * @param config content of adapter_config.json
 */
export function adapterError(source: string, config: Record<string, unknown>): ModelFormatError {
  const { base_model_name_or_path: base, peft_type: type } = config;
  const merged = `${path.basename(source)}-merged`;
  return new ModelFormatError(
    'MODEL_ADAPTER',
    `${source} is not a complete model but a ${typeof type === 'string' ? type : 'PEFT'} adapter` +
      `${typeof base === 'string' ? ` of ${base}` : ''}: adapter_config.json. ` +
      `Merge the two with npx tunebook merge ${source} ${merged}, then use ${merged}.`,
    { source, base },
  );
}
