import { type handleBidiStreamingCall, type Server, type ServerDuplexStream, status } from '@grpc/grpc-js';
import { messageOf } from '../errors.js';
import { type AttachRequest, type AttachResponse, type Instance, RegistryService } from '../gen/weft/registry/v1/registry.js';
import type { Logger } from '../telemetry/logger.js';
import type { PeerCheck } from './peer-check.js';
import type { Lease, Refusal, Registry } from './registry.js';

export interface AttachOptions {
  readonly heartbeatMs: number;
  readonly leaseTtlMs: number;
  readonly controlPlaneId: string;
}

export interface AttachDeps {
  readonly registry: Registry;
  readonly logger: Logger;
  /** Loads the instance's resources before it is let in. @returns what is wrong with them; releases what it took when told so */
  readonly resources: {
    acquire(instance: Instance): Promise<readonly string[]>;
    release(instance: Instance): void;
  };
  /** Resolves when no proxy sends the withdrawn instance anything new, or after the deadline. */
  readonly withdrawn: () => Promise<void>;
  /** Resolves when every proxy follows the instances as they are now, or after a deadline. */
  readonly published: () => Promise<void>;
  /** Default: anybody may be anyone. */
  readonly peerCheck?: PeerCheck;
}

const SETTLE_MS = 20;

type AttachCall = ServerDuplexStream<AttachRequest, AttachResponse>;

/** Adds the Registry service to `server`: each Attach stream holds one lease. */
export function addRegistryService(server: Server, options: AttachOptions, deps: AttachDeps): void {
  const attach: handleBidiStreamingCall<AttachRequest, AttachResponse> = (call) => {
    const session = createSession(call, options, deps);
    call.on('error', () => session.end(false));
    call.on('cancelled', () => session.end(false));
    call.on('close', () => session.end(false));
    // A stream that is reset ends first and is marked as cancelled a moment later.
    call.on('end', () =>
      setTimeout(() => {
        session.end(!call.cancelled);
        call.end();
      }, SETTLE_MS),
    );
    call.on('data', (request: AttachRequest) => {
      // One event after the other: loading resources takes a while, and a heartbeat must not overtake the instance it is of.
      call.pause();
      session
        .handle(request)
        .catch((error: unknown) => {
          deps.logger.error('attach failed', { error: messageOf(error) });
          session.end(false);
          fail(call, status.INTERNAL, 'attach failed');
        })
        .finally(() => call.resume());
    });
  };
  server.addService(RegistryService, { attach });
}

function createSession(call: AttachCall, options: AttachOptions, deps: AttachDeps) {
  const { registry, logger, resources, withdrawn, published } = deps;
  let lease: Lease | undefined;
  let held: Instance | undefined;
  let ended = false;
  const reply = (event: NonNullable<AttachResponse['event']>) => void (ended || call.write({ event }));

  const hold = (instance: Instance) => {
    if (held) resources.release(held);
    held = instance;
  };
  const end = (cleanly: boolean) => {
    if (ended) return;
    ended = true;
    lease?.end(cleanly);
    if (held) resources.release(held);
  };
  const reject = ({ problems, final }: Refusal) => {
    logger.warn('instance refused', { problems, final });
    reply({ $case: 'rejected', value: { problems: [...problems], final } });
    end(true);
    call.end();
  };

  async function onInstance(instance: Instance): Promise<void> {
    const stranger = deps.peerCheck?.(call, instance);
    if (stranger) {
      logger.warn('an instance was refused', { app_id: instance.appId, instance: instance.instanceId, reason: stranger });
      end(false);
      return fail(call, status.PERMISSION_DENIED, stranger);
    }
    const problems = await resources.acquire(instance);
    if (ended || problems.length > 0) {
      resources.release(instance);
      if (!ended) reject({ problems, final: true });
      return;
    }
    hold(instance);
    if (lease) {
      const wrong = lease.update(instance);
      if (wrong.length > 0) reject({ problems: wrong, final: true });
      return;
    }
    const result = registry.attach(instance, (why) => {
      logger.warn('lease ended', { app_id: instance.appId, instance: instance.instanceId, why });
      end(false);
      fail(call, status.ABORTED, why);
    });
    if ('problems' in result) return reject(result);
    lease = result;
    logger.info('instance attached', { app_id: instance.appId, namespace: instance.namespace, instance: instance.instanceId });
    const { heartbeatMs, leaseTtlMs, controlPlaneId } = options;
    reply({ $case: 'accepted', value: { heartbeatMs, leaseTtlMs, controlPlaneId, localFiles: instance.localFiles } });
  }

  return {
    end,
    async handle({ event, instanceSequence }: AttachRequest): Promise<void> {
      if (ended || !event) return;
      if (event.$case === 'instance') {
        await onInstance(event.value);
        // Not awaited: heartbeats go on meanwhile, and must be read.
        if (!ended && instanceSequence > 0)
          void published().then(() => reply({ $case: 'published', value: { instanceSequence } }));
        return;
      }
      if (!lease) return fail(call, status.FAILED_PRECONDITION, 'the first message of an Attach stream is the instance');
      if (event.$case === 'heartbeat') {
        lease.renew();
        return reply({ $case: 'heartbeatAck', value: { sequence: event.value.sequence } });
      }
      lease.withdraw();
      logger.info('instance withdraws', { instance: lease.instanceId });
      void withdrawn().then(() => reply({ $case: 'withdrawn', value: {} }));
    },
  };
}

function fail(call: AttachCall, code: status, details: string): void {
  call.emit('error', Object.assign(new Error(details), { code, details }));
}
