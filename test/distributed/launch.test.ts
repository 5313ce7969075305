// Starting ranks: TF_CONFIG, `tunebook launch` on one machine, under mpirun and under Slurm, and the manifests.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { ClusterDefinitionError, SettingsError } from '#lib/errors.js';
import { exitCodeOfRanks, isRestartable } from '#lib/distributed/local.js';
import { hostsOfMpi, hostsOfNodeList, tasksOfNodes } from '#lib/distributed/hosts.js';
import { placesFrom, type Scheduler, type SchedulerOptions } from '#lib/distributed/scheduler.js';
import { RunFolder } from '#lib/runs/run-folder.js';
import { isPublicAddress, rejectPublicAddresses } from '#lib/distributed/addresses.js';
import { clusterOfEnvironment } from '#lib/distributed/cluster-definition.js';
import { readJournal, recordsOf } from '#lib/runs/journal.js';
import { assertFailed, failure } from '../failure.js';
import { root } from '../checkout.js';
import { pythonWith } from '../python-environment.js';
import { finetuneTiny, writeStarsCsv, writeTinyModel, tunebook } from '../cli/command.js';
import { inNamespace, main } from './ranks.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-launch-'));
after(() => fs.rmSync(folder, { recursive: true }));
const inFolder = (...names: string[]) => path.join(folder, ...names);
const manifests = path.join(root, 'lib/distributed/manifests');
writeTinyModel(inFolder('model'));
writeStarsCsv(inFolder('stars.csv'));
const finetune = (run: string, ...more: string[]) => finetuneTiny(folder, run, ...more);

/** Starts a command in a network namespace. */
function run(command: string[], env: NodeJS.ProcessEnv = {}) {
  const [program, ...argv] = inNamespace(command);
  const child = spawn(program, argv, {
    cwd: root,
    env: { ...process.env, HF_HUB_OFFLINE: '1', DISABLE_MLFLOW_INTEGRATION: 'true', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  const ended = new Promise<{ code: number | null; output: string }>((resolve) =>
    child.on('close', (code) => resolve({ code, output })),
  );
  return { child, ended, printed: () => output };
}

/** The only place of a process that Slurm or MPI started. */
const placeFrom = (scheduler: Scheduler, options: SchedulerOptions, environment: NodeJS.ProcessEnv) =>
  placesFrom(scheduler, options, 0, environment)[0]!;

const launch = (...argv: string[]) => [process.execPath, main, 'launch', ...argv];

async function until(condition: () => boolean, message: string): Promise<void> {
  for (const end = Date.now() + 300_000; !condition();) {
    assert.ok(Date.now() < end, message);
    await pause(100);
  }
}

/** Lists the child processes of a process. */
const childrenOf = (id: number): number[] =>
  fs
    .readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        return (
          fs
            .readFileSync(`/proc/${name}/stat`, 'utf8')
            .replace(/^.*\) /, '')
            .split(' ')[1] === String(id)
        );
      } catch {
        return false;
      }
    })
    .map(Number);

const worker = ['10.0.0.1:2222', '10.0.0.2:2222'];
const config = (json: unknown) => ({ TF_CONFIG: typeof json === 'string' ? json : JSON.stringify(json) });

test('TF_CONFIG defines the cluster; invalid values are rejected', () => {
  const parse = (json: unknown) => clusterOfEnvironment(config(json));
  assert.equal(parse(''), undefined);
  assert.equal(parse({ cluster: { worker: [worker[0]] }, task: { type: 'worker', index: 0 } }), undefined);
  const chief = { chief: ['c:1'], worker, ps: [] };
  assert.deepEqual(parse({ cluster: chief, task: { type: 'worker', index: '1' }, environment: 'cloud' }), {
    rank: 2,
    tasks: [
      { rank: 0, job: 'chief', index: 0, address: 'c:1' },
      { rank: 1, job: 'worker', index: 0, address: worker[0] },
      { rank: 2, job: 'worker', index: 1, address: worker[1] },
    ],
  });
  const task = { type: 'worker', index: 0 };
  for (const [json, value] of [
    ['{', 'not valid JSON'],
    [{ cluster: { worker: 'a:1' } }, 'cluster.worker'],
    [{ cluster: { worker, ps: ['p:1'] }, task }, "'ps'"],
    [{ cluster: { worker } }, 'task'],
    [{ cluster: { worker }, task: { type: 'worker', index: 2 } }, 'worker 2'],
    [{ cluster: { worker: ['a:1', 'b'] }, task }, "'b' for worker 1"],
    [{ cluster: { worker: ['a:1', 'b:0'] }, task }, "'b:0' for worker 1"],
    [{ cluster: { worker: ['a:1', 'a:1'] }, task }, 'a:1 twice'],
  ] as const)
    assert.throws(
      () => parse(json),
      (error: unknown) => {
        failure(ClusterDefinitionError, 'TF_CONFIG_INVALID')(error);
        return (error as Error).message.includes(value);
      },
    );
});

