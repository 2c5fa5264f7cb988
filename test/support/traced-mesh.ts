import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpRequest, type RequestOptions } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from './eventually.js';
import { type AppRequest, startHttpApp, type TestHttpApp } from './http-app.js';
import { createMesh, type Mesh, type SidecarProcess } from './mesh.js';

/** Two apps whose calls take every way: shop calls worker, worker saves and publishes, its subscription calls an actor that lives at shop. */
export interface TracedMesh {
  readonly mesh: Mesh;
  readonly shop: SidecarProcess;
  readonly worker: SidecarProcess;
  /** What the apps got. */
  readonly shopApp: TestHttpApp;
  readonly workerApp: TestHttpApp;
  /** Writes the Configuration of both anew. */
  configure(spec: string): void;
  close(): Promise<void>;
}

export const ACTOR = '/v1.0/actors/Counter/7/method/add';

export interface TracedMeshOptions {
  readonly door: 'envoy' | 'service';
  readonly args?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** What the control plane's own Configuration says below `spec:`. */
  readonly profile?: string;
}

const HEAD = 'apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata: {name: tracing}\nspec:\n';

/** @param spec below `spec:` of the Configuration, indented by two */
export async function startTracedMesh(spec: string, options: TracedMeshOptions): Promise<TracedMesh> {
  const directory = mkdtempSync(join(tmpdir(), 'weft-traced-'));
  const profile = join(directory, 'profile.yaml');
  writeFileSync(profile, HEAD + (options.profile ?? '  {}'));
  const mesh = await createMesh(options.profile ? { controlPlane: ['--config', profile] } : {});
  const file = join(mesh.world.home, 'config.yaml');
  const configure = (text: string) => writeFileSync(file, `${HEAD}${text}\n`);
  configure(spec);
  let worker: SidecarProcess | undefined;
  const shopApp = await startHttpApp(({ url }) => {
    if (url === '/dapr/config') return { body: '{"entities":["Counter"]}' };
    return url.startsWith('/dapr/') ? { status: 404 } : { body: 'shop' };
  });
  const workerApp = await startHttpApp(async (request) => {
    const { url } = request;
    if (url === '/dapr/subscribe') return { body: '[{"pubsubname":"pubsub","topic":"orders","route":"/orders"}]' };
    if (url.startsWith('/dapr/')) return { status: 404 };
    if (url.startsWith('/work')) await work(worker as SidecarProcess, request);
    if (url === '/orders') await send(`${worker?.api}${ACTOR}`, request, 'PUT', '1');
    return { body: '{}' };
  });
  const start = (appId: string, app: TestHttpApp) =>
    mesh.sidecar({
      appId,
      appPort: Number(new URL(app.origin).port),
      door: options.door,
      args: ['--config', file, ...(options.args ?? [])],
      ...(options.env ? { env: options.env } : {}),
    });
  const shop = await start('shop', shopApp);
  worker = await start('worker', workerApp);
  await Promise.all([shop.ready(), worker.ready()]);
  // Where the actor lives is known a moment later.
  await eventually(async () => {
    const status = await request(`${worker?.api}${ACTOR}`, { method: 'PUT' });
    if (status !== 200) throw new Error(`the actor: ${status}`);
  });
  return {
    mesh,
    shop,
    worker,
    shopApp,
    workerApp,
    configure,
    async close() {
      await mesh.close();
      await Promise.all([shopApp.close(), workerApp.close()]);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

async function work(worker: SidecarProcess, request: AppRequest): Promise<void> {
  await send(`${worker.api}/v1.0/state/statestore`, request, 'POST', '[{"key":"a","value":1}]');
  await send(`${worker.api}/v1.0/publish/pubsub/orders`, request, 'POST', '{"id":1}');
}

/** On a connection of its own: one that was open before a change of the listener keeps the listener's old configuration until it ends. */
function request(url: string, options: RequestOptions, body = ''): Promise<number> {
  return new Promise((resolve, reject) => {
    const call = httpRequest(url, { ...options, agent: false }, (response) => {
      response.resume().once('end', () => resolve(response.statusCode ?? 0));
    });
    call.once('error', reject);
    call.end(body);
  });
}

/** As an instrumented app: the trace that it was called in goes on. */
async function send(url: string, { headers }: AppRequest, method: string, body: string): Promise<void> {
  const { traceparent, tracestate } = headers as Record<string, string | undefined>;
  const trace: Record<string, string> = { ...(traceparent ? { traceparent } : {}), ...(tracestate ? { tracestate } : {}) };
  const status = await request(url, { method, headers: { 'content-type': 'application/json', ...trace } }, body);
  if (status >= 300) throw new Error(`${url}: ${status}`);
}

/** Calls worker through shop's sidecar and waits until the actor has had its turn. @returns what the actor's app got with it */
export async function callThrough({ shop, shopApp }: TracedMesh, headers: Record<string, string> = {}): Promise<AppRequest> {
  const before = turns(shopApp).length;
  const status = await request(`${shop.api}/v1.0/invoke/worker/method/work?token=hidden`, { headers });
  if (status !== 200) throw new Error(`worker answered ${status}`);
  const end = performance.now() + 10_000;
  while (turns(shopApp).length === before) {
    if (performance.now() > end) throw new Error('the actor had no turn');
    await new Promise((wake) => setTimeout(wake, 10));
  }
  return turns(shopApp).at(-1) as AppRequest;
}

const turns = ({ seen }: TestHttpApp) => seen.filter(({ url }) => url.startsWith('/actors/Counter/7/method/'));

/** @returns every hop of {@link callThrough} in the order of its trace: service, kind and name of its span */
export function hopsOfCall(door: 'envoy' | 'service'): readonly string[] {
  // On the Envoy door a call of the API is Envoy's hop and the filter service's.
  const api = (name: string) => (door === 'envoy' ? [name, name] : [name]);
  return [
    'shop client CallLocal/worker/work',
    'worker server CallLocal/worker/work',
    ...api('worker client /v1.0/state/statestore'),
    ...api('worker client /v1.0/publish/pubsub/orders'),
    'worker consumer pubsub/orders',
    'worker client CallActor/Counter/add',
    'shop server CallActor/Counter/add',
    'shop internal CallActor/Counter/add',
  ];
}
