import { eventually, expectSame, parse, type QuickstartApi, StepFailure } from './api.js';

/** One row of the quickstart's table: the values that travelled, taken from both sides. */
export interface StepResult {
  readonly sent: unknown;
  readonly seen: unknown;
}

export interface Step {
  readonly block: string;
  /** @throws StepFailure, or anything else, when it was not seen to work */
  readonly run: (api: QuickstartApi, id: string) => Promise<StepResult>;
}

interface OrdersSaw {
  readonly calls: readonly { readonly caller: string; readonly order: { readonly id: string } }[];
  readonly events: readonly { readonly id: string; readonly source: string; readonly data: { readonly order?: string } }[];
}
interface Order {
  readonly id: string;
  readonly item: string;
  readonly quantity: number;
}
interface CartContents {
  readonly lines: readonly { readonly item: string; readonly quantity: number }[];
  readonly activations: number;
  readonly callsInMemory: number;
}

/** What checkout asks for a loom; that `orders` knows the total shows that it reached checkout by name, too. */
const LOOM_PRICE = 120;

const callByName: Step = {
  block: 'call by name',
  async run(api, id) {
    type Answer = { sent: Order; received: { key: string; stored: Order & { total: number; caller: string } } };
    const { sent, received } = await api.checkout<Answer>('buy', { id });
    expectSame('the total that orders worked out', received.stored.total, LOOM_PRICE * sent.quantity);
    expectSame('who called, as orders saw it', received.stored.caller, 'checkout');
    const { calls } = await api.orders<OrdersSaw>('GET', 'seen');
    const mine = calls.filter(({ order }) => order.id === id);
    expectSame('the calls that orders took', mine, [{ caller: 'checkout', order: sent }]);
    return { sent, seen: { caller: received.stored.caller, total: received.stored.total } };
  },
};

const state: Step = {
  block: 'state',
  async run(api, id) {
    const { sent, received } = await api.checkout<{ sent: { key: string; value: unknown }; received: unknown }>('remember', {
      id,
    });
    expectSame('what gRPC reads after HTTP saved', received, sent.value);
    const order = await api.sidecar('orders', 'GET', `/v1.0/state/statestore/order-${id}`);
    expectSame('the status of the order that orders saved', order.status, 200);
    if (!order.headers.get('etag')) throw new StepFailure('the order that orders saved has no etag');
    const foreign = await api.sidecar('orders', 'GET', `/v1.0/state/statestore/${sent.key}`);
    expectSame("the status of checkout's key under orders' prefix", foreign.status, 204);
    return { sent, seen: { overGrpc: received, orders: parse(order.text) } };
  },
};

const pubsub: Step = {
  block: 'publish/subscribe',
  async run(api, id) {
    const { sent } = await api.checkout<{ sent: readonly { parcel: number }[] }>('announce', { id });
    const events = await eventually('the three events at orders', 15_000, async () => {
      const saw = await api.orders<OrdersSaw>('GET', 'seen');
      const mine = saw.events.filter(({ data }) => data.order === id);
      return mine.length >= sent.length ? mine : undefined;
    });
    // Delivery is at least once, in no promised order: every message must be there, none may be foreign.
    const parcels = new Set(events.map(({ data }) => JSON.stringify(data)));
    expectSame('the events that orders took', [...parcels].sort(), sent.map((one) => JSON.stringify(one)).sort());
    expectSame('the source of the events', [...new Set(events.map(({ source }) => source))], ['checkout']);
    return { sent, seen: events.map(({ id: event }) => event) };
  },
};

const actor: Step = {
  block: 'actor',
  async run(api, id) {
    const first = await api.checkout<{ sent: CartContents['lines'][number]; received: CartContents }>('fill', { id });
    const line = { item: 'yarn', quantity: 3 };
    const second = await api.orders<CartContents>('POST', `cart/cart-${id}`, line);
    const lines = [first.sent, line];
    expectSame('the cart after both apps filled it', second.lines, lines);
    expectSame('how often the cart came to life', second.activations, 1);
    await eventually('the idle cart leaving memory', 20_000, async () => {
      const { text } = await api.sidecar('checkout', 'GET', '/v1.0/metadata');
      const { actors = [] } = (parse(text) ?? {}) as { actors?: readonly { type: string; count: number }[] };
      return actors.every(({ type, count }) => type !== 'CartActor' || count === 0) || undefined;
    });
    const stored = await api.sidecar('checkout', 'GET', `/v1.0/actors/CartActor/cart-${id}/state/lines`);
    expectSame('the stored lines while the cart is out of memory', parse(stored.text), lines);
    const third = await api.orders<CartContents>('POST', `cart/cart-${id}`, { item: 'shuttle', quantity: 1 });
    const expected: CartContents = { lines: [...lines, { item: 'shuttle', quantity: 1 }], activations: 2, callsInMemory: 1 };
    expectSame('the cart after it came back', third, expected);
    return { sent: expected.lines, seen: { lines: third.lines.length, activations: third.activations } };
  },
};

export const steps: readonly Step[] = [callByName, state, pubsub, actor];
