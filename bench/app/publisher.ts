import { connect, type Socket } from 'node:net';

export interface PublishPlan {
  readonly port: number;
  readonly seconds: number;
  readonly connections: number;
}

export interface PublishFigures {
  readonly requests: number;
  readonly rps: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly errors: number;
}

export interface Publisher {
  run(): Promise<PublishFigures>;
  /** Called with the body of every delivery. */
  delivered(body: Buffer): void;
}

interface Slot {
  readonly socket: Socket;
  sequence: number;
  sentAt: number;
  acknowledged: boolean;
  arrived: boolean;
}

/** Cheaper than parsing the whole event, and the order of its fields does not matter. */
const numberAfter = (text: string, label: string) => Number.parseInt(text.slice(text.indexOf(label) + label.length), 10);

const PATH = '/v1.0/publish/pubsub/bench';

/**
 * A closed loop over publish *and* delivery: each connection sends its next event when the last one was both acknowledged and
 * delivered, so no subject can look fast by letting its queue grow. Latency is from publish to delivery.
 */
export function createPublisher({ port, seconds, connections }: PublishPlan): Publisher {
  const slots: Slot[] = [];
  const latencies: number[] = [];
  let errors = 0;
  let over = false;

  const send = (slot: Slot, index: number) => {
    slot.sequence += 1;
    slot.acknowledged = false;
    slot.arrived = false;
    slot.sentAt = performance.now();
    const body = `{"slot":${index},"turn":${slot.sequence},"text":"an event of some length, as applications send them"}`;
    slot.socket.write(
      `POST ${PATH} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
  };
  const next = (slot: Slot, index: number) => {
    if (slot.acknowledged && slot.arrived && !over) send(slot, index);
  };

  const open = (index: number): Slot => {
    const slot: Slot = { socket: connect(port, '127.0.0.1'), sequence: 0, sentAt: 0, acknowledged: true, arrived: true };
    slot.socket.setNoDelay(true);
    slot.socket.on('error', () => {
      errors += 1;
    });
    slot.socket.on('data', (chunk: Buffer) => {
      // A 204 has no body, so one chunk that starts with it is the whole answer.
      if (chunk.toString('latin1', 9, 12) !== '204' && chunk.toString('latin1', 9, 12) !== '200') errors += 1;
      slot.acknowledged = true;
      next(slot, index);
    });
    return slot;
  };

  return {
    delivered(body) {
      const text = body.toString('latin1');
      const index = numberAfter(text, '"slot":');
      const slot = slots[index];
      // At least once: a second delivery of the same event counts for nothing.
      if (!slot || over || slot.arrived || numberAfter(text, '"turn":') !== slot.sequence) return;
      latencies.push(performance.now() - slot.sentAt);
      slot.arrived = true;
      next(slot, index);
    },
    async run() {
      for (let index = 0; index < connections; index++) slots.push(open(index));
      const start = performance.now();
      slots.forEach(send);
      await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
      over = true;
      const elapsed = (performance.now() - start) / 1000;
      const stuck = slots.filter((slot) => !slot.arrived && performance.now() - slot.sentAt > 1000).length;
      for (const slot of slots) slot.socket.destroy();
      latencies.sort((a, b) => a - b);
      const at = (share: number) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? 0;
      return {
        requests: latencies.length,
        rps: latencies.length / elapsed,
        p50Ms: at(0.5),
        p99Ms: at(0.99),
        errors: errors + stuck,
      };
    },
  };
}
