import { z } from 'zod';
import { strict } from '../problem.js';
import { list, optional, resource, text } from '../schema.js';

/** Traffic rules: Gateway API routes with a Service parent (GAMMA), and SMI splits. Parents and backends are checked, rules are left open. */

const parentRef = strict({
  group: optional(z.string()),
  kind: optional(z.string()),
  namespace: optional(z.string()),
  name: text,
  sectionName: optional(z.string()),
  port: optional(z.number().int()),
});
const backendRef = z.looseObject({ name: text, weight: optional(z.number().int().min(0).max(1_000_000)) });
const rule = z.looseObject({ matches: list(z.looseObject({})), filters: list(z.looseObject({})), backendRefs: list(backendRef) });

const route = (apiVersions: readonly [string, ...string[]]) =>
  resource(apiVersions, {
    spec: strict({
      parentRefs: list(parentRef),
      hostnames: list(z.string()),
      rules: list(rule),
      useDefaultGateways: z.unknown().optional(),
    }),
  });

const V1 = 'gateway.networking.k8s.io/v1';
const BETA = 'gateway.networking.k8s.io/v1beta1';
const ALPHA = 'gateway.networking.k8s.io/v1alpha2';
export const httpRouteSchema = route([V1, BETA, ALPHA]);
export const grpcRouteSchema = route([V1, ALPHA]);

const SMI = ['v1alpha1', 'v1alpha2', 'v1alpha3', 'v1alpha4'].map((version) => `split.smi-spec.io/${version}`);
export const trafficSplitSchema = resource(['split.smi-spec.io/v1alpha2', ...SMI], {
  spec: strict({
    service: text,
    backends: z.array(strict({ service: text, weight: z.union([z.number().min(0), z.string()]) })).min(1),
    matches: list(z.looseObject({})),
  }),
});
