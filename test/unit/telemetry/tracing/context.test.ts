import { describe, expect, it } from 'vitest';
import { binaryTraceparent, traceContext } from '../../../../src/telemetry/tracing/context.js';

const TRACE = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

describe('the trace of a request', () => {
  it('is traceparent and tracestate', () => {
    expect(traceContext(TRACE, 'a=1')).toEqual({ traceparent: TRACE, tracestate: 'a=1' });
    expect(traceContext(TRACE, undefined)).toEqual({ traceparent: TRACE });
  });
  it.each([undefined, '', 'x', TRACE.toUpperCase(), `${TRACE}-x`, TRACE.replace(/4b.{30}/, '0'.repeat(32)), [TRACE]])(
    'is none when traceparent is %j, whatever tracestate says',
    (traceparent) => expect(traceContext(traceparent, 'a=1')).toEqual({}),
  );
  it('is read from the binary form', () => {
    const [, trace = '', span = ''] = TRACE.split('-');
    const value = Buffer.concat([
      Buffer.from([0, 0]),
      Buffer.from(trace, 'hex'),
      Buffer.from([1]),
      Buffer.from(span, 'hex'),
      Buffer.from([2, 1]),
    ]);
    expect(binaryTraceparent(value)).toBe(TRACE);
    expect(binaryTraceparent(value.subarray(1))).toBeUndefined();
    expect(binaryTraceparent(Buffer.alloc(29, 7))).toBeUndefined();
    expect(binaryTraceparent('text')).toBeUndefined();
  });
});
