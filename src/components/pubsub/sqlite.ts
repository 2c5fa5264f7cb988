import { randomUUID } from 'node:crypto';
import { isAbsolute, join } from 'node:path';
import type { ComponentDeps, ComponentFactory, ComponentSpec } from '../../blocks/component.js';
import type { PubSub } from '../../blocks/pubsub/contract.js';
import { duration, type Options, readOptions, text } from '../options.js';
import { openDatabase } from '../sqlite/database.js';
import { oneOf, wholeNumber } from './options.js';
import { SqliteBroker } from './sqlite-broker.js';
import { createSchema } from './sqlite-schema.js';

/** Names as Dapr's brokers have them, where they have them. */
export const sqliteOptions = {
  /** The broker's file; relative ones lie in the data directory. Default: one file for each component name, shared by all sidecars of this machine. */
  connectionString: text(''),
  /** Messages of one topic that are kept at most; more are refused. */
  maxLength: wholeNumber(100_000, 1),
  /** Messages that one subscription handles at a time. 1: strictly one after the other. */
  maxInFlight: wholeNumber(100, 1),
  /** How long a consumer may be silent before its messages go to another. It is not silent while a handler runs. */
  processingTimeout: duration(15_000),
  /** Until a failed message comes again, doubled each time up to `maxRedeliverInterval`. */
  redeliverInterval: duration(500),
  maxRedeliverInterval: duration(30_000),
  /** How long messages stay for consumer groups that do not exist yet. 0: a new group gets what is published from then on. */
  retention: duration(0),
  /** A consumer group without consumers for so long is forgotten, and what was kept for it. */
  consumerExpiry: duration(7 * 24 * 3_600_000),
  /** How long a call may wait for other processes' writes. */
  busyTimeout: duration(5_000),
  /** `full`: a published message survives a power cut; `normal`: a crash of any process, but not of the machine. */
  synchronous: oneOf('full', 'normal'),
};

export type SqliteBrokerOptions = Options<typeof sqliteOptions>;

/** @returns the durable broker that the sidecars of one machine share through a file, with nothing to install */
export const createSqlitePubSub: ComponentFactory<PubSub> = async (spec, deps) => {
  const options = readOptions(spec, sqliteOptions);
  if (options.processingTimeout < 100) throw new Error('metadata processingTimeout: must be 100ms or more');
  const path = brokerFile(options, spec, deps);
  const database = await openDatabase({ connectionString: path, busyTimeoutMs: options.busyTimeout, wal: true });
  try {
    // Checkpoints write and sync the whole file: never in between requests, see sqlite-checkpoint.ts.
    database.db.exec('PRAGMA wal_autocheckpoint = 0');
    await database.run(() => database.transaction(() => createSchema(database.db, path)));
    const consumer = `${deps.instanceId}/${randomUUID()}`;
    return new SqliteBroker({ database, path, options, consumer, logger: deps.logger });
  } catch (error) {
    database.close();
    throw error;
  }
};

function brokerFile({ connectionString }: SqliteBrokerOptions, spec: ComponentSpec, deps: ComponentDeps): string {
  const file = connectionString.replace(/^file:(\/\/)?/i, '') || `pubsub-${encodeURIComponent(spec.name)}.db`;
  if (file === ':memory:') throw new Error('metadata connectionString: use pubsub.in-memory instead of :memory:');
  return isAbsolute(file) ? file : join(deps.dataDir, file);
}
