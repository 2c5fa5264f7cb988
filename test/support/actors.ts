import type { ActorApp, AppTurn } from '../../src/blocks/actors/app-http.js';
import { type ActorTypeConfig, DEFAULT_ACTOR_CONFIG } from '../../src/blocks/actors/config.js';
import { type ActorAnswer, type ActorRuntime, createActorRuntime } from '../../src/blocks/actors/runtime.js';
import type { HttpReply } from '../../src/blocks/app/channel.js';
import type { ConfigApply, ConfigSource } from '../../src/blocks/config-source.js';
import type { ActorPlacement } from '../../src/gen/weft/config/v1/config.js';
import { loadMaglev } from '../../src/lib/maglev.js';
import { silentLogger } from '../../src/telemetry/logger.js';
import { createFakeClock, type FakeClock } from './fake-clock.js';

export const buildTable = await loadMaglev();

/** Resolves when everything that is ready to run has run. */
export const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

/** @returns a placement resource; hosts are named by instance id */
export function placementOf(actorType: string, generation: number, hosts: readonly string[]): ActorPlacement {
  return {
    namespace: 'default',
    actorType,
    generation,
    hosts: hosts.map((instanceId) => ({ instanceId, appId: 'app', address: '127.0.0.1', port: 1 })),
  };
}

export const changeOf = (...placements: ActorPlacement[]) => ({
  updated: new Map(placements.map((placement) => [`default/${placement.actorType}`, placement])),
  removed: [],
});

/** An app whose turns last until the test ends them, and which notes what it was told. */
export class TestActorApp implements ActorApp {
  readonly log: string[] = [];
  /** Turns that run now, by `<type>/<id>`. */
  readonly running = new Map<string, { end(reply?: Partial<HttpReply>): void; readonly turn: AppTurn }>();
  /** True: turns end by themselves. */
  instant = false;

  invoke(turn: AppTurn): Promise<HttpReply> {
    const name = `${turn.type}/${turn.id}`;
    this.log.push(`${turn.method} ${name}`);
    if (this.instant) return Promise.resolve({ status: 200, headers: {}, body: Buffer.from(turn.method) });
    return new Promise((resolve, reject) => {
      const end = (reply: Partial<HttpReply> = {}) => {
        this.running.delete(name);
        resolve({ status: 200, headers: {}, body: Buffer.from(turn.method), ...reply });
      };
      this.running.set(name, { end, turn });
      turn.signal.addEventListener('abort', () => {
        this.running.delete(name);
        reject(turn.signal.reason);
      });
    });
  }

  async deactivate(type: string, id: string): Promise<void> {
    this.log.push(`DELETE ${type}/${id}`);
  }
}

export interface TestHost {
  readonly name: string;
  readonly app: TestActorApp;
  readonly runtime: ActorRuntime;
  readonly clock: FakeClock;
  lease: boolean;
  /** Connections to the control plane so far. */
  connection: number;
  /** Hands placements over as the xDS client would; resolves with the ACK. */
  place: ConfigApply<ActorPlacement>;
  call(id: string, method?: string, headers?: Record<string, string>): Promise<ActorAnswer>;
}

/** @returns a host of the type `Counter` without any placement yet */
export async function startHost(name: string, config: Partial<ActorTypeConfig> = {}): Promise<TestHost> {
  const app = new TestActorApp();
  const clock = createFakeClock();
  let place: ConfigApply<ActorPlacement> | undefined;
  const source = {
    on: (_kind: string, apply: ConfigApply<ActorPlacement>) => (place = apply),
    renew: () => ++host.connection,
  } as unknown as ConfigSource;
  const host: Omit<TestHost, 'runtime' | 'place' | 'call'> = { name, app, clock, lease: true, connection: 1 };
  const runtime = createActorRuntime({
    instanceId: name,
    namespace: 'default',
    app,
    config: source,
    buildTable,
    clock,
    logger: silentLogger,
    leaseValid: () => host.lease,
  });
  await runtime.host({ types: new Map([['Counter', { ...DEFAULT_ACTOR_CONFIG, ...config }]]), problems: [] });
  return Object.assign(host, {
    runtime,
    place: place as ConfigApply<ActorPlacement>,
    call: (id: string, method = 'go', headers = {}) => runtime.execute({ type: 'Counter', id, method, headers, remote: false }),
  });
}
