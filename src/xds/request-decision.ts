import { type SubscriptionView, WILDCARD } from './subscription.js';

/** The parts of a delta request that decide anything. */
export interface DeltaRequest {
  readonly nonce: string;
  /** Text of `error_detail`; undefined when the request has none. */
  readonly error: string | undefined;
  readonly subscribe: readonly string[];
  readonly unsubscribe: readonly string[];
  readonly initialVersions: ReadonlyMap<string, string>;
}

/** What the stream knows of the request's type. */
export interface RequestContext {
  /** Undefined: this is the type's first request on this stream. */
  readonly subscription: SubscriptionView | undefined;
  /** Nonce of the response that waits for its ACK or NACK. */
  readonly outstandingNonce: string | undefined;
  /** Whether naming nothing in the first request means everything (the protocol's legacy wildcard; clusters, listeners, our own types). */
  readonly legacyWildcard: boolean;
}

export type RequestRow = 'first' | 'reconnect' | 'stale-nonce' | 'ack' | 'nack' | 'change' | 'empty';

/** What to do with a request: everything that the stream does to its state, and which answers it owes. */
export interface Decision {
  readonly row: RequestRow;
  /** Undefined: stays as it is. */
  readonly wildcard: boolean | undefined;
  readonly subscribe: readonly string[];
  readonly unsubscribe: readonly string[];
  /** What a reconnecting client still has. */
  readonly inherit: ReadonlyMap<string, string> | undefined;
  /**
   * Names that must be answered even when the client has the newest version or nothing has that name; `all`: everything subscribed,
   * an empty answer too, since clients wait for their first response.
   */
  readonly owed: 'all' | readonly string[];
}

/**
 * The decision table of a delta request (xDS protocol, "Incremental xDS").
 *
 * | row         | request                                        | what follows                                                      |
 * |-------------|------------------------------------------------|-------------------------------------------------------------------|
 * | first       | first of its type, no initial versions         | subscribe; answer everything; a nonce is of a dead stream: ignored |
 * | reconnect   | first of its type, with initial versions       | subscribe; answer differences, and names it does not hold yet      |
 * | stale-nonce | a nonce that is not the outstanding one        | neither ACK nor NACK; changes of the subscription still count      |
 * | ack         | the outstanding nonce, no error                | response accepted; changes count                                   |
 * | nack        | the outstanding nonce and an error             | response refused; changes count                                    |
 * | change      | no nonce, names                                | changes count                                                      |
 * | empty       | no nonce, no names                             | nothing                                                            |
 *
 * Changes: a subscribed name is always answered, also when it was subscribed before, since the client may have dropped the resource.
 * `*` answers everything. A name dropped while `*` stays is answered too: the client cannot know whether `*` still covers it. Dropping
 * `*` is not answered. A name in both lists stays subscribed.
 */
export function decideRequest(request: DeltaRequest, context: RequestContext): Decision {
  return context.subscription === undefined
    ? decideFirst(request, context.legacyWildcard)
    : decideLater(request, context.subscription, context.outstandingNonce);
}

function decideFirst(request: DeltaRequest, legacyWildcard: boolean): Decision {
  const subscribe = withoutWildcard(request.subscribe);
  const wildcard = request.subscribe.includes(WILDCARD) || (legacyWildcard && request.subscribe.length === 0);
  const base = { wildcard, subscribe, unsubscribe: [] };
  if (request.initialVersions.size === 0) return { ...base, row: 'first', inherit: undefined, owed: 'all' };
  const owed = subscribe.filter((name) => !request.initialVersions.has(name));
  return { ...base, row: 'reconnect', inherit: request.initialVersions, owed };
}

function decideLater(request: DeltaRequest, current: SubscriptionView, outstanding: string | undefined): Decision {
  const subscribe = withoutWildcard(request.subscribe);
  const kept = new Set(subscribe);
  const unsubscribe = withoutWildcard(request.unsubscribe).filter((name) => !kept.has(name));
  const startsWildcard = request.subscribe.includes(WILDCARD);
  const endsWildcard = request.unsubscribe.includes(WILDCARD) && !startsWildcard;
  const wildcard = startsWildcard || (current.wildcard && !endsWildcard);
  return {
    row: rowOfLater(request, outstanding),
    wildcard: wildcard === current.wildcard ? undefined : wildcard,
    subscribe,
    unsubscribe,
    inherit: undefined,
    owed: startsWildcard ? 'all' : wildcard ? [...subscribe, ...unsubscribe] : subscribe,
  };
}

function rowOfLater({ nonce, error, subscribe, unsubscribe }: DeltaRequest, outstanding: string | undefined): RequestRow {
  if (nonce === '') return subscribe.length + unsubscribe.length > 0 ? 'change' : 'empty';
  if (nonce !== outstanding) return 'stale-nonce';
  return error === undefined ? 'ack' : 'nack';
}

const withoutWildcard = (names: readonly string[]): readonly string[] => names.filter((name) => name !== WILDCARD);
