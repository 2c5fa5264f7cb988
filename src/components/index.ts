import type { ComponentType, ComponentTypes } from '../blocks/component-types.js';

/** Envoy does all of it, so one factory is enough for them. */
const nativeMiddleware: ComponentType = {
  block: 'middleware',
  versions: ['v1'],
  load: async () => (await import('./middleware/native.js')).createNativeMiddleware,
};
const clientSecretMiddleware: ComponentType = {
  ...nativeMiddleware,
  load: async () => (await import('./middleware/client-secret.js')).createClientSecretMiddleware,
};

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
  'middleware.http.ratelimit': nativeMiddleware,
  'middleware.http.routerchecker': nativeMiddleware,
  'middleware.http.compressor': nativeMiddleware,
  'middleware.http.oauth2': clientSecretMiddleware,
  'middleware.http.oauth2clientcredentials': clientSecretMiddleware,
  'middleware.http.bearer': {
    block: 'middleware',
    versions: ['v1'],
    load: async () => (await import('./middleware/bearer.js')).createBearer,
  },
  'middleware.http.extproc': {
    block: 'middleware',
    versions: ['v1'],
    load: async () => (await import('./middleware/module-file.js')).createModuleMiddleware,
  },
  'middleware.http.routeralias': {
    block: 'middleware',
    versions: ['v1'],
    load: async () => (await import('./middleware/router-alias.js')).createRouterAlias,
  },
  'middleware.http.uppercase': {
    block: 'middleware',
    versions: ['v1'],
    load: async () => (await import('./middleware/uppercase.js')).createUppercase,
  },
};
