import { z } from 'zod';
import { type MeshSpec, meshProblem } from '../../mesh-profile.js';
import { pathTemplateProblem } from '../../metrics/path-template.js';
import { regexProblem } from '../../traffic/regex.js';
import { strict } from '../problem.js';
import { duration, list, nameValue, optional, resource, text } from '../schema.js';

/** Everything below `spec` of a Configuration (reference §4.2), and `spec.mesh`, the mesh switch (design §6). */

const flag = optional(z.boolean());
const words = optional(z.string());
const limit = optional(z.number().int().min(0));
const numberOrText = optional(z.union([z.string(), z.number()]));

const tracing = strict({
  samplingRate: numberOrText,
  stdout: flag,
  zipkin: optional(strict({ endpointAddress: words })),
  otel: optional(
    strict({
      protocol: optional(z.enum(['http', 'grpc'])),
      endpointAddress: words,
      isSecure: flag,
      // One text in OTEL_EXPORTER_OTLP_HEADERS' form, or names with values.
      headers: list(z.union([z.string(), nameValue])),
      timeout: optional(z.union([duration, z.number()])),
    }),
  ),
});

/** Each makes series, and a comparison for every call. */
const MAX_PATHS = 50;
const path = z.string().superRefine((value, context) => {
  const problem = pathTemplateProblem(value);
  if (problem) context.addIssue({ code: 'custom', message: problem });
});
const expression = z.string().superRefine((value, context) => {
  const problem = regexProblem(value);
  if (problem) context.addIssue({ code: 'custom', message: problem });
});
const ascending = (values: readonly number[]) => values.every((value, index) => index === 0 || value > (values[index - 1] ?? 0));

const metrics = strict({
  enabled: flag,
  recordErrorCodes: flag,
  http: optional(
    strict({
      increasedCardinality: flag,
      pathMatching: list(path).refine((all) => all.length <= MAX_PATHS, {
        error: `has more than ${MAX_PATHS} paths; put some together with {wildcards}`,
      }),
      excludeVerbs: flag,
    }),
  ),
  latencyDistributionBuckets: list(z.number().min(0)).refine(ascending, { error: 'must grow from one to the next; sort them' }),
  rules: list(strict({ name: text, labels: list(strict({ name: text, regex: optional(z.record(z.string(), expression)) })) })),
  workflow: optional(z.record(z.string(), z.unknown())),
});

const pipeline = strict({
  handlers: list(
    strict({
      name: text,
      type: text,
      version: words,
      selector: optional(strict({ fields: list(strict({ field: text, value: z.string() })) })),
    }),
  ),
});

const mtls = strict({
  enabled: flag,
  workloadCertTTL: optional(duration),
  allowedClockSkew: optional(duration),
  sentryAddress: words,
  controlPlaneTrustDomain: words,
  tokenValidators: list(strict({ name: text, options: z.unknown().optional() })),
});

const access = z.enum(['allow', 'deny', '']);
const secrets = strict({
  scopes: list(
    strict({
      storeName: text,
      defaultAccess: optional(access),
      allowedSecrets: list(z.string()),
      deniedSecrets: list(z.string()),
    }),
  ),
});

const accessControl = strict({
  defaultAction: optional(access),
  trustDomain: words,
  policies: list(
    strict({
      appId: text,
      defaultAction: optional(access),
      // A rule for an identity needs the whole of it.
      trustDomain: text,
      namespace: text,
      operations: list(strict({ name: text, httpVerb: list(z.string()), action: z.enum(['allow', 'deny']) })),
    }),
  ),
});

const apiRules = list(strict({ name: text, version: words, protocol: optional(z.enum(['http', 'grpc'])) }));
const retention = strict({
  anyTerminal: optional(duration),
  completed: optional(duration),
  failed: optional(duration),
  terminated: optional(duration),
});
const concurrency = list(strict({ name: text, maxConcurrent: limit }));

/** The mesh that is there already, and what is left to it. */
const mesh = strict({
  provider: optional(z.enum(['none', 'istio', 'linkerd', 'envoy-gateway', 'generic'])),
  mtls: optional(z.enum(['own', 'defer'])),
  tracing: optional(z.enum(['own', 'defer'])),
  service: optional(
    strict({
      hostName: optional(
        z.string().regex(/^(?=.*\{app\})(?:[A-Za-z0-9.-]|\{app\}|\{namespace\})+$/, {
          error: 'expected a host name with {app} in it, such as {app}.{namespace}.svc.cluster.local; change it',
        }),
      ),
      port: optional(z.number().int().min(1).max(65535)),
    }),
  ),
}).superRefine((spec, context) => {
  const problem = meshProblem(spec as MeshSpec);
  if (problem) context.addIssue({ code: 'custom', path: [problem.field], message: problem.message });
});

export const configurationSchema = resource(['dapr.io/v1alpha1'], {
  spec: strict({
    tracing: optional(tracing),
    metric: optional(metrics),
    metrics: optional(metrics),
    httpPipeline: optional(pipeline),
    appHttpPipeline: optional(pipeline),
    mtls: optional(mtls),
    secrets: optional(secrets),
    accessControl: optional(accessControl),
    nameResolution: optional(strict({ component: words, version: words, configuration: z.unknown().optional() })),
    features: list(strict({ name: text, enabled: z.boolean() })),
    api: optional(strict({ allowed: apiRules, denied: apiRules })),
    components: optional(strict({ deny: list(z.string()) })),
    logging: optional(strict({ apiLogging: optional(strict({ enabled: flag, obfuscateURLs: flag, omitHealthChecks: flag })) })),
    wasm: optional(strict({ strictSandbox: flag })),
    workflow: optional(
      strict({
        maxConcurrentWorkflowInvocations: limit,
        maxConcurrentActivityInvocations: limit,
        globalMaxConcurrentWorkflowInvocations: limit,
        globalMaxConcurrentActivityInvocations: limit,
        workflowConcurrencyLimits: concurrency,
        activityConcurrencyLimits: concurrency,
        stateRetentionPolicy: optional(retention),
      }),
    ),
    mesh: optional(mesh),
  }).nullish(),
});
