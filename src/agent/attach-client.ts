import type { ClientDuplexStream } from '@grpc/grpc-js';
import { UsageError } from '../errors.js';
import {
  type AttachRequest,
  type AttachResponse,
  type Instance,
  type LocalFiles,
  RegistryClient,
} from '../gen/weft/registry/v1/registry.js';
import { deferred, sleep } from '../lib/async.js';
import type { Logger } from '../telemetry/logger.js';
import type { ControlPlaneChannel } from './control-plane-channel.js';
import { keepConnected } from './reconnect.js';

export interface AttachClient {
  /** Resolves with the first acceptance. Rejects with a UsageError when the control plane refuses the instance for good. */
  readonly accepted: Promise<void>;
  /** Rejects with a UsageError on a final refusal at any time; never resolves. */
  readonly refused: Promise<never>;
  /** Sends the instance again with `change`. */
  update(change: Partial<Instance>): void;
  /** As `update`. Resolves when every connected proxy follows it, or after `deadlineMs`. */
  publish(change: Partial<Instance>, deadlineMs: number): Promise<void>;
  /**
   * Until when, on this process's monotonic clock (`performance.now()`), the registry surely holds our lease. It counts from the
   * sending of the last acknowledged heartbeat, so it ends before the registry's own does.
   */
  leaseValidUntil(): number;
  reports(): Reports;
  /** Takes the instance out of every proxy's endpoints. Resolves when that has happened, or after `deadlineMs`. */
  withdraw(deadlineMs: number): Promise<void>;
  /** Ends the stream, and with it the lease. Idempotent. */
  close(): void;
}

/** How often what has happened since the start. */
export interface Reports {
  /** The registry took the instance as it is. */
  readonly accepted: number;
  readonly heartbeats: number;
  readonly rejected: number;
  /** A stream ended before it was to. */
  readonly broken: number;
}

export interface AttachOptions {
  readonly channel: ControlPlaneChannel;
  readonly instance: Instance;
  readonly logger: Logger;
}

type Stream = ClientDuplexStream<AttachRequest, AttachResponse>;

/** Attaches this instance to the registry and keeps it attached. */
export function startAttachClient(options: AttachOptions): AttachClient {
  return new Attachment(options);
}

class Attachment implements AttachClient {
  readonly #client: RegistryClient;
  readonly #logger: Logger;
  readonly #stop = new AbortController();
  readonly #accepted = deferred<void>();
  readonly #refused = deferred<never>();
  readonly #withdrawn = deferred<void>();
  #instance: Instance;
  #stream: Stream | undefined;
  #leaseValidUntil = 0;
  #withdrawing = false;
  readonly #reports = { accepted: 0, heartbeats: 0, rejected: 0, broken: 0 };
  readonly reports = (): Reports => this.#reports;
  /** Of the newest instance that was sent. */
  #sequence = 0;
  readonly #published = new Set<{ readonly sequence: number; readonly done: () => void }>();

  constructor({ channel, instance, logger }: AttachOptions) {
    this.#client = new RegistryClient(channel.address, channel.credentials, { channelOverride: channel.channel });
    this.#logger = logger;
    this.#instance = instance;
    this.#accepted.promise.catch(() => {});
    this.#refused.promise.catch(() => {});
    void keepConnected({
      what: channel.what,
      logger,
      signal: this.#stop.signal,
      connect: (noteOpen) => this.#connect(noteOpen),
    });
  }

  get accepted(): Promise<void> {
    return this.#accepted.promise;
  }

  get refused(): Promise<never> {
    return this.#refused.promise;
  }

