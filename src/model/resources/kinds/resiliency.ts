import { z } from 'zod';
import { messageOf } from '../../../errors.js';
import { compileTrip } from '../../traffic/trip-expression.js';
import { strict } from '../problem.js';
import { durationOrMs, optional, resource, scopes, text } from '../schema.js';

/** Reference §4.4. */

const named = <T extends z.ZodType>(type: T) => optional(z.record(z.string(), type));
const codes = optional(
  z.string().regex(/^\s*\d+(-\d+)?(\s*,\s*\d+(-\d+)?)*\s*$/, { error: 'expected codes such as 429,500-599; change it' }),
);
const size = optional(z.number().int().min(0));

function tripIsRight(trip: string, context: z.RefinementCtx): void {
  try {
    compileTrip(trip);
  } catch (error) {
    context.addIssue({ code: 'custom', message: `${messageOf(error)}; change it` });
  }
}

const retry = strict({
  policy: optional(z.enum(['constant', 'exponential'])),
  duration: optional(durationOrMs),
  maxInterval: optional(durationOrMs),
  maxRetries: optional(z.number().int().min(-1)),
  matching: optional(strict({ httpStatusCodes: codes, gRPCStatusCodes: codes })),
});

const circuitBreaker = strict({
  maxRequests: optional(z.number().int().min(1)),
  interval: optional(durationOrMs),
  timeout: optional(durationOrMs),
  trip: optional(z.string().superRefine(tripIsRight)),
});

const names = { timeout: optional(text), retry: optional(text), circuitBreaker: optional(text) };
const actor = strict({
  ...names,
  circuitBreakerScope: optional(z.enum(['type', 'id', 'both'])),
  circuitBreakerCacheSize: size,
}).refine((value) => !value.circuitBreaker || value.circuitBreakerScope, {
  error: 'names a circuitBreaker without circuitBreakerScope; add type, id or both',
});
const direction = optional(strict(names));

export const resiliencySpec = strict({
  policies: optional(
    strict({
      timeouts: named(durationOrMs),
      retries: named(retry),
      circuitBreakers: named(circuitBreaker),
    }),
  ),
  targets: optional(
    strict({
      apps: named(strict({ ...names, circuitBreakerCacheSize: size })),
      actors: named(actor),
      components: named(strict({ inbound: direction, outbound: direction })),
    }),
  ),
});
export const resiliencySchema = resource(['dapr.io/v1alpha1'], { spec: resiliencySpec, scopes });
