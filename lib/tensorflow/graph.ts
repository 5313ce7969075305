/**
 * Builds a TensorFlow graph node by node (GraphDef: tensorflow/core/framework/graph.proto), with the protocol buffers
 * of tfjs-node.
 */
import { createRequire } from 'node:module';
import { binding, typeAttributeOf, type Attribute } from './runtime.js';

// The generated code has no types. These are the parts that are used here.
interface Repeated<T> {
  addDim(dimension: T): void;
}
interface Dimension {
  setSize(size: number): void;
}
interface TensorProto {
  setDtype(dtype: number): void;
  setTensorShape(shape: Repeated<Dimension>): void;
  setTensorContent(bytes: Uint8Array): void;
}
interface ListValue {
  setIList(values: number[]): void;
  setFList(values: number[]): void;
  setBList(values: boolean[]): void;
}
interface AttrValue {
  setType(dtype: number): void;
  setB(value: boolean): void;
  setI(value: number): void;
  setF(value: number): void;
  setS(bytes: Uint8Array): void;
  setShape(shape: Repeated<Dimension>): void;
  setTensor(tensor: TensorProto): void;
  setList(list: ListValue): void;
}
interface NodeDef {
  setName(name: string): void;
  setOp(kernel: string): void;
  addInput(input: string): void;
  getAttrMap(): { set(name: string, value: AttrValue): void };
}
interface GraphDef {
  addNode(node: NodeDef): void;
  setVersions(versions: VersionDef): void;
  serializeBinary(): Uint8Array;
}
interface VersionDef {
  setProducer(version: number): void;
}
interface Messages {
  GraphDef: new () => GraphDef;
  NodeDef: new () => NodeDef;
  AttrValue: (new () => AttrValue) & { ListValue: new () => ListValue };
  Tensor: new () => TensorProto;
  TensorShape: (new () => Repeated<Dimension>) & { Dim: new () => Dimension };
  VersionDef: new () => VersionDef;
}
const messages = createRequire(import.meta.url)('@tensorflow/tfjs-node-gpu/dist/proto/api_pb') as Messages;

/** Graph version that current kernels expect (TF_GRAPH_DEF_VERSION of TensorFlow 2.18 and later). */
const producer = 1987;

function shapeProto(shape: number[]): Repeated<Dimension> {
  const proto = new messages.TensorShape();
  for (const size of shape) {
    const dimension = new messages.TensorShape.Dim();
    dimension.setSize(size);
    proto.addDim(dimension);
  }
  return proto;
}

function attributeProto({ name, type, value }: Attribute): AttrValue {
  const proto = new messages.AttrValue();
  const listed = Array.isArray(value) && type !== binding.TF_ATTR_SHAPE;
  if (listed) {
    const list = new messages.AttrValue.ListValue();
    if (type === binding.TF_ATTR_INT) list.setIList(value as number[]);
    else if (type === binding.TF_ATTR_FLOAT) list.setFList(value as number[]);
    else if (type === binding.TF_ATTR_BOOL) list.setBList(value as boolean[]);
    else throw new Error(`The attribute ${name} is a list of an unsupported type. Supported lists: int, float, bool.`);
    proto.setList(list);
  } else if (type === binding.TF_ATTR_TYPE) proto.setType(value as number);
  else if (type === binding.TF_ATTR_BOOL) proto.setB(value as boolean);
  else if (type === binding.TF_ATTR_INT) proto.setI(value as number);
  else if (type === binding.TF_ATTR_FLOAT) proto.setF(value as number);
  else if (type === binding.TF_ATTR_STRING) proto.setS(Buffer.from(value as string));
  else proto.setShape(shapeProto(value as number[]));
  return proto;
}

export class Graph {
  readonly #graph = new messages.GraphDef();
  #nodes = 0;

  constructor() {
    const versions = new messages.VersionDef();
    versions.setProducer(producer);
    this.#graph.setVersions(versions);
  }

  #add(kernel: string, inputs: string[], attributes: [string, AttrValue][]): string {
    const name = `${kernel}_${this.#nodes++}`;
    const node = new messages.NodeDef();
    node.setName(name);
    node.setOp(kernel);
    inputs.forEach((input) => node.addInput(input));
    for (const [attribute, value] of attributes) node.getAttrMap().set(attribute, value);
    this.#graph.addNode(node);
    return name;
  }

  /**
   * Adds a node.
   * @param inputs names of results of other nodes, with the suffix `:1` and so on for all but the first result
   * @param controlInputs names of nodes that must run before this one without being its inputs
   * @returns the name of the node
   */
  node(kernel: string, inputs: string[], attributes: Attribute[], controlInputs: Iterable<string> = []): string {
    return this.#add(
      kernel,
      [...inputs, ...Array.from(controlInputs, (name) => `^${name}`)],
      attributes.map((attribute) => [attribute.name, attributeProto(attribute)]),
    );
  }

  /** Adds a placeholder for an input of this native type. */
  placeholder(dtype: number): string {
    return this.node('Placeholder', [], [typeAttributeOf(dtype, 'dtype')]);
  }

  /** Adds a constant. */
  constant(dtype: number, shape: number[], values: ArrayBufferView): string {
    const tensor = new messages.Tensor();
    tensor.setDtype(dtype);
    tensor.setTensorShape(shapeProto(shape));
    // A copy, since tfjs may change or free the source.
    tensor.setTensorContent(new Uint8Array(values.buffer, values.byteOffset, values.byteLength).slice());
    const value = new messages.AttrValue();
    value.setTensor(tensor);
    return this.#add(
      'Const',
      [],
      [
        ['dtype', attributeProto(typeAttributeOf(dtype, 'dtype'))],
        ['value', value],
      ],
    );
  }

  /** The bytes of the graph as a GraphDef. */
  serialize(): Uint8Array {
    return this.#graph.serializeBinary();
  }
}
