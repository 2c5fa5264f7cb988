import { describe, expect, it } from 'vitest';
import { renderConfigs } from '../../../../src/cli/commands/proxy-config.js';
import { renderProxies } from '../../../../src/cli/commands/proxy-status.js';
import type { ProxyStatus, SyncState, TypeStatus } from '../../../../src/control/status.js';
import { type ResourceTypeName, resourceTypes } from '../../../../src/xds/resource-types.js';

const plain = { paint: (_: unknown, text: string) => text };
const type = (name: ResourceTypeName, state: SyncState, more: Partial<TypeStatus> = {}): TypeStatus => ({
  typeUrl: resourceTypes[name],
  state,
  resources: 0,
  ...more,
});
const proxy = (appId: string, types: readonly TypeStatus[], connected = true): ProxyStatus => ({
  nodeId: `envoy~default~${appId}~1`,
  node: { role: 'envoy', namespace: 'default', appId, instanceId: '1' },
  connected,
  types,
});
const words = (text: string) => text.split('\n').map((line) => line.trim().split(/\s{2,}/));

describe('weft proxy-status', () => {
  it('has a row for each proxy, sorted, with a column for each kind of configuration', () => {
    const proxies = [proxy('b', [type('cluster', 'SYNCED'), type('endpoint', 'STALE')]), proxy('a', [], false)];
    expect(words(renderProxies(proxies, plain))).toEqual([
      ['NAME', 'CDS', 'EDS', 'LDS', 'RDS', 'BLOCKS', 'CONNECTED'],
      ['envoy~default~a~1', 'NOT SENT', 'NOT SENT', 'NOT SENT', 'NOT SENT', 'NOT SENT', 'no'],
      ['envoy~default~b~1', 'SYNCED', 'STALE', 'NOT SENT', 'NOT SENT', 'NOT SENT', 'yes'],
    ]);
  });

  it('shows the worst of the types that share a column', () => {
    const row = words(renderProxies([proxy('a', [type('component', 'NACKED'), type('configuration', 'SYNCED')])], plain))[1];
    expect(row?.[5]).toBe('NACKED');
  });

  it('says under the table what was refused, when, and in which words', () => {
    const nack = { message: 'no such filter', at: 0, resources: [{ name: 'inbound', version: 'abc' }] };
    const text = renderProxies([proxy('a', [type('listener', 'NACKED', { nack })])], plain);
    expect(text.split('\n').at(-1)).toBe(
      'envoy~default~a~1 refused Listener inbound@abc at 1970-01-01T00:00:00.000Z: no such filter',
    );
  });

  it('says when there is nothing', () => {
    expect(renderProxies([], plain)).toBe('No proxies are connected.');
  });
});

describe('weft proxy-config -o table', () => {
  it('has a row for each resource and says which were refused', () => {
    const resources = [
      { name: 'inbound', version: '1', accepted: true, config: {} },
      { name: 'self', version: '2', accepted: false, config: {} },
    ];
    expect(words(renderConfigs([{ nodeId: 'n', types: [{ type: 'listener', resources }] }])).slice(1)).toEqual([
      ['n', 'listener', 'inbound', '1', 'yes'],
      ['n', 'listener', 'self', '2', 'refused'],
    ]);
  });
});
