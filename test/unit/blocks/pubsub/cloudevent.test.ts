import { describe, expect, it } from 'vitest';
import { type WrapRequest, wrapEvent, wrapRawMessage } from '../../../../src/blocks/pubsub/cloudevent.js';

const TRACE = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
const NOW = Date.parse('2026-01-02T03:04:05.678Z');
const wrap = (change: Partial<WrapRequest> & { readonly text?: string }) =>
  wrapEvent({
    data: Buffer.from(change.text ?? '{"a":1}'),
    contentType: 'application/json',
    topic: 'orders',
    pubsubName: 'pubsub',
    source: 'checkout',
    trace: { traceparent: TRACE },
    overrides: {},
    nowMs: NOW,
    ...change,
  });
const event = (change: Parameters<typeof wrap>[0]) => JSON.parse(wrap(change).toString()) as Record<string, unknown>;

describe('a new envelope', () => {
  it('has every attribute of the table', () => {
    const { id, ...rest } = event({});
    expect(id).toMatch(/^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[\da-f]{4}-[\da-f]{12}$/);
    expect(rest).toEqual({
      specversion: '1.0',
      type: 'com.dapr.event.sent',
      source: 'checkout',
      datacontenttype: 'application/json',
      topic: 'orders',
      pubsubname: 'pubsub',
      time: '2026-01-02T03:04:05.678Z',
      traceid: TRACE,
      traceparent: TRACE,
      data: { a: 1 },
    });
  });

  it.each([
    ['application/json', '[1, 2]', [1, 2]],
    ['application/json; charset=utf-8', '"text"', 'text'],
    ['application/vnd.order+json', '{"x":1}', { x: 1 }],
    ['APPLICATION/JSON', 'null', null],
  ])('holds %s data as JSON', (contentType, text, data) =>
    expect(event({ contentType, text })).toMatchObject({ data, datacontenttype: contentType }),
  );

  it.each([
    ['text/plain', 'plain "text"', 'plain "text"'],
    ['application/json', '{broken', '{broken'],
    ['application/json', '', ''],
    ['application/xml', '<a/>', '<a/>'],
  ])('holds %s data that is not JSON as a string', (contentType, text, data) =>
    expect(event({ contentType, text }).data).toBe(data),
  );

  it('says text/plain when the publisher said nothing', () => {
    expect(event({ contentType: '', text: 'hi' })).toMatchObject({ datacontenttype: 'text/plain', data: 'hi' });
  });

  it('holds binary data as base64', () => {
    const made = event({ contentType: 'application/octet-stream', data: Buffer.from([0, 255]) });
    expect(made).toMatchObject({ data_base64: 'AP8=', datacontenttype: 'application/octet-stream' });
    expect(made).not.toHaveProperty('data');
  });

  it('splices JSON in byte for byte', () => {
    const text = '{ "big": 12345678901234567890, "b":1,\n "a" :1.10 }';
    expect(wrap({ text }).toString()).toContain(`"data":${text}}`);
  });

  it('replaces what is not UTF-8 instead of passing it on as JSON', () => {
    expect(event({ data: Buffer.from([0x22, 0xc3, 0x28, 0x22]) }).data).toBe('"\ufffd("');
  });

  it('takes overrides, and traceparent before traceid', () => {
    const overrides = { id: 'i"d', source: 's', type: 't', subject: 'sub', traceid: 'x', traceparent: 'y', tracestate: 'z=1' };
    const expected = { id: 'i"d', source: 's', type: 't', subject: 'sub', traceid: 'y', traceparent: 'y', tracestate: 'z=1' };
    expect(event({ overrides })).toMatchObject(expected);
    expect(event({ overrides: { traceid: 'x' } })).toMatchObject({ traceid: 'x', traceparent: 'x' });
  });

  it('cannot be broken out of by topic, type or source', () => {
    const evil = 'a","data":"stolen';
    expect(event({ topic: evil, source: evil, overrides: { type: evil, subject: '\u0000\ud800' } })).toMatchObject({
      topic: evil,
      source: evil,
      type: evil,
      data: { a: 1 },
    });
  });

  it('has an expiration, and falls back to Dapr as source', () => {
    expect(event({ expiresAtMs: NOW + 1000, source: '' })).toMatchObject({
      expiration: '2026-01-02T03:04:06.678Z',
      source: 'Dapr',
    });
  });
});

describe('an envelope of the publisher’s own', () => {
  const own = (text: string, change: Partial<WrapRequest> = {}) =>
    JSON.parse(wrap({ contentType: 'application/cloudevents+json', text, ...change }).toString()) as Record<string, unknown>;

  it('keeps fields and extensions, and is told where it goes and in which trace', () => {
    const text =
      '{"id":"7","source":"me","type":"order.made","specversion":"1.0","time":"t","topic":"x","pubsubname":"y","traceid":"z","myext":{"a":1},"data":"d"}';
    expect(own(text)).toEqual({
      id: '7',
      source: 'me',
      type: 'order.made',
      specversion: '1.0',
      time: 't',
      myext: { a: 1 },
      data: 'd',
      topic: 'orders',
      pubsubname: 'pubsub',
      traceid: TRACE,
      traceparent: TRACE,
    });
  });
  it('gets what it lacks', () => {
    const made = own('{"data":{"n":1},"id":"","source":null}', { trace: {} });
    expect(made).toMatchObject({
      source: 'checkout',
      type: 'com.dapr.event.sent',
      specversion: '1.0',
      time: '2026-01-02T03:04:05.678Z',
    });
    expect(made.id).toMatch(/-/);
    expect(made).not.toHaveProperty('traceparent');
  });
  it('keeps its own trace when the request has none', () => {
    expect(own('{"traceparent":"mine"}', { trace: {} })).toMatchObject({ traceparent: 'mine' });
  });
  it('keeps data byte for byte', () => {
    const made = wrap({
      contentType: 'application/cloudevents+json; charset=utf-8',
      text: '{"data":{"n": 12345678901234567890}}',
    });
    expect(made.toString()).toContain('"data":{"n": 12345678901234567890}');
  });
  it('may be empty', () => expect(own('{}')).toMatchObject({ topic: 'orders' }));
  it.each(['[]', '"x"', '{', ''])('is refused when it is %j', (text) => expect(() => own(text)).toThrow(/not a JSON object/));
});

describe('the envelope around a raw message', () => {
  it('holds base64, and the trace that came beside it', () => {
    const made = wrapRawMessage(
      { data: Buffer.from('hi'), metadata: { traceparent: TRACE, tracestate: 'a=1' } },
      'orders',
      'pubsub',
    );
    expect(JSON.parse(made.toString())).toMatchObject({
      specversion: '1.0',
      type: 'com.dapr.event.sent',
      datacontenttype: 'application/octet-stream',
      data_base64: 'aGk=',
      topic: 'orders',
      pubsubname: 'pubsub',
      traceid: TRACE,
      traceparent: TRACE,
      tracestate: 'a=1',
    });
  });
});
