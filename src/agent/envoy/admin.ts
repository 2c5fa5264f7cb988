import { request } from 'node:http';

export interface EnvoyAdmin {
  /** @throws Error when Envoy does not answer within two seconds */
  call(method: 'GET' | 'POST', path: string): Promise<{ readonly status: number; readonly body: string }>;
  /** True once Envoy has everything that its first configuration names. False while it cannot be reached. */
  isLive(): Promise<boolean>;
  /** Whether it gives any answer within `ms` milliseconds. */
  answers(ms: number): Promise<boolean>;
  /** Requests that clients wait for at this moment. @param listeners regular expression of their names; default: all */
  activeRequests(listeners?: string): Promise<number>;
}

const TIMEOUT_MS = 2000;

/** @returns Envoy's admin interface on its Unix socket */
export function envoyAdmin(socketPath: string): EnvoyAdmin {
  const call = (method: string, path: string, timeout = TIMEOUT_MS) =>
    new Promise<{ readonly status: number; readonly body: string }>((resolve, reject) => {
      const outgoing = request({ socketPath, method, path, agent: false, timeout }, (response) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (chunk) => {
          body += chunk;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
        response.on('error', reject);
      });
      outgoing.on('timeout', () => outgoing.destroy(new Error(`Envoy's admin interface gave no answer to ${path}`)));
      outgoing.on('error', reject);
      outgoing.end();
    });
  return {
    call,
    isLive: async () => (await call('GET', '/ready').catch(() => ({ status: 0 }))).status === 200,
    answers: (ms) =>
      call('GET', '/ready', ms).then(
        () => true,
        () => false,
      ),
    async activeRequests(listeners = '.*') {
      const filter = encodeURIComponent(`^http\\.(${listeners})\\.downstream_rq_active$`);
      const { body } = await call('GET', `/stats?filter=${filter}`);
      return body
        .split('\n')
        .filter((line) => !line.startsWith('http.admin.'))
        .reduce((sum, line) => sum + (Number(line.split(': ')[1]) || 0), 0);
    },
  };
}