  update(change: Partial<Instance>): void {
    this.#instance = { ...this.#instance, ...change };
    if (!this.#withdrawing && this.#stream) this.#sendInstance(this.#stream);
  }

  async publish(change: Partial<Instance>, deadlineMs: number): Promise<void> {
    const { promise, resolve: done } = deferred<void>();
    const waiter = { sequence: this.#sequence + 1, done };
    this.#published.add(waiter);
    this.update(change);
    await Promise.race([promise, sleep(deadlineMs, this.#stop.signal)]);
    this.#published.delete(waiter);
  }

  leaseValidUntil(): number {
    return this.#leaseValidUntil;
  }

  async withdraw(deadlineMs: number): Promise<void> {
    this.#withdrawing = true;
    if (this.#stream === undefined) return;
    this.#stream.write({ event: { $case: 'withdraw', value: {} }, instanceSequence: 0 });
    await Promise.race([this.#withdrawn.promise, sleep(deadlineMs, this.#stop.signal)]);
  }

  close(): void {
    this.#stop.abort();
    // A clean end, not a cancel: the registry need not wait for the lease to run out.
    this.#stream?.end();
  }

  /** One stream from its first message to its end. @returns why it ended */
  #connect(noteOpen: () => void): Promise<string> {
    return new Promise((resolve) => {
      const stream = this.#client.attach();
      const heart = createHeart(stream, (validUntil) => {
        this.#leaseValidUntil = Math.max(this.#leaseValidUntil, validUntil);
      });
      const end = (why: string) => {
        heart.stop();
        if (this.#stream === stream) this.#stream = undefined;
        if (!this.#withdrawing && !this.#stop.signal.aborted) this.#reports.broken += 1;
        if (this.#withdrawing) {
          // A new stream would only make us an endpoint again.
          this.#withdrawn.resolve();
          this.#stop.abort();
        }
        resolve(why);
      };
      stream.on('data', ({ event }: AttachResponse) => {
        if (event?.$case === 'accepted') {
          const unknown = unknownFilters(this.#instance.localFiles, event.value.localFiles);
          if (unknown.length > 0) return this.#onRejected([olderControlPlane(unknown)], true);
          noteOpen();
          this.#reports.accepted += 1;
          heart.start(event.value.heartbeatMs, event.value.leaseTtlMs);
          this.#accepted.resolve();
        } else if (event?.$case === 'heartbeatAck') {
          this.#reports.heartbeats += 1;
          heart.acknowledged(event.value.sequence);
        } else if (event?.$case === 'withdrawn') this.#withdrawn.resolve();
        else if (event?.$case === 'published') this.#onPublished(event.value.instanceSequence);
        else if (event?.$case === 'rejected') this.#onRejected(event.value.problems, event.value.final);
      });
      stream.on('error', (error) => end(error.message));
      stream.on('end', () => end('the stream ended'));
      this.#sendInstance(stream);
      heart.sentInstance();
      this.#stream = stream;
    });
  }

  #sendInstance(stream: Stream): void {
    this.#sequence += 1;
    const value = { ...this.#instance, starting: this.#reports.accepted === 0 };
    stream.write({ event: { $case: 'instance', value }, instanceSequence: this.#sequence });
  }

  #onPublished(upTo: number): void {
    for (const { sequence, done } of this.#published) if (sequence <= upTo) done();
  }

  #onRejected(problems: readonly string[], final: boolean): void {
    this.#reports.rejected += 1;
    if (!final) {
      this.#logger.warn('the control plane does not take this instance yet', { problems });
      return;
    }
    const error = new UsageError(problems.join('; '));
    this.#stop.abort();
    this.#refused.reject(error);
    this.#accepted.reject(error);
  }
}

/** Heartbeats of one stream, and what their acknowledgements prove. */
function createHeart(stream: Stream, onLease: (validUntil: number) => void) {
  const sentAt = new Map<number, number>();
  let instanceSentAt = performance.now();
  let ttlMs = 0;
  let sequence = 0;
  let heardAt = 0;
  let timer: NodeJS.Timeout | undefined;

  const beat = () => {
    const now = performance.now();
    // A peer that is silent for a whole lease is dead, whatever TCP still believes.
    if (now - heardAt > ttlMs) return stream.cancel();
    sequence += 1;
    sentAt.set(sequence, now);
    stream.write({ event: { $case: 'heartbeat', value: { sequence } }, instanceSequence: 0 });
  };
  return {
    sentInstance() {
      instanceSentAt = performance.now();
    },
    start(heartbeatMs: number, leaseTtlMs: number) {
      ttlMs = leaseTtlMs;
      heardAt = performance.now();
      onLease(instanceSentAt + ttlMs);
      clearInterval(timer);
      timer = setInterval(beat, heartbeatMs);
      timer.unref();
    },
    acknowledged(acknowledged: number) {
      heardAt = performance.now();
      const at = sentAt.get(acknowledged);
      for (const older of sentAt.keys()) if (older <= acknowledged) sentAt.delete(older);
      if (at !== undefined) onLease(at + ttlMs);
    },
    stop: () => clearInterval(timer),
  };
}

/** @returns the files of ours that the control plane did not say it puts into the listeners */
const unknownFilters = (ours: LocalFiles | undefined, theirs: LocalFiles | undefined): readonly string[] =>
  Object.entries(ours ?? {}).flatMap(([name, path]) => (path && theirs?.[name as keyof LocalFiles] !== path ? [name] : []));

/** Without these filters Envoy would let calls through unchecked, so the sidecar rather ends. */
const olderControlPlane = (names: readonly string[]): string =>
  `the control plane is older than this sidecar and does not know ${names.join(', ')}, so Envoy would pass calls without the token check; update the control plane first`;
