/**
 * Encodes a cluster for TensorFlow: a ServerDef (tensorflow/core/protobuf/tensorflow_server.proto) with the
 * configuration of the coordination service, which monitors the ranks. Names and numbers of fields are TensorFlow's.
 */
import protobuf from 'protobufjs';
import { portOf, type ClusterDefinition } from './cluster-definition.js';

const schema = `
syntax = "proto3";
package tensorflow;
message JobDef { string name = 1; map<int32, string> tasks = 2; }
message ClusterDef { repeated JobDef job = 1; }
message CoordinatedJob { string name = 1; int32 num_tasks = 2; }
message CoordinationServiceConfig {
  string service_type = 1; string service_leader = 2; bool enable_health_check = 3; int64 cluster_register_timeout_in_ms = 4;
  int64 heartbeat_timeout_in_ms = 5; repeated CoordinatedJob coordinated_job_list = 10;
  bool cluster_register_with_barrier = 14;
}
message Experimental {
  string collective_group_leader = 1; bool collective_nccl = 7; CoordinationServiceConfig coordination_config = 23;
}
message ConfigProto { Experimental experimental = 16; }
message ServerDef {
  ClusterDef cluster = 1; string job_name = 2; int32 task_index = 3; ConfigProto default_session_config = 4; string protocol = 5;
  int32 port = 6;
}
`;

const ServerDef = protobuf.parse(schema, { keepCase: true }).root.lookupType('tensorflow.ServerDef');

/** Timeouts and communication of a cluster. */
export interface ServerOptions {
  /** Milliseconds to wait for all ranks to join. */
  registerTimeout: number;
  /** Milliseconds without a heartbeat after which a rank is lost; detection takes up to twice as long. */
  heartbeatTimeout: number;
  /** Whether sums use NCCL, between GPUs. */
  nccl: boolean;
}

/** TensorFlow's name of a task. */
export const taskName = ({ job, index }: { job: string; index: number }): string =>
  `/job:${job}/replica:0/task:${index}`;

/** The serialized ServerDef of this process. */
export function serverDef(
  { tasks, rank }: ClusterDefinition,
  { registerTimeout, heartbeatTimeout, nccl }: ServerOptions,
): Uint8Array {
  const own = tasks[rank]!;
  const leader = taskName(tasks[0]!);
  const jobs = [...new Set(tasks.map(({ job }) => job))].map((name) => ({
    name,
    tasks: Object.fromEntries(tasks.filter(({ job }) => job === name).map(({ index, address }) => [index, address])),
  }));
  return ServerDef.encode(
    ServerDef.create({
      cluster: { job: jobs },
      job_name: own.job,
      task_index: own.index,
      protocol: 'grpc',
      port: portOf(own.address),
      default_session_config: {
        experimental: {
          collective_group_leader: leader,
          collective_nccl: nccl,
          coordination_config: {
            service_type: 'standalone',
            service_leader: leader,
            enable_health_check: true,
            // Joining waits for all ranks, so that a rank that never starts is detected here and not during training.
            cluster_register_with_barrier: true,
            cluster_register_timeout_in_ms: registerTimeout,
            heartbeat_timeout_in_ms: heartbeatTimeout,
            coordinated_job_list: jobs.map((job) => ({ name: job.name, num_tasks: Object.keys(job.tasks).length })),
          },
        },
      },
    }),
  ).finish();
}
