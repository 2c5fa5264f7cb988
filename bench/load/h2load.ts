import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LoadResult } from '../types.js';
import { runTool } from './tools.js';

export interface H2loadRun {
  readonly port: number;
  /** `/package.Service/Method` */
  readonly path: string;
  /** The protobuf message, without gRPC's five bytes in front. */
  readonly message: Buffer;
  readonly metadata: Readonly<Record<string, string>>;
  readonly seconds: number;
  readonly connections: number;
  readonly workDir: string;
}

/**
 * Closed loop of unary gRPC calls: each connection has one stream at a time. h2load does not look at `grpc-status`, so the
 * caller must compare with what the app has served. @throws Error when h2load fails
 */
export async function h2load(run: H2loadRun): Promise<LoadResult> {
  const body = join(run.workDir, 'h2load.body');
  const log = join(run.workDir, 'h2load.log');
  writeFileSync(body, frame(run.message));
  rmSync(log, { force: true });
  const headers = { 'content-type': 'application/grpc', te: 'trailers', ...run.metadata };
  const args = ['-t1', `-c${run.connections}`, '-m1', `-D${run.seconds}s`, `--log-file=${log}`, '-d', body];
  args.push(...Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]));
  await runTool('h2load', [...args, `http://127.0.0.1:${run.port}${run.path}`], run.seconds * 1000 + 20_000);
  return figures(readFileSync(log, 'utf8'), run.seconds);
}

function frame(message: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** Reads h2load's log: start time, HTTP status and microseconds of each request. */
export function figures(log: string, seconds: number): LoadResult {
  const times: number[] = [];
  let errors = 0;
  for (const line of log.split('\n')) {
    const [, status, micros] = line.split('\t');
    if (status === '200') times.push(Number(micros));
    else if (status !== undefined) errors += 1;
  }
  times.sort((a, b) => a - b);
  const at = (share: number) => (times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0) / 1000;
  return { requests: times.length, rps: times.length / seconds, p50Ms: at(0.5), p99Ms: at(0.99), errors };
}
