import { type WrkRequest, wrk } from '../load/wrk.js';
import type { RowName, Topology } from '../types.js';
import { type LoadSpec, loadRow } from './load-row.js';

interface HttpSpec extends Pick<LoadSpec, 'about' | 'prime'> {
  readonly name: RowName;
  readonly topology: Omit<Topology, 'appProtocol'>;
  readonly request: WrkRequest;
}

const httpRow = ({ request, topology, ...rest }: HttpSpec) =>
  loadRow({
    ...rest,
    topology: { ...topology, appProtocol: 'http' },
    load: ({ target }, { connections, workDir }, seconds) =>
      wrk({ port: target.httpPort, request, seconds, connections, workDir }),
  });

const ping = '/v1.0/invoke/bench-app/method/ping';
export const invokeHttp = httpRow({
  name: 'invoke-http',
  about: 'GET by name, caller sidecar → app sidecar → app',
  topology: { hops: 2, appRole: 'plain' },
  prime: [{ path: ping }],
  request: { method: 'GET', path: ping },
});

export const invokeHttpMtls = httpRow({
  name: 'invoke-http-mtls',
  about: 'the same with every feature on: mTLS, access rules, resiliency, tracing, metrics (bare Envoy: mTLS)',
  topology: { hops: 2, appRole: 'plain', allFeatures: true },
  prime: [{ path: ping }],
  request: { method: 'GET', path: ping },
});

const stateBody = '[{"key":"bench","value":{"name":"a value of some length","count":12345,"tags":["one","two","three"]}}]';
const saveState = { method: 'POST', path: '/v1.0/state/statestore', body: stateBody };
export const stateGet = httpRow({
  name: 'state-get',
  about: 'GET of one key, in memory (bare Envoy: one hop to a plain Node server)',
  topology: { hops: 1, appRole: 'plain' },
  prime: [saveState, { path: '/v1.0/state/statestore/bench' }],
  request: { method: 'GET', path: '/v1.0/state/statestore/bench' },
});

export const stateSave = httpRow({
  name: 'state-save',
  about: 'POST of one key, in memory (bare Envoy: one hop to a plain Node server)',
  topology: { hops: 1, appRole: 'plain' },
  prime: [saveState],
  request: saveState,
});

const ACTORS = 64;
export const actorCall = httpRow({
  name: 'actor-call',
  about: `POST to one of ${ACTORS} actors in turn, caller sidecar → app sidecar → app`,
  topology: { hops: 2, appRole: 'actors' },
  prime: [{ method: 'POST', path: '/v1.0/actors/BenchActor/0/method/ping', body: '{}' }],
  request: { method: 'POST', path: '/v1.0/actors/BenchActor/%d/method/ping', ids: ACTORS, body: '{}' },
});
