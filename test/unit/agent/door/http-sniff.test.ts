import { expect, it } from 'vitest';
import { sniffHttp } from '../../../../src/agent/door/http-sniff.js';

const side = (line: string) => sniffHttp(Buffer.from(`${line} HTTP/1.1\r\nhost: x\r\n\r\n`));

it.each([
  'GET /v1.0/invoke/orders/method/neworder',
  'POST /v1.0/actors/Cart/42/method/add',
  'PUT /v1.0/actors/Cart/42/method/timer/t1?x=1',
  'GET /anything/else',
  'GET /v2/x',
  'GET http://127.0.0.1:3500/v1.0/invoke/orders/method/x',
  'GET http://orders/path',
  'OPTIONS *',
])('%s goes to Envoy', (line) => {
  expect(side(line)).toBe('envoy');
});

it.each([
  'GET /v1.0/state/statestore/key',
  'POST /v1.0/publish/pubsub/topic',
  'GET /v1.0-alpha1/configuration/store',
  'POST /v1.0-beta1/workflows/dapr/x/start',
  'POST /v1.0/actors/Cart/42/state',
  'GET /v1.0/actors/Cart/42/reminders/method',
  'GET /v1.0/healthz?x=/v1.0/invoke/',
  'GET http://127.0.0.1:3500/v1.0/metadata',
])('%s stays with the filter service', (line) => {
  expect(side(line)).toBe('service');
});

it('waits while the request line is not complete', () => {
  expect(sniffHttp(Buffer.from(''))).toBeUndefined();
  expect(sniffHttp(Buffer.from('GET /v1.0/sta'))).toBeUndefined();
  expect(sniffHttp(Buffer.from('PRI * HTTP/2.0\r\n'))).toBeUndefined();
});

it('gives an HTTP/2 connection to Envoy', () => {
  expect(sniffHttp(Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0'))).toBe('envoy');
});

it('leaves what is no request to the HTTP server, which knows how to refuse it', () => {
  expect(sniffHttp(Buffer.from('hello\r\n'))).toBe('service');
  expect(sniffHttp(Buffer.from('\r\nGET / HTTP/1.1\r\n'))).toBe('service');
  expect(sniffHttp(Buffer.alloc(20_000, 'a'))).toBe('service');
});
