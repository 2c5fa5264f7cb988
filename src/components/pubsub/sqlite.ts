import { randomUUID } from 'node:crypto';
import { isAbsolute, join } from 'node:path';
import type { ComponentDeps, ComponentFactory, ComponentSpec } from '../../blocks/component.js';
import type { PubSub } from '../../blocks/pubsub/contract.js';
import { readOptions } from '../options.js';
import { openDatabase } from '../sqlite/database.js';
import { SqliteBroker } from './sqlite-broker.js';
import { type SqliteBrokerOptions, sqliteOptions } from './sqlite-options.js';
import { createSchema } from './sqlite-schema.js';

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
