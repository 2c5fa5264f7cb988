import type { z } from 'zod';
import { z as zod } from 'zod';
import type { Component, MetadataItem } from '../../../gen/weft/config/v1/config.js';
import { parseGoDuration } from '../../../lib/duration.js';
import { isMiddleware, readMiddleware } from '../../middleware/kinds.js';
import { strict } from '../problem.js';
import { auth, duration, list, type NameValue, nameValue, optional, resource, scopes, text } from '../schema.js';

export const componentSchema = resource(['dapr.io/v1alpha1'], {
  spec: strict({
    type: text.regex(/^[a-z]+(\.[\w-]+)+$/i, { error: 'expected <block>.<name> such as state.redis; change it' }),
    version: optional(zod.string()),
    ignoreErrors: optional(zod.boolean()),
    initTimeout: optional(duration),
    metadata: list(nameValue),
  }),
  scopes,
  auth,
}).superRefine(({ spec }, context) => {
  // Middleware is translated where documents are read, so it is checked here: a bad one leaves the last good one in force.
  if (!isMiddleware(spec.type)) return;
  const read = readMiddleware({ type: spec.type, version: spec.version ?? '', metadata: spec.metadata.map(toItem) });
  for (const message of 'problems' in read ? read.problems : []) context.addIssue({ code: 'custom', message });
});

const INIT_TIMEOUT_MS = 5000;

/** @returns the component of a document that {@link componentSchema} has taken */
export function toComponent({ metadata, spec, scopes, auth }: z.infer<typeof componentSchema>, source: string): Component {
  return {
    name: metadata.name,
    namespace: metadata.namespace ?? '',
    type: spec.type,
    version: spec.version || 'v1',
    metadata: spec.metadata.map(toItem),
    ignoreErrors: spec.ignoreErrors ?? false,
    initTimeoutMs: Math.max(0, Math.round(parseGoDuration(spec.initTimeout ?? '') ?? INIT_TIMEOUT_MS)),
    scopes,
    secretStore: auth?.secretStore ?? '',
    source,
  };
}

function toItem({ name, value, secretKeyRef, envRef }: NameValue): MetadataItem {
  if (envRef) return { name, from: { $case: 'envRef', value: envRef } };
  // Without a key the secret's own name is the key.
  if (secretKeyRef)
    return {
      name,
      from: { $case: 'secretKeyRef', value: { name: secretKeyRef.name, key: secretKeyRef.key || secretKeyRef.name } },
    };
  return { name, from: { $case: 'value', value: String(value ?? '') } };
}
