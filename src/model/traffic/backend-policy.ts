import type { z } from 'zod';
import { parseGoDuration } from '../../lib/duration.js';
import { backendTrafficPolicySpec } from '../resources/kinds/backend-traffic-policy.js';
import type { Policy } from './document.js';

export type HashSource =
  | { readonly by: 'address' }
  | { readonly by: 'header' | 'query'; readonly name: string }
  /** A caller without the cookie gets one that lives `ttlMs` milliseconds; 0: it gets none. */
  | { readonly by: 'cookie'; readonly name: string; readonly ttlMs: number };

/** How the instances of one app are chosen and spared. */
export interface BackendPolicy {
  readonly choice?: 'round-robin' | 'least-request' | 'random' | 'hash' | undefined;
  readonly hash: readonly HashSource[];
  readonly tableSize?: number | undefined;
  /** Milliseconds in which a new instance comes to its full share. */
  readonly slowStartMs?: number | undefined;
  /** Instances in the caller's zone come first. */
  readonly preferLocal: boolean;
  readonly limits: {
    readonly connections?: number | undefined;
    readonly pending?: number | undefined;
    readonly requests?: number | undefined;
    readonly retries?: number | undefined;
  };
  readonly ejection?: EjectionRule | undefined;
}

export interface EjectionRule {
  /** Answers from 500 on in a row, and 502, 503, 504 or none in a row; 0: do not count. */
  readonly serverErrors: number;
  readonly gatewayErrors: number;
  readonly intervalMs: number;
  readonly baseMs: number;
  readonly maxPercent: number;
}

type Spec = z.infer<typeof backendTrafficPolicySpec>;

/** @returns the policy of an app, if any; of two the later one counts */
export function backendPolicies(documents: readonly Policy[]) {
  const known = documents.flatMap(({ namespace, spec: written }) => {
    const spec = backendTrafficPolicySpec.parse(written);
    const policy = toPolicy(spec);
    return spec.targetRefs.map((ref) => ({ namespace: ref.namespace ?? namespace, appId: ref.name, policy }));
  });
  return (target: { readonly namespace: string; readonly appId: string }): BackendPolicy | undefined =>
    known.findLast(({ namespace, appId }) => appId === target.appId && (namespace === '' || namespace === target.namespace))
      ?.policy;
}

const CHOICES = { RoundRobin: 'round-robin', LeastRequest: 'least-request', Random: 'random', ConsistentHash: 'hash' } as const;
const ms = (text: string | undefined, otherwise: number) => Math.max(0, Math.round(parseGoDuration(text ?? '') ?? otherwise));

function toPolicy({ loadBalancer, circuitBreaker, healthCheck }: Spec): BackendPolicy {
  const passive = healthCheck?.passive;
  return {
    choice: loadBalancer && CHOICES[loadBalancer.type],
    hash: loadBalancer?.consistentHash ? hashOf(loadBalancer.consistentHash) : [],
    tableSize: loadBalancer?.consistentHash?.tableSize,
    slowStartMs: loadBalancer?.slowStart && ms(loadBalancer.slowStart.window, 0),
    preferLocal: loadBalancer?.zoneAware?.preferLocal !== undefined,
    limits: {
      connections: circuitBreaker?.maxConnections,
      pending: circuitBreaker?.maxPendingRequests,
      requests: circuitBreaker?.maxParallelRequests,
      retries: circuitBreaker?.maxParallelRetries,
    },
    ejection: passive && {
      serverErrors: passive.consecutive5XxErrors ?? 5,
      gatewayErrors: passive.consecutiveGatewayErrors ?? 0,
      intervalMs: ms(passive.interval, 3000),
      baseMs: ms(passive.baseEjectionTime, 30_000),
      maxPercent: passive.maxEjectionPercent ?? 10,
    },
  };
}

type Hash = NonNullable<NonNullable<Spec['loadBalancer']>['consistentHash']>;
function hashOf({ type, header, cookie, queryParams }: Hash): readonly HashSource[] {
  switch (type) {
    case 'Header':
      return header ? [{ by: 'header', name: header.name.toLowerCase() }] : [];
    case 'Cookie':
      return cookie ? [{ by: 'cookie', name: cookie.name, ttlMs: ms(cookie.ttl, 0) }] : [];
    case 'QueryParams':
      return queryParams.map(({ name }) => ({ by: 'query', name }));
    default:
      return [{ by: 'address' }];
  }
}