test('public addresses of ranks and of this machine are rejected', async () => {
  for (const address of ['8.8.8.8', '172.32.0.1', '2001:4860::8888']) assert.ok(isPublicAddress(address), address);
  for (const address of [
    '10.1.2.3',
    '172.31.0.1',
    '192.168.0.1',
    '127.0.0.1',
    '100.64.1.1',
    '192.0.2.2',
    '::1',
    'fd00::1',
    'fe80::1',
  ])
    assert.ok(!isPublicAddress(address), address);
  const cluster = (...worker: string[]) =>
    clusterOfEnvironment(config({ cluster: { worker }, task: { type: 'worker', index: 0 } }))!;
  await rejectPublicAddresses(cluster('10.0.0.1:1', '[fd00::1]:2'), {});
  await assert.rejects(
    rejectPublicAddresses(cluster('10.0.0.1:1', '8.8.8.8:2'), {}),
    failure(ClusterDefinitionError, 'CLUSTER_ADDRESS_PUBLIC', { rank: 1, address: '8.8.8.8' }),
  );
  const publicInterface = { eth0: [{ family: 'IPv4', address: '9.9.9.9' }] } as unknown as NodeJS.Dict<
    os.NetworkInterfaceInfo[]
  >;
  await assert.rejects(
    rejectPublicAddresses(cluster('10.0.0.1:1', '10.0.0.2:1'), publicInterface),
    failure(ClusterDefinitionError, 'CLUSTER_ADDRESS_PUBLIC', { address: '9.9.9.9', interface: 'eth0' }),
  );
});

