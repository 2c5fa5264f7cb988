import { createServer } from 'node:net';
import { UsageError } from '../errors.js';

export interface ListenPlace {
  readonly host: string;
  readonly port: number;
  /** The flag that moves it. */
  readonly flag: string;
}

/** @returns why nothing can listen there, as one line with its remedy */
export function listenProblem(error: NodeJS.ErrnoException, { host, port, flag }: ListenPlace): UsageError {
  if (error.code === 'EADDRINUSE')
    return new UsageError(`port ${port} on ${host} is taken: stop what listens there, or choose another with ${flag}`);
  if (error.code === 'EACCES')
    return new UsageError(`port ${port} needs more rights than this user has: choose another with ${flag}`);
  return new UsageError(`cannot listen on ${host}:${port} (${error.message}): see --listen-address and ${flag}`);
}

/** @throws UsageError when nothing can listen there */
export async function assertFree(place: ListenPlace): Promise<void> {
  const probe = createServer();
  await new Promise<void>((resolve, reject) => {
    probe.once('error', (error) => reject(listenProblem(error, place)));
    probe.listen({ host: place.host, port: place.port, exclusive: true }, resolve);
  });
  await new Promise((resolve) => probe.close(resolve));
}
