/** A name with a value, or with the place where it is found. */
export interface ValueSource {
  readonly value?: string | number | boolean;
  readonly envRef?: string;
  readonly secretKeyRef?: { readonly name: string; readonly key?: string };
}

/** `spec` of an HTTPEndpoint, checked by its schema. */
export interface HttpEndpointSpec {
  readonly baseUrl: string;
  readonly headers?: readonly ({ readonly name: string } & ValueSource)[];
  readonly clientTLS?: {
    readonly rootCA?: ValueSource;
    readonly certificate?: ValueSource;
    readonly privateKey?: ValueSource;
    readonly renegotiation?: 'Never' | 'OnceAsClient' | 'FreelyAsClient';
  };
}

/** An HTTPEndpoint as it is read. */
export interface HttpEndpointResource {
  readonly name: string;
  /** '' when the resource names none. */
  readonly namespace: string;
  readonly spec: unknown;
  readonly secretStore?: string;
}
