/**
 * checkout: an app with the official Dapr SDK, unchanged. It calls `orders` by name, keeps state over HTTP and gRPC, publishes,
 * and hosts an actor. Each method does one thing and answers what it sent and what came back.
 */
import {
  ActorId,
  ActorProxyBuilder,
  CommunicationProtocolEnum,
  DaprClient,
  type DaprInvokerCallbackContent,
  DaprServer,
  HttpMethod,
  LogLevel,
} from '@dapr/dapr';
import { CartActor } from './cart-actor.js';

const PRICES: Readonly<Record<string, number>> = { loom: 120, shuttle: 35, yarn: 8 };
const logger = { level: LogLevel.Warn };

const server = new DaprServer({
  serverPort: process.env.APP_PORT ?? '6002',
  logger,
  // Short, so that the quickstart can show a cart that leaves memory and comes back.
  clientOptions: { logger, actor: { actorIdleTimeout: '1s', drainOngoingCallTimeout: '5s' } },
});
const http = server.client;
const grpc = new DaprClient({
  communicationProtocol: CommunicationProtocolEnum.GRPC,
  daprPort: process.env.DAPR_GRPC_PORT ?? '50001',
  logger,
});

type Method = (body: Readonly<Record<string, string>>, query: URLSearchParams) => Promise<unknown>;

const methods: Readonly<Record<string, { readonly verb: HttpMethod; readonly run: Method }>> = {
  price: {
    verb: HttpMethod.GET,
    run: async (_, query) => ({ price: PRICES[query.get('item') ?? ''] ?? 1 }),
  },
  /** Calls `orders` by name; `orders` calls back for the price and keeps the order. */
  buy: {
    verb: HttpMethod.POST,
    run: async ({ id }) => {
      const sent = { id, item: 'loom', quantity: 2 };
      return { sent, received: await http.invoker.invoke('orders', 'checkout', HttpMethod.POST, sent) };
    },
  },
  /** Saves over HTTP and reads over gRPC. */
  remember: {
    verb: HttpMethod.POST,
    run: async ({ id }) => {
      const sent = { key: `basket-${id}`, value: { id, items: ['loom', 'yarn'], open: true } };
      await http.state.save('statestore', [sent]);
      return { sent, received: await grpc.state.get('statestore', sent.key) };
    },
  },
  announce: {
    verb: HttpMethod.POST,
    run: async ({ id }) => {
      const sent = [1, 2, 3].map((parcel) => ({ order: id, parcel }));
      for (const message of sent) {
        const { error } = await http.pubsub.publish('pubsub', 'shipments', message);
        if (error) throw error;
      }
      return { sent };
    },
  },
  /** Calls the actor through the sidecar, as any app would, though it may live in this very process. */
  fill: {
    verb: HttpMethod.POST,
    run: async ({ id }) => {
      const cart = new ActorProxyBuilder<CartActor>(CartActor, http).build(new ActorId(`cart-${id}`));
      return { sent: { item: 'loom', quantity: 2 }, received: await cart.add('loom', 2) };
    },
  },
};

for (const [name, { verb, run }] of Object.entries(methods)) {
  await server.invoker.listen(
    name,
    async ({ body, query }: DaprInvokerCallbackContent) => {
      try {
        return await run(JSON.parse(body || '{}'), new URL(query ?? '/', 'http://checkout').searchParams);
      } catch (problem) {
        return { error: problem instanceof Error ? problem.message : String(problem) };
      }
    },
    { method: verb },
  );
}
await server.actor.init();
server.actor.registerActor(CartActor);
await server.start();
console.log(`checkout listens on ${process.env.APP_PORT}, its sidecar on ${process.env.DAPR_HTTP_PORT}`);

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    void Promise.all([server.stop(), grpc.stop()]).finally(() => process.exit(0));
  });
