export type Action = 'allow' | 'deny';

/** What HTTP apps and gRPC apps differ in: paths of the former are compared without case, and only they have verbs. */
export type AppKind = 'http' | 'grpc';
