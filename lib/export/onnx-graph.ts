/**
 * Builds and writes ONNX graphs. Values are tensor names; each operator is a call that returns the name of its result.
 * Independent of any model.
 */
import fs from 'node:fs';
import { attributeTypes, dataTypes, irVersion, ModelProto, opsetVersion, type OnnxType } from './onnx-schema.js';

/** A value in the graph: the name of a tensor. */
export type OnnxValue = string & { readonly onnx?: never };

type Attribute = number | number[] | { float: number };

/** Dimensions: sizes, or names of dynamic dimensions. */
export type OnnxShape = (number | string)[];

const bytesOf = (data: ArrayBufferView): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

const attributeOf = (name: string, value: Attribute): object => {
  if (Array.isArray(value)) return { name, type: attributeTypes.ints, ints: value };
  return typeof value === 'number'
    ? { name, type: attributeTypes.int, i: value }
    : { name, type: attributeTypes.float, f: value.float };
};

const valueInfo = (name: string, type: OnnxType, shape: OnnxShape) => ({
  name,
  type: {
    tensor_type: {
      elem_type: dataTypes[type],
      shape: { dim: shape.map((size) => (typeof size === 'number' ? { dim_value: size } : { dim_param: size })) },
    },
  },
});

/** An ONNX graph under construction. */
export class OnnxGraph {
  readonly #nodes: object[] = [];
  readonly #initializers: { name: string; data_type: number; dims: number[]; raw_data: Uint8Array }[] = [];
  readonly #inputs: object[] = [];
  readonly #outputs: object[] = [];
  readonly #constants = new Map<string, OnnxValue>();
  #count = 0;

  /** Adds an input. */
  input(name: string, type: OnnxType, shape: OnnxShape): OnnxValue {
    this.#inputs.push(valueInfo(name, type, shape));
    return name;
  }

  /** Makes a value an output with the given name. */
  output(value: OnnxValue, name: string, type: OnnxType, shape: OnnxShape): void {
    this.#nodes.push({ op_type: 'Identity', name: `to_${name}`, input: [value], output: [name] });
    this.#outputs.push(valueInfo(name, type, shape));
  }

  /** Adds a tensor that is stored in the model. */
  initializer(name: string, type: OnnxType, dims: number[], data: ArrayBufferView): OnnxValue {
    this.#initializers.push({ name, data_type: dataTypes[type], dims, raw_data: bytesOf(data) });
    return name;
  }

  /** The content of each stored tensor, by its name. */
  get stored(): Map<string, Uint8Array> {
    return new Map(this.#initializers.map(({ name, raw_data }) => [name, raw_data]));
  }

  /** Adds a constant; equal constants are stored once. */
  constant(type: 'float32' | 'int64', values: number[], dims: number[] = [values.length]): OnnxValue {
    const key = `${type} ${dims.join('x')} ${values.join(' ')}`;
    const existing = this.#constants.get(key);
    if (existing) return existing;
    const data = type === 'float32' ? Float32Array.from(values) : BigInt64Array.from(values, BigInt);
    const value = this.initializer(`constant_${this.#constants.size}`, type, dims, data);
    this.#constants.set(key, value);
    return value;
  }

  /** Adds an operator with several results. */
  nodes(
    operator: string,
    inputs: OnnxValue[],
    results: number,
    attributes: Record<string, Attribute> = {},
  ): OnnxValue[] {
    const name = `${operator}_${this.#count++}`;
    const output = Array.from({ length: results }, (_, i) => (results === 1 ? name : `${name}_${i}`));
    this.#nodes.push({
      op_type: operator,
      name: `${name}_node`,
      input: inputs,
      output,
      attribute: Object.entries(attributes).map(([key, value]) => attributeOf(key, value)),
    });
    return output;
  }

  /** Adds an operator with one result. */
  node(operator: string, inputs: OnnxValue[], attributes: Record<string, Attribute> = {}): OnnxValue {
    return this.nodes(operator, inputs, 1, attributes)[0]!;
  }

  /** Encodes the graph as the content of a model file. */
  encode({ name, version, description }: { name: string; version: string; description: string }): Uint8Array {
    const model = {
      ir_version: irVersion,
      producer_name: 'tunebook',
      producer_version: version,
      doc_string: description,
      opset_import: [{ domain: '', version: opsetVersion }],
      graph: {
        name,
        node: this.#nodes,
        initializer: this.#initializers,
        input: this.#inputs,
        output: this.#outputs,
      },
    };
    return ModelProto.encode(model).finish();
  }

  /** Writes the graph to a file. */
  save(file: string, metadata: Parameters<OnnxGraph['encode']>[0]): void {
    fs.writeFileSync(file, this.encode(metadata));
  }
}
