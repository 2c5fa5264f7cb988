import { onTestFinished } from 'vitest';
import type { AppChannel } from '../../src/blocks/app/channel.js';
import type { AppCallback } from '../../src/blocks/app/grpc-callback.js';
import { createHttpChannel } from '../../src/blocks/app/http-channel.js';
import { createComponentHost } from '../../src/blocks/component-host.js';
import { createPubSubService, type PubSubService } from '../../src/blocks/pubsub/service.js';
import { componentTypes } from '../../src/components/index.js';
import { type Component, Subscription } from '../../src/gen/weft/config/v1/config.js';
import { silentLogger } from '../../src/telemetry/logger.js';
import { componentDeps, testDir } from './component-deps.js';
import { component, type FakeConfigSource, fakeConfigSource } from './config-source.js';
import { type AppReply, type AppRequest, startHttpApp, type TestHttpApp } from './http-app.js';

/** Quick redelivery, so that tests need not wait. */
export const QUICK = { redeliverInterval: '20ms', maxRedeliverInterval: '50ms' };

export interface PubSubFixture {
  readonly service: PubSubService;
  readonly source: FakeConfigSource;
  /** Messages of the log, warnings and errors. */
  readonly logged: string[];
}

export interface FixtureOptions {
  readonly app?: AppChannel;
  readonly callback?: AppCallback;
  readonly components?: Record<string, Component>;
  readonly appId?: string;
  readonly namespace?: string;
  readonly now?: () => number;
}

/** The block on real in-memory components (`pubsub` unless named otherwise), fed by a config source of the test's. Closed after the test. */
export async function pubsubFixture(options: FixtureOptions = {}): Promise<PubSubFixture> {
  const { appId = 'app', namespace = 'default', app = { kind: 'none' } } = options;
  const source = fakeConfigSource();
  const logged: string[] = [];
  const note = (message: string, fields?: Record<string, unknown>) =>
    void logged.push(`${message} ${JSON.stringify(fields ?? {})}`);
  const logger = { ...silentLogger, warn: note, error: note };
  const host = createComponentHost({ source, types: componentTypes, deps: { ...componentDeps(testDir(), appId), namespace } });
  const service = createPubSubService({
    appId,
    namespace,
    host,
    config: source,
    app,
    callback: options.callback,
    logger,
    now: options.now,
  });
  await source.push('component', options.components ?? { 'default/pubsub': component('pubsub', 'pubsub.in-memory', QUICK) });
  onTestFinished(async () => {
    await service.stop(0);
    await host.close();
  });
  return { service, source, logged };
}

export interface SubscribingApp extends TestHttpApp {
  readonly channel: AppChannel;
  /** Events so far: requests that are not for the list of subscriptions. */
  events(): AppRequest[];
}

/** An HTTP app that answers GET /dapr/subscribe with `subscriptions` (undefined: 404) and events as `answer` says. Closed after the test. */
export async function subscribingApp(
  subscriptions: unknown,
  answer: (request: AppRequest) => AppReply | Promise<AppReply> = () => ({}),
): Promise<SubscribingApp> {
  const app = await startHttpApp((request) => {
    if (request.url !== '/dapr/subscribe') return answer(request);
    return subscriptions === undefined ? { status: 404 } : { body: JSON.stringify(subscriptions) };
  });
  const http = createHttpChannel({ origin: app.origin });
  onTestFinished(async () => {
    await http.close();
    await app.close();
  });
  return {
    ...app,
    channel: { kind: 'http', http },
    events: () => app.seen.filter(({ url }) => url !== '/dapr/subscribe'),
  };
}

/** @returns a Subscription resource to `/events` of topic `orders`, changed by `change` */
export function subscription(change: Partial<Subscription> = {}): Subscription {
  const base = Subscription.fromPartial({
    name: 'sub',
    namespace: 'default',
    pubsubName: 'pubsub',
    topic: 'orders',
    defaultPath: '/events',
    source: 'resources/subscription.yaml',
  });
  return { ...base, ...change };
}

/** @returns what a publish of JSON needs */
export function publishing(data: unknown, change: Partial<Parameters<PubSubService['publish']>[0]> = {}) {
  const contentType = 'application/json';
  return {
    pubsubName: 'pubsub',
    topic: 'orders',
    data: Buffer.from(JSON.stringify(data)),
    contentType,
    metadata: {},
    trace: {},
    ...change,
  };
}
