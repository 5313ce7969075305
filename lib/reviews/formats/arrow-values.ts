/** Values of Arrow as plain data, which can be stored and written: Arrow's own objects refer to the memory of a batch. */
import { DataType, DateUnit, Type, Vector, type Data } from 'apache-arrow';
import { isoDay, isoTime } from './iso-time.js';

/** Types whose values are objects of Arrow, or counts without their unit. The others are texts, numbers, booleans and bytes. */
const convertedTypes = new Set<Type>([
  ...[Type.Timestamp, Type.Date, Type.Interval, Type.Decimal, Type.Dictionary],
  ...[Type.Struct, Type.Map, Type.List, Type.LargeList, Type.FixedSizeList],
]);

/** Whether the values of a type are plain already. */
export const isPlain = (type: DataType): boolean => !convertedTypes.has(type.typeId);

/** A value of a column: structs and maps are objects, lists are arrays, times and decimals are texts. */
export function plainValue(vector: Vector, index: number): unknown {
  if (isPlain(vector.type as DataType)) return vector.get(index);
  let position = index;
  for (const data of vector.data) {
    if (position < data.length) return plainValueOf(data as Data, position);
    position -= data.length;
  }
  return null;
}

/** The value of a type that is not plain. */
function plainValueOf(data: Data, index: number): unknown {
  if (!data.getValid(index)) return null;
  const { children, type } = data;
  const values = data.values as ArrayLike<number | bigint>;
  const child = (number: number, at: number) => plainValue(new Vector([children[number]!]), at);
  if (DataType.isTimestamp(type)) return isoTime(BigInt(values[index]!), 3 * type.unit);
  if (DataType.isDate(type))
    return type.unit === DateUnit.DAY ? isoDay(Number(values[index])) : isoTime(BigInt(values[index]!), 3);
  if (DataType.isDecimal(type)) return decimalText(new Vector([data]).get(index) as Uint32Array, type.scale);
  if (DataType.isDictionary(type)) return plainValue(data.dictionary!, Number(values[index]));
  if (DataType.isStruct(type)) return Object.fromEntries(type.children.map(({ name }, i) => [name, child(i, index)]));
  const value: unknown = new Vector([data]).get(index);
  if (DataType.isMap(type)) {
    const offsets = data.valueOffsets as Int32Array;
    const [from, to] = [offsets[index]!, offsets[index + 1]!];
    const entries = new Vector([children[0]!.slice(from, to - from)]);
    return Object.fromEntries(
      Array.from({ length: to - from }, (_, i) => Object.values(plainValue(entries, i) as object) as [string, unknown]),
    );
  }
  if (value instanceof Vector) return Array.from({ length: value.length }, (_, i) => plainValue(value, i));
  return ArrayBuffer.isView(value) ? [...(value as Int32Array)] : value;
}

/** A decimal number, exactly: `12.30`. */
function decimalText(words: Uint32Array, scale: number): string {
  const bits = BigInt.asIntN(
    32 * words.length,
    words.reduceRight((sum, word) => (sum << 32n) | BigInt(word), 0n),
  );
  const digits = String(bits < 0n ? -bits : bits).padStart(scale + 1, '0');
  const split = digits.length - scale;
  return `${bits < 0n ? '-' : ''}${digits.slice(0, split)}${scale > 0 ? `.${digits.slice(split)}` : ''}`;
}
