import { z } from 'zod';
import { parseGoDuration } from '../../../lib/duration.js';
import { regexProblem } from '../../traffic/regex.js';
import { strict } from '../problem.js';
import { list, optional, text } from '../schema.js';

/** What HTTPRoute and GRPCRoute have in common (Gateway API v1). */

const MAX_TEXT = 4096;
const APP_NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}(@[A-Za-z0-9][A-Za-z0-9._-]{0,62})?$/;
const appName = z
  .string()
  .regex(APP_NAME, { error: 'expected an app id, or <app id>@<version> for the instances with that label; change it' });
const port = optional(z.number().int().min(1).max(65_535));

export const parentRef = strict({
  group: optional(z.string()),
  kind: optional(z.string()),
  namespace: optional(z.string()),
  name: text,
  sectionName: optional(z.string()),
  port,
});

const backendShape = {
  group: optional(z.enum(['', 'core'])),
  kind: optional(z.enum(['Service'])),
  namespace: optional(z.string()),
  name: appName,
  port,
};

/** Headers that say who calls are the proxies' own, and Envoy takes no route that changes the pseudo headers. */
const RESERVED = /^(:|host$|dapr-caller-|dapr-callee-app-id$|x-weft-|x-envoy-|x-forwarded-client-cert$)/i;
const headerName = z
  .string()
  .regex(/^[A-Za-z0-9!#$%&'*+\-.^_`|~:]{1,256}$/, { error: 'is no header name; change it' })
  .transform((name) => name.toLowerCase());
const changedHeader = headerName.refine((name) => !RESERVED.test(name), { error: 'may not be changed by a route; remove it' });
const headerValue = z
  .string()
  .min(1)
  .max(MAX_TEXT)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
  .regex(/^[^\u0000-\u0008\u000a-\u001f\u007f]*$/, { error: 'has control characters; remove them' });
const headerText = strict({ name: changedHeader, value: headerValue });
const headerModifier = strict({ set: list(headerText), add: list(headerText), remove: list(changedHeader) });

export const regex = z
  .string()
  .min(1)
  .superRefine((value, context) => {
    const problem = regexProblem(value);
    if (problem) context.addIssue({ code: 'custom', message: problem });
  });

/** Puts a regular expression's own problems where it stands. */
export const matchText = <const Shape extends z.ZodRawShape>(shape: Shape) =>
  strict({ type: optional(z.enum(['Exact', 'RegularExpression'])), ...shape }).superRefine((match, context) => {
    const { type, value } = match as { type?: string; value?: string };
    const problem = type === 'RegularExpression' && value !== undefined ? regexProblem(value) : undefined;
    if (problem) context.addIssue({ code: 'custom', path: ['value'], message: problem });
  });

export const namedMatch = (name: z.ZodType<string, string>) => matchText({ name, value: z.string().min(1).max(MAX_TEXT) });
export const headerMatch = namedMatch(
  headerName.refine((name) => !name.startsWith(':'), { error: 'is no header; use method or path' }),
);

export const pathText = z
  .string()
  .max(MAX_TEXT)
  .regex(/^\/[^?#\s\\]*$/, { error: 'expected a path that starts with / and has no query; change it' });
const hostname = z.string().regex(/^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/, { error: 'is no host name; change it' });
const pathChange = strict({
  type: z.enum(['ReplaceFullPath', 'ReplacePrefixMatch']),
  replaceFullPath: optional(pathText),
  replacePrefixMatch: optional(z.union([pathText, z.literal('')])),
}).refine((change) => (change.type === 'ReplaceFullPath' ? change.replaceFullPath : change.replacePrefixMatch) !== undefined, {
  error: 'lacks the field that its type names; add it',
});

const HEADER_FILTERS = {
  RequestHeaderModifier: ['requestHeaderModifier', headerModifier],
  ResponseHeaderModifier: ['responseHeaderModifier', headerModifier],
} as const;
const SHARED_FILTERS = {
  ...HEADER_FILTERS,
  RequestMirror: [
    'requestMirror',
    strict({
      backendRef: strict(backendShape),
      percent: optional(z.number().int().min(0).max(100)),
      fraction: optional(strict({ numerator: z.number().int().min(0), denominator: optional(z.number().int().min(1)) })),
    }).refine(({ percent, fraction }) => percent === undefined || fraction === undefined, {
      error: 'has both percent and fraction; keep one',
    }),
  ],
} as const;
/** `https://*.example.com`, as browsers name an origin; `*` is any. */
const origin = z
  .string()
  .max(253)
  .regex(/^(\*|[a-z][a-z0-9+.-]*:\/\/(\*\.|\*$)?[A-Za-z0-9.-]*(:\d{1,5})?)$/, {
    error: 'is no origin such as https://shop.example.com, https://*.example.com or *; change it',
  });
const anyOr = (name: z.ZodType<string, string>) => list(z.union([z.literal('*'), name]));
const cors = strict({
  allowOrigins: list(origin),
  allowCredentials: optional(z.boolean()),
  allowMethods: list(z.enum(['*', 'GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH'])),
  allowHeaders: anyOr(headerName),
  exposeHeaders: anyOr(headerName),
  maxAge: optional(z.number().int().min(1)),
}).refine(({ allowCredentials, exposeHeaders }) => !allowCredentials || !exposeHeaders.includes('*'), {
  error: "has allowCredentials and exposeHeaders '*', which no browser takes together; name the headers",
});
const HTTP_FILTERS = {
  ...SHARED_FILTERS,
  CORS: ['cors', cors],
  RequestRedirect: [
    'requestRedirect',
    strict({
      scheme: optional(z.enum(['http', 'https'])),
      hostname: optional(hostname),
      path: optional(pathChange),
      port,
      statusCode: optional(z.union([301, 302, 303, 307, 308].map((code) => z.literal(code)))),
    }),
  ],
  URLRewrite: ['urlRewrite', strict({ hostname: optional(hostname), path: optional(pathChange) })],
} as const;

type FilterTable = Readonly<Record<string, readonly [string, z.ZodType]>>;

/** `type` and the one field that it names. */
function filterOf<const Table extends FilterTable>(table: Table) {
  type Fields = { [K in keyof Table as Table[K][0]]: z.ZodOptional<Table[K][1]> };
  const fields = Object.fromEntries(Object.values(table).map(([field, schema]) => [field, schema.optional()])) as Fields;
  const types = Object.keys(table) as [keyof Table & string, ...(keyof Table & string)[]];
  return strict({ type: z.enum(types), ...fields }).superRefine((filter, context) => {
    const { type, ...parts } = filter as { type: string } & Record<string, unknown>;
    const wanted = table[type]?.[0] ?? '';
    if (parts[wanted] === undefined) context.addIssue({ code: 'custom', path: [wanted], message: 'is missing; add it' });
    for (const [field, value] of Object.entries(parts))
      if (value !== undefined && field !== wanted)
        context.addIssue({ code: 'custom', path: [field], message: `does not belong to type ${type}; remove it` });
  });
}

const onlyOnce = (filters: readonly { readonly type: string }[]) =>
  ['RequestHeaderModifier', 'ResponseHeaderModifier', 'RequestRedirect', 'URLRewrite', 'CORS'].every(
    (type) => filters.filter((filter) => filter.type === type).length <= 1,
  );
const ONCE = { error: 'has one type of filter twice; keep one of each' };

export const httpFilters = list(filterOf(HTTP_FILTERS)).refine(onlyOnce, ONCE);
export const grpcFilters = list(filterOf(SHARED_FILTERS)).refine(onlyOnce, ONCE);
const backendFilters = list(filterOf(HEADER_FILTERS)).refine(onlyOnce, ONCE);

export const backendRef = strict({
  ...backendShape,
  weight: optional(z.number().int().min(0).max(1_000_000)),
  filters: backendFilters,
});

/** Gateway API's durations (GEP-2257). */
const gatewayDuration = z
  .string()
  .regex(/^([0-9]{1,5}(h|m|s|ms)){1,4}$/, { error: 'expected a duration such as 500ms or 1m30s; change it' });
export const timeouts = optional(
  strict({ request: optional(gatewayDuration), backendRequest: optional(gatewayDuration) }).refine(
    ({ request, backendRequest }) => !longer(backendRequest, request),
    { error: 'backendRequest is longer than request; make it shorter' },
  ),
);
const longer = (one: string | undefined, other: string | undefined) =>
  (parseGoDuration(other ?? '') ?? 0) > 0 && (parseGoDuration(one ?? '') ?? 0) > (parseGoDuration(other ?? '') ?? 0);

export const retry = optional(
  strict({
    codes: list(z.number().int().min(400).max(599)),
    attempts: optional(z.number().int().min(0).max(1000)),
    backoff: optional(gatewayDuration),
  }),
);

export const sessionPersistence = optional(
  strict({
    sessionName: optional(headerName),
    type: optional(z.enum(['Cookie', 'Header'])),
    absoluteTimeout: optional(gatewayDuration),
    idleTimeout: z.undefined({ error: 'is not supported; use absoluteTimeout' }).optional(),
    cookieConfig: optional(strict({ lifetimeType: optional(z.enum(['Permanent', 'Session'])) })),
  }),
);
