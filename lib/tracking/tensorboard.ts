/**
 * Writes a run for TensorBoard: event files in the folder `tensorboard` of the run, as the journal's entries arrive.
 *
 * An event file is a sequence of records, each with its length and checksums (TFRecord, tensorflow/core/lib/io/record_writer.cc);
 * a record is an Event (tensorflow/core/util/event.proto). Names of the curves are those of Hugging Face's TensorBoardCallback.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { crc32c } from '@node-rs/crc32';
import protobuf from 'protobufjs';
import type { JournalEntry } from '../runs/journal.js';
import { isMultiLabel, isRegression, type RunMetrics } from '../runs/metrics.js';
import type { RunFolder } from '../runs/run-folder.js';
import { formatSetting, settingsList } from '../settings/settings.js';

/** The folder of event files in a run folder. */
export const tensorboardFolder = 'tensorboard';

/** The part of the messages that is written here, with the numbers of event.proto, summary.proto and tensor.proto. */
const messages = protobuf.parse(`
syntax = "proto3";
message Event {
  double wall_time = 1; int64 step = 2;
  oneof what { string file_version = 3; Summary summary = 5; SessionLog session_log = 7; }
}
message SessionLog { int32 status = 1; }
message Summary { repeated Value value = 1; }
message Value { string tag = 1; SummaryMetadata metadata = 9; oneof value { float simple_value = 2; TensorProto tensor = 8; } }
message SummaryMetadata { PluginData plugin_data = 1; }
message PluginData { string plugin_name = 1; }
message TensorProto { int32 dtype = 1; TensorShapeProto tensor_shape = 2; repeated bytes string_val = 8; }
message TensorShapeProto { repeated Dim dim = 2; }
message Dim { int64 size = 1; }
`).root;
const Event = messages.lookupType('Event');

/** TensorFlow's number of the type string. */
const stringType = 7;
/** SessionLog.START: of an earlier session, TensorBoard leaves out the events from this step on. */
const sessionStart = 1;

/** A checksum as TFRecord stores it, so that it is not that of data that contain checksums. */
function maskedChecksum(bytes: Uint8Array): number {
  const sum = crc32c(Buffer.from(bytes));
  return (((sum >>> 15) | (sum << 17)) + 0xa282ead8) >>> 0;
}

/** Writes one event as a record. */
function recordOf(event: object): Buffer {
  const data = Event.encode(Event.fromObject(event)).finish();
  const record = Buffer.alloc(data.length + 16);
  record.writeBigUInt64LE(BigInt(data.length));
  record.writeUInt32LE(maskedChecksum(record.subarray(0, 8)), 8);
  record.set(data, 12);
  record.writeUInt32LE(maskedChecksum(data), data.length + 12);
  return record;
}

type Curves = Record<string, number | null | undefined>;

/** The results of a run at its end. */
function curvesOfSummary(metrics: RunMetrics): Curves {
  if (metrics.command === 'adapt')
    return { 'test/loss': metrics.after.loss, 'test/perplexity': metrics.after.perplexity };
  if (isRegression(metrics)) {
    const { loss, rootMeanSquaredError, meanAbsoluteError, r2, pearson, spearman } = metrics.test;
    return {
      'test/loss': loss,
      'test/rmse': rootMeanSquaredError,
      'test/mae': meanAbsoluteError,
      'test/r2': r2,
      'test/pearson': pearson,
      'test/spearman': spearman,
    };
  }
  if (isMultiLabel(metrics)) {
    const { loss, micro, macro, subsetAccuracy, hammingLoss } = metrics.test;
    return {
      'test/loss': loss,
      'test/f1_micro': micro.f1,
      'test/f1_macro': macro.f1,
      'test/subset_accuracy': subsetAccuracy,
      'test/hamming_loss': hammingLoss,
    };
  }
  const { test } = metrics;
  return { 'test/accuracy': test.accuracy, 'test/loss': test.loss, 'test/f1': test.macro.f1 };
}

/** The event file of one start of a run. */
export class TensorboardWriter {
  readonly #file: string;
  readonly #run: RunFolder;
  #described = false;
  #lastStep = 0;

  constructor(run: RunFolder) {
    this.#run = run;
    const folder = run.path(tensorboardFolder);
    fs.mkdirSync(folder, { recursive: true });
    // TensorBoard reads the files of a folder in the order of their names.
    const seconds = String(Math.floor(Date.now() / 1000)).padStart(10, '0');
    this.#file = path.join(folder, `events.out.tfevents.${seconds}.${os.hostname()}.${process.pid}`);
    this.#write(Date.now(), 0, { fileVersion: 'brain.Event:2' });
  }

  #write(milliseconds: number, step: number, what: object): void {
    fs.appendFileSync(this.#file, recordOf({ wallTime: milliseconds / 1000, step, ...what }));
  }

  #writeCurves(milliseconds: number, step: number, curves: Curves): void {
    const value = Object.entries(curves).flatMap(([tag, simpleValue]) =>
      typeof simpleValue === 'number' ? [{ tag, simpleValue }] : [],
    );
    if (value.length > 0) this.#write(milliseconds, step, { summary: { value } });
  }

  /** Writes the settings as a text with a table. */
  #describe(milliseconds: number): void {
    const { settings, command } = this.#run.settings ?? {};
    if (!settings || this.#described) return;
    this.#described = true;
    const rows = settingsList
      .filter(({ name, only }) => (!only || only === command) && settings[name] !== undefined)
      .map(({ name }) => `| ${name} | ${formatSetting(name, settings[name])} |`);
    const text = ['| setting | value |', '| --- | --- |', ...rows].join('\n');
    const tensor = { dtype: stringType, tensorShape: { dim: [{ size: 1 }] }, stringVal: [Buffer.from(text)] };
    const value = [{ tag: 'settings', metadata: { pluginData: { pluginName: 'text' } }, tensor }];
    this.#write(milliseconds, 0, { summary: { value } });
  }

  /** Writes what an entry of the journal contains. */
  write(entry: JournalEntry): void {
    const milliseconds = Date.parse(entry.time);
    if (entry.kind === 'start' && entry.step > 0)
      this.#write(milliseconds, entry.step + 1, { sessionLog: { status: sessionStart } });
    else if (entry.kind === 'step') {
      this.#describe(milliseconds);
      this.#lastStep = entry.step;
      this.#writeCurves(milliseconds, entry.step, {
        'train/loss': entry.loss,
        'train/learning_rate': entry.learningRate,
        'train/grad_norm': entry.gradNorm,
        'train/epoch': entry.epoch,
        'train/samples_per_second': entry.samplesPerSecond,
        'eval/loss': entry.evalLoss,
        'eval/accuracy': entry.evalAccuracy,
        'eval/f1_micro': entry.evalMicroF1,
      });
    } else if (entry.kind === 'summary') this.#writeCurves(milliseconds, this.#lastStep, curvesOfSummary(entry));
  }
}
