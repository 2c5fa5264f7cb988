import type { LoadedComponent } from '../component.js';

/** `SUBSCRIBE_WILDCARDS`: topics may hold wildcards. `MESSAGE_TTL`: the broker itself drops expired messages. */
export type PubSubCapability = 'MESSAGE_TTL' | 'SUBSCRIBE_WILDCARDS' | 'BULK_PUBLISH' | 'BULK_SUBSCRIBE';

export interface PublishRequest {
  readonly topic: string;
  /** The envelope or the raw payload. */
  readonly data: Buffer;
  readonly contentType: string;
  readonly metadata: Readonly<Record<string, string>>;
}

export interface Message {
  readonly topic: string;
  readonly data: Buffer;
  readonly contentType?: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** 1 on the first delivery; undefined: the broker does not say. */
  readonly attempt?: number;
}

/** Resolves: the message is done (ack). Throws: the broker delivers it again later (nack). */
export type MessageHandler = (message: Message, signal: AbortSignal) => Promise<void>;

export interface SubscribeRequest {
  readonly topic: string;
  /** Competing consumers share one group. Default in Dapr: the app id. */
  readonly consumerId: string;
  readonly metadata: Readonly<Record<string, string>>;
}

export interface BrokerSubscription {
  /** Takes no further message, waits for handlers under way until `deadlineMs` from now, gives the rest back to the broker. Idempotent. */
  stop(deadlineMs: number): Promise<void>;
}

/** The port that a message broker implements. */
export interface PubSub extends LoadedComponent {
  readonly capabilities: readonly PubSubCapability[];
  /** Resolves once the broker has the message (durably, where it is durable). */
  publish(request: PublishRequest): Promise<void>;
  /** Resolves once the subscription is in force. Messages under way are bounded by the component. */
  subscribe(request: SubscribeRequest, handler: MessageHandler): Promise<BrokerSubscription>;
  /** Present exactly when BULK_PUBLISH is declared. @returns one entry per failed index */
  bulkPublish?(requests: readonly PublishRequest[]): Promise<readonly { readonly index: number; readonly error: string }[]>;
}
