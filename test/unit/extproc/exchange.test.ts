import { describe, expect, it } from 'vitest';
import type { MiddlewareModule } from '../../../src/blocks/middleware/middleware-module.js';
import { createExchange } from '../../../src/extproc/exchange.js';
import { ProcessingRequest } from '../../../src/gen/envoy/service/ext_proc/v3/external_processor.js';

const header = (key: string, value: string) => ({ key, value: '', rawValue: Buffer.from(value) });
const heads = (which: 'requestHeaders' | 'responseHeaders', ...all: [string, string][]) =>
  ProcessingRequest.fromPartial({
    request: { $case: which, value: { headers: { headers: all.map(([key, value]) => header(key, value)) } } },
  } as never);
const body = (which: 'requestBody' | 'responseBody', text: string) =>
  ProcessingRequest.fromPartial({ request: { $case: which, value: { body: Buffer.from(text), endOfStream: true } } } as never);
const REQUEST = heads('requestHeaders', [':method', 'GET'], [':path', '/a?b'], [':authority', 'x'], ['k', '1'], ['k', '2']);

describe('one call as a module sees it', () => {
  it('has method, path and headers; what the module does not say stays', async () => {
    const seen: unknown[] = [];
    const exchange = createExchange({ onRequestHeaders: (request) => void seen.push(request) as undefined });
    const { response } = await exchange.next(REQUEST);
    expect(seen).toEqual([{ method: 'GET', path: '/a?b', headers: { host: 'x', k: '1,2' } }]);
    expect(response).toMatchObject({
      $case: 'requestHeaders',
      value: { response: { headerMutation: undefined, clearRouteCache: false } },
    });
  });

  it('knows at its answer what was asked', async () => {
    const exchange = createExchange({
      onRequestHeaders: () => undefined,
      onResponseHeaders: ({ status, request }) => ({ setHeaders: { was: `${status} ${request?.path}` } }),
    });
    await exchange.next(REQUEST);
    const { response } = await exchange.next(heads('responseHeaders', [':status', '404']));
    expect(JSON.stringify(response)).toContain(JSON.stringify(Buffer.from('404 /a?b')));
  });

  it('gets parts in their order and once', async () => {
    const exchange = createExchange({});
    await exchange.next(heads('responseHeaders', [':status', '200']));
    await expect(exchange.next(heads('responseHeaders'))).rejects.toThrow('responseHeaders came out of turn');
    await expect(exchange.next(REQUEST)).rejects.toThrow('requestHeaders came out of turn');
    await expect(createExchange({}).next(ProcessingRequest.fromPartial({}))).rejects.toThrow('an empty message came out of turn');
  });

  it('sends another path, and looks for the route again', async () => {
    const { response } = await createExchange({ onRequestHeaders: () => ({ path: '/b' }) }).next(REQUEST);
    expect(response).toMatchObject({
      value: { response: { clearRouteCache: true, headerMutation: { setHeaders: [{ header: { key: ':path' } }] } } },
    });
  });

  it('sends another body with its length', async () => {
    const exchange = createExchange({ onRequestBody: ({ body: given, path }) => ({ body: `${path}${given}é` }) });
    await exchange.next(REQUEST);
    const { response } = await exchange.next(body('requestBody', 'x'));
    expect(response).toMatchObject({
      $case: 'requestBody',
      value: {
        response: {
          bodyMutation: { mutation: { value: Buffer.from('/a?bxé') } },
          headerMutation: { setHeaders: [{ header: { rawValue: Buffer.from('7') } }] },
        },
      },
    });
  });

  it('answers at once', async () => {
    const { response } = await createExchange({
      onRequestHeaders: () => ({ respond: { status: 403, headers: { a: 'b' }, body: 'no' } }),
    }).next(REQUEST);
    expect(response).toMatchObject({ $case: 'immediateResponse', value: { status: { code: 403 }, body: Buffer.from('no') } });
  });

  const wrong: [string, unknown, RegExp][] = [
    ['text', 'go on', /the outcome is not an object/],
    ['a field of nobody', { header: {} }, /header is not one of setHeaders, removeHeaders, path/],
    ['an answer with more beside it', { respond: { status: 200 }, path: '/' }, /path is not one of respond/],
    ['a status that is none', { respond: { status: 99 } }, /status is not a number from 200 to 599/],
    ['a status as text', { respond: { status: '200' } }, /status is not/],
    ['a header that is no text', { setHeaders: { a: 1 } }, /header a is not one line of text/],
    ['a header of two lines', { setHeaders: { a: 'b\r\nc: d' } }, /header a is not one line of text/],
    ['a name that is none', { setHeaders: { ':path': '/x' } }, /":path" is no name of a header/],
    ['a header of ours', { setHeaders: { 'Dapr-Caller-App-Id': 'admin' } }, /is not for a middleware to change/],
    ['another host', { setHeaders: { Host: 'x' } }, /is not for a middleware to change/],
    ['a path without a slash', { path: 'x' }, /path is not a path/],
    ['a path of two lines', { path: '/x\r\n' }, /path is not a path/],
    ['removal that is no list', { removeHeaders: 'a' }, /removeHeaders is not a list/],
  ];
  it.each(wrong)('refuses %s', async (_about, outcome, error) => {
    const exchange = createExchange({ onRequestHeaders: () => outcome } as unknown as MiddlewareModule);
    await expect(exchange.next(REQUEST)).rejects.toThrow(error);
  });
});
