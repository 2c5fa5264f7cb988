/**
 * The one error type and its one table (design §4). A row gives HTTP status, gRPC code and Dapr's `errorCode`;
 * rows with a `reason` carry `details` on the wire (reference §1.2.1), the others are legacy two-key bodies.
 */

/** gRPC status codes by name, so that nothing below `api` needs grpc-js for an error. */
export const grpcCode = {
  ok: 0,
  canceled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  aborted: 10,
  outOfRange: 11,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  dataLoss: 15,
  unauthenticated: 16,
} as const;

export interface ErrorRow {
  readonly http: number;
  readonly grpc: number;
  readonly errorCode: string;
  /** ErrorInfo reason; present on "rich" errors only. */
  readonly reason?: string;
  /** ResourceInfo type for rich errors, such as `state` or `pubsub`. */
  readonly resourceType?: string;
  /** gRPC code inside a batch or as seen by gRPC callers only, where it differs from `grpc`. */
  readonly message: (meta: ErrorMeta) => string;
}

/** Values that messages and details may name. Never secrets. */
export type ErrorMeta = Readonly<Record<string, string>>;

const say = (text: string) => (meta: ErrorMeta) => text.replace(/\{(\w+)\}/g, (_, key: string) => meta[key] ?? '');
const legacy = (http: number, grpc: number, errorCode: string, text: string): ErrorRow => ({
  http,
  grpc,
  errorCode,
  message: say(text),
});
const rich = (http: number, grpc: number, errorCode: string, reason: string, resourceType: string, text: string): ErrorRow => ({
  http,
  grpc,
  errorCode,
  reason,
  resourceType,
  message: say(text),
});

const g = grpcCode;