test('ranks and hosts are read from the variables of Slurm and MPI', () => {
  assert.deepEqual(hostsOfNodeList('login,node[08-10,12]x[1-2]'), [
    'login',
    'node08x1',
    'node08x2',
    'node09x1',
    'node09x2',
    'node10x1',
    'node10x2',
    'node12x1',
    'node12x2',
  ]);
  assert.deepEqual(tasksOfNodes('2(x3),1'), [2, 2, 2, 1]);
  assert.throws(() => hostsOfNodeList('node[a-b]'), failure(SettingsError, 'LAUNCH_HOSTS_INVALID', { value: 'a-b' }));
  assert.deepEqual(hostsOfMpi('a:2, b slots=3 max_slots=4,c'), [
    { name: 'a', slots: 2 },
    { name: 'b', slots: 3 },
    { name: 'c', slots: 1 },
  ]);
  fs.writeFileSync(inFolder('hosts'), '# two machines\na slots=2\n\nb slots=2\n');
  assert.deepEqual(hostsOfMpi(inFolder('hosts')).length, 2);
  assert.throws(() => hostsOfMpi('a b'), failure(SettingsError, 'LAUNCH_HOSTS_INVALID', { value: 'a b' }));

  const slurm = {
    SLURM_PROCID: '2',
    SLURM_STEP_NUM_TASKS: '3',
    SLURM_STEP_NODELIST: 'n[1-2]',
    SLURM_STEP_TASKS_PER_NODE: '2,1',
    SLURM_JOB_ID: '77',
    SLURMD_NODENAME: 'n2',
  };
  const place = placeFrom('slurm', {}, slurm);
  const [port] = place.addresses[0]!.match(/\d+$/)!;
  assert.deepEqual(place.addresses, [`n1:${port}`, `n1:${Number(port) + 1}`, `n2:${port}`]);
  assert.deepEqual([place.rank, place.localRank, place.localSize], [2, 0, 1]);
  assert.deepEqual(
    placeFrom('slurm', {}, { ...slurm, SLURM_PROCID: '0', SLURMD_NODENAME: 'n1' }).addresses,
    place.addresses,
  );
  assert.throws(
    () => placeFrom('slurm', {}, { ...slurm, SLURMD_NODENAME: 'n1' }),
    failure(SettingsError, 'LAUNCH_WRONG_HOST', { rank: 2, expected: 'n2', actual: 'n1' }),
  );
  assert.throws(
    () => placeFrom('slurm', {}, {}),
    failure(SettingsError, 'SETTING_MISSING', { names: ['SLURM_PROCID'] }),
  );

  const mpi = { OMPI_COMM_WORLD_RANK: '1', OMPI_COMM_WORLD_SIZE: '2', OMPI_COMM_WORLD_LOCAL_SIZE: '1' };
  assert.throws(() => placeFrom('mpi', {}, mpi), failure(SettingsError, 'SETTING_MISSING', { names: ['--hosts'] }));
  const here = placeFrom('mpi', { hosts: `elsewhere,${os.hostname()}`, port: 5000 }, mpi);
  assert.deepEqual(here.addresses, ['elsewhere:5000', `${os.hostname()}:5000`]);
  assert.throws(
    () => placeFrom('mpi', { hosts: 'a,b' }, mpi),
    failure(SettingsError, 'LAUNCH_WRONG_HOST', { rank: 1, expected: 'b', actual: os.hostname() }),
  );
  assert.throws(
    () => placeFrom('mpi', { hosts: 'a' }, { ...mpi }),
    failure(SettingsError, 'LAUNCH_TOO_FEW_SLOTS', { ranks: 2, slots: 1 }),
  );
});

test('the ranks of a pod of Kubernetes: one per GPU, from the completion index and the service', () => {
  const places = (index: number, gpus: number, name = `tunebook-node-0-${index}`) =>
    placesFrom('kubernetes', { nodes: 2, service: 'tunebook' }, gpus, { JOB_COMPLETION_INDEX: String(index) }, name);
  assert.deepEqual(places(1, 0), [
    {
      addresses: ['tunebook-node-0-0.tunebook:2222', 'tunebook-node-0-1.tunebook:2222'],
      rank: 1,
      localRank: 0,
      localSize: 1,
      host: 'tunebook-node-0-1.tunebook',
    },
  ]);
  const [, second] = places(1, 2);
  assert.deepEqual(second!.addresses, [
    'tunebook-node-0-0.tunebook:2222',
    'tunebook-node-0-0.tunebook:2223',
    'tunebook-node-0-1.tunebook:2222',
    'tunebook-node-0-1.tunebook:2223',
  ]);
  assert.deepEqual([second!.rank, second!.localRank, second!.localSize], [3, 1, 2]);
  assert.throws(() => places(2, 0), failure(SettingsError, 'LAUNCH_WRONG_HOST', { index: 2, nodes: 2 }));
  assert.throws(() => places(1, 0, 'pod'), failure(SettingsError, 'LAUNCH_WRONG_HOST', { pod: 'pod' }));
  const index = { JOB_COMPLETION_INDEX: '0' };
  for (const [options, environment, names] of [
    [{ nodes: 2, service: 's' }, {}, ['JOB_COMPLETION_INDEX']],
    [{ nodes: 2 }, index, ['--nodes', '--service']],
  ] as const)
    assert.throws(
      () => placesFrom('kubernetes', options, 0, environment),
      failure(SettingsError, 'SETTING_MISSING', { names }),
    );
});

