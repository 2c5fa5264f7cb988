import type { ComponentTypes } from '../blocks/component-types.js';

/** Every component that Weft has: one line each, loaded on first use. */
export const componentTypes: ComponentTypes = {
  'state.in-memory': {
    block: 'state',
    versions: ['v1'],
    load: async () => (await import('./state/in-memory.js')).createInMemoryStore,
  },
  'state.sqlite': { block: 'state', versions: ['v1'], load: async () => (await import('./state/sqlite.js')).createSqliteStore },
  'pubsub.in-memory': {
    block: 'pubsub',
    versions: ['v1'],
    load: async () => (await import('./pubsub/in-memory.js')).createInMemoryPubSub,
  },
  'pubsub.sqlite': {
    block: 'pubsub',
    versions: ['v1'],
    load: async () => (await import('./pubsub/sqlite.js')).createSqlitePubSub,
  },
  'secretstores.local.env': {
    block: 'secrets',
    versions: ['v1'],
    load: async () => (await import('./secretstores/local-env.js')).createEnvSecretStore,
  },
  'secretstores.local.file': {
    block: 'secrets',
    versions: ['v1'],
    load: async () => (await import('./secretstores/local-file.js')).createFileSecretStore,
  },
};
