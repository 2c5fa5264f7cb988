import { createHash } from 'node:crypto';
import type { HeaderValueOption } from '../../gen/envoy/config/core/v3/base.js';
import type { TypedExtensionConfig } from '../../gen/envoy/config/core/v3/extension.js';
import type { HeaderMutation } from '../../gen/weft/envoy/v1/header_mutation.js';
import { type Instance, isGrpcApp } from '../../model/instance.js';
import { HEADERS, TO_SELF } from '../../model/names.js';
import { extension, messageTypes } from './any.js';
import { append, ifAbsent, overwrite } from './values.js';

/**
 * Who may say what about a caller. These mutations run before any rule, route or filter reads a header, and once for a request: a
 * listener's own identity headers stand here and not in the routes, so that all nodes of a namespace share one route table.
 * They are on the hot path, so each list is as short as it can be. `x-forwarded-client-cert` is not in them: Envoy drops it by default.
 */

const remove = (name: string): HeaderMutation => ({ action: { $case: 'remove', value: name } });
const removePrefix = (prefix: string): HeaderMutation => ({
  action: {
    $case: 'removeOnMatch',
    value: { keyMatcher: { matchPattern: { $case: 'prefix', value: prefix }, ignoreCase: false } },
  },
});
const appended = (value: HeaderValueOption): HeaderMutation => ({ action: { $case: 'append', value } });
const set = (name: string, value: string): HeaderMutation => appended(overwrite(name, value));

/** Would steer Envoy's retries and timeouts, or pass for its findings. */
const ENVOY_HEADERS = removePrefix('x-envoy-');

const mutate = (mutations: HeaderMutation[]): readonly TypedExtensionConfig[] => [
  extension('envoy.http.early_header_mutation.header_mutation', messageTypes.earlyHeaderMutation, { mutations }),
];

/** For what the app (or anyone who reaches the API) sends: nothing that it says about who calls is believed. */
export const fromApp = ({ appId, namespace }: Instance): readonly TypedExtensionConfig[] =>
  mutate([
    ENVOY_HEADERS,
    removePrefix('x-weft-'),
    remove('forwarded'),
    remove('x-forwarded-host'),
    set('dapr-caller-app-id', appId),
    set('dapr-caller-namespace', namespace),
  ]);

/** The other end of the connection, whatever X-Forwarded-For says. */
const PEER = '%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%';

const BY_PEER = `for=${PEER};by=%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%;host=%REQ(:AUTHORITY)%`;
const forwarded = (peer: string, byPeer: string): readonly HeaderValueOption[] => [
  append('x-forwarded-for', peer),
  overwrite('x-forwarded-host', '%REQ(:AUTHORITY)%'),
  overwrite('forwarded', byPeer),
];

/** Where a call came from, as it is seen here. */
export const FORWARDED = forwarded(PEER, BY_PEER);

/** For the next listener of the same Envoy, whose peer is Envoy itself: what this one sees, and how that one tells it. */
export const SEEN_BEFORE: readonly HeaderValueOption[] = [overwrite(HEADERS.peer, PEER), overwrite(HEADERS.forwarded, BY_PEER)];
export const FORWARDED_BEFORE = forwarded(`%REQ(${HEADERS.peer})%`, `%REQ(${HEADERS.forwarded})%`);

const forHttpApp = mutate([ENVOY_HEADERS, ...FORWARDED.map(appended)]);
const forGrpcApp = mutate([ENVOY_HEADERS]);

/**
 * For what another sidecar sends: it has stamped the caller and let nothing forged through. Proxied gRPC calls are not told where they
 * came from (reference §3.12), so for a gRPC app that stands in the other routes (route.ts).
 */
export const fromSidecar = (instance: Instance): readonly TypedExtensionConfig[] =>
  isGrpcApp(instance) ? forGrpcApp : forHttpApp;

/** What B3's headers say, single or multiple, in one text; other clients' headers of this name are gone by then. */
const B3 = 'x-weft-b3';
const B3_VALUE = '%REQ(b3)%%REQ(x-b3-traceid)%-%REQ(x-b3-spanid)%-%REQ(x-b3-sampled)%';

/** @returns a CEL expression for the W3C form of what stands in {@link B3}; '' when nothing does. Expressions may have 100 instructions. */
function w3cFromB3(): string {
  const b3 = `request.headers['${B3}']`;
  const ids = '^([0-9a-f]+)-([0-9a-f]+)';
  const w3c = (pad: string, flags: string) => `re.extract(${b3}, '${ids}.*$', '00-${pad}\\\\1-\\\\2-${flags}')`;
  // Without a decision of the caller's the trace is not recorded, as OpenTelemetry's own reading has it.
  const decided = (pad: string) => `(${b3}.matches('${ids}-[1dt]') ? ${w3c(pad, '01')} : ${w3c(pad, '00')})`;
  // Trace ids of 64 bits get zeros in front.
  return `!${b3}.matches('${ids}') ? '' : ${b3}.matches('^[0-9a-f]{16}-') ? ${decided('0'.repeat(16))} : ${decided('')}`;
}

/** Reads B3 where there is no traceparent; Envoy's tracer knows W3C only. */
export const traceFromB3: readonly TypedExtensionConfig[] = mutate([
  set(B3, B3_VALUE),
  appended(ifAbsent('traceparent', `%CEL(${w3cFromB3()})%`)),
  remove(B3),
]);

const selfOfHttpApp = mutate([ENVOY_HEADERS]);
const selfOfGrpcApp = mutate([ENVOY_HEADERS, appended(ifAbsent(HEADERS.to, TO_SELF))]);

/** For calls of an app to itself: as from another sidecar, but nothing was forwarded. The routes of a gRPC app are told so. */
export const fromSelf = (instance: Instance): readonly TypedExtensionConfig[] =>
  isGrpcApp(instance) ? selfOfGrpcApp : selfOfHttpApp;

/** Ends the parent ids that are made here: `weft` in ASCII. */
export const STARTED_HERE = '77656674';

/**
 * Where no tracer does it: a `traceparent` for calls that bring none, not recorded. Its ids are the sidecar, the time of the request in
 * nanoseconds and {@link STARTED_HERE}; Envoy has no random number that is cheap enough for each call.
 */
export const ownTraceparent = ({ instanceId }: Instance): readonly TypedExtensionConfig[] => {
  const sidecar = createHash('sha256').update(instanceId).digest('hex').slice(0, 13);
  return mutate([appended(ifAbsent('traceparent', `00-${sidecar}%START_TIME(%s%9f)%-%START_TIME(%8f)%${STARTED_HERE}-00`))]);
};
