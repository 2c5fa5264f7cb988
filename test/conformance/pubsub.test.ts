import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { createInMemoryPubSub } from '../../src/components/pubsub/in-memory.js';
import { createSqlitePubSub } from '../../src/components/pubsub/sqlite.js';
import { componentDeps, componentSpec } from '../support/component-deps.js';
import { pubsubConformance } from './pubsub.js';

const dir = mkdtempSync(join(tmpdir(), 'weft-pubsub-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const deps = componentDeps(dir);
let files = 0;

pubsubConformance({
  name: 'pubsub.in-memory',
  capabilities: [],
  open: (metadata) => createInMemoryPubSub(componentSpec('pubsub.in-memory', metadata), deps),
});

pubsubConformance({
  name: 'pubsub.sqlite',
  capabilities: ['MESSAGE_TTL', 'BULK_PUBLISH'],
  open: (metadata) =>
    createSqlitePubSub(componentSpec('pubsub.sqlite', { ...metadata, connectionString: `${files++}.db` }), deps),
});
