import { expect, it } from 'vitest';
import { bootstrapOf, splitHostPort } from '../../../../src/agent/envoy/bootstrap.js';

const bootstrap = (controlPlane: string) =>
  bootstrapOf({
    node: { role: 'envoy', namespace: 'default', appId: 'orders', instanceId: 'orders-1' },
    controlPlane,
    adminSocket: '/run/x/admin.sock',
    sdsSocket: '/run/x/sds.sock',
    mtls: false,
  }) as never as {
    node: unknown;
    admin: unknown;
    dynamic_resources: { ads_config: { api_type: string; grpc_services: { envoy_grpc: { cluster_name: string } }[] } };
    static_resources: { clusters: { name: string; type: string; load_assignment: unknown }[] };
  };

it('names the node as the control plane knows it, and keeps the admin interface off the network', () => {
  const { node, admin } = bootstrap('127.0.0.1:18000');
  expect(node).toEqual({ id: 'envoy~default~orders~orders-1', cluster: 'default/orders' });
  expect(admin).toEqual({ address: { pipe: { path: '/run/x/admin.sock', mode: 0o600 } } });
});

it('asks for everything over one delta ADS stream to the control plane cluster', () => {
  const { dynamic_resources, static_resources } = bootstrap('127.0.0.1:18000');
  expect(dynamic_resources.ads_config.api_type).toBe('DELTA_GRPC');
  expect(dynamic_resources.ads_config.grpc_services[0]?.envoy_grpc.cluster_name).toBe('weft-control-plane');
  expect(static_resources.clusters.map(({ name }) => name)).toContain('weft-control-plane');
});

it.each([
  ['127.0.0.1:18000', 'STATIC'],
  ['[::1]:18000', 'STATIC'],
  ['weft-control-plane.mesh:18000', 'STRICT_DNS'],
])('resolves %s as %s', (address, type) => {
  expect(bootstrap(address).static_resources.clusters[1]?.type).toBe(type);
});

it('takes the brackets off an IPv6 host', () => {
  expect(splitHostPort('[::1]:18000')).toEqual({ host: '::1', port: 18000 });
});
