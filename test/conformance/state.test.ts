import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { createInMemoryStore } from '../../src/components/state/in-memory.js';
import { createSqliteStore } from '../../src/components/state/sqlite.js';
import { componentDeps, componentSpec } from '../support/component-deps.js';
import { stateConformance } from './state.js';

const dir = mkdtempSync(join(tmpdir(), 'weft-state-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const deps = componentDeps(dir);
let files = 0;

stateConformance({
  name: 'state.in-memory',
  capabilities: ['ETAG', 'TRANSACTIONAL', 'TTL', 'DELETE_WITH_PREFIX'],
  open: () => createInMemoryStore(componentSpec('state.in-memory'), deps),
});

stateConformance({
  name: 'state.sqlite',
  capabilities: ['ETAG', 'TRANSACTIONAL', 'TTL'],
  open: () => createSqliteStore(componentSpec('state.sqlite', { connectionString: join(dir, `${files++}.db`) }), deps),
});

stateConformance({
  name: 'state.sqlite in memory, without WAL',
  capabilities: ['ETAG', 'TRANSACTIONAL', 'TTL'],
  open: () => createSqliteStore(componentSpec('state.sqlite', { connectionString: ':memory:', disableWAL: 'true' }), deps),
});
