import { describe, expect, it } from 'vitest';
import type { ActorPlacement } from '../../../../src/model/mesh-model.js';
import { actorEndpoints, appEndpoints } from '../../../../src/xds/translate/endpoint.js';
import { instanceOf } from '../../../support/model.js';

interface Host {
  readonly endpoint: {
    readonly address: { readonly socketAddress?: { readonly address: string }; readonly pipe?: { readonly path: string } };
  };
  readonly healthStatus: string;
  readonly metadata?: { readonly filterMetadata: Record<string, Record<string, unknown>> };
}
interface Assignment {
  readonly endpoints?: readonly { readonly priority?: number; readonly lbEndpoints: readonly Host[] }[];
}

const app = { namespace: 'default', appId: 'orders', version: '' };
const one = instanceOf({ appId: 'orders', instanceId: 'one', address: '10.0.0.1' });
const two = instanceOf({ appId: 'orders', instanceId: 'two', address: '10.0.0.2' });
const where = ({ endpoint }: Host) => endpoint.address.socketAddress?.address ?? endpoint.address.pipe?.path;
/** Places by priority. */
const levels = (resource: { describe(): unknown }) =>
  ((resource.describe() as Assignment).endpoints ?? []).map(({ lbEndpoints }) => lbEndpoints.map(where));

describe('endpoints of an app', () => {
  it('are its ready instances that have an app, an Envoy that answers, and do not withdraw', () => {
    const others = [
      { ...two, instanceId: 'not ready', appReady: false },
      { ...two, instanceId: 'no app', appPort: 0 },
      { ...two, instanceId: 'silent', proxySilent: true },
      { ...two, instanceId: 'going', lease: 'withdrawn' as const },
    ];
    expect(levels(appEndpoints(app, [...others, one]))).toEqual([['10.0.0.1']]);
    expect(levels(appEndpoints(app, others))).toEqual([]);
  });

  it('keep an instance with a lost lease, unwell', () => {
    const { endpoints } = appEndpoints(app, [{ ...one, lease: 'lost' }, two]).describe() as Assignment;
    expect(endpoints?.[0]?.lbEndpoints.map(({ healthStatus }) => healthStatus)).toEqual(['DEGRADED', 'HEALTHY']);
  });

  it('put the asking instance first, by its own socket, and the others only behind it', () => {
    expect(levels(appEndpoints(app, [one, two], { own: two }))).toEqual([['/run/weft/two/self.sock'], ['10.0.0.1']]);
    expect(levels(appEndpoints(app, [one, { ...two, appReady: false }], { own: two }))).toEqual([['10.0.0.1']]);
  });
});

describe('endpoints of an actor type', () => {
  const placement: ActorPlacement = {
    namespace: 'default',
    actorType: 'Counter',
    generation: 1,
    hosts: [two, one].map(({ instanceId, appId, address, inboundPort }) => ({ instanceId, appId, address, port: inboundPort })),
  };

  it('are the placement’s hosts, all alike well, each with its instance id as hash key', () => {
    const { endpoints } = actorEndpoints(placement).describe() as Assignment;
    const hosts = endpoints?.[0]?.lbEndpoints ?? [];
    expect(hosts.map((host) => host.metadata?.filterMetadata['envoy.lb'])).toEqual([{ hash_key: 'one' }, { hash_key: 'two' }]);
    expect(new Set(hosts.map(({ healthStatus }) => healthStatus))).toEqual(new Set(['HEALTHY']));
  });

  it('have the same hash keys for the host itself, which is reached by its filter service’s socket', () => {
    const own = actorEndpoints(placement, one);
    expect(levels(own)).toEqual([['/run/weft/one/api.sock', '10.0.0.2']]);
    expect(JSON.stringify(own.describe())).toContain('"hash_key":"one"');
  });
});
