// tensorFunction: code with tensors and variables is captured as one TensorFlow graph. It gives the same results as
// eager execution and leaks no tensors.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { ArgumentError, CaptureError } from '#lib/errors.js';
import { tensorFunction } from '#lib/tensorflow/function.js';
import { statelessNormal } from '#lib/tensorflow/kernels.js';
import { binding, execute, tf, typeAttribute } from '#lib/tensorflow/runtime.js';
import { ResourceVariable, zerosVariable } from '#lib/tensorflow/variables.js';
import { failure } from '../failure.js';

/** Counts the kernels that tfjs runs during an action. */
function countKernels(action: () => void): number {
  const { executeOp } = binding;
  let count = 0;
  binding.executeOp = (...argv) => {
    count++;
    return executeOp(...argv);
  };
  try {
    action();
  } finally {
    binding.executeOp = executeOp;
  }
  return count;
}

test('the code runs once per input shape; later calls run one TensorFlow function', () => {
  let runs = 0;
  const squares = tensorFunction(({ x }: { x: ReturnType<typeof tf.tensor1d> }) => {
    runs++;
    return { sum: tf.sum(tf.square(x)), twice: tf.add(x, x) };
  });
  for (const values of [
    [1, 2],
    [3, 4],
    [5, 6],
  ]) {
    const { sum, twice } = squares.call({ x: tf.tensor1d(values) });
    assert.equal(sum.dataSync()[0], values[0]! ** 2 + values[1]! ** 2);
    assert.deepEqual([...twice.dataSync()], [2 * values[0]!, 2 * values[1]!]);
  }
  assert.equal(runs, 1);
  assert.equal(squares.captures, 1);
  const x = tf.tensor1d([7, 8]);
  assert.equal(
    countKernels(() => squares.call({ x })),
    1,
  );
  squares.call({ x: tf.tensor1d([1, 2, 3]) });
  assert.equal(squares.captures, 2, 'one graph per shape');
  squares.dispose();
});

test('graphs of several shapes and eager code share one variable and keep the order of reads and writes', () => {
  const variable = new ResourceVariable(tf.tensor1d([0]));
  const add = tensorFunction(({ x }: { x: ReturnType<typeof tf.tensor1d> }) => {
    const before = variable.read();
    variable.assign(tf.add(before, tf.sum(x).reshape([1])));
    const between = variable.read();
    variable.add(tf.tensor1d([100]));
    return { before, between, after: variable.read() };
  });
  let expected = 0;
  for (const values of [[1], [1, 2], [3], [3, 4], [5], [5, 6]]) {
    const results = add.call({ x: tf.tensor1d(values) });
    const sum = values.reduce((a, b) => a + b);
    const actual = Object.fromEntries(Object.entries(results).map(([name, value]) => [name, value.dataSync()[0]]));
    assert.deepEqual(actual, { before: expected, between: expected + sum, after: expected + sum + 100 });
    expected += sum + 100;
    assert.equal(variable.data()[0], expected);
    variable.assign(tf.tensor1d([++expected]));
  }
  assert.equal(add.captures, 2);
  variable.dispose();
  assert.throws(() => add.call({ x: tf.tensor1d([1]) }), failure(ArgumentError, 'ARGUMENT_VARIABLE_DISPOSED'));
  add.dispose();
});

test('a thousand calls, and graphs beyond the limit, leak no tensors', () => {
  const variable = zerosVariable([64, 64]);
  const step = tensorFunction(
    ({ x }: { x: ReturnType<typeof tf.tensor2d> }) => {
      variable.add(tf.matMul(x, x, true));
      return { sum: tf.sum(variable.read()) };
    },
    { limit: 3 },
  );
  const call = (rows: number) =>
    tf.tidy(() => {
      step.call({ x: tf.ones([rows, 64]) });
    });
  call(1);
  const tensors = tf.memory().numTensors;
  const nativeTensors = binding.getNumOfTensors();
  for (let i = 0; i < 1000; i++) call(1);
  for (let rows = 2; rows < 10; rows++) for (let i = 0; i < 2; i++) call(rows);
  assert.equal(tf.memory().numTensors, tensors);
  assert.equal(binding.getNumOfTensors(), nativeTensors);
  assert.equal(step.captures, 9);
  call(1);
  assert.equal(step.captures, 10, 'the graph of the first shape was removed');
  call(9);
  assert.equal(step.captures, 10, 'the graph of the last shape is still there');
  step.dispose();
  variable.dispose();
});

