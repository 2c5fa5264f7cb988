import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findEnvoy } from '../../../src/agent/envoy/binary.js';
import { type GuardedChild, spawnGuarded } from '../../../src/lib/guard.js';
import { loadMaglev } from '../../../src/lib/maglev.js';

const HOSTS = Array.from({ length: 7 }, (_, i) => `orders-${(i * 7919 + 13).toString(16)}-${i}`);
const KEYS = Array.from({ length: 300 }, (_, i) => `Counter/${['a', 'user%20', 'x:', 'T%C3%BCr-'][i % 4]}${i}`);
// Two orders of the same endpoints: Envoy must not care, and neither must we.
const ORDERS = { straight: HOSTS, shuffled: [...HOSTS].sort((a, b) => (a.slice(-3) < b.slice(-3) ? 1 : -1)) };

const dir = mkdtempSync(join(tmpdir(), 'weft-maglev-'));
const servers: Server[] = [];
let envoy: GuardedChild;

beforeAll(async () => {
  for (const host of HOSTS) {
    const server = createServer((_, reply) => reply.end(host)).listen(join(dir, host));
    servers.push(server);
    await once(server, 'listening');
  }
  const config = join(dir, 'envoy.json');
  writeFileSync(config, JSON.stringify(bootstrap()));
  const { path } = await findEnvoy();
  envoy = spawnGuarded(path, ['-c', config, '--use-dynamic-base-id', '--concurrency', '1', '--log-level', 'error'], {
    stdio: 'ignore',
  });
  await listening(join(dir, 'in-shuffled'));
});

afterAll(async () => {
  if (envoy?.signal('SIGTERM')) await once(envoy.child, 'exit');
  for (const server of servers) server.close().closeAllConnections();
  rmSync(dir, { recursive: true });
});

test.each(Object.keys(ORDERS))('our table names the host that Envoy picks for 300 actors (endpoints %s)', async (order) => {
  const table = (await loadMaglev())(HOSTS);
  const seen = new Set<string>();
  for (const key of KEYS) {
    const picked = await get(join(dir, `in-${order}`), `/v1.0/actors/${key}/method/increment?by=1`);
    expect(table.owner(key), key).toBe(picked);
    seen.add(picked);
  }
  expect(seen.size).toBe(HOSTS.length);
});

function bootstrap(): unknown {
  const names = Object.keys(ORDERS) as (keyof typeof ORDERS)[];
  return { static_resources: { listeners: names.map(listener), clusters: names.map(cluster) } };
}

function cluster(order: keyof typeof ORDERS): unknown {
  return {
    name: order,
    type: 'STATIC',
    lb_policy: 'MAGLEV',
    common_lb_config: { healthy_panic_threshold: { value: 0 } },
    load_assignment: {
      cluster_name: order,
      endpoints: [
        {
          lb_endpoints: ORDERS[order].map((host) => ({
            endpoint: { address: { pipe: { path: join(dir, host) } } },
            metadata: { filter_metadata: { 'envoy.lb': { hash_key: host } } },
          })),
        },
      ],
    },
  };
}

function listener(order: keyof typeof ORDERS): unknown {
  const actor = { pattern: { regex: '^/v1\\.0/actors/([^/?]+/[^/?]+)/.*$' }, substitution: '\\1' };
  const route = {
    match: { prefix: '/' },
    route: { cluster: order, hash_policy: [{ header: { header_name: ':path', regex_rewrite: actor } }] },
  };
  return {
    name: order,
    address: { pipe: { path: join(dir, `in-${order}`) } },
    filter_chains: [
      {
        filters: [
          {
            name: 'envoy.filters.network.http_connection_manager',
            typed_config: {
              '@type': 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
              stat_prefix: order,
              normalize_path: true,
              route_config: { virtual_hosts: [{ name: 'all', domains: ['*'], routes: [route] }] },
              http_filters: [
                {
                  name: 'envoy.filters.http.router',
                  typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router' },
                },
              ],
            },
          },
        ],
      },
    ],
  };
}

function get(socketPath: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    request({ socketPath, path, headers: { host: 'weft' } }, async (reply) => {
      let body = '';
      for await (const chunk of reply) body += chunk;
      resolve(body);
    })
      .on('error', reject)
      .end();
  });
}

async function listening(socketPath: string): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    try {
      await get(socketPath, '/');
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  throw new Error(`Envoy does not listen on ${socketPath}`);
}
