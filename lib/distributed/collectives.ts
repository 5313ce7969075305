/**
 * Sums over the ranks of a cluster by TensorFlow's own collective kernels: rings over gRPC between processors, NCCL between
 * GPUs. They run eagerly and inside captured functions alike; the graph lets them run beside what does not wait for them.
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
 * Numbers that are summed at once. One collective a tensor costs more round trips (1.65 times the time of no sums at all,
 * against 1.49), one for all waits for the last gradient (2.8 times); PyTorch's buckets of 25 MiB are as large.
 */
const bucketNumbers = 6.5 * 2 ** 20;

/**
 * Seconds after which a sum fails that some rank never comes to: none, the cluster's own watch is there for that. TensorFlow
 * would have two threads sleep through each sum's timeout, done or not: some thousand updates, and no more can be made.
 */
const timeout = 0;

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
      floatAttribute('timeout_seconds', timeout),
      boolAttribute('is_stateless', false),
      intAttribute('Nordering_token', 0),
      intAttribute('max_subdivs_per_device', -1),
    ],
    [tensor, integer(size), integer(groupKey), integer(key)],
  );
}

/** tfjs's own functions take no types that it does not know. */
const reshaped = (tensor: Tensor, shape: number[]): Tensor =>
  executeOne('Reshape', [typeOf(tensor), typeAttribute('int32', 'Tshape')], [tensor, tf.tensor1d(shape, 'int32')]);

const flattened = (tensor: Tensor): Tensor => reshaped(tensor, [tensor.size]);

/** Tensors of one type, end to end. */
const joined = (tensors: Tensor[]): Tensor =>
  tensors.length === 1
    ? flattened(tensors[0]!)
    : executeOne(
        'ConcatV2',
        [typeOf(tensors[0]!), typeAttribute('int32', 'Tidx'), intAttribute('N', tensors.length)],
        [...tensors.map(flattened), tf.scalar(0, 'int32')],
      );

/** The part of a row of numbers that a tensor of some shape takes. */
function partOf(row: Tensor, from: number, shape: number[]): Tensor {
  const size = shape.reduce((product, each) => product * each, 1);
  const part =
    size === row.size
      ? row
      : executeOne(
          'Slice',
          [typeOf(row), typeAttribute('int32', 'Index')],
          [row, tf.tensor1d([from], 'int32'), tf.tensor1d([size], 'int32')],
        );
  return reshaped(part, shape);
}

/** Tensors of one type in buckets, the last first: that is the order in which a backward pass makes gradients. */
function bucketsOf(tensors: Tensor[]): number[][] {
  const buckets: number[][] = [];
  let room = 0;
  for (let i = tensors.length - 1; i >= 0; i--) {
    const { size } = tensors[i]!;
    const before = buckets.at(-1)?.at(-1);
    const sameType = before !== undefined && nativeType(tensors[before]!) === nativeType(tensors[i]!);
    if (!sameType || size > room) {
      buckets.push([]);
      room = bucketNumbers;
    }
    buckets.at(-1)!.push(i);
    room -= size;
  }
  return buckets;
}

/** Sums of everything once, with keys that no capture uses. */
const firstOwnKey = 1_000_000;

/** Ranks that sum by collectives. The process has joined its cluster; see cluster.ts. */
export class CollectiveRanks implements Ranks {
  #key = firstOwnKey;

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
      const sum = allReduce(joined(bucket.map((i) => tensors[i]!)), this.size, key + number); // [numbers of the bucket]
      let from = 0;
      for (const i of bucket) {
        sums[i] = partOf(sum, from, tensors[i]!.shape);
        from += tensors[i]!.size;
      }
    });
    return sums;
  }

  sumNumbers(numbers: Float32Array): Float32Array {
    if (numbers.length === 0) return numbers;
    // TensorFlow keeps a sum's shape under its key, so that each gets one of its own.
    const sum = tf.tidy(() => allReduce(tf.tensor1d(numbers), this.size, this.#key++));
    const data = sum.dataSync<'float32'>();
    sum.dispose();
    return data;
  }

  exchange<Told>(told: Told): Told[] {
    const texts = this.#gather(new TextEncoder().encode(toJson(told)));
    return texts.map((text) => fromJson(new TextDecoder().decode(text)) as Told);
  }

  fromChief<Told>(told: Told): Told {
    return this.exchange(this.isChief ? told : null)[0] as Told;
  }

  /** The bytes of every rank. A byte is a number of its own: collectives know no bytes. */
  #gather(bytes: Uint8Array): Uint8Array[] {
    const lengths = new Float32Array(this.size);
    lengths[this.rank] = bytes.length;
    const all = [...this.sumNumbers(lengths)];
    const starts = all.map((_, rank) => all.slice(0, rank).reduce((sum, length) => sum + length, 0));
    const row = new Float32Array(starts.at(-1)! + all.at(-1)!);
    row.set(bytes, starts[this.rank]);
    const sum = this.sumNumbers(row);
    return all.map((length, rank) => Uint8Array.from(sum.subarray(starts[rank], starts[rank]! + length)));
  }

  copyFromChief(variables: ResourceVariable[]): void {
    for (const variable of variables)
      tf.tidy(() => {
        const own = variable.read();
        const told = this.isChief ? own : tf.fill(variable.shape, 0);
        variable.assign(allReduce(told, this.size, this.#key++));
      });
  }
}
