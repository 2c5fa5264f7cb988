import { once } from 'node:events';
import { type handleBidiStreamingCall, type ServerDuplexStream, status } from '@grpc/grpc-js';
import { statusOutcome, topicEventRequest } from '../../blocks/pubsub/deliver-grpc.js';
import type { PubSubService } from '../../blocks/pubsub/service.js';
import type { EventSink, Outcome } from '../../blocks/pubsub/sink.js';
import { AppError, messageOf } from '../../errors.js';
import type {
  SubscribeTopicEventsRequestAlpha1,
  SubscribeTopicEventsRequestInitialAlpha1,
  SubscribeTopicEventsRequestProcessedAlpha1,
  SubscribeTopicEventsResponseAlpha1,
} from '../../gen/dapr/proto/runtime/v1/pubsub.js';
import { deferred } from '../../lib/async.js';
import { silentLogger } from '../../telemetry/logger.js';
import { toCallError } from './errors.js';

type Call = ServerDuplexStream<SubscribeTopicEventsRequestAlpha1, SubscribeTopicEventsResponseAlpha1>;

/** What events may still take when their client has gone away. */
const STOP_DEADLINE_MS = 0;

/** SubscribeTopicEventsAlpha1 (reference §2.5): the first message names the topic, then each event is answered by its id. */
export function subscribeTopicEvents(
  service: PubSubService,
): handleBidiStreamingCall<SubscribeTopicEventsRequestAlpha1, SubscribeTopicEventsResponseAlpha1> {
  return (call) => new TopicStream(service, call).start();
}

class TopicStream {
  readonly #service: PubSubService;
  readonly #call: Call;
  /** Events that the client has and has not answered, by id. */
  readonly #waiting = new Map<string, (outcome: Outcome) => void>();
  readonly #ended = new AbortController();
  readonly #announced = deferred<void>();
  #opening: Promise<{ stop(deadlineMs: number): Promise<void> }> | undefined;

  constructor(service: PubSubService, call: Call) {
    this.#service = service;
    this.#call = call;
  }

  start(): void {
    this.#call.on('data', (request: SubscribeTopicEventsRequestAlpha1) => this.#take(request));
    this.#call.on('end', () => this.#finish());
    // A client that goes away is a normal end.
    this.#call.on('cancelled', () => this.#finish());
    this.#call.on('error', () => this.#finish());
  }

  #take({ subscribeTopicEventsRequestType: request }: SubscribeTopicEventsRequestAlpha1): void {
    if (request?.$case === 'initialRequest' && !this.#opening) this.#open(request.value);
    else if (!this.#opening) this.#fail(invalid('initial request is required'));
    else if (request?.$case === 'eventProcessed') this.#processed(request.value);
    else this.#fail(invalid('duplicate initial request received'));
  }

  #open({ pubsubName, topic, metadata, deadLetterTopic }: SubscribeTopicEventsRequestInitialAlpha1): void {
    const missing = pubsubName === '' ? 'pubsubName' : topic === '' ? 'topic' : undefined;
    if (missing) {
      this.#fail(invalid(`${missing} is required`));
      return;
    }
    const sink: EventSink = { deliver: (event, signal) => this.#deliver(topicEventRequest(event), signal) };
    this.#opening = this.#service.openStream({ pubsubName, topic, metadata, deadLetterTopic }, sink);
    this.#opening.then(
      (opened) => {
        if (this.#ended.signal.aborted) void opened.stop(STOP_DEADLINE_MS);
        else this.#call.write({ subscribeTopicEventsResponseType: { $case: 'initialResponse', value: {} } });
        this.#announced.resolve();
      },
      (error) => this.#fail(error instanceof AppError ? error : { code: status.INTERNAL, details: messageOf(error) }),
    );
  }

  async #deliver(event: ReturnType<typeof topicEventRequest>, signal: AbortSignal): Promise<Outcome> {
    // Events wait until the client knows that its subscription is in force.
    await this.#announced.promise;
    if (this.#ended.signal.aborted) return GONE;
    if (this.#waiting.has(event.id))
      return { kind: 'retry', reason: `an event with id ${event.id} waits for its answer already` };
    return new Promise((resolve) => {
      const settle = (outcome: Outcome) => {
        signal.removeEventListener('abort', stopped);
        this.#waiting.delete(event.id);
        resolve(outcome);
      };
      const stopped = () => settle(GONE);
      this.#waiting.set(event.id, settle);
      signal.addEventListener('abort', stopped, { once: true });
      void this.#send({ subscribeTopicEventsResponseType: { $case: 'eventMessage', value: event } });
    });
  }

  /** A client that does not read is waited for; the broker's bound on messages under way keeps the queue finite. */
  async #send(message: SubscribeTopicEventsResponseAlpha1): Promise<void> {
    if (this.#call.writableNeedDrain) await once(this.#call, 'drain', { signal: this.#ended.signal }).catch(() => {});
    if (!this.#ended.signal.aborted) this.#call.write(message);
  }

  #processed({ id, status: response }: SubscribeTopicEventsRequestProcessedAlpha1): void {
    this.#waiting.get(id)?.(statusOutcome(response?.status ?? 0));
  }

  #fail(error: unknown): void {
    this.#release();
    this.#call.emit('error', toCallError(error, silentLogger));
  }

  #finish(): void {
    if (this.#ended.signal.aborted) return;
    this.#release();
    this.#call.end();
  }

  #release(): void {
    this.#ended.abort();
    this.#announced.resolve();
    for (const settle of [...this.#waiting.values()]) settle(GONE);
    void this.#opening?.then((opened) => opened.stop(STOP_DEADLINE_MS)).catch(() => {});
  }
}

const GONE: Outcome = { kind: 'unreachable', reason: 'the client ended its stream' };

function invalid(details: string) {
  return { code: status.INVALID_ARGUMENT, details };
}
