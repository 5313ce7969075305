/**
 * The operations of a forward pass as nodes of an ONNX graph, for any batch size and sequence length. Products of weights are
 * computed in float32 or, quantized, in 8-bit integers.
 */
import type { AttentionOptions, Operations, RelativePositions } from '../model/operations.js';
import type { StoredTensor } from '../model/safetensors.js';
import { OnnxGraph, type OnnxValue } from './onnx-graph.js';
import { largestStored, quantizeRows, transposed } from './quantize.js';

/** Number format of weights and matrix products: float32, or 8-bit integers. */
export type OnnxPrecision = 'float32' | 'int8';

/** Number formats of a graph. */
export interface OnnxFormats {
  /** Of weights and matrix products. @default 'float32' */
  precision?: OnnxPrecision;
  /**
   * Of stored matrices in float32 graphs: 8 bits with a scale per row take a quarter of the space, and are converted to float32 when
   * the graph is loaded. @default 'float32'
   */
  storage?: 'float32' | 'int8';
}

/** Added to the attention scores of padding, so that softmax gives 0. */
const paddingBias = -1e9;

/** A parameter that has not been written to the graph: how depends on its use. */
interface Parameter extends StoredTensor {
  name: string;
}

/** A node, by the name of its result, or a parameter. */
export type OnnxOperand = OnnxValue | Parameter;

/** The inputs of a graph. */
export interface OnnxInputs {
  /** Token ids, int64 [batch, longest]. */
  ids: OnnxValue;
  /** 1 for each token, 0 for padding, int64 [batch, longest]. */
  mask: OnnxValue;
  /** Type of each token, 0 or 1, int64 [batch, longest]. @default no such input, for models without token types */
  types?: OnnxValue | undefined;
}

/**
 * Creates the operations for a graph.
 * @param parameters by Hugging Face's names
 */
