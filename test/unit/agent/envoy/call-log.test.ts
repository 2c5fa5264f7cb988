import { expect, it } from 'vitest';
import { errorLog, logCall, middlewareLog, type WordedError } from '../../../../src/agent/envoy/call-log.js';
import type { Logger } from '../../../../src/telemetry/logger.js';

function logged(line: string, spec = {}): unknown[] {
  const seen: unknown[] = [];
  const logger = { info: (message: string, fields: object) => seen.push([message, fields]) } as unknown as Logger;
  expect(logCall(line, logger, spec)).toBe(true);
  return seen;
}
const line = (...fields: string[]) => ['api-call', ...fields].join('\t');

it.each([
  [line('GET', 'app|default|shop@v2', '', '200', '/a/b'), 'HTTP API Called', 'GET /v1.0/invoke/shop/method/a/b'],
  [line('GET', '', '', '404', '/v1.0/invoke/nobody/method/x'), 'HTTP API Called', 'GET /v1.0/invoke/nobody/method/x'],
  [line('POST', 'app|default|shop', 'application/grpc', '200', '/pkg.S/Do'), 'gRPC API Called', '/pkg.S/Do'],
  [line('POST', 'local|service-http', 'x\ty', '200', '/v1.0/state/s'), 'HTTP API Called', 'POST /v1.0/state/s'],
])('%j is %s %s', (text, message, method) => expect(logged(text)).toMatchObject([[message, { method }]]));

it('leaves out health checks, or what clients put into a path, when asked', () => {
  expect(logged(line('GET', 'local|service-http', '', '204', '/v1.0/healthz'), { omitHealthChecks: true })).toEqual([]);
  const [first] = logged(line('GET', 'app|default|shop', '', '200', '/secret'), { obfuscateURLs: true });
  expect(first).toMatchObject(['HTTP API Called', { method: 'GET /v1.0/invoke' }]);
});

it('names the middleware whose failure refused calls, once a second and how many', () => {
  const seen: unknown[] = [];
  let now = 0;
  const take = middlewareLog({ error: (_: string, fields: object) => seen.push(fields) } as unknown as Logger, () => now);
  const failure = 'middleware-failed\ta,b\t503\tspurious_message';
  for (let i = 0; i < 3; i += 1) expect(take(failure)).toBe(true);
  now = 1000;
  expect(take(failure)).toBe(true);
  expect(take('another line')).toBe(false);
  const fields = { middleware: 'a,b', status: '503', reason: 'spurious_message' };
  expect(seen).toEqual([
    { ...fields, calls: 1 },
    { ...fields, calls: 3 },
  ]);
});

it.each<[string, WordedError | undefined]>([
  ['error-worded\tshop\tapp|default|shop\tno_healthy_upstream', 'directInvoke'],
  ['error-worded\tshop\t\troute_not_found', 'directInvoke'],
  ['error-worded\t\texternal||pay\tupstream_reset_before_response_started{connection_failure}', 'directInvoke'],
  ['error-worded\t\tlocal|service-http\tno_healthy_upstream', 'other'],
  ['error-worded\tshop\tapp|default|shop\tvia_upstream', undefined],
])('%j is an error of kind %s', (text, kind) => {
  const seen: WordedError[] = [];
  const take = errorLog((error) => seen.push(error));
  expect(take(text)).toBe(true);
  expect(take('another line')).toBe(false);
  expect(seen).toEqual(kind ? [kind] : []);
});
