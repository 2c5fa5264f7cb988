import { z } from 'zod';
import { strict } from '../problem.js';
import { duration, list, optional, resource, text } from '../schema.js';

/**
 * How instances are chosen, limited and ejected: Envoy Gateway's BackendTrafficPolicy with a Service target, as far as it is about that.
 * Timeouts and retries stand in Resiliency and HTTPRoute.
 */

const count = z.number().int().min(0).max(0xffff_ffff);
const headerName = z.string().regex(/^[A-Za-z0-9!#$%&'*+\-.^_`|~]{1,256}$/, { error: 'is no header name; change it' });

const consistentHash = strict({
  type: z.enum(['SourceIP', 'Header', 'Cookie', 'QueryParams']),
  header: optional(strict({ name: headerName })),
  cookie: optional(strict({ name: headerName, ttl: optional(duration) })),
  queryParams: list(strict({ name: text })),
  tableSize: optional(z.number().int().min(2).max(5_000_011)),
}).superRefine((hash, context) => {
  const field = { Header: 'header', Cookie: 'cookie', QueryParams: 'queryParams', SourceIP: undefined }[hash.type];
  const value = field && hash[field as 'header'];
  if (field && (value === undefined || (Array.isArray(value) && value.length === 0)))
    context.addIssue({ code: 'custom', path: [field], message: 'is missing; add it' });
});

const loadBalancer = strict({
  type: z.enum(['RoundRobin', 'LeastRequest', 'Random', 'ConsistentHash']),
  consistentHash: optional(consistentHash),
  slowStart: optional(strict({ window: duration })),
  zoneAware: optional(strict({ preferLocal: optional(strict({})) })),
}).refine(({ type, consistentHash }) => (type === 'ConsistentHash') === (consistentHash !== undefined), {
  error: 'consistentHash goes with type ConsistentHash; set both or none',
});

const passive = strict({
  consecutive5XxErrors: optional(count),
  consecutiveGatewayErrors: optional(count),
  interval: optional(duration),
  baseEjectionTime: optional(duration),
  maxEjectionPercent: optional(z.number().int().min(0).max(100)),
});

export const backendTrafficPolicySpec = strict({
  targetRefs: z
    .array(
      strict({ group: optional(z.enum(['', 'core'])), kind: z.enum(['Service']), name: text, namespace: optional(z.string()) }),
    )
    .min(1),
  loadBalancer: optional(loadBalancer),
  circuitBreaker: optional(
    strict({
      maxConnections: optional(count),
      maxPendingRequests: optional(count),
      maxParallelRequests: optional(count),
      maxParallelRetries: optional(count),
    }),
  ),
  healthCheck: optional(strict({ passive: optional(passive) })),
});
export const backendTrafficPolicySchema = resource(['gateway.envoyproxy.io/v1alpha1'], { spec: backendTrafficPolicySpec });