export function onnxOperations(
  graph: OnnxGraph,
  parameters: Map<string, StoredTensor>,
  { ids, mask, types }: OnnxInputs,
  { precision = 'float32', storage = 'float32' }: OnnxFormats,
): Operations<OnnxOperand> {
  const ints = (...values: number[]) => graph.constant('int64', values);
  const float = (value: number) => graph.constant('float32', [value], []);
  const written = new Map<string, OnnxValue>();
  /** The result of `write` at its first call for a name. */
  const once = (name: string, write: () => OnnxValue): OnnxValue => {
    const value = written.get(name) ?? write();
    written.set(name, value);
    return value;
  };
  /** Writes a parameter as it is stored, or transposed. */
  const write = ({ name, shape, data }: Parameter, isTransposed = false): OnnxValue => {
    const [rows, columns] = shape as [number, number];
    const dims = isTransposed ? [columns, rows] : shape;
    const arrange = <Data extends Float32Array | Int8Array>(numbers: Data): Data =>
      isTransposed ? transposed(numbers, rows, columns) : numbers;
    if (storage === 'float32' || shape.length !== 2) return graph.initializer(name, 'float32', dims, arrange(data));
    const { values, scales } = quantizeRows(data, rows, columns, largestStored);
    const scale = graph.initializer(`${name}_scale`, 'float32', [rows], scales);
    const integers = graph.initializer(name, 'int8', dims, arrange(values));
    return graph.node('DequantizeLinear', [integers, scale], { axis: isTransposed ? 1 : 0 });
  };
  const valueOf = (operand: OnnxOperand): OnnxValue =>
    typeof operand === 'string' ? operand : once(operand.name, () => write(operand));
  const parameterOf = (operand: OnnxOperand): Parameter => operand as Parameter;
  const add = (a: OnnxOperand, b: OnnxOperand) => graph.node('Add', [valueOf(a), valueOf(b)]);
  const multiply = (a: OnnxOperand, b: OnnxOperand) => graph.node('Mul', [valueOf(a), valueOf(b)]);
  const slice = (x: OnnxValue, from: OnnxValue, to: OnnxValue, axis: number) =>
    graph.node('Slice', [x, from, to, ints(axis)]);
  const toFloat = (x: OnnxValue) => graph.node('Cast', [x], { to: 1 });

  /** x · weightᵀ; weights are stored transposed, so that a plain MatMul suffices. */
  const product = (x: OnnxValue, weight: Parameter, exact: boolean): OnnxValue => {
    const { name, shape, data } = weight;
    const [outputs, inputs] = shape as [number, number];
    if (exact || precision === 'float32')
      return graph.node('MatMul', [x, once(`${name} transposed`, () => write(weight, true))]);
    // onnxruntime shares the quantization of equal inputs, and fuses the rest into one operator.
    const [rounded, scale, zero] = graph.nodes('DynamicQuantizeLinear', [x], 3) as [OnnxValue, OnnxValue, OnnxValue];
    const quantized = once(`${name} quantized`, () => {
      const { values, scales } = quantizeRows(data, outputs, inputs);
      graph.initializer(`${name}_scale`, 'float32', [outputs], scales);
      return graph.initializer(name, 'int8', [inputs, outputs], transposed(values, outputs, inputs));
    });
    const integers = graph.node('MatMulInteger', [rounded, quantized, zero]);
    return multiply(toFloat(integers), multiply(scale, `${name}_scale`));
  };
  const layerNorm: Operations<OnnxOperand>['layerNorm'] = (x, { scale, shift, epsilon }) =>
    graph.node('LayerNormalization', [valueOf(x), valueOf(scale), ...(shift ? [valueOf(shift)] : [])], {
      axis: -1,
      epsilon: { float: epsilon },
    });
  const activation: Operations<OnnxOperand>['activation'] = (operand, name) => {
    const x = valueOf(operand);
    if (name === 'relu') return graph.node('Relu', [x]);
    if (name === 'tanh') return graph.node('Tanh', [x]);
    if (name === 'gelu') {
      const cumulative = add(graph.node('Erf', [multiply(x, float(Math.SQRT1_2))]), float(1));
      return multiply(multiply(x, cumulative), float(0.5));
    }
    const cube = multiply(multiply(x, x), multiply(x, float(0.044715)));
    const inner = multiply(add(x, cube), float(Math.sqrt(2 / Math.PI)));
    return multiply(multiply(x, add(graph.node('Tanh', [inner]), float(1))), float(0.5));
  };
  const linear: Operations<OnnxOperand>['linear'] = (x, { weight, bias }, exact = false) => {
    const y = product(valueOf(x), parameterOf(weight), exact);
    return bias === undefined ? y : add(y, bias);
  };

  const tokens = slice(graph.node('Shape', [ids]), ints(1), ints(2), 0); // [1]
  /** 0 to the number of tokens - 1, int64. */
  const positions = () =>
    once('positions', () =>
      graph.node('Range', [
        graph.constant('int64', [0], []),
        graph.node('Squeeze', [tokens, ints(0)]),
        graph.constant('int64', [1], []),
      ]),
    );
  /** Distance of each query (row) and key (column), int64 [longest, longest]. */
  const distances = () =>
    once('distances', () =>
      graph.node('Sub', [
        graph.node('Unsqueeze', [positions(), ints(0)]),
        graph.node('Unsqueeze', [positions(), ints(1)]),
      ]),
    );
  const firstRow = (x: OnnxValue, axis: number) => slice(x, ints(0), ints(1), axis);

  /** [batch, longest, dim] to [batch, heads, longest, width]. */
  const split = (x: OnnxOperand, heads: number, dim: number) =>
    graph.node('Transpose', [graph.node('Reshape', [valueOf(x), ints(0, 0, heads, dim / heads)])], {
      perm: [0, 2, 1, 3],
    });
  const transposeLast = (x: OnnxValue) => graph.node('Transpose', [x], { perm: [0, 1, 3, 2] });

  /** Rotates queries or keys, see `rotate` in attention-positions.ts: [batch, heads, longest, width]. */
  const rotate = (x: OnnxValue, base: number, width: number, isFirst: boolean): OnnxValue => {
    const half = width / 2;
    const angles = once(`angles ${base}`, () => {
      const frequencies = Array.from({ length: width }, (_, i) => 1 / base ** ((2 * (i % half)) / width));
      const column = graph.node('Unsqueeze', [toFloat(positions()), ints(1)]);
      return multiply(column, graph.constant('float32', frequencies)); // [longest, width]
    });
    /** Cosines or sines of the angles, which all layers share: [longest, width], or [1, width] for first tokens. */
    const valuesOf = (operator: 'Cos' | 'Sin') => {
      const values = once(`${operator} ${base}`, () => graph.node(operator, [angles]));
      return isFirst ? firstRow(values, 0) : values;
    };
    const second = slice(x, ints(half), ints(width), 3);
    const halves = graph.node('Concat', [graph.node('Neg', [second]), slice(x, ints(0), ints(half), 3)], { axis: 3 });
    return add(multiply(x, valuesOf('Cos')), multiply(halves, valuesOf('Sin')));
  };

  /** Scores that depend on distances, see `relativeScores` in attention-positions.ts: [batch or 1, heads, queries, longest]. */
  const relativeScores = (
    query: OnnxValue,
    scaledKey: () => OnnxValue,
    relative: RelativePositions<OnnxOperand>,
    heads: number,
    dim: number,
    isFirst: boolean,
  ): OnnxValue => {
    const center = (relative.buckets.length - 1) / 2;
    const rows = once('buckets of distances', () =>
      graph.node('Gather', [
        graph.constant('int64', [...relative.buckets]),
        graph.node('Add', [distances(), graph.constant('int64', [center], [])]),
      ]),
    ); // [longest queries, longest keys]
    const used = isFirst ? firstRow(rows, 0) : rows; // [queries, longest]
    if ('bias' in relative) {
      const bias = graph.node('Gather', [valueOf(relative.bias), used]); // [queries, longest, heads]
      return graph.node('Unsqueeze', [graph.node('Transpose', [bias], { perm: [2, 0, 1] }), ints(0)]);
    }
    const table = (operand: OnnxOperand) =>
      transposeLast(split(graph.node('Unsqueeze', [valueOf(operand), ints(0)]), heads, dim)); // [1, heads, width, buckets]
    /** The element of each row's bucket: x [batch, heads, n, buckets], ids [n, m] -> [batch, heads, n, m]. */
    const gather = (x: OnnxValue, ids: OnnxValue) => {
      const leading = slice(graph.node('Shape', [x]), ints(0), ints(2), 0); // [2]
      const shape = graph.node('Concat', [leading, graph.node('Shape', [ids])], { axis: 0 });
      return graph.node('GatherElements', [x, graph.node('Expand', [ids, shape])], { axis: 3 });
    };
    const ofQueries = gather(graph.node('MatMul', [query, table(relative.key)]), used);
    const columns = graph.node('Transpose', [used], { perm: [1, 0] }); // [longest, queries]
    const ofKeys = gather(graph.node('MatMul', [scaledKey(), table(relative.query)]), columns);
    return add(ofQueries, transposeLast(ofKeys));
  };

  /** 0 for the tokens that a query attends to and a large negative number for others: [batch, 1, 1 or queries, longest]. */
  const maskOf = (window: number | undefined, isFirst: boolean): OnnxValue => {
    const padding = once('padding', () => {
      const isPadding = graph.node('Sub', [float(1), toFloat(mask)]);
      return graph.node('Unsqueeze', [multiply(isPadding, float(paddingBias)), ints(1, 2)]); // [batch, 1, 1, longest]
    });
    if (window === undefined) return padding;
    const far = once(`far ${window}`, () => {
      const isFar = graph.node('Greater', [graph.node('Abs', [distances()]), graph.constant('int64', [window], [])]);
      return multiply(toFloat(isFar), float(paddingBias)); // [longest, longest]
    });
    return add(padding, isFirst ? firstRow(far, 0) : far);
  };

  const attention = (
    x: OnnxOperand,
    queryInput: OnnxOperand,
    projections: Parameters<Operations<OnnxOperand>['attention']>[2],
    outWeight: OnnxOperand,
    { heads, queries, window, rotaryBase, relative, ...options }: AttentionOptions<OnnxOperand>,
  ): OnnxValue => {
    const [dim] = parameterOf(outWeight).shape as [number];
    const width = dim / heads;
    const isFirst = queries === 'first';
    const part = (row: number) => {
      if (!('joint' in projections)) return Object.values(projections)[row]!;
      const { name, data } = parameterOf(projections.joint);
      const size = dim * dim;
      return {
        weight: { name: `${name}.${row}`, shape: [dim, dim], data: data.subarray(row * size, (row + 1) * size) },
      };
    };
    const project = (input: OnnxOperand, row: number) => split(linear(input, part(row)), heads, dim);
    const position = (rows: OnnxValue, isFirst: boolean) =>
      rotaryBase === undefined ? rows : rotate(rows, rotaryBase, width, isFirst);
    const scale = float(options.scale ?? 1 / Math.sqrt(width));
    const query = multiply(position(project(queryInput, 0), isFirst), scale); // [batch, heads, queries, width]
    const key = position(project(x, 1), false); // [batch, heads, longest, width]
    const value = project(x, 2); // [batch, heads, longest, width]
    const products = graph.node('MatMul', [query, transposeLast(key)]); // [batch, heads, queries, longest]
    const scores = relative
      ? add(
          products,
          relativeScores(query, () => multiply(key, scale), relative, heads, dim, isFirst),
        )
      : products;
    const weights = graph.node('Softmax', [add(scores, maskOf(window, isFirst))], { axis: -1 });
    const context = graph.node('Transpose', [graph.node('MatMul', [weights, value])], { perm: [0, 2, 1, 3] });
    const joined = graph.node('Reshape', [context, ints(0, 0, dim)]); // [batch, queries, dim]
    return product(joined, parameterOf(outWeight), false);
  };

  return {
    parameter: (name) => ({ name, ...parameters.get(name)! }),
    row(table, index) {
      const { shape, data } = parameterOf(table);
      const width = shape[1]!;
      const name = `${parameterOf(table).name}.${index}`;
      return { name, shape: [width], data: data.subarray(index * width, (index + 1) * width) };
    },
    // The table is half of a small model, so it is quantized too, with a scale per row.
    tokenEmbedding(table) {
      if (precision === 'float32') return graph.node('Gather', [valueOf(table), ids]);
      const { name, shape, data } = parameterOf(table);
      const [rows, width] = shape as [number, number];
      const { values, scales } = quantizeRows(data, rows, width);
      const integers = graph.node('Gather', [graph.initializer(name, 'int8', [rows, width], values), ids]);
      const scale = graph.initializer(`${name}_scale`, 'float32', [rows, 1], scales);
      return multiply(toFloat(integers), graph.node('Gather', [scale, ids]));
    },
    tokenTypeEmbedding: (table) => (types === undefined ? undefined : graph.node('Gather', [valueOf(table), types])),
    positionEmbedding: (table, first) =>
      slice(valueOf(table), ints(first), first > 0 ? add(tokens, ints(first)) : tokens, 0), // [longest, width]
    linear,
    activation,
    residual: (a, b) => add(a, b),
    layerNorm,
    residualLayerNorm: (a, b, bias, norm) => layerNorm(add(a, bias === undefined ? b : add(b, bias)), norm),
    dropout: (x) => x,
    firstTokens: (x) => firstRow(valueOf(x), 1), // [batch, 1, width]
    meanOfTokens(x) {
      const weights = graph.node('Unsqueeze', [toFloat(mask), ints(2)]); // [batch, longest, 1]
      const sum = graph.node('ReduceSum', [multiply(x, weights), ints(1)], { keepdims: 1 }); // [batch, 1, width]
      return graph.node('Div', [sum, graph.node('ReduceSum', [weights, ints(1)], { keepdims: 1 })]);
    },
    convolution(x, { weight, bias }) {
      const isToken = once('tokens as float', () => graph.node('Unsqueeze', [toFloat(mask), ints(2)])); // [batch, longest, 1]
      const columns = graph.node('Transpose', [multiply(x, isToken)], { perm: [0, 2, 1] }); // [batch, in, longest]
      const operands = [columns, valueOf(weight), ...(bias === undefined ? [] : [valueOf(bias)])];
      const y = graph.node('Conv', operands, { pads: [1, 1] }); // [batch, out, longest]
      return graph.node('Transpose', [y], { perm: [0, 2, 1] });
    },
    attention,
    feedForward: (x, inner, outerWeight, name) =>
      product(valueOf(activation(linear(x, inner), name)), parameterOf(outerWeight), false),
    gatedFeedForward(x, innerWeight, outerWeight) {
      const hidden = parameterOf(innerWeight).shape[0]! / 2;
      const both = product(valueOf(x), parameterOf(innerWeight), false); // [batch, longest, 2 hidden]
      const gate = slice(both, ints(hidden), ints(2 * hidden), 2);
      const gated = multiply(activation(slice(both, ints(0), ints(hidden), 2), 'gelu'), gate);
      return product(gated, parameterOf(outerWeight), false);
    },
  };
}
