import { AbstractActor, ActorId, ActorProxyBuilder, DaprClient, DaprServer } from '@dapr/dapr';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ActorMesh, type MeshHost } from '../../support/actor-mesh.js';
import { freePort } from '../../support/ports.js';

interface Counter {
  add(by: number): Promise<number>;
  slow(label: string): Promise<string[]>;
  fail(): Promise<void>;
}

const lives: string[] = [];

class CounterActor extends AbstractActor implements Counter {
  #log: string[] = [];

  override async onActivate(): Promise<void> {
    lives.push(`activate ${this.getActorId().getId()}`);
  }

  override async onDeactivate(): Promise<void> {
    lives.push(`deactivate ${this.getActorId().getId()}`);
  }

  async add(by: number): Promise<number> {
    const states = this.getStateManager<number>();
    const [, before] = await states.tryGetState('count');
    const after = (before ?? 0) + by;
    await states.setState('count', after);
    await states.saveState();
    return after;
  }

  async slow(label: string): Promise<string[]> {
    this.#log.push(`${label} begins`);
    await new Promise((resolve) => setTimeout(resolve, 5));
    this.#log.push(`${label} ends`);
    return this.#log;
  }

  async fail(): Promise<void> {
    throw new Error('not today');
  }
}

const mesh = new ActorMesh();
let server: DaprServer;
let client: DaprClient;
let host: MeshHost;

beforeAll(async () => {
  const [appPort, apiPort] = [await freePort(), await freePort()];
  const options = { daprHost: '127.0.0.1', daprPort: String(apiPort) };
  server = new DaprServer({
    serverHost: '127.0.0.1',
    serverPort: String(appPort),
    clientOptions: { ...options, actor: { actorIdleTimeout: '1s' } },
  });
  await server.actor.init();
  await server.actor.registerActor(CounterActor);
  const started = server.start();
  const metadata = { id: 'counters', runtimeVersion: '1.0.0' };
  for (let attempt = 0; ; attempt++) {
    try {
      host = await mesh.add({
        name: 'h1',
        appId: 'counters',
        app: `http://127.0.0.1:${appPort}`,
        port: apiPort,
        routes: [
          {
            methods: ['GET'],
            versions: ['v1.0'],
            path: '/metadata',
            group: 'metadata',
            operation: 'GetMetadata',
            handle: () => metadata,
          },
        ],
      });
      break;
    } catch (error) {
      // The app does not listen yet.
      if (attempt === 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  await mesh.place('CounterActor', ['h1']);
  await started;
  client = new DaprClient(options);
});

afterAll(async () => {
  await client?.stop();
  await server?.stop();
  await mesh.close();
});

const counter = (id: string) => new ActorProxyBuilder<Counter>(CounterActor, client).build(new ActorId(id));

test('the SDK says what it hosts, and how long an actor may idle', () => {
  expect(host.runtime.hostedTypes).toEqual(['CounterActor']);
});

test('a proxy calls an actor that keeps its state', async () => {
  expect(await counter('a').add(2)).toBe(2);
  expect(await counter('a').add(3)).toBe(5);
  expect(await counter('a b:c').add(1)).toBe(1);
  expect((await mesh.store.get('counters||CounterActor||a||count'))?.value.toString()).toBe('5');
});

test('calls at the same time run one after the other', async () => {
  const logs = await Promise.all(['one', 'two', 'three'].map((label) => counter('busy').slow(label)));
  const log = logs.sort((a, b) => b.length - a.length)[0];
  for (let i = 0; i < 6; i += 2) expect(log?.[i]?.replace('begins', 'ends')).toBe(log?.[i + 1]);
});

test('an error of the actor reaches the caller, and the next call runs', async () => {
  await expect(counter('a').fail()).rejects.toThrow('ERR_ACTOR_INVOKE_METHOD');
  expect(await counter('a').add(1)).toBe(6);
});

test('an idle actor is deactivated and keeps its state for its next life', async () => {
  await counter('sleepy').add(1);
  while (!lives.includes('deactivate sleepy')) await new Promise((resolve) => setTimeout(resolve, 50));
  expect(await counter('sleepy').add(1)).toBe(2);
  expect(lives.filter((event) => event.endsWith('sleepy'))).toEqual(['activate sleepy', 'deactivate sleepy', 'activate sleepy']);
});
