/** What a middleware file exports as its default: a function for each part of a call that it wants to see, and none for the others. */
export interface MiddlewareModule {
  /** Before the call goes on. */
  onRequestHeaders?(request: RequestHead): Outcome | Promise<Outcome>;
  /** With the whole body, 256 KiB at most: a larger one is refused with 413. */
  onRequestBody?(request: RequestHead & { readonly body: Buffer }): BodyOutcome | Promise<BodyOutcome>;
  /** Before the answer goes back. `request` is there when the module has a handler for requests too. */
  onResponseHeaders?(response: ResponseHead): AnswerOutcome | Promise<AnswerOutcome>;
  onResponseBody?(response: ResponseHead & { readonly body: Buffer }): AnswerBodyOutcome | Promise<AnswerBodyOutcome>;
}

/** Names in lower case; several values of one name are joined by a comma. */
export type HeaderValues = Readonly<Record<string, string>>;

export interface RequestHead {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly headers: HeaderValues;
}

export interface ResponseHead {
  readonly status: number;
  readonly headers: HeaderValues;
  readonly request: RequestHead | undefined;
}

/** Headers to set (in the place of those that are there) and to remove. */
export interface HeaderChange {
  readonly setHeaders?: HeaderValues;
  readonly removeHeaders?: readonly string[];
}

/** Nothing: go on unchanged. */
export type Nothing = undefined | null;
/** Answers at once; the call goes no further. */
export interface Respond {
  readonly respond: { readonly status: number; readonly headers?: HeaderValues; readonly body?: string | Uint8Array };
}
export interface RequestChange extends HeaderChange {
  /** Another path, with the query; what it leads to is decided after it. */
  readonly path?: string;
}
export interface AnswerChange extends HeaderChange {
  readonly status?: number;
}
export interface BodyChange {
  readonly body?: string | Uint8Array;
}

export type Outcome = Nothing | Respond | RequestChange;
export type BodyOutcome = Nothing | Respond | (HeaderChange & BodyChange);
export type AnswerOutcome = Nothing | Respond | AnswerChange;
export type AnswerBodyOutcome = Nothing | Respond | (HeaderChange & BodyChange);

export const HANDLERS = {
  onRequestHeaders: 'request-headers',
  onRequestBody: 'request-body',
  onResponseHeaders: 'response-headers',
  onResponseBody: 'response-body',
} as const;

/** @returns what Envoy must show the module: a body comes with its headers */
export function phasesOf(module: MiddlewareModule): readonly string[] {
  const phases = new Set<string>();
  for (const [handler, phase] of Object.entries(HANDLERS)) if (module[handler as keyof MiddlewareModule]) phases.add(phase);
  if (phases.has('request-body')) phases.add('request-headers');
  if (phases.has('response-body')) phases.add('response-headers');
  return [...phases].sort();
}
