import { z } from 'zod';
import { parseGoDuration } from '../../lib/duration.js';
import { NAMESPACE_PATTERN } from '../instance.js';
import { strict } from './problem.js';

/** What the kinds have in common. */

/** A YAML key without a value (`scopes:`) is as good as none. */
export const optional = <T extends z.ZodType>(type: T) => type.nullish().transform((value) => value ?? undefined);
export const list = <T extends z.ZodType>(type: T) =>
  z
    .array(type)
    .nullish()
    .transform((value) => value ?? []);
export const text = z.string().min(1);

/** As Go writes it: `500ms`, `1m30s`. */
export const duration = z
  .string()
  .refine((value) => parseGoDuration(value) !== undefined, { error: 'expected a duration such as 500ms or 1m30s; change it' });
/** Resiliency also takes a bare number, quoted or not: milliseconds. */
export const durationOrMs = z.union([
  z
    .string()
    .regex(/^-?\d+$/)
    .transform(Number),
  duration,
  z.number().int(),
]);

/** A Kubernetes object's own fields; the ones of the API server are taken and not looked at. */
export const metadata = strict({
  name: text,
  namespace: optional(z.string().regex(NAMESPACE_PATTERN, { error: 'is no namespace name (a-z, 0-9, -); change it' })),
  ...Object.fromEntries(
    [
      'labels',
      'annotations',
      'generateName',
      'uid',
      'resourceVersion',
      'generation',
      'creationTimestamp',
      'deletionTimestamp',
      'deletionGracePeriodSeconds',
      'finalizers',
      'ownerReferences',
      'managedFields',
      'selfLink',
    ].map((field) => [field, z.unknown().optional()]),
  ),
});

export const scopes = list(text);
export const auth = optional(strict({ secretStore: optional(z.string()) }));

/** @returns the schema of a whole document; `extra` are the kind's fields beside `spec` */
export const resource = <const Shape extends z.ZodRawShape>(apiVersions: readonly [string, ...string[]], fields: Shape) =>
  strict({ apiVersion: z.enum(apiVersions), kind: z.string(), metadata, status: z.unknown().optional(), ...fields });

const scalar = z.union([z.string(), z.number(), z.boolean()]);
const secretKeyRef = strict({ name: text, key: optional(z.string()) });

/** May stand in a sidecar's environment, but are Dapr's own secrets and settings (reference §4.1). */
const mayBeRead = (name: string) => name !== 'APP_API_TOKEN' && !/^DAPR_/i.test(name) && !/\s/.test(name);

/** A name with a value, or with the place where the value is found. */
export const nameValue = strict({
  name: text,
  value: scalar.nullish(),
  secretKeyRef: optional(secretKeyRef),
  envRef: optional(
    text.refine(mayBeRead, { error: 'APP_API_TOKEN, DAPR_* and names with spaces are not handed out; use another variable' }),
  ),
}).refine(
  ({ value, secretKeyRef, envRef }) => [value ?? undefined, secretKeyRef, envRef].filter((it) => it !== undefined).length <= 1,
  {
    error: 'has more than one of value, secretKeyRef and envRef; keep one',
  },
);

export type NameValue = z.infer<typeof nameValue>;