test('a pod of Kubernetes trains', () => {
  const command = ['launch', '--from', 'kubernetes', '--nodes', '1', '--service', 'tunebook', ...finetune('pod')];
  const script = 'hostname tunebook-node-0-0 && exec "$@"';
  const { status, stdout, stderr } = spawnSync(
    'unshare',
    ['--map-root-user', '--uts', 'sh', '-c', script, 'sh', process.execPath, main, ...command],
    {
      cwd: root,
      encoding: 'utf8',
      env: { ...process.env, HF_HUB_OFFLINE: '1', DISABLE_MLFLOW_INTEGRATION: 'true', JOB_COMPLETION_INDEX: '0' },
    },
  );
  assert.equal(status, 0, stderr);
  assert.match(stdout, /Model +.*pod\/model/);
});

test('the exit code is that of the rank that failed first, and decides whether to restart', () => {
  const end = (code: number | null) => ({ rank: 0, code, signal: code === null ? ('SIGKILL' as const) : null });
  assert.equal(exitCodeOfRanks([end(0), end(0)]), 0);
  assert.equal(exitCodeOfRanks([end(null), end(138)]), 138);
  assert.equal(exitCodeOfRanks([end(138), end(3)]), 3);
  assert.deepEqual([0, 2, 3, 4, 5, 130, 143, 138, 1].map(isRestartable), [
    false,
    false,
    false,
    false,
    false,
    false,
    false,
    true,
    true,
  ]);
});

test('invalid and conflicting arguments are rejected', async () => {
  for (const [argv, code, value] of [
    [['launch', '--workers', '2', 'score'], 'LAUNCH_COMMAND_INVALID', "'score'"],
    [['launch', 'finetune'], 'SETTING_MISSING', '--workers'],
    [['launch', '--workers', '0', 'finetune'], 'SETTING_INVALID', "--workers is '0'"],
    [['launch', '--from', 'k8s', 'finetune'], 'SETTING_INVALID', "--from is 'k8s'"],
    [['launch', '--from', 'mpi', 'finetune'], 'SETTING_MISSING', 'OMPI_COMM_WORLD_RANK'],
  ] as const)
    assertFailed(await tunebook([...argv]), 2, 'SettingsError', code, value);
  const cluster = config({ cluster: { worker }, task: { type: 'worker', index: 0 } });
  const sweep = await tunebook(['sweep', '--seed', '1,2'], { env: cluster });
  assertFailed(sweep, 2, 'SettingsError', 'SETTING_CONFLICT', 'TF_CONFIG');
});

test('launch restarts all ranks from the last checkpoint after one is killed; ranks listen on loopback only', async () => {
  const { child, ended, printed } = run(
    launch(
      '--workers',
      '2',
      '--max-restarts',
      '1',
      ...finetune('again', '--epochs', '15', '--early-stopping-patience', '0', '--save-steps', '10'),
    ),
  );
  await until(() => /validation loss/.test(printed()), `no evaluation was printed:\n${printed()}`);
  const ranks = childrenOf(child.pid!);
  assert.equal(ranks.length, 2);
  const listening = fs
    .readFileSync(`/proc/${ranks[0]}/net/tcp6`, 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , , state]) => state === '0A');
  assert.equal(listening.length, 2);
  // ::ffff:127.0.0.1 in groups of four bytes.
  for (const [, local] of listening) assert.match(local!, /^0000000000000000FFFF00000100007F:/);
  const before = recordsOf(readJournal(inFolder('again'))).length;
  process.kill(ranks[1]!, 'SIGKILL');
  const { code, output } = await ended;
  assert.equal(code, 0, output);
  assert.match(output, /Rank 1 was killed by SIGKILL\./);
  assert.match(output, /Restarting all workers from the last checkpoint \(restart 1 of 1\)/);
  const { status } = new RunFolder(inFolder('again'));
  assert.deepEqual([status?.state, status?.starts], ['completed', 2]);
  const records = recordsOf(readJournal(inFolder('again')));
  assert.ok(before > 0 && records.length > before);
  records.forEach(({ step }, i) => assert.equal(step, i + 1));
});

const python = pythonWith('launch');

