/**
 * A TensorFlow graph written down node by node (GraphDef: tensorflow/core/framework/graph.proto), with the protocol
 * buffers that tfjs-node brings along.
 */
import { createRequire } from 'node:module';
import { binding, typeAttributeOf, type Attribute } from './runtime.js';

// The generated code has no types; these are the parts in use.
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

/** The version of graphs that today's kernels expect (TF_GRAPH_DEF_VERSION of TensorFlow 2.18 and later). */
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
    else throw new Error(`The attribute ${name} is a list of a kind that graphs are not written with.`);
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
   * @param inputs results of other nodes: their names, with `:1` and so on for all but the first result
   * @param after names of nodes that run before this one, though it takes nothing from them
   * @returns the node's name
   */
  node(kernel: string, inputs: string[], attributes: Attribute[], after: Iterable<string> = []): string {
    return this.#add(
      kernel,
      [...inputs, ...Array.from(after, (name) => `^${name}`)],
      attributes.map((attribute) => [attribute.name, attributeProto(attribute)]),
    );
  }

  /** A place for an input of this native type. */
  placeholder(dtype: number): string {
    return this.node('Placeholder', [], [typeAttributeOf(dtype, 'dtype')]);
  }

  /** Numbers that are the same at every run. */
  constant(dtype: number, shape: number[], values: ArrayBufferView): string {
    const tensor = new messages.Tensor();
    tensor.setDtype(dtype);
    tensor.setTensorShape(shapeProto(shape));
    // A copy: what tfjs made it of may change or go.
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

  /** The graph as a GraphDef's bytes. */
  serialize(): Uint8Array {
    return this.#graph.serializeBinary();
  }
}
