import { endpointSecretSource } from '../../src/agent/external/endpoint-sds.js';
import type { SdsServer } from '../../src/agent/identity/sds-server.js';
import { followEndpointSecrets } from '../../src/blocks/external/endpoint-secrets.js';
import { HttpEndpoint } from '../../src/gen/weft/config/v1/config.js';
import { systemClock } from '../../src/lib/clock.js';
import { silentLogger } from '../../src/telemetry/logger.js';
import type { Snapshot } from '../../src/xds/resource.js';
import { resourceTypes } from '../../src/xds/resource-types.js';
import { fakeConfigSource } from './config-source.js';

export interface RigSecrets {
  /** Takes what the instance's filter service would get. */
  apply(snapshot: Snapshot | undefined): Promise<void>;
  close(): void;
}

/** What a sidecar does for the secrets of its external services, in the rig: no store, values and the environment only. */
export function serveEndpointSecrets(sds: SdsServer): RigSecrets {
  const source = fakeConfigSource();
  const readSecret = () => Promise.reject(new Error('the rig has no secret stores'));
  const secrets = followEndpointSecrets({
    source,
    host: { readSecret, onChange: () => () => {} },
    env: process.env,
    clock: systemClock,
    logger: silentLogger,
  });
  sds.add(endpointSecretSource(secrets));
  let names: readonly string[] = [];
  return {
    close: () => secrets.close(),
    async apply(snapshot) {
      const all = [...(snapshot?.get(resourceTypes.externalEndpoint)?.values() ?? [])];
      const removed = names.filter((name) => !all.some((it) => it.name === name));
      names = all.map(({ name }) => name);
      const updated = Object.fromEntries(all.map(({ name, bytes }) => [name, HttpEndpoint.decode(bytes)]));
      await source.push('externalEndpoint', updated, removed);
    },
  };
}