test('random numbers depend on the seed of each call, not on the seed at capture', () => {
  const draw = tensorFunction(({ seed }: { seed: ReturnType<typeof tf.tensor1d> }) => ({
    numbers: statelessNormal([4], tf.add(seed, tf.tensor1d([0, 1], 'int32'))),
  }));
  const numbers = (seed: number) => [...draw.call({ seed: tf.tensor1d([1, seed], 'int32') }).numbers.dataSync()];
  const first = numbers(1);
  assert.deepEqual(numbers(1), first);
  assert.notDeepEqual(numbers(2), first);
  draw.dispose();
});

test('the error for code that cannot be captured names kernel and line; eager code still works afterwards', () => {
  const captureError = (
    body: (inputs: { x: ReturnType<typeof tf.tensor1d> }) => Record<string, ReturnType<typeof tf.ones>>,
  ) => {
    const captured = tensorFunction(body, { name: 'the example' });
    try {
      captured.call({ x: tf.tensor1d([1, 2]) });
    } catch (error) {
      assert.ok(error instanceof CaptureError, String(error));
      return error.message;
    }
    return assert.fail('The capture succeeded.');
  };
  assert.match(
    captureError(({ x }) => ({ y: tf.mul(x, tf.sum(x).dataSync()[0]!) })),
    /^the example cannot be captured: the result of Sum is read back to JavaScript, at .*function\.test\.[jt]s:\d+:\d+\)?\. Return it/,
  );
  assert.match(
    captureError(({ x }) => ({ y: tf.mul(x, x.dataSync()[0]!) })),
    /an input is read back/,
  );
  const earlier = tf.square(tf.tensor1d([3, 4]));
  assert.match(
    captureError(({ x }) => ({ y: tf.add(x, earlier) })),
    /Add\w* takes a tensor created before the capture, at .*function\.test\.[jt]s:\d+.*Pass it as an input/,
  );
  assert.match(
    captureError(() => ({ y: tf.square(tf.tensor1d(new Float32Array(1 << 19))) })),
    /Square takes a constant of 2097152 bytes/,
  );
  assert.match(
    captureError(({ x }) => {
      new ResourceVariable(x);
      return {};
    }),
    /it creates or disposes of a variable/,
  );
  assert.match(
    captureError(({ x }) => ({
      y: execute('Unique', [typeAttribute('float32'), typeAttribute('int32', 'out_idx')], [x], 2)[0]!,
    })),
    /the shape of the result of Unique depends on values, at .*Compute it outside the function/,
  );
  const asynchronous = (() => Promise.resolve({})) as never;
  assert.match(captureError(asynchronous), /it is asynchronous/);
  const variable = new ResourceVariable(tf.tensor1d([1, 2]));
  assert.match(
    captureError(({ x }) => {
      variable.dispose();
      return { y: x };
    }),
    /it creates or disposes of a variable/,
  );
  assert.equal(variable.isDisposed, false);
  assert.match(
    captureError(({ x }) => {
      variable.add(x);
      return { y: tf.mul(x, variable.read().dataSync()[0]!) };
    }),
    /the result of ReadVariableOp is read back/,
  );
  assert.deepEqual([...variable.data()], [1, 2], 'the code changed no variable');
  variable.dispose();
  const mutable = tf.variable(tf.tensor1d([1, 2]));
  assert.match(
    captureError(({ x }) => ({ y: tf.add(x, mutable) })),
    /Add\w* takes a tensor created before the capture/,
  );
  assert.match(
    captureError(({ x }) => {
      mutable.assign(tf.square(x));
      return {};
    }),
    /it keeps a tensor/,
  );
  mutable.dispose();
  let kept: ReturnType<typeof tf.ones> | undefined;
  assert.match(
    captureError(({ x }) => ({ y: (kept = tf.keep(tf.square(x))) })),
    /it keeps a tensor \(tf\.keep, tf\.variable\).*Return it/,
  );
  kept!.dispose();
  // The number of tensors is the same afterwards.
  let state = tf.scalar(1);
  assert.match(
    captureError(({ x }) => {
      const next = tf.keep(tf.sum(x).asScalar());
      state.dispose();
      state = next;
      return {};
    }),
    /it keeps a tensor/,
  );
  state.dispose();
  const swallow = (read: (x: ReturnType<typeof tf.tensor1d>) => unknown) =>
    captureError(({ x }) => {
      try {
        void Promise.resolve(read(x)).catch(() => {});
      } catch {
        // The values are not needed.
      }
      return { y: x };
    });
  assert.match(
    swallow((x) => x.dataSync()),
    /an input is read back/,
  );
  assert.match(
    swallow((x) => x.data()),
    /an input is read back/,
  );
  for (const result of [1, tf.scalar(1), { y: 1 }, { y: { z: 1 } }, undefined])
    assert.match(captureError((() => result) as never), /it does not return tensors by name/);
  assert.match(
    captureError(({ x }) => {
      x.dispose();
      return {};
    }),
    /it disposes of an input/,
  );
  assert.match(
    captureError(() => ({ y: execute('StringLength', [], [tf.tensor1d(['word'])])[0]! })),
    /StringLength takes a constant of strings/,
  );
  assert.deepEqual([...tf.add(earlier, 1).dataSync()], [10, 17]);
});