/** Every failure that an API can answer with, by our own name. `{x}` in a text is `meta.x`; `{err}` is filled from the cause. */
export const errorTable = {
  // Common (reference §1.2.2)
  malformedRequest: legacy(400, g.invalidArgument, 'ERR_MALFORMED_REQUEST', 'failed deserializing HTTP body: {err}'),
  badRequest: legacy(400, g.invalidArgument, 'ERR_BAD_REQUEST', '{err}'),
  bodyRead: legacy(400, g.invalidArgument, 'ERR_BODY_READ', 'failed to read body: {err}'),
  bodyTooLarge: legacy(
    413,
    g.resourceExhausted,
    'ERR_BODY_READ',
    'request body is larger than {max} bytes; raise --max-body-size',
  ),
  internal: legacy(500, g.internal, 'ERROR', 'internal error'),
  notConfigured: legacy(
    503,
    g.unavailable,
    'ERR_NOT_CONFIGURED',
    'the control plane has not sent the configuration yet; wait for GET /v1.0/healthz',
  ),
  pipelineNotReady: legacy(503, g.unavailable, 'ERR_MIDDLEWARE', 'the HTTP pipeline is not in place yet; try again'),
  // Invocation
  invokeNoTarget: legacy(
    404,
    g.unknown,
    'ERR_DIRECT_INVOKE',
    'failed getting app id either from the URL path or the header dapr-app-id',
  ),
  invokeFailed: legacy(500, g.internal, 'ERR_DIRECT_INVOKE', 'failed to invoke, id: {id}, err: {err}'),
  invokeDenied: legacy(403, g.permissionDenied, 'ERR_DIRECT_INVOKE', '{err}'),
  // State
  stateStoreNotConfigured: rich(
    500,
    g.failedPrecondition,
    'ERR_STATE_STORE_NOT_CONFIGURED',
    'DAPR_STATE_NOT_CONFIGURED',
    'state',
    'state store {name} is not configured',
  ),
  stateStoreNotFound: rich(
    400,
    g.invalidArgument,
    'ERR_STATE_STORE_NOT_FOUND',
    'DAPR_STATE_NOT_FOUND',
    'state',
    'state store {name} is not found',
  ),
  stateIllegalKey: rich(
    400,
    g.invalidArgument,
    'ERR_MALFORMED_REQUEST',
    'DAPR_STATE_ILLEGAL_KEY',
    'state',
    "input key/keyPrefix '{key}' can't contain '||'",
  ),
  stateTransactionsNotSupported: rich(
    500,
    g.unimplemented,
    'ERR_STATE_STORE_NOT_SUPPORTED',
    'DAPR_STATE_TRANSACTIONS_NOT_SUPPORTED',
    'state',
    "state store {name} doesn't support transactions",
  ),
  stateTooManyTransactions: rich(
    400,
    g.invalidArgument,
    'ERR_STATE_STORE_TOO_MANY_TRANSACTIONS',
    'DAPR_STATE_TOO_MANY_TRANSACTIONS',
    'state',
    'the transaction contains {count} operations, which is more than what the state store supports: {max}',
  ),
  stateQueryNotSupported: rich(
    500,
    g.internal,
    'ERR_STATE_STORE_NOT_SUPPORTED',
    'DAPR_STATE_QUERYING_NOT_SUPPORTED',
    'state',
    "state store {name} doesn't support querying",
  ),
  stateQueryFailed: rich(
    500,
    g.internal,
    'ERR_STATE_QUERY',
    'DAPR_STATE_QUERY_FAILED',
    'state',
    'state store {name} query failed: {err}',
  ),
  stateGet: legacy(500, g.internal, 'ERR_STATE_GET', 'fail to get {key} from state store {name}: {err}'),
  stateBulkGet: legacy(500, g.internal, 'ERR_STATE_BULK_GET', 'failed to get items from state store {name}: {err}'),
  stateSave: legacy(500, g.internal, 'ERR_STATE_SAVE', 'failed saving state in state store {name}: {err}'),
  stateSaveEtagMismatch: legacy(
    409,
    g.aborted,
    'ERR_STATE_SAVE',
    'failed saving state in state store {name}: possible etag mismatch. error from state store: {err}',
  ),
  stateSaveEtagInvalid: legacy(
    400,
    g.invalidArgument,
    'ERR_STATE_SAVE',
    'failed saving state in state store {name}: invalid etag value. error from state store: {err}',
  ),
  stateDelete: legacy(500, g.internal, 'ERR_STATE_DELETE', 'failed deleting state with key {key}: {err}'),
  stateDeleteEtagMismatch: legacy(
    409,
    g.aborted,
    'ERR_STATE_DELETE',
    'failed deleting state with key {key}: possible etag mismatch. error from state store: {err}',
  ),
  stateDeleteEtagInvalid: legacy(
    400,
    g.invalidArgument,
    'ERR_STATE_DELETE',
    'failed deleting state with key {key}: invalid etag value. error from state store: {err}',
  ),
  stateTransaction: legacy(500, g.internal, 'ERR_STATE_TRANSACTION', 'error while executing state transaction: {err}'),
  stateOperationNotSupported: legacy(
    400,
    g.unimplemented,
    'ERR_NOT_SUPPORTED_STATE_OPERATION',
    'operation type {operation} not supported',
  ),
  stateDeleteBulk: legacy(500, g.internal, 'ERR_STATE_BULK_DELETE', 'failed deleting state in state store {name}: {err}'),
  stateDeleteBulkEtagMismatch: legacy(
    409,
    g.aborted,
    'ERR_STATE_BULK_DELETE',
    'failed deleting state in state store {name}: possible etag mismatch. error from state store: {err}',
  ),
  stateDeleteBulkEtagInvalid: legacy(
    400,
    g.invalidArgument,
    'ERR_STATE_BULK_DELETE',
    'failed deleting state in state store {name}: invalid etag value. error from state store: {err}',
  ),
  stateMalformedRequest: legacy(400, g.invalidArgument, 'ERR_MALFORMED_REQUEST', '{err}'),
  // Publish/subscribe
  pubsubNotConfigured: rich(
    400,
    g.failedPrecondition,
    'ERR_PUBSUB_NOT_CONFIGURED',
    'DAPR_PUBSUB_NOT_CONFIGURED',
    'pubsub',
    'pubsub {name} is not configured',
  ),
  pubsubNotFound: rich(
    404,
    g.invalidArgument,
    'ERR_PUBSUB_NOT_FOUND',
    'DAPR_PUBSUB_NOT_FOUND',
    'pubsub',
    'pubsub {name} is not found',
  ),
  pubsubNameEmpty: rich(404, g.invalidArgument, 'ERR_PUBSUB_EMPTY', 'DAPR_PUBSUB_NAME_EMPTY', 'pubsub', 'pubsub name is empty'),
  topicNameEmpty: rich(
    404,
    g.invalidArgument,
    'ERR_TOPIC_NAME_EMPTY',
    'DAPR_PUBSUB_TOPIC_NAME_EMPTY',
    'pubsub',
    'topic is empty in pubsub {name}',
  ),
  pubsubRequestMetadata: rich(
    400,
    g.invalidArgument,
    'ERR_PUBSUB_REQUEST_METADATA',
    'DAPR_PUBSUB_METADATA_DESERIALIZATION',
    'pubsub',
    'failed deserializing metadata: {err}',
  ),
  pubsubCloudEventCreation: rich(
    500,
    g.invalidArgument,
    'ERR_PUBSUB_CLOUD_EVENTS_SER',
    'DAPR_PUBSUB_CLOUD_EVENT_CREATION',
    'pubsub',
    'cannot create cloudevent: {err}',
  ),
  pubsubMarshalEnvelope: rich(
    400,
    g.invalidArgument,
    'ERR_PUBSUB_EVENTS_SER',
    'DAPR_PUBSUB_MARSHAL_ENVELOPE',
    'pubsub',
    'error when marshalling cloud event envelope for topic {topic} pubsub {name}: {err}',
  ),
  pubsubUnmarshalEvents: rich(
    400,
    g.invalidArgument,
    'ERR_PUBSUB_EVENTS_SER',
    'DAPR_PUBSUB_UNMARSHAL_EVENTS',
    'pubsub',
    'error when unmarshaling the request for topic {topic} pubsub {name}: {err}',
  ),
  pubsubMarshalEvents: rich(
    400,
    g.invalidArgument,
    'ERR_PUBSUB_EVENTS_SER',
    'DAPR_PUBSUB_MARSHAL_EVENTS',
    'pubsub',
    'error marshaling events to bytes for topic {topic} pubsub {name}. error: {err}',
  ),
  pubsubForbidden: rich(
    403,
    g.permissionDenied,
    'ERR_PUBSUB_FORBIDDEN',
    'DAPR_PUBSUB_FORBIDDEN',
    'pubsub',
    'topic {topic} is not allowed for app id {appId}',
  ),
  pubsubPublish: rich(
    500,
    g.internal,
    'ERR_PUBSUB_PUBLISH_MESSAGE',
    'DAPR_PUBSUB_PUBLISH_MESSAGE',
    'pubsub',
    'error when publishing to topic {topic} in pubsub {name}: {err}',
  ),
  // Secrets
  secretStoreNotConfigured: legacy(
    500,
    g.failedPrecondition,
    'ERR_SECRET_STORES_NOT_CONFIGURED',
    'secret store is not configured',
  ),
  secretStoreNotFound: legacy(
    401,
    g.invalidArgument,
    'ERR_SECRET_STORE_NOT_FOUND',
    'failed finding secret store with key {name}',
  ),
  secretDenied: legacy(403, g.permissionDenied, 'ERR_PERMISSION_DENIED', 'access denied by policy to get "{key}" from "{name}"'),
  secretGet: legacy(500, g.internal, 'ERR_SECRET_GET', 'failed getting secret with key {key} from secret store {name}: {err}'),
  secretGetAll: legacy(500, g.internal, 'ERR_SECRET_GET', 'failed getting secrets from secret store {name}: {err}'),
  // Actors
  actorRuntimeNotFound: legacy(
    500,
    g.internal,
    'ERR_ACTOR_RUNTIME_NOT_FOUND',
    'the state store is not configured to use the actor runtime. Have you set the - name: actorStateStore value: "true" in your state store component file?',
  ),
  actorInstanceMissing: legacy(400, g.internal, 'ERR_ACTOR_INSTANCE_MISSING', 'actor instance is missing'),
  actorInvoke: legacy(500, g.internal, 'ERR_ACTOR_INVOKE_METHOD', 'error invoke actor method: {err}'),
  actorStateGet: legacy(500, g.internal, 'ERR_ACTOR_STATE_GET', 'error getting actor state: {err}'),
  actorStateTransaction: legacy(
    500,
    g.internal,
    'ERR_ACTOR_STATE_TRANSACTION_SAVE',
    'error saving actor transaction state: {err}',
  ),
  actorNoAppChannel: legacy(400, g.internal, 'ERR_ACTOR_NO_APP_CHANNEL', 'app channel is not initialized'),
  actorStackDepth: legacy(500, g.internal, 'ERR_ACTOR_STACK_DEPTH', 'maximum stack depth exceeded'),
  actorNoPlacement: legacy(400, g.failedPrecondition, 'ERR_ACTOR_NO_PLACEMENT', 'placement is not configured'),
  actorNoAddress: legacy(404, g.notFound, 'ERR_ACTOR_NO_ADDRESS', 'did not find address for actor {type}/{id}'),
  actorRuntimeClosed: legacy(503, g.unavailable, 'ERR_ACTOR_RUNTIME_CLOSED', 'actor runtime is closed'),
  actorTypeReserved: legacy(403, g.permissionDenied, 'ERR_ACTOR_TYPE_RESERVED', 'actor type is reserved: {type}'),
  // Health
  healthNotReady: legacy(500, g.internal, 'ERR_HEALTH_NOT_READY', 'dapr is not ready{err}'),
  outboundHealthNotReady: legacy(500, g.internal, 'ERR_OUTBOUND_HEALTH_NOT_READY', 'dapr outbound is not ready{err}'),
  healthAppIdNotMatch: legacy(500, g.internal, 'ERR_HEALTH_APPID_NOT_MATCH', 'dapr app-id does not match'),
} satisfies Record<string, ErrorRow>;

export type ErrorName = keyof typeof errorTable;

/** An error that an API edge can answer with. Everything else that is thrown is answered as `internal`, its text kept for the log. */
export class AppError extends Error {
  readonly row: ErrorRow;

  /**
   * @param code row of {@link errorTable}
   * @param meta values for the message and for ErrorInfo.metadata; a missing `err` is filled from `cause`
   */
  constructor(
    readonly code: ErrorName,
    readonly meta: ErrorMeta = {},
    cause?: unknown,
  ) {
    const row: ErrorRow = errorTable[code];
    super(row.message(cause === undefined || meta.err !== undefined ? meta : { ...meta, err: messageOf(cause) }), { cause });
    this.name = 'AppError';
    this.row = row;
  }

  /** @returns `error` itself when it is an AppError, else `internal` with `error` as its cause */
  static from(error: unknown): AppError {
    return error instanceof AppError ? error : new AppError('internal', {}, error);
  }
}

/** One that a sidecar has answered with, and that is only passed on: it has been counted where it was worded. */
export class PassedOnError extends AppError {}

/** A mistake of the person at the keyboard: printed as one line that names place and remedy, without a stack. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** @returns the text of anything that was thrown */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
