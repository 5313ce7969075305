/**
 * Sums over the ranks of a cluster with TensorFlow's collective kernels: rings over gRPC between CPUs, NCCL between
 * GPUs. They run eagerly and in captured functions; in a graph they overlap with computations that do not depend on
 * them.
 */
import type { Tensor } from '@tensorflow/tfjs';
import { fromJson, toJson } from '../json.js';
import type { Ranks } from './ranks.js';
import {
  binding,
  boolAttribute,
  executeOne,
  floatAttribute,
  intAttribute,
  nativeType,
  tf,
  typeAttribute,
  typeOf,
  type Attribute,
} from '../tensorflow/runtime.js';
import type { ResourceVariable } from '../tensorflow/variables.js';

/**
 * Numbers per bucket, the unit of a sum. One collective per tensor needs more round trips (1.65 times the time without
 * sums, compared with 1.49); a single one for all waits for the last gradient (2.8 times). PyTorch's buckets have the
 * same size, 25 MiB.
 */
const bucketSize = 6.5 * 2 ** 20;

/**
 * Timeout of a sum in seconds; 0 disables it, since the cluster detects lost ranks. With a timeout, TensorFlow keeps
 * two threads asleep for the whole timeout of each sum, even after it is done; after some thousand steps no more
 * threads can be created.
 */
const sumTimeout = 0;

const groupKey = 1;

const textAttribute = (name: string, value: string): Attribute => ({ name, type: binding.TF_ATTR_STRING, value });

/** The sum of a tensor over all ranks (CollectiveReduceV2). */
function allReduce(tensor: Tensor, size: number, key: number): Tensor {
  const integer = (value: number) => tf.scalar(value, 'int32');
  return executeOne(
    'CollectiveReduceV2',
    [
      typeOf(tensor),
      textAttribute('merge_op', 'Add'),
      textAttribute('final_op', 'Id'),
      textAttribute('communication_hint', 'auto'),
      floatAttribute('timeout_seconds', sumTimeout),
      boolAttribute('is_stateless', false),
      intAttribute('Nordering_token', 0),
      intAttribute('max_subdivs_per_device', -1),
    ],
    [tensor, integer(size), integer(groupKey), integer(key)],
  );
}

/** Reshapes a tensor of any type; tfjs's reshape does not accept types that tfjs does not have. */
const reshape = (tensor: Tensor, shape: number[]): Tensor =>
  executeOne('Reshape', [typeOf(tensor), typeAttribute('int32', 'Tshape')], [tensor, tf.tensor1d(shape, 'int32')]);

const flatten = (tensor: Tensor): Tensor => reshape(tensor, [tensor.size]);

/** Concatenates tensors of one type to a vector. */
const concat = (tensors: Tensor[]): Tensor =>
  tensors.length === 1
    ? flatten(tensors[0]!)
    : executeOne(
        'ConcatV2',
        [typeOf(tensors[0]!), typeAttribute('int32', 'Tidx'), intAttribute('N', tensors.length)],
        [...tensors.map(flatten), tf.scalar(0, 'int32')],
      );

/** Extracts a tensor of a shape from a vector, starting at an index. */
function sliceOf(vector: Tensor, from: number, shape: number[]): Tensor {
  const size = shape.reduce((product, each) => product * each, 1);
  const part =
    size === vector.size
      ? vector
      : executeOne(
          'Slice',
          [typeOf(vector), typeAttribute('int32', 'Index')],
          [vector, tf.tensor1d([from], 'int32'), tf.tensor1d([size], 'int32')],
        );
  return reshape(part, shape);
}

/** Groups tensors of one type into buckets, the last tensor first: the order of gradients in a backward pass. */
function bucketsOf(tensors: Tensor[]): number[][] {
  const buckets: number[][] = [];
  let space = 0;
  for (let i = tensors.length - 1; i >= 0; i--) {
    const { size } = tensors[i]!;
    const before = buckets.at(-1)?.at(-1);
    const sameType = before !== undefined && nativeType(tensors[before]!) === nativeType(tensors[i]!);
    if (!sameType || size > space) {
      buckets.push([]);
      space = bucketSize;
    }
    buckets.at(-1)!.push(i);
    space -= size;
  }
  return buckets;
}

/** First key of sums that run once; captured sums use smaller keys. */
const firstUncapturedKey = 1_000_000;

/** Ranks that use collectives. The process must have joined its cluster; see cluster.ts. */
export class CollectiveRanks implements Ranks {
  #key = firstUncapturedKey;

  constructor(
    readonly rank: number,
    readonly size: number,
  ) {}

  get isChief(): boolean {
    return this.rank === 0;
  }

  sum(tensors: Tensor[], key: number): Tensor[] {
    const sums: Tensor[] = [];
    bucketsOf(tensors).forEach((bucket, number) => {
      const sum = allReduce(concat(bucket.map((i) => tensors[i]!)), this.size, key + number); // [numbers of the bucket]
      let from = 0;
      for (const i of bucket) {
        sums[i] = sliceOf(sum, from, tensors[i]!.shape);
        from += tensors[i]!.size;
      }
    });
    return sums;
  }

  sumNumbers(numbers: Float32Array): Float32Array {
    if (numbers.length === 0) return numbers;
    // TensorFlow stores the shape of a sum under its key, so each sum gets a new key.
    const sum = tf.tidy(() => allReduce(tf.tensor1d(numbers), this.size, this.#key++));
    const data = sum.dataSync<'float32'>();
    sum.dispose();
    return data;
  }

  exchange<Value>(value: Value): Value[] {
    const texts = this.#gather(new TextEncoder().encode(toJson(value)));
    return texts.map((text) => fromJson(new TextDecoder().decode(text)) as Value);
  }

  fromChief<Value>(value: Value): Value {
    return this.exchange(this.isChief ? value : null)[0] as Value;
  }

  /** Gathers the bytes of all ranks. Each byte is sent as a float32, since collectives do not support bytes. */
  #gather(bytes: Uint8Array): Uint8Array[] {
    const lengths = new Float32Array(this.size);
    lengths[this.rank] = bytes.length;
    const allLengths = [...this.sumNumbers(lengths)];
    const starts = allLengths.map((_, rank) => allLengths.slice(0, rank).reduce((sum, length) => sum + length, 0));
    const numbers = new Float32Array(starts.at(-1)! + allLengths.at(-1)!);
    numbers.set(bytes, starts[this.rank]);
    const sum = this.sumNumbers(numbers);
    return allLengths.map((length, rank) => Uint8Array.from(sum.subarray(starts[rank], starts[rank]! + length)));
  }

  copyFromChief(variables: ResourceVariable[]): void {
    for (const variable of variables)
      tf.tidy(() => {
        const own = variable.read();
        const contribution = this.isChief ? own : tf.fill(variable.shape, 0);
        variable.assign(allReduce(contribution, this.size, this.#key++));
      });
  }
}