test('mpirun starts ranks', async () => {
  const mpirun = path.join(path.dirname(python), 'mpirun');
  const { code, output } = await run([
    mpirun,
    '--allow-run-as-root',
    '--oversubscribe',
    '-np',
    '2',
    ...launch('--from', 'mpi'),
    ...finetune('mpi', '--epochs', '1'),
  ]).ended;
  assert.equal(code, 0, output);
  assert.match(output, /rank 1 \(worker 1, 127\.0\.0\.1:\d+\) of 2/);
  assert.equal(new RunFolder(inFolder('mpi')).state, 'completed');
});

test("Slurm's batch script starts ranks, and requeues the job if one was lost", async () => {
  const script = path.join(manifests, 'slurm.sh');
  fs.mkdirSync(inFolder('bin'));
  const stub = (name: string, text: string) =>
    fs.writeFileSync(inFolder('bin', name), `#!/bin/bash\n${text}\n`, { mode: 0o755 });
  // Imitates srun: starts two tasks on this node and exits with the highest exit code.
  stub(
    'srun',
    `shift; worst=0; ids=()
for rank in 0 1; do
  SLURM_PROCID=$rank SLURM_LOCALID=$rank SLURM_STEP_NUM_TASKS=2 SLURM_STEP_NODELIST=127.0.0.1 SLURM_STEP_TASKS_PER_NODE=2 \\
    SLURM_STEP_ID=0 SLURMD_NODENAME=127.0.0.1 "$@" & ids+=($!)
done
for id in "\${ids[@]}"; do wait "$id"; code=$?; (( code > worst )) && worst=$code; done
exit $worst`,
  );
  stub('scontrol', 'echo "scontrol $*"');
  const env = { PATH: `${inFolder('bin')}:${process.env['PATH']}`, SLURM_JOB_ID: '4711' };
  const argv = finetune('unused', '--epochs', '1').slice(1, -4);
  const { code, output } = await run(['bash', script, ...argv, '--run-folder', inFolder('slurm')], env).ended;
  assert.equal(code, 0, output);
  assert.match(output, /rank 1 \(worker 1, 127\.0\.0\.1:\d+\) of 2/);
  assert.equal(new RunFolder(inFolder('slurm')).state, 'completed');
  stub('srun', 'exit 138');
  const lost = await run(['bash', script], env).ended;
  assert.equal(lost.code, 138);
  assert.match(lost.output, /scontrol requeue 4711/);
  stub('srun', 'exit 2');
  assert.doesNotMatch((await run(['bash', script], env).ended).output, /scontrol/);
});

test('the manifests match the schemas of Kubeflow, JobSet and Kubernetes', () => {
  const check = (input: string) =>
    spawnSync(python, [path.join(root, 'test/distributed/check_manifest.py')], { input, encoding: 'utf8' });
  const faults: Record<string, [change: (text: string) => string, fault: RegExp][]> = {
    'tfjob.yaml': [
      [(text) => text.replace('tfReplicaSpecs:', 'tfReplicas:'), /tf_replica_specs/],
      [(text) => text.replace('podSelector', 'podSelektor'), /podSelektor is unknown/],
    ],
    'jobset.yaml': [
      [(text) => text.replace('restartPolicy: Never', 'restart: Never'), /template\.spec\.restart is unknown/],
      [(text) => text.replace('maxRestarts: 40', 'maxRestarts: many'), /maxRestarts: Input should be a valid integer/],
    ],
    'trainjob.yaml': [[(text) => text.replace('runtimeRef:', 'runtime:'), /TrainJob\.runtimeRef: Input should be/]],
  };
  for (const [name, changes] of Object.entries(faults)) {
    const text = fs.readFileSync(path.join(manifests, name), 'utf8');
    const good = check(text);
    assert.deepEqual([good.status, good.stdout], [0, ''], good.stderr);
    for (const [change, fault] of changes) assert.match(check(change(text)).stdout, fault);
  }
});

test("Ray's script is valid Python", () => {
  const { status, stderr } = spawnSync(python, ['-m', 'py_compile', path.join(manifests, 'ray_ranks.py')], {
    encoding: 'utf8',
    env: { ...process.env, PYTHONPYCACHEPREFIX: inFolder('cache') },
  });
  assert.equal(status, 0, stderr);
});
