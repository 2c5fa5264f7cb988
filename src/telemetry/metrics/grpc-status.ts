import { grpcCode } from '../../errors.js';

const NAMES = Object.entries(grpcCode).map(([name]) =>
  name === 'ok' ? 'OK' : `${name.slice(0, 1).toUpperCase()}${name.slice(1)}`,
);

/** @returns the code as gRPC for Go writes it, and with it Dapr's labels: `NotFound` */
export const grpcStatusName = (code: number): string => NAMES[code] ?? 'Unknown';
