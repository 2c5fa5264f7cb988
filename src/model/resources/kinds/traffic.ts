import { z } from 'zod';
import { strict } from '../problem.js';
import { list, optional, resource, text } from '../schema.js';
import {
  backendRef,
  grpcFilters,
  headerMatch,
  httpFilters,
  matchText,
  namedMatch,
  parentRef,
  pathText,
  regex,
  retry,
  sessionPersistence,
  timeouts,
} from './route-parts.js';

/** Traffic rules: Gateway API routes with a Service parent (GAMMA), and SMI splits. */

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH'] as const;

const httpPath = optional(
  strict({ type: optional(z.enum(['Exact', 'PathPrefix', 'RegularExpression'])), value: optional(z.string()) }).superRefine(
    ({ type, value }, context) => {
      if (value === undefined) return;
      const schema = type === 'RegularExpression' ? regex : pathText;
      for (const issue of schema.safeParse(value).error?.issues ?? [])
        context.addIssue({ code: 'custom', path: ['value'], message: issue.message });
    },
  ),
);
const httpMatch = strict({
  path: httpPath,
  headers: list(headerMatch),
  queryParams: list(namedMatch(text)),
  method: optional(z.enum(METHODS)),
});
const httpRule = strict({
  name: optional(z.string()),
  matches: list(httpMatch),
  filters: httpFilters,
  backendRefs: list(backendRef),
  timeouts,
  retry,
  sessionPersistence,
})
  .refine(({ filters, backendRefs }) => !filters.some(({ type }) => type === 'RequestRedirect') || backendRefs.length === 0, {
    error: 'has both a RequestRedirect and backendRefs; keep one',
  })
  .refine(({ filters, matches }) => !filters.some(replacesPrefix) || matches.every(hasPrefix), {
    error: 'has ReplacePrefixMatch without a PathPrefix in every match; add it, or use ReplaceFullPath',
  })
  .refine(({ filters }) => !(hasType(filters, 'RequestRedirect') && hasType(filters, 'URLRewrite')), {
    error: 'has both RequestRedirect and URLRewrite; keep one',
  });

type Filter = z.infer<typeof httpFilters>[number];
const hasType = (filters: readonly Filter[], type: Filter['type']) => filters.some((filter) => filter.type === type);
const replacesPrefix = ({ requestRedirect, urlRewrite }: Filter) =>
  (requestRedirect ?? urlRewrite)?.path?.type === 'ReplacePrefixMatch';
const hasPrefix = ({ path }: z.infer<typeof httpMatch>) => (path?.type ?? 'PathPrefix') === 'PathPrefix';

const grpcName = z.string().regex(/^[^/\s]+$/, { error: 'is no gRPC name; change it' });
const grpcMatch = strict({
  method: optional(
    matchText({ service: optional(grpcName), method: optional(grpcName) }).superRefine(({ type, ...names }, context) => {
      if (type !== 'RegularExpression') return;
      for (const [field, value] of Object.entries(names))
        for (const issue of value === undefined ? [] : (regex.safeParse(value).error?.issues ?? []))
          context.addIssue({ code: 'custom', path: [field], message: issue.message });
    }),
  ),
  headers: list(headerMatch),
});
const grpcRule = strict({
  name: optional(z.string()),
  matches: list(grpcMatch),
  filters: grpcFilters,
  backendRefs: list(backendRef),
  sessionPersistence,
});

const spec = <T extends z.ZodType>(rule: T) =>
  strict({
    parentRefs: z.array(parentRef).min(1),
    hostnames: list(z.string()),
    rules: list(rule),
    useDefaultGateways: z.unknown().optional(),
  });
export const httpRouteSpec = spec(httpRule);
export const grpcRouteSpec = spec(grpcRule);

const V1 = 'gateway.networking.k8s.io/v1';
const BETA = 'gateway.networking.k8s.io/v1beta1';
const ALPHA = 'gateway.networking.k8s.io/v1alpha2';
export const httpRouteSchema = resource([V1, BETA, ALPHA], { spec: httpRouteSpec });
export const grpcRouteSchema = resource([V1, ALPHA], { spec: grpcRouteSpec });

const SMI = ['v1alpha1', 'v1alpha2', 'v1alpha3', 'v1alpha4'].map((version) => `split.smi-spec.io/${version}`);
/** v1alpha1 wrote Kubernetes quantities: `500m` is half of `1`. */
const weight = z.union([
  z.number().min(0).max(1_000_000),
  z.string().regex(/^\d{1,6}m?$/, { error: 'expected a weight such as 90 or 900m; change it' }),
]);
export const trafficSplitSpec = strict({
  service: text,
  backends: z.array(strict({ service: backendRef.shape.name, weight })).min(1),
  matches: list(z.unknown()).refine((matches) => matches.length === 0, {
    error: 'are not read; write an HTTPRoute with matches',
  }),
});
export const trafficSplitSchema = resource(['split.smi-spec.io/v1alpha2', ...SMI], { spec: trafficSplitSpec });