test('a captured function can return an input, a constant, and the same result twice', () => {
  const captured = tensorFunction(({ x }: { x: ReturnType<typeof tf.tensor1d> }) => {
    const square = tf.square(x);
    return { x, constant: tf.tensor1d([7]), square, again: square };
  });
  for (const value of [2, 3]) {
    const results = captured.call({ x: tf.tensor1d([value]) });
    assert.deepEqual(
      Object.entries(results).map(([name, result]) => [name, result.dataSync()[0]]),
      [
        ['x', value],
        ['constant', 7],
        ['square', value ** 2],
        ['again', value ** 2],
      ],
    );
  }
  captured.dispose();
});

test('workers capture at the same time', async () => {
  const module = (name: string) => JSON.stringify(import.meta.resolve(`#lib/tensorflow/${name}.js`));
  const code = `
    import { parentPort } from 'node:worker_threads';
    import { tensorFunction } from ${module('function')};
    import { tf } from ${module('runtime')};
    let wrong = 0;
    for (let i = 0; i < 100; i++) {
      const captured = tensorFunction(({ x }) => ({ sine: tf.sin(x), cosine: tf.cos(x), square: tf.square(x), root: tf.sqrt(x) }));
      const { sine, cosine, square, root } = captured.call({ x: tf.tensor1d([0.5]) });
      const actual = [sine, cosine, square, root].map((tensor) => tensor.dataSync()[0]);
      const expected = [Math.sin(0.5), Math.cos(0.5), 0.25, Math.sqrt(0.5)];
      if (actual.some((value, j) => !(Math.abs(value - expected[j]) < 1e-6))) wrong++;
      captured.dispose();
    }
    parentPort.postMessage(wrong);`;
  const wrong = await Promise.all(
    [1, 2].map(async () => {
      const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`));
      const [count] = (await once(worker, 'message')) as [number];
      await worker.terminate();
      return count;
    }),
  );
  assert.deepEqual(wrong, [0, 0]);
});

test('a tensor shares no memory with the values that it was created from', () => {
  // TensorFlow could only use memory that is aligned to 64 bytes without copying it.
  const buffer = new ArrayBuffer(1024);
  for (let offset = 0; offset < 64; offset += 16) {
    const values = new Float32Array(buffer, offset, 16).fill(1);
    const id = binding.createTensor([16], binding.TF_FLOAT, values);
    values.fill(2);
    assert.deepEqual([...(binding.tensorDataSync(id) as Float32Array)], Array<number>(16).fill(1));
    binding.deleteTensor(id);
  }
});

test('one tensor passed for two inputs is distinguished from two tensors', () => {
  const difference = tensorFunction((inputs: Record<'a' | 'b', ReturnType<typeof tf.tensor1d>>) => ({
    y: tf.sub(inputs.a, inputs.b),
  }));
  const [one, two] = [tf.tensor1d([1]), tf.tensor1d([2])];
  for (let i = 0; i < 2; i++) {
    assert.equal(difference.call({ a: two, b: two }).y.dataSync()[0], 0);
    assert.equal(difference.call({ a: two, b: one }).y.dataSync()[0], 1);
    assert.equal(difference.call({ a: one, b: one }).y.dataSync()[0], 0);
  }
  assert.equal(difference.captures, 2);
  difference.dispose();
});

test('with eager, the code runs at every call', () => {
  let runs = 0;
  const eager = tensorFunction(({ x }: { x: ReturnType<typeof tf.tensor1d> }) => ({ y: tf.mul(x, ++runs) }), {
    eager: true,
  });
  assert.deepEqual(
    [1, 2].map(() => eager.call({ x: tf.tensor1d([2]) }).y.dataSync()[0]),
    [2, 4],
  );
  assert.equal(eager.captures, 0);
});

test('in the computation of a gradient, a function has one', () => {
  const square = tensorFunction(({ x }: { x: ReturnType<typeof tf.scalar> }) => ({ y: tf.square(x) }));
  const gradient = tf.grad((x) => tf.add(x, square.call({ x: x as ReturnType<typeof tf.scalar> }).y));
  assert.equal(gradient(tf.scalar(3)).dataSync()[0], 7);
  square.dispose();
});

test('a function called in another one, or kernel by kernel, returns no input itself', () => {
  const identity = (eager: boolean) =>
    tensorFunction(({ x }: { x: ReturnType<typeof tf.scalar> }) => ({ x }), { eager });
  const [inner, eager] = [identity(false), identity(true)];
  const outer = tensorFunction(({ x }: { x: ReturnType<typeof tf.scalar> }) => {
    inner.call({ x }).x.dispose();
    return { y: tf.square(x) };
  });
  const x = tf.scalar(3);
  assert.equal(outer.call({ x }).y.dataSync()[0], 9);
  eager.call({ x }).x.dispose();
  assert.equal(x.dataSync()[0], 3);
  outer.dispose();
});

test('a limit that is not a whole number from 1 is rejected', () => {
  for (const limit of [0, -1, 1.5, NaN])
    assert.throws(() => tensorFunction(() => ({}), { limit }), failure(ArgumentError, 'ARGUMENT_LIMIT_INVALID'));
});

test('XLA gives the same results', () => {
  const variable = new ResourceVariable(tf.tensor1d([1, 2, 3]));
  const functions = [false, true].map((jitCompile) =>
    tensorFunction(
      ({ x }: { x: ReturnType<typeof tf.tensor1d> }) => {
        variable.assign(tf.mul(variable.read(), tf.sigmoid(x)));
        return { y: tf.tanh(variable.read()), numbers: statelessNormal([3], tf.tensor1d([1, 2], 'int32')) };
      },
      { jitCompile },
    ),
  );
  const [uncompiled, compiled] = functions.map((captured) => {
    variable.assign(tf.tensor1d([1, 2, 3]));
    for (let i = 0; i < 2; i++) captured.call({ x: tf.tensor1d([0.5, 1, 2]) });
    return [...captured.call({ x: tf.tensor1d([0.5, 1, 2]) }).y.dataSync()];
  });
  uncompiled!.forEach((value, i) => assert.ok(Math.abs(value - compiled![i]!) < 1e-6));
  assert.ok(functions[1]!.captureSeconds > functions[0]!.captureSeconds);
  functions.forEach((captured) => captured.dispose());
  variable.dispose();
});
