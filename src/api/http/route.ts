import type { FastifyReply, FastifyRequest } from 'fastify';

export type ApiVersion = 'v1.0' | 'v1.0-alpha1' | 'v1.0-alpha2' | 'v1.0-beta1';

/** Allow-list groups (reference §1.1), and what metrics and spans are named by. */
export type ApiGroup =
  | 'invoke'
  | 'state'
  | 'publish'
  | 'bindings'
  | 'secrets'
  | 'actors'
  | 'metadata'
  | 'configuration'
  | 'lock'
  | 'unlock'
  | 'healthz'
  | 'shutdown';

/** One API route as data (design §4). The server registers it under every version; metrics, spans and allow lists derive from it. */
export interface HttpRoute {
  readonly methods: readonly string[];
  readonly versions: readonly ApiVersion[];
  /** Below the version, in find-my-way syntax: `/state/:store/*`. */
  readonly path: string;
  readonly group: ApiGroup;
  /** Bounded name for metrics and spans, such as `GetState`: the gRPC twin's method name. */
  readonly operation: string;
  /** True: the body is handed over unread, as a Readable in `request.body`, and has no limit of ours. Default: a Buffer. */
  readonly stream?: boolean;
  /** Parses, calls the service, formats. Thrown AppErrors become Dapr's error bodies. The body is a Buffer (empty: undefined). */
  readonly handle: (request: FastifyRequest, reply: FastifyReply) => unknown;
}
